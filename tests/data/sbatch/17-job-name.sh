#!/bin/bash
#SBATCH --job-name=my_job
echo "$SLURM_JOB_NAME"
