#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 1240-agent-killed.t - no process of a job outlives its agent, and the next agent knows what was lost
. "${0%/*}/../lib/agent.sh"
broker_start
agent_start

# Its own process, a child, one that left the session, and one that also lost its environment.
cat >"$T/tree.sh" <<'SH'
sleep 3333.1 &
setsid sleep 3333.2 &
setsid env -i /bin/sleep 3333.3 &
exec sleep 3333.4
SH
lease 1 "\"argv\": [\"sh\", \"$T/tree.sh\"]"
running 1
wait_until 'has_process 3333.3'
kill -KILL "$AGENT_PID"
wait "$AGENT_PID" 2>/dev/null
# Without a cgroup nothing tells whose the third is once its parents are gone.
can_group=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["facts"]["cgroup"])' "$B/joined")
for n in 1 2 3 4; do
    if [ $n = 3 ] && [ "$can_group" = none ]; then
        ok "kill -9: process 3 is gone # SKIP no cgroup may be made here" true
        for line in /proc/[0-9]*/cmdline; do
            { tr '\0' '\n' <"$line"; } 2>/dev/null | grep -qx 3333.3 && kill -KILL "$(echo "$line" | cut -d/ -f3)"
        done
    else
        ok "kill -9: process $n is gone" 'wait_until "! has_process 3333.'$n'" 10'
    fi
done

agent_resume
finished 1
ok "the next agent says: lost"         'test "$(report 1 reason)" = lost'
kill -KILL "$AGENT_PID"
agent_resume
lease 2 '"argv": ["echo", "again"]'
finished 2
ok "and goes on, also right after the next kill"                   'test "$(report 2 "log(\"stdout\")")" = again'

"$AGENT" --resume "$W" 2>"$T/second"
status=$?
ok "two agents on one directory are refused" 'test $status != 0 && grep -q "in use" "$T/second"'

# A job whose main process ends takes its children along, also those that left.
lease 3 '"argv": ["sh", "-c", "sleep 3333.5 & setsid sleep 3333.6 & sleep 0.3; echo over"]'
finished 3
ok "the end of a job is the end of its group" 'wait_until "! has_process 3333.5" 5'
ok "and of what left the group"        'wait_until "! has_process 3333.6" 5'

lease 4 "\"argv\": [\"sh\", \"-c\", \"setsid sleep 3333.7 & exec sleep 3333.8\"]"
running 4
wait_until 'has_process 3333.7'
"$AGENT" --reap "$W" 2>>"$T/agent.log"
status=$?
ok "--reap succeeds"                   'test $status = 0'
ok "--reap ends the agent"             'wait_until "! kill -0 $AGENT_PID 2>/dev/null" 5'
ok "--reap ends its jobs"              '! has_process 3333.7 && ! has_process 3333.8'
ok "--reap removes the directory"      'test ! -e "$W"'
ok "--reap of nothing is no fault"     '"$AGENT" --reap "$W"'

agent_fails() { printf '%s' "$1" | "$AGENT" --boot - 2>"$T/out"; test $? = 1 && grep -q "$2" "$T/out"; }
ok "a payload that is no JSON"         'agent_fails "{" "not JSON"'
ok "one without a token"               'agent_fails "{\"url\":\"unix:///x\",\"worker\":\"a\",\"dir\":\"/tmp/x\"}" token'
ok "one with clear HTTP to elsewhere"  'agent_fails "{\"url\":\"http://192.0.2.1/\",\"worker\":\"a\",\"dir\":\"/tmp/x\",\"token\":\"t\"}" https'
ok "no option: usage"                  '"$AGENT" 2>"$T/out"; test $? = 2 && grep -q Usage "$T/out"'
done_testing
