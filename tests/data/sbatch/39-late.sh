#!/bin/bash
#SBATCH --begin=now+2seconds
echo later
