#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 1260-agent-leaving.t - a worker that is taken away says so; one without a broker ends
. "${0%/*}/../lib/agent.sh"
broker_start
agent_start "\"cpus\": 1, \"notice\": {\"file\": \"$T/notice\"}"
lease 1 '"argv": ["sh", "-c", "trap \"echo saved; exit 0\" TERM; while :; do sleep 0.05; done"], "grace_ms": 5000'
running 1
lease 2 '"argv": ["true"]'
sleep 0.3
touch "$T/notice"
finished 1
ok "spot notice: preempted, with grace" 'test "$(report 1 reason) $(report 1 "log(\"stdout\").strip()")" = "preempted saved"'
finished 2
ok "what had not started goes back"    'test "$(report 2 state)" = returned'
ok "the broker is told"                'grep -q "\"leaving\": \"preempted\"" "$B/syncs.jsonl"'
wait "$AGENT_PID"
status=$?
ok "and it ends"                       'test $status = 0'

rm -rf "$W" "$T/notice"
broker_stop
rm -rf "$B"
broker_start
agent_start '"grace_ms": 300'
lease 3 '"argv": ["sh", "-c", "trap \"\" TERM; while :; do sleep 1; done"], "grace_ms": 60000'
running 3
kill -TERM "$AGENT_PID"
finished 3
ok "SIGTERM: preempted, killed after the worker's own grace" 'test "$(report 3 reason) $(report 3 signal)" = "preempted 9"'
wait "$AGENT_PID"
ok "the broker is told: signal"        'grep -q "\"leaving\": \"signal\"" "$B/syncs.jsonl"'

rm -rf "$W"
broker_stop
rm -rf "$B"
ORPHAN_MS=1000 broker_start
agent_start '"grace_ms": 300'
lease 4 '"argv": ["sleep", "3333.9"]'
running 4
broker_stop
wait "$AGENT_PID"
status=$?
ok "orphaned: it ends"                 'test $status = 3'
ok "and its jobs with it"              '! has_process 3333.9'
ok "and says why"                      'grep -q "broker has been gone" "$T/agent.log"'

rm -rf "$W" "$B"
broker_start
agent_start
lease 5 '"argv": ["sleep", "3333.11"]'
running 5
touch "$B/exit"
wait "$AGENT_PID"
status=$?
ok "told to end, it ends"              'test $status = 0 && ! has_process 3333.11'
done_testing
