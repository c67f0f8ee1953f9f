#!/bin/bash
#SBATCH -n 2 --ntasks-per-node=2
echo "$SLURM_NTASKS $SLURM_NNODES"
