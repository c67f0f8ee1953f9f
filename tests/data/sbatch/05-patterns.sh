#!/bin/bash
#SBATCH -J pat -o %x-%A.txt
echo named by its job
