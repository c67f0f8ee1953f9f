# SPDX-License-Identifier: Apache-2.0
# 2330-broker-away.t - while the broker is away work goes on, and is settled when it is back
. "${0%/*}/../lib/spillway.sh"
broker_start

cat >job.yaml <<YAML
array: 1-4
script: |
  #!/bin/sh
  until test -e "$T/end"; do sleep 0.1; done
  echo "out of \$SPILLWAY_ARRAY_INDEX"
  seq 20000
  echo done >"$T/ended.\$SPILLWAY_ARRAY_INDEX"
YAML
id=$(submit job.yaml)
wait_state "$id" running,pending,leased
eventually 30 'test "$(field "$id" counts.running)" -ge 1'
agent=$(agents)
broker_kill
touch "$T/end"
ok "a running task ends without the broker" 'eventually 30 "test -e $T/ended.1"'
like "the command line says what is wrong" "$(spillway ls 2>&1)" "$SOCKET"
spillway ls >/dev/null 2>&1
is "with an exit code of its own" $? 6
ok "the agent waits" 'process_alive "$agent"'
broker_start
ok "the rest runs when the broker is back" 'wait_state "$id" succeeded'
is "at the first attempt" "$(attempts "$id.1" state)" succeeded
is "by the same agent" "$(agents)" "$agent"
is "its log is complete" "$(spillway logs "$id.1" | wc -l)" 20001
done_testing
