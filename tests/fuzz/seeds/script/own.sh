#!/bin/sh
#SPILLWAY --name a --cpus 4+ --memory 8GiB --gpus V100:2 --walltime 2h --array 0-9%3
#SPILLWAY --input b=c --output 'd/*' --env E=f --after 1:any --signal USR1@2m --limit l:2
#SPILLWAY --begin now+2h --deadline 2027-01-01 --site s --tier partner --no-cloud-act --notify failed --cron @daily
true
