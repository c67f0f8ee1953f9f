#!/bin/bash
#SBATCH -c 2
echo "$SLURM_CPUS_PER_TASK"
