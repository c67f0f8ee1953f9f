# SPDX-License-Identifier: Apache-2.0
# 1040-rate.t - short tasks through pilots, and as many plain Slurm jobs on the same slots
# run: alone
# run: limit 1800
. "${0%/*}/lab.sh"
# Slurm ends seven such jobs a second here.
TASKS=${TASKS:-${LAB_LONG:+5000}}
TASKS=${TASKS:-150}
conf
start
now() { date +%s%N; }

cat >job.yaml <<YAML
array: 0-$((TASKS - 1))
resources: {cpus: 1, memory: 16MiB}
command: ["true"]
YAML
began=$(now)
id=$(submit job.yaml)
ok "$TASKS tasks end through pilots" 'timeout 600 spillway wait "$id"'
pilots_ns=$(($(now) - began))
is "all of them well" "$(spillway show --json "$id" | json counts.succeeded)" "$TASKS"
is "on the slots of the cluster" "$(spillway workers --json | json '*.site' | sort -u)" home
broker_stop
ok "the cluster is empty" 'scancel -u "$LAB_USER"; eventually 60 "test -z \"\$(squeue -h -o %i)\""'

began=$(now)
ok "$TASKS Slurm jobs end" \
    'as_user timeout 1500 sbatch --wait -p batch --mem=16 -n 1 -o /dev/null "--array=0-$((TASKS - 1))" --wrap true'
slurm_ns=$(($(now) - began))
diag "pilots: $((pilots_ns / 1000000)) ms, from no pilot at all; plain jobs: $((slurm_ns / 1000000)) ms;" \
    "ratio $((slurm_ns * 10 / pilots_ns / 10)).$((slurm_ns * 10 / pilots_ns % 10))"
done_testing
