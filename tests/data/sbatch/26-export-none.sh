#!/bin/bash
#SBATCH --export=NONE
echo "${FROM_CALLER:-not set}"
