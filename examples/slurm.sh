#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A batch script as it is written for Slurm.   spillway submit slurm.sh
# What has a counterpart is honoured; what has none (here --partition: Spillway chooses where a job runs) is
# named in a warning.
#SBATCH --job-name=primes
#SBATCH --array=1-4
#SBATCH --cpus-per-task=1
#SBATCH --mem=64M
#SBATCH --time=00:05:00
#SBATCH --partition=short

first=$(((SLURM_ARRAY_TASK_ID - 1) * 1000 + 1))
echo "primes from $first to $((first + 999)):"
awk -v from="$first" 'BEGIN {
    for (n = from > 2 ? from : 2; n < from + 1000; n++) {
        for (d = 2; d * d <= n && n % d; d++) {}
        if (d * d > n) found++
    }
    print found
}'
