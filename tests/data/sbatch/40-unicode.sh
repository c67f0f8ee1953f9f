#!/bin/bash
#SBATCH -J ünïcode
echo "größer → 数"
