#!/bin/sh
#SBATCH -N 2 -n 8 -c 2 --mem-per-cpu=2G --gpus-per-task=A100:1 --cpus-per-gpu=4 --mem-per-gpu=1G
#SBATCH -d afterok:1:2?afterany:3,singleton -L a@b:2|c --mail-type=ALL --nice --time=1-2 --time=5 --tmp=1T
true
