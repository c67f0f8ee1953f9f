#!/bin/bash
echo "$SLURM_JOB_NAME"
