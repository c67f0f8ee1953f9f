#!/bin/bash
#SBATCH --output=result.txt
echo to a file
