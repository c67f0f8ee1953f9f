#!/bin/bash
cd / && cd "$SLURM_SUBMIT_DIR" && basename "$PWD"
