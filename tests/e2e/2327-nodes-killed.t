# SPDX-License-Identifier: Apache-2.0
# 2327-nodes-killed.t - a task on several workers outlives the broker, and ends whole when a worker dies
. "${0%/*}/../lib/spillway.sh"
cat >conf.yaml <<'YAML'
broker: {lease: {ttl: 3s, heartbeat: 1s}}
sites:
  - {name: local, type: local, cpus: 1, memory: 1GiB, limits: {workers: 3}}
YAML
broker_start --config conf.yaml
# Two nodes of one rank at a time would be seen.
cat >job.yaml <<YAML
resources: {nodes: 3}
script: |
  #!/bin/sh
  exec 9>"$T/lives-\$SPILLWAY_NODE_RANK"
  flock -n 9 || { echo "a second node \$SPILLWAY_NODE_RANK"; exit 9; }
  trap 'exit 1' TERM
  echo "attempt \$SPILLWAY_ATTEMPT_NUMBER node \$SPILLWAY_NODE_RANK"
  until test -e "$T/end"; do sleep 0.1; done
YAML
started() { # started N: all nodes of attempt N have said so
    for started_node in 0 1 2; do
        spillway logs --node $started_node "$id" | grep -q "attempt $1 node $started_node" || return 1
    done
}
node_agent() { # node_agent N: pid of the agent that has node N of the last attempt
    cut -d ' ' -f 1 "$STATE/sites/local/$(attempts "$id" worker | tr ' ' '\n' | tail -n 3 | sed -n "$((1 + $1))p")/pid"
}

id=$(submit job.yaml)
ok "all nodes run" 'eventually 30 "started 1"'
broker_kill
ok "the broker is killed and comes back" 'broker_start --config conf.yaml'
ok "the nodes have run on" 'wait_state "$id" running && test "$(field "$id" attempt)" = 1'
touch "$T/end"
ok "and end as one" 'wait_state "$id" succeeded'
is "in one attempt" "$(field "$id" attempt)" 1
rm "$T/end"

id=$(submit job.yaml)
eventually 30 "started 1"
ok "the agent of node 1 is killed" 'kill -KILL "$(node_agent 1)"'
ok "all nodes run again" 'wait_state "$id" running --attempt 2 && eventually 30 "started 2"'
is "no node of the first attempt runs beside them" "$(attempts "$id" state)" "cancelled failed cancelled running running running"
is "it is the infrastructure's, once" "$(field "$id" infra_retries_used) $(field "$id" user_retries_used)" "1 0"
touch "$T/end"
ok "and end" 'wait_state "$id" succeeded'
rm "$T/end"

# Both at once: the node is lost while nobody looks.
id=$(submit job.yaml)
eventually 30 "started 1"
victim=$(node_agent 2)
broker_kill
kill -KILL "$victim"
ok "the broker comes back to a gang that is broken" 'broker_start --config conf.yaml'
ok "and starts it whole again" 'wait_state "$id" running --attempt 2 && eventually 30 "started 2"'
broker_kill
touch "$T/end"
ok "nodes end while the broker is away" 'eventually 10 "flock -n $T/lives-0 true && flock -n $T/lives-1 true && flock -n $T/lives-2 true"'
ok "which it learns" 'broker_start --config conf.yaml && wait_state "$id" succeeded'
is "of the second attempt" "$(field "$id" attempt)" 2
ok "the record is whole" 'spillway doctor'
done_testing
