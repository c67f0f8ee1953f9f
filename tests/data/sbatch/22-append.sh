#!/bin/bash
#SBATCH -o before.txt --open-mode=append
echo behind it
