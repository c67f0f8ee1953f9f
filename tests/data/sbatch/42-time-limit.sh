#!/bin/bash
#SBATCH -t 1
echo begun
sleep 300
echo never
