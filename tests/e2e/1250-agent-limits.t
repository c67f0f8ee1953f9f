#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 1250-agent-limits.t - walltime, early signal, grace, memory, cancel, and how many run at once
. "${0%/*}/../lib/agent.sh"
broker_start
agent_start '"cpus": 4, "memory_bytes": 4000000000'

lease 1 '"argv": ["sleep", "60"], "walltime_ms": 200, "grace_ms": 5000'
finished 1
ok "walltime"                          'test "$(report 1 reason) $(report 1 signal)" = "walltime 15"'
lease 2 '"argv": ["sh", "-c", "trap \"\" TERM; echo deaf; while :; do sleep 1; done"], "walltime_ms": 300, "grace_ms": 200'
finished 2
ok "deaf to SIGTERM: killed after grace" 'test "$(report 2 reason) $(report 2 signal)" = "walltime 9"'
lease 3 '"argv": ["sh", "-c", "trap \"echo early; exit 0\" USR1; while :; do sleep 0.05; done"], "walltime_ms": 60000, "signal": 10, "signal_before_ms": 59700'
finished 3
ok "an early signal lets it end well"  'test "$(report 3 reason) $(report 3 "log(\"stdout\").strip()")" = " early"'
lease 4 '"argv": ["sh", "-c", "trap \"echo saved; exit 0\" TERM; while :; do sleep 0.05; done"], "grace_ms": 5000'
running 4
echo >"$B/cancel/4"
finished 4
ok "cancel: SIGTERM first"             'test "$(report 4 reason) $(report 4 "log(\"stdout\").strip()")" = "cancelled saved"'
lease 5 '"argv": ["sleep", "60"], "grace_ms": 60000'
running 5
echo deadline >"$B/cancel/5"
finished 5
ok "a deadline says so"                'report 5 detail | grep -q deadline'

cat >"$T/eat.py" <<'PY'
import sys, time
held = []
for i in range(600):
    held.append(bytearray(1024 * 1024))
    time.sleep(0.002)
time.sleep(5)
PY
lease 6 "\"argv\": [\"python3\", \"$T/eat.py\"], \"memory_bytes\": 100000000"
finished 6
ok "memory limit"                      'test "$(report 6 reason)" = memory'
ok "its peak is told"                  'test "$(report 6 max_rss_bytes)" -gt 50000000'
lease 7 "\"argv\": [\"sh\", \"-c\", \"python3 $T/eat.py; echo status \$?\"], \"memory_bytes\": 100000000"
finished 7
ok "also when a child took it"         'test "$(report 7 reason)" = memory'
lease 8 '"argv": ["sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"], "memory_bytes": 500000000'
finished 8
ok "CPU time is told"                  'test "$(report 8 cpu_ms)" -gt 5'
ok "no cgroup is left"                 'wait_until "! find /sys/fs/cgroup -path "*spillway-w$$-*" 2>/dev/null | grep -q /8" 5'

for id in 20 21 22 23 24; do
    lease $id '"argv": ["sh", "-c", "sleep 0.5"], "cpus": 2'
done
finished 24
ok "as many at once as there is room"  'test "$(python3 - "$B/reports.jsonl" <<"PY"
import json, sys
spans = [(r["started"], r["started"] + r["wall_ms"] - 50) for r in map(json.loads, open(sys.argv[1]))
         if r["state"] == "finished" and r["attempt"] in range(20, 25)]
print(max(sum(a <= s < b for a, b in spans) for s, _ in spans))
PY
)" = 2'
lease 30 '"argv": ["true"], "cpus": 64, "memory_bytes": 0'
finished 30
ok "what is larger than the machine runs alone" 'test "$(report 30 reason)" = ""'

lease 31 '"argv": ["true"], "container": "no/such:image"'
finished 31
if command -v apptainer >/dev/null || command -v podman >/dev/null || command -v docker >/dev/null; then
    ok "an image that is not there: image"  'test "$(report 31 reason)" = image'
else
    ok "no container runtime: image"        'test "$(report 31 reason)" = image && report 31 detail | grep -q podman'
fi

lease 40 '"argv": ["sleep", "60"], "cpus": 4'
running 40
lease 41 '"argv": ["true"], "cpus": 4'
sleep 0.3
echo >"$B/cancel/41"
finished 41
ok "one that waits can be cancelled"   'test "$(report 41 reason)" = cancelled'
lease 42 '"argv": ["true"], "cpus": 4'
sleep 0.3
touch "$B/drain"
finished 42
ok "drain gives back what waits"       'test "$(report 42 state)" = returned'
ok "and lets run what runs"            '! report 40 state'
echo fenced >"$B/cancel/40"
finished 40
done_testing
