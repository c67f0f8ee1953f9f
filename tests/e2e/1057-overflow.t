# SPDX-License-Identifier: Apache-2.0
# 1057-overflow.t - a partner's worker that is up already takes what gains by it, and nothing else
. "${0%/*}/../lib/spillway.sh"
cat >conf.yaml <<'YAML'
sites:
  - {name: home, type: local, cpus: 2, memory: 1GiB}
  - {name: warm, type: local, tier: partner, cpus: 4, memory: 1GiB, overflow_after: 20m, idle: 1h}
YAML
broker_start --config conf.yaml
site_of() { field "$1" site; }

# The partner's worker comes up for a job that wants it, and stays.
cat >there.yaml <<'YAML'
command: ["true"]
placement: {sites: {require: [warm]}}
YAML
id=$(submit there.yaml)
ok "the partner's worker is up" 'wait_state "$id" succeeded && test "$(site_of "$id")" = warm'

# Once it is known how long such run: home has begun twelve of them long before 20 minutes.
id=$(submit --name brief -- sleep 0.1)
wait_state "$id" succeeded
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do submit --name brief -- sleep 0.1; done >ids
ok "short ones run" 'spillway wait $(cat ids)'
is "  all at home, though the partner's worker is idle" "$(spillway ls --all --name brief --json | json '*.site' | sort -u)" home

# Home is taken for hours: now it is better abroad.
rm -f "$T/go"
for i in 1 2; do submit --name block --tier home --walltime 5h -- sh -c "until test -e '$T/go'; do sleep 0.2; done"; done >blocks
wait_state "$(head -n 1 blocks)" running
wait_state "$(tail -n 1 blocks)" running
id=$(submit --name brief -- sleep 0.1)
ok "one that home would begin in hours" 'wait_state "$id" succeeded'
is "  goes out at once" "$(site_of "$id")" warm
id=$(submit --name tied --tier home -- true)
ok "one that may not go waits" 'eventually 20 "spillway explain $id | grep -q busy"'
is "  at home" "$(field "$id" state)" pending
touch "$T/go"
ok "and runs when home is free" 'wait_state "$id" succeeded && test "$(site_of "$id")" = home'
is "what held home was never moved" "$(spillway ls --all --name block --json | json '*.site' | sort -u)" home

# Where home could begin it within the gain that leaving takes, explain says so.
rm -f "$T/go"
for i in 1 2; do submit --name block --tier home --walltime 10m -- sh -c "until test -e '$T/go'; do sleep 0.2; done"; done >blocks
wait_state "$(head -n 1 blocks)" running
wait_state "$(tail -n 1 blocks)" running
id=$(submit --name patient -- true)
ok "what would gain too little waits" 'eventually 20 "spillway explain $id | grep -q \"not worth leaving\|would not finish it sooner\""'
is "  and goes nowhere" "$(field "$id" state)" pending
touch "$T/go"
ok "  until home has room" 'wait_state "$id" succeeded && test "$(site_of "$id")" = home'
done_testing
