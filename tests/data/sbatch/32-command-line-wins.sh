#!/bin/bash
#SBATCH -J from-script -o from-script.txt
# called with: -J from-line -o from-line.txt
echo "$SLURM_JOB_NAME"
