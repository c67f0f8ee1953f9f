#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 1200-agent-run.t - the agent runs what it is given and says how it ended
. "${0%/*}/../lib/agent.sh"
broker_start
agent_start
secret=$(cat "$T/boot" 2>/dev/null)
lease 1 '"argv": ["sh", "-c", "echo hello; echo oops >&2; exit 3"]'
finished 1
ok "exit status"                      'test "$(report 1 exit_code)" = 3'
ok "reason user-exit"                 'test "$(report 1 reason)" = user-exit'
ok "stdout comes with the report"     'test "$(report 1 "log(\"stdout\")")" = hello'
ok "stderr too"                       'test "$(report 1 "log(\"stderr\")")" = oops'

lease 2 '"argv": ["/bin/true"]'
finished 2
ok "success has no reason"            'test "$(report 2 reason)" = ""'
ok "exit status 0"                    'test "$(report 2 exit_code)" = 0'

lease 3 '"argv": ["no-such-command"]'
finished 3
ok "unknown command: 127"             'test "$(report 3 exit_code)" = 127'
ok "unknown command is named"         'report 3 detail | grep -q no-such-command'

lease 4 '"argv": ["/etc/passwd"]'
finished 4
ok "not executable: 126"              'test "$(report 4 exit_code)" = 126'

lease 5 '"script": "#!/bin/sh\nkill -SEGV $$\n"'
finished 5
ok "a signal is a reason"             'test "$(report 5 reason) $(report 5 signal)" = "signal 11"'

lease 6 '"script": "echo no interpreter line"'
finished 6
ok "a script without #! is for sh"    'test "$(report 6 "log(\"stdout\")")" = "no interpreter line"'

lease 7 '"argv": ["sh", "-c", "env | sort"], "environment": ["A=1", "PATH=/usr/bin:/bin", "SPILLWAY_WORKER=x"], "cpus": 1'
finished 7
report 7 'log("stdout")' >"$T/env"
ok "the job's environment"            'grep -qx A=1 "$T/env" && grep -qx PATH=/usr/bin:/bin "$T/env"'
ok "what a job knows of itself"       'grep -qx SPILLWAY_TASK_ID=7 "$T/env" && grep -qx SPILLWAY_ATTEMPT=7 "$T/env"'
ok "OMP_NUM_THREADS is the cpus"      'grep -qx OMP_NUM_THREADS=1 "$T/env"'
ok "the worker's mark cannot be set"  'grep -qx "SPILLWAY_WORKER=w$$" "$T/env"'
ok "no token in it"                   '! grep -q token "$T/env" && ! grep -q session "$T/env"'

lease 8 '"argv": ["sh", "-c", "ls -l /proc/self/fd | grep -c -e socket -e anon -e roster; touch left; ls"]'
finished 8
ok "no descriptor of ours"            'test "$(report 8 "log(\"stdout\")" | head -1)" = 0'
lease 9 '"argv": ["ls", "-A"]'
finished 9
ok "the next job finds nothing"       'test "$(report 9 "log(\"stdout\")")" = ""'

lease 10 '"argv": ["sh", "-c", "read x || echo end"]'
finished 10
ok "stdin is empty"                   'test "$(report 10 "log(\"stdout\")")" = end'

lease 11 '"argv": []'
finished 11
ok "a lease that makes no sense"      'test "$(report 11 reason)" = lost && report 11 detail | grep -q argv'

ok "the boot payload is removed"      'test ! -e "$T/boot"'
ok "the session is private"           'test "$(stat -c %a "$W/agent.json")" = 600'
ok "the join token is not kept"       '! grep -q join-token "$W/agent.json"'
ok "no secret in the command line"    '! tr "\0" " " <"/proc/$AGENT_PID/cmdline" | grep -q -e token -e session'

rss=$(awk '/^VmRSS/ {print $2}' "/proc/$AGENT_PID/status")
if ldd "$AGENT" >/dev/null 2>&1; then
    ok "idle below 8 MiB # SKIP not the static build" true
    ok "static, at most 2 MiB # SKIP not the static build" true
else
    ok "idle below 8 MiB ($rss KiB)"      'test "$rss" -lt 8192'
    ok "static, at most 2 MiB"            'test "$(stat -c %s "$AGENT")" -le 2097152'
fi
kill -TERM "$AGENT_PID"
wait "$AGENT_PID"
status=$?
ok "SIGTERM ends it"                  'test $status = 0'
done_testing
