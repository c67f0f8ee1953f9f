#!/bin/bash
#SBATCH -J "my job" --array=0-9%3   # comment
#SBATCH --mem=4G -t 90 -c4
#SBATCH --ntasks=2 --gres=gpu:V100:2 --mem-per-cpu=2G
#SBATCH -p batch --qos high -o out-%j.txt
#SBATCH --dependency=afterok:12:13,aftercorr:5
#SBATCH --signal=B:USR1@120 --nice=50 --export=NONE,FOO=bar --mail-type=END,FAIL --mail-user=a@b.c
#SBATCH --licenses=matlab@srv:2,idl --begin=now+2hours --no-requeue
#SBATCH --foo=3 --memm=3
#SPILLWAY --output 'results/*.csv' --site scigne --walltime 0s
#SPILLWAY --cpu 3

echo hi
#SBATCH --bad
