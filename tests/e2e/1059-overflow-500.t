# SPDX-License-Identifier: Apache-2.0
# 1059-overflow-500.t - 500 jobs, home full, two partners free: who goes, who stays, and what it is worth
#
# Machines stand in for sites.  `big` has the memory that home lacks, so what asks for it can only go there.
. "${0%/*}/../lib/spillway.sh"
cat >conf.yaml <<'YAML'
projects:
  house: {overflow: false}
sites:
  - {name: home, type: local, cpus: 4, memory: 1GiB, jurisdiction: DE, idle: 1h}
  - {name: near, type: local, tier: partner, cpus: 6, memory: 1GiB, jurisdiction: FR, cloud_act: true, overflow_after: 3s, idle: 3s}
  - {name: gpus, type: local, tier: partner, cpus: 4, memory: 4GiB, jurisdiction: CH, overflow_after: 3s, idle: 3s}
YAML
OVERFLOW=local
export OVERFLOW
jobs="$LIB/overflow-jobs"
broker_start --config conf.yaml
answers() { test "$(spillway sites show "$1" --json | json health)" = up; }
ok "all sites answer" 'eventually 60 "answers home && answers near && answers gpus"'

# One of each class, so that it is known how long they run.
"$jobs" one >one.yaml
submit one.yaml >ids
ok "one of each class has run" 'spillway wait $(cat ids)'
"$jobs" home >home.yaml
submit home.yaml >ids
ok "all that home can run has run there alone" 'spillway wait $(cat ids)'
"$jobs" all >all.yaml
submit all.yaml >ids.all
is "500 jobs are queued" "$(grep -c . ids.all)" 500
ok "all have run" 'spillway wait $(cat ids.all)'
spillway ls --all --json --limit 10000 >tasks.json
"$jobs" count ids ids.all <tasks.json >figures.json
diag "$(cat figures.json)"
figure() { json "$1" <figures.json; }
is "none failed" "$(figure failed)" 0
ok "long ones went out" 'test "$(figure abroad.long)" -gt 0'
is "data that must stay in its country stayed" "$(figure abroad.country)" 0
is "what may not leave home stayed" "$(figure abroad.tier)" 0
is "a project that may not overflow stayed" "$(figure abroad.house)" 0
is "nothing went within reach of the CLOUD Act that must not" "$(figure near.act)" 0
is "what home lacks the memory for is where there is some" "$(figure gpus.gpu)" "$(figure jobs.gpu)"
ok "fourteen slots were done sooner than four" 'figure overflow_of_home_alone | awk "{exit !(\$1 < 1)}"'
done_testing
