#!/bin/bash
#SBATCH -o out.txt -e err.txt
echo out
echo err >&2
