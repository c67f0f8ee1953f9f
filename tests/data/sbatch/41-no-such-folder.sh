#!/bin/bash
#SBATCH -o nowhere/out.txt
echo unheard
