# SPDX-License-Identifier: Apache-2.0
# 2310-lost-worker.t - a worker that dies costs the user nothing
. "${0%/*}/../lib/spillway.sh"
cat >conf.yaml <<'YAML'
broker: {lease: {ttl: 3s, heartbeat: 1s}}
YAML
broker_start --config conf.yaml

# Runs until it is told to end, so that the test decides when.
cat >job.yaml <<YAML
script: |
  #!/bin/sh
  echo "attempt \$SPILLWAY_ATTEMPT_NUMBER"
  until test -e "$T/end"; do sleep 0.1; done
retries: {user: 1}
YAML
id=$(submit job.yaml)
wait_state "$id" running
worker=$(field "$id" worker)
ok "its agent is killed" 'kill -KILL "$(agent_pid "$id")"'
ok "it runs again" 'wait_state "$id" running --attempt 2'
ok "on another worker" 'test "$(field "$id" worker)" != "$worker"'
is "the user's retries remain" "$(field "$id" user_retries_used)" 0
is "it was the infrastructure's fault" "$(field "$id" infra_retries_used)" 1
like "the first attempt says what became of it" "$(attempts "$id" reason)" '^(lost|preempted)'
touch "$T/end"
ok "and it ends well" 'wait_state "$id" succeeded'
is "with the log of the attempt that counts" "$(spillway logs "$id")" "attempt 2"
ok "nothing of the first worker is left" 'eventually 30 "! spillway workers | grep -q $worker"'

rm "$T/end"
id=$(submit job.yaml)
wait_state "$id" running
ok "an agent that is told to go says so" 'kill -TERM "$(agent_pid "$id")"'
ok "and its work goes elsewhere" 'wait_state "$id" running --attempt 2'
is "at nobody's cost" "$(field "$id" user_retries_used)" 0
touch "$T/end"
ok "and ends" 'wait_state "$id" succeeded'
done_testing
