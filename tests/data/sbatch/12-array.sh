#!/bin/bash
#SBATCH --array=1-3
echo "task $SLURM_ARRAY_TASK_ID"
