#!/bin/bash
#SBATCH -o before.txt
echo instead of it
