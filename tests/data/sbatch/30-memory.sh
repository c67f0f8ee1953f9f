#!/bin/bash
#SBATCH --mem=50M
echo "$SLURM_MEM_PER_NODE"
