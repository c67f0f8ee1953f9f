# SPDX-License-Identifier: Apache-2.0
# 1040-rate.t - a thousand short tasks through pilots, and the same as plain Slurm jobs
# run: alone
# run: limit 600
. "${0%/*}/lab.sh"
conf
start
now() { date +%s%N; }

cat >job.yaml <<'YAML'
array: 0-999
resources: {cpus: 1, memory: 16MiB}
command: ["true"]
YAML
began=$(now)
id=$(submit job.yaml)
ok "a thousand tasks end well through pilots" 'timeout 300 spillway wait "$id"'
pilots_ns=$(($(now) - began))
is "all of them" "$(spillway ls --all --limit 2000 --json | json '*.state' | grep -cx succeeded)" 1000
broker_stop
ok "the cluster is empty" 'scancel -u "$LAB_USER"; eventually 30 "test -z \"\$(squeue -h -o %i)\""'

began=$(now)
ok "a thousand Slurm jobs end" 'as_user sbatch --wait -p batch --mem=16 -n 1 -o /dev/null --array=0-999 --wrap true'
slurm_ns=$(($(now) - began))
diag "pilots: $((pilots_ns / 1000000)) ms, from no pilot at all; plain jobs: $((slurm_ns / 1000000)) ms;" \
    "ratio $((slurm_ns * 10 / pilots_ns / 10)).$((slurm_ns * 10 / pilots_ns % 10))"
done_testing
