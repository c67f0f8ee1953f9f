#!/bin/bash
#SBATCH --chdir=sub
basename "$PWD"
echo made in sub >made.txt
