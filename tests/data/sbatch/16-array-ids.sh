#!/bin/bash
#SBATCH --array=1-2
test -n "$SLURM_ARRAY_JOB_ID" && test -n "$SLURM_JOB_ID" && echo "both are set"
