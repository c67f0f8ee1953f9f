#!/usr/bin/env python3
#SBATCH -J py
# called with: a b
import os, sys
print("python", os.environ["SLURM_JOB_NAME"], sys.argv[1:])
sys.exit(3)
