#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What became of a job, for Snakemake's --cluster-status: it asks sacct, Slurm's or Spillway's.

A question that cannot be answered is asked again; it never counts as an end."""
import subprocess
import sys
import time

for attempt in range(10):
    asked = subprocess.run(["sacct", "-nPX", "-j", sys.argv[1], "-o", "State"],
                           stdout=subprocess.PIPE, universal_newlines=True)
    states = asked.stdout.split()
    if asked.returncode == 0 and states:
        break
    time.sleep(2 + attempt)
else:
    sys.exit("sacct does not answer for job " + sys.argv[1])

if states[0] == "COMPLETED":
    print("success")
elif states[0] in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "REQUEUED"):
    print("running")
else:
    print("failed")
