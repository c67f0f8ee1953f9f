# SPDX-License-Identifier: Apache-2.0
# 1000-first-job.t - a broker with nothing configured runs a job
. "${0%/*}/../lib/spillway.sh"

ok "the broker starts with nothing configured" broker_start
ok "its socket answers" 'test -S "$SOCKET"'
like "it offers this machine as its one site" "$(spillway sites)" '^local +.*'

id=$(submit -- sh -c 'echo out; echo err >&2; exit 0')
like "submit --parsable prints the id alone" "$id" '^[0-9]+$'
ok "the job runs" 'wait_state "$id" succeeded'
is "its output is kept" "$(spillway logs "$id")" "out"
is "and its errors" "$(spillway logs --stderr "$id")" "err"
is "exit code" "$(field "$id" exit_code)" 0
is "site" "$(field "$id" site)" local
is "attempt" "$(field "$id" attempt)" 1
is "reason" "$(field "$id" reason)" ""
ok "started is not before submitted, finished not before started" '
    test "$(field "$id" submitted)" \< "$(field "$id" finished)" &&
    ! test "$(field "$id" started)" \> "$(field "$id" finished)"'

is "it knows who it counts for" "$(spillway run -- sh -c 'echo "$SPILLWAY_PROJECT"')" "$(field "$id" project)"

id=$(submit -- sh -c 'exit 7')
ok "a job that fails" 'wait_state "$id" failed'
is "is told by its exit code" "$(field "$id" exit_code)" 7
is "and its reason" "$(field "$id" reason)" user-exit
id=$(submit -- sh -c 'kill -SEGV $$')
ok "a job that is killed" 'wait_state "$id" failed'
is "has a reason of its own" "$(field "$id" reason)" signal
is "and a signal" "$(field "$id" signal)" 11
id=$(submit -- ./no-such-program)
ok "a program that is not there" 'wait_state "$id" failed'
like "is named" "$(field "$id" detail)" no-such-program

is "run prints the job's output" "$(spillway run -- echo through run)" "through run"
spillway run -- sh -c 'exit 9' >/dev/null 2>&1
is "and exits as it did" $? 9

ok "a second broker on the same state is refused" '! timeout 10 spillwayd --state "$STATE" 2>second.log'
like "with words that name the directory" "$(cat second.log)" "$STATE"

before=$(spillway ls --all --json | json '*.id' | tr '\n' ' ')
ok "SIGTERM ends it cleanly" broker_stop
ok "it starts again" broker_start
is "with all jobs that were" "$(spillway ls --all --json | json '*.id' | tr '\n' ' ')" "$before"
id=$(submit -- echo again)
ok "and goes on" 'wait_state "$id" succeeded'
done_testing
