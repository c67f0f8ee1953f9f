# SPDX-License-Identifier: Apache-2.0
# 1060-cancel.t - what waits and what runs can be held, released and cancelled
. "${0%/*}/../lib/spillway.sh"
broker_start

id=$(submit --hold -- true)
is "held" "$(field "$id" state)" held
ok "released, it runs" 'spillway release "$id" && wait_state "$id" succeeded'

first=$(submit -- sleep 30)
id=$(submit --after "$first:any" -- true)
ok "held while it waits" 'spillway hold "$id" && test "$(field "$id" state)" = held'
ok "cancelled while it is held" 'spillway cancel "$id" && wait_state "$id" cancelled'
is "for that reason" "$(field "$id" reason)" cancelled
ok "it never ran" 'test "$(field "$id" attempt)" = 0'
wait_state "$first" running
ok "a running one is cancelled" 'spillway cancel "$first" && wait_state "$first" cancelled'

# SIGTERM first; what does not listen is killed after its grace, with all that it started.
cat >stubborn.yaml <<'YAML'
script: |
  #!/bin/sh
  trap 'echo heard' TERM
  (trap '' TERM; exec sleep 1234) &
  echo $! >pid
  echo ready
  while :; do sleep 0.1; done
grace: 1s
YAML
id=$(submit stubborn.yaml)
wait_state "$id" running
eventually 20 'test "$(spillway logs "$id")" = ready'
ok "one that does not listen" 'spillway cancel "$id" && wait_state "$id" cancelled'
is "had heard it" "$(spillway logs "$id" | tail -n 1)" heard
ok "and leaves no process" '! grep -lqsz "^1234$" /proc/[0-9]*/cmdline'

cat >polite.yaml <<'YAML'
script: |
  #!/bin/sh
  trap 'echo saved; exit 0' TERM
  echo ready
  while :; do sleep 0.1; done
YAML
id=$(submit polite.yaml)
wait_state "$id" running
eventually 20 'test "$(spillway logs "$id")" = ready'
ok "one that listens" 'spillway cancel "$id" && wait_state "$id" cancelled'
is "may tidy up" "$(spillway logs "$id" | tail -n 1)" saved

id=$(submit --array 1-50%1 -- sleep 0.2)
wait_state "$id.1" running,succeeded
ok "one task of an array" 'spillway cancel "$id.40" && wait_state "$id.40" cancelled'
ok "then all of it" 'spillway cancel "$id" && wait_state "$id" cancelled,succeeded'
is "nothing of it is left" "$(spillway ls --json | json '*.id' | grep -c "^$id\b")" 0
nok "what has ended cannot be cancelled" 'spillway cancel "$id"'
nok "nor what is not there" 'spillway cancel 999999'
done_testing
