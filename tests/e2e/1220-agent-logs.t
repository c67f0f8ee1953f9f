#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 1220-agent-logs.t - what a job writes can be followed, is kept up to a limit, and counted beyond it
. "${0%/*}/../lib/agent.sh"
broker_start
agent_start

lease 1 '"argv": ["sh", "-c", "echo first; sleep 30; echo second"]'
wait_until 'grep -qsx first "$B/logs/1.stdout"' 10
ok "a log is seen while the job runs"  'grep -qsx first "$B/logs/1.stdout"'
echo >"$B/cancel/1"
finished 1

lease 2 '"argv": ["seq", "1", "200000"]'
finished 2
ok "a long log is uploaded whole"      'seq 1 200000 | cmp - "$B/logs/2.stdout"'
ok "with its hash in the report"       'test "$(report 2 "r[\"logs\"][\"stdout\"][\"sha256\"]")" = "$(seq 1 200000 | sha256sum | cut -d" " -f1)"'
ok "and not in the report itself"      'test "$(report 2 "\"data\" in r[\"logs\"][\"stdout\"]")" = False'

lease 3 '"argv": ["sh", "-c", "seq 1 200000; exit 7"], "log_most": 10000'
finished 3
ok "a limit is kept"                   'test "$(stat -c %s "$B/logs/3.stdout")" = 10000'
ok "what is beyond is counted"         'test "$(report 3 "r[\"logs\"][\"stdout\"][\"cut\"]")" = "$(($(seq 1 200000 | wc -c) - 10000))"'
ok "the job goes on"                   'test "$(report 3 exit_code)" = 7'
lease 4 '"argv": ["sh", "-c", "seq 1 2000"], "log_most": 100'
finished 4
ok "also for a short one"              'test "$(report 4 "len(log(\"stdout\")), r[\"logs\"][\"stdout\"][\"cut\"]")" = "(100, $(($(seq 1 2000 | wc -c) - 100)))"'

lease 5 '"argv": ["sh", "-c", "(sleep 60; echo late) & echo now"]'
finished 5
ok "a process left behind holds nothing up" 'test "$(report 5 "log(\"stdout\")")" = now'

echo 3 >"$B/faults/uploadlost"
lease 6 '"argv": ["sh", "-c", "seq 1 1000000; seq 1 100000 >&2"]'
finished 6
ok "cut connections cost nothing"      'seq 1 1000000 | cmp - "$B/logs/6.stdout" && seq 1 100000 | cmp - "$B/logs/6.stderr"'
done_testing
