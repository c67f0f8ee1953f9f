# SPDX-License-Identifier: Apache-2.0
# 1055-placement.t - who goes first, and where: what a job file and the rules say is done
. "${0%/*}/../lib/spillway.sh"
cat >conf.yaml <<'YAML'
projects:
  pilots: {phase: test}
  poor: {max_cost: 5, cost_period: 1d}
sites:
  - {name: home, type: local, cpus: 1, memory: 1GiB, jurisdiction: FR}
  - {name: trial, type: local, tier: partner, phase: test, cpus: 4, memory: 2GiB, overflow_after: 0s}
  - {name: paid, type: local, tier: commercial, cpus: 1, memory: 1GiB, overflow_after: 0s, idle: 0s, price: {currency: EUR, hour: 3600}}
YAML
broker_start --config conf.yaml
eventually 20 'spillway sites show paid --json | grep -q machine'

block() { # holds the one cpu of home until it is let go
    rm -f "$T/go"
    blocker=$(submit --name block --tier home -- sh -c "until test -e '$T/go'; do sleep 0.1; done")
    wait_state "$blocker" running
}

# Priority, then age.
block
low=$(submit --tier home --priority -5 -- true)
first=$(submit --tier home -- true)
second=$(submit --tier home -- true)
high=$(submit --tier home --priority 5 -- true)
touch "$T/go"
wait_state "$low" succeeded
started() { field "$1" started; }
is "priority, then age" "$(for id in $low $first $second $high; do echo "$(started "$id") $id"; done | sort | awk '{print $2}' | tr '\n' ' ')" "$high $first $second $low "

# Alternatives: by score, or the first that can run.
cat >ordered.yaml <<'YAML'
command: [sh, -c, "echo $SPILLWAY_CPUS"]
resources: {ordered: true, any_of: [{cpus: 64}, {cpus: 3}, {cpus: 2}]}
project: pilots
YAML
id=$(submit ordered.yaml)
ok "the first alternative that can run" 'wait_state "$id" succeeded && test "$(spillway logs "$id")" = 3'
is "  where it can" "$(field "$id" site)" trial
id=$(submit --cpus 2+ --project pilots -- sh -c 'echo $SPILLWAY_CPUS')
ok "an open amount takes what is left" 'wait_state "$id" succeeded && test "$(spillway logs "$id")" -gt 2'

# Where it may go.
nok "a site in phase test is not for everybody" 'submit --cpus 3 -- true'
like "  the table says so" "$(cat "$T/ok.out")" 'trial .*never .*rule of its project'
id=$(submit --anyway --parsable --cpus 3 -- true 2>/dev/null)
is "--anyway queues it" "$(field "$id" state) $(spillway explain "$id" --json | json reason)" "pending no-site"
spillway cancel "$id"
cat >fr.yaml <<'YAML'
command: ["true"]
resources: {cpus: 4}
project: pilots
placement: {jurisdiction: [FR]}
YAML
nok "jurisdiction binds" 'submit fr.yaml'
like "  with what would make it fit" "$(cat "$T/ok.out")" 'would fit if: .*jurisdiction'
like "--dry-run gives the table and queues nothing" "$(spillway submit --dry-run fr.yaml)" 'home .*never'
is "  nothing" "$(spillway ls --project pilots | grep -c pending)" 0

# Money: 1 EUR a second, 5 a day for the project, 3 for a job.
cat >poor.yaml <<'YAML'
command: [sleep, "1"]
project: poor
array: 1-10
resources: {walltime: 1500ms}
placement: {sites: {require: [paid]}}
YAML
id=$(submit poor.yaml)
ok "a project's ceiling holds its work back" 'eventually 40 "spillway explain $id | grep -q \"may still be spent\" && ! spillway ls --project poor | grep -q running"'
spent() { # seconds that tasks of the job have run
    for spent_index in 1 2 3 4 5 6 7 8 9 10; do attempts "$1.$spent_index" wall_ms; echo; done | awk '{s += $1} END {print int((s + 999) / 1000)}'
}
ok "  which is not exceeded" 'test "$(spent "$id")" -ge 1 && test "$(spent "$id")" -le 5'
spillway cancel "$id"
{ grep -v project poor.yaml | sed 's/\[paid\]}/[paid]}, max_cost: 3/'; } >mean.yaml
id=$(submit mean.yaml)
ok "a job's own ceiling holds it back" 'eventually 40 "spillway explain $id | grep -q \"may still be spent\" && ! spillway ls | grep -q running"'
ok "  which is not exceeded" 'test "$(spent "$id")" -ge 1 && test "$(spent "$id")" -le 3'
like "explain says what was decided of a task that ran" "$(spillway explain "$high")" 'gets 1 cpu.* of shape machine; why: fits'
like "and usage --shares where everybody stands" "$(spillway usage --shares)" 'pilots'
done_testing
