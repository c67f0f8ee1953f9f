#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 1230-agent-faults.t - a broker that is slow, refuses, lies or is gone costs no result
. "${0%/*}/../lib/agent.sh"

# An attempt's final reports, told apart by their text: the same result said twice is one.
results() { grep "\"attempt\": $1, \"state\": \"finished\"" "$B/reports.jsonl" | sort -u | wc -l; }
runs() { grep -c . "$T/ran.$1"; }
job() { lease "$1" "\"argv\": [\"sh\", \"-c\", \"echo x >> $T/ran.$1\"]"; }

agent_start
sleep 0.3
mkdir -p "$B/faults"
echo 1 >"$B/faults/lostjoin"
broker_start
wait_until 'test -s "$B/syncs.jsonl"'
ok "it waits for a broker that is not up yet" 'test -s "$B/joined"'
ok "a join whose answer was lost is repeated" 'test -s "$B/syncs.jsonl"'

id=10
for fault in refuse gone lost garbage cut slow; do
    id=$((id + 1))
    echo 2 >"$B/faults/$fault"
    job $id
    finished $id 20
    ok "$fault: the job ran once"      'test "$(runs $id)" = 1'
    ok "$fault: one result"            'test "$(results $id)" = 1'
done

touch "$B/faults/resend"
job 30
finished 30
sleep 0.3
ok "leases sent again run once"        'test "$(runs 30)" = 1 && test "$(runs 11)" = 1'
rm "$B/faults/resend"

touch "$B/faults/unsettled"
job 31
finished 31
wait_until 'test "$(grep -c "\"attempt\": 31, \"state\": \"finished\"" "$B/reports.jsonl")" -ge 2' 25
ok "a result is said until it is settled" 'test "$(grep -c "\"attempt\": 31, \"state\": \"finished\"" "$B/reports.jsonl")" -ge 2'
ok "and is the same"                   'test "$(results 31)" = 1'
rm "$B/faults/unsettled"

lease 32 '"argv": ["sh", "-c", "sleep 4; echo survived"]'
running 32
broker_stop
sleep 1.5
broker_start
finished 32
ok "a job outlives its broker"         'test "$(report 32 "log(\"stdout\")")" = survived'
ok "a new broker is told what we have" 'grep "\"held\": \[" "$B/syncs.jsonl" | tail -1 | grep -q 32'
job 33
finished 33
ok "and gives new work"                'test "$(runs 33)" = 1'

printf '[1, "x", {"attempt": "no"}, {"attempt": 40, "argv": 7}, {"attempt": 41, "argv": ["true"], "cpus": -1}]' >"$B/leases/odd.json"
finished 40
ok "odd leases are answered, not run"  'test "$(report 40 reason)" = lost && finished 41 && test "$(report 41 reason)" = lost'

head -c 300000 /dev/zero | tr '\0' '[' >"$T/deep"
job 50
finished 50
ok "it still works"                    'test "$(runs 50)" = 1'
done_testing
