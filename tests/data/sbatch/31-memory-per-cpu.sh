#!/bin/bash
#SBATCH --mem-per-cpu=20 -c 2
echo "$SLURM_MEM_PER_CPU"
