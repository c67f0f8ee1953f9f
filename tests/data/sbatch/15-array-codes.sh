#!/bin/bash
#SBATCH --array=0-2
exit $SLURM_ARRAY_TASK_ID
