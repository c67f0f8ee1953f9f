# SPDX-License-Identifier: Apache-2.0
# 1230-overflow.t - home full, two partners free: what gains goes, what does not gain or may not go stays
#
# Home is the cluster's partition `batch`.  Two others stand in for partners: this machine, within reach of the
# CLOUD Act, and the partition `gpu`, which is not and has the GPUs that home lacks.
. "${0%/*}/lab.sh"

cat >conf.yaml <<YAML
broker: {listen: "127.0.0.1:$PORT"}
projects:
  house: {overflow: false}
sites:
  - {name: home, type: slurm, ssh: {host: login, config: "$LAB/ssh_config"}, dir: ~/home, partitions: [batch],
     jurisdiction: DE, time: 20m, probe: 2s, reconcile: 2s, idle: 60s, boot_deadline: 2m}
  - {name: near, type: local, tier: partner, jurisdiction: FR, cloud_act: true, overflow_after: 3s, cpus: 6,
     idle: 3s}
  - {name: gpus, type: slurm, ssh: {host: login, config: "$LAB/ssh_config"}, dir: ~/gpus, partitions: [gpu],
     tier: partner, jurisdiction: CH, overflow_after: 3s, time: 20m, probe: 2s, reconcile: 2s, idle: 60s,
     boot_deadline: 2m}
YAML
broker_start --config conf.yaml
all_are_up() { test "$(spillway sites --json | json '*.health' | sort -u)" = up; }
ok "all sites answer" 'eventually 60 all_are_up'

# One of each class, so that it is known how long they run; home's workers come.
"$LIB/overflow-jobs" one >one.yaml
submit one.yaml >ids
ok "one of each class has run" 'wait_state "$(tr "\n" " " <ids)" succeeded --limit 120 || spillway wait $(cat ids)'

# Twelve of a tenth of a second are done here before another site could be worth its overflow_after.
workers_at() { spillway workers --json | python3 -c 'import json, sys
print(sum(w["site"] == sys.argv[1] for w in json.load(sys.stdin)))' "$1"; }
ok "partners are left" 'eventually 60 "test \"\$(workers_at near)\" = 0"'
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do submit --name brief --priority 500 -- sleep 0.1; done >ids
ok "a few short ones have run" 'spillway wait $(cat ids)'
is "at home: they would not have gained" "$(spillway ls --all --name brief --json | json '*.site' | sort -u)" home

"$LIB/overflow-jobs" home >home.yaml
submit home.yaml >ids
ok "all that home can run has run there alone" 'spillway wait $(cat ids)'
"$LIB/overflow-jobs" all >all.yaml
submit all.yaml >ids.all
is "500 jobs are queued" "$(grep -c . ids.all)" 500
explain_of() { spillway explain "$(spillway ls --state pending --name "$1" --json | json -1.id)"; }
eventually 20 'explain_of long >explain.txt && grep -Eq "sooner|later|start" explain.txt'
ok "all have run" 'spillway wait $(cat ids.all)'
spillway ls --all --json --limit 10000 >tasks.json
"$LIB/overflow-jobs" count ids ids.all <tasks.json >figures.json
diag "$(cat figures.json)"
figure() { json "$1" <figures.json; }
is "none failed" "$(figure failed)" 0
ok "long ones went out" 'test "$(figure abroad.long)" -gt 0'
is "data that must stay in its country stayed" "$(figure abroad.country)" 0
is "what may not leave home stayed" "$(figure abroad.tier)" 0
is "a project that may not overflow stayed" "$(figure abroad.house)" 0
is "nothing went within reach of the CLOUD Act that must not" "$(figure near.act)" 0
is "GPU jobs are where the GPUs are" "$(figure gpus.gpu)" "$(figure jobs.gpu)"
diag "$(cat explain.txt)"
done_testing
