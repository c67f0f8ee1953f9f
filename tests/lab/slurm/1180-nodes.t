# SPDX-License-Identifier: Apache-2.0
# 1180-nodes.t - a task of two nodes runs over two pilots at once, and loses both when it loses one
. "${0%/*}/lab.sh"
conf
start
cat >job.yaml <<YAML
resources: {nodes: 2, cpus: 2, memory: 500MiB}
script: |
  #!/bin/sh
  touch "/tmp/spillway-lab-$PORT-\$SPILLWAY_ATTEMPT_NUMBER-\$SPILLWAY_NODE_RANK"
  until test -e "/tmp/spillway-lab-$PORT-\$SPILLWAY_ATTEMPT_NUMBER-\$((1 - SPILLWAY_NODE_RANK))"; do sleep 0.1; done
  echo "node \$SPILLWAY_NODE_RANK of \$SPILLWAY_NNODES in \$SPILLWAY_WORKER"
  cp "\$SPILLWAY_NODEFILE" hosts.txt
  until test -e /tmp/spillway-lab-$PORT; do sleep 0.1; done
outputs: ["*.txt"]
retries: {user: 0}
YAML
id=$(submit job.yaml)
ok "it runs" 'wait_state "$id" running --limit 120'
ok "both nodes of it, each waiting for the other" \
    'eventually 60 "test \"\$(attempts $id state)\" = \"running running\" && test -n \"\$(spillway logs --node 1 $id)\""'
is "in two pilots" "$(pilots | wc -l)" 2
is "which are what its nodes see" \
    "$(for node in 0 1; do spillway logs --node $node "$id"; done | sed 's/^node [01] of 2 in //' | sort)" "$(pilots | sort)"

ok "one of the pilots is cancelled" 'scancel -n "$(pilots | tail -n 1)"'
ok "the task starts over, in two" \
    'wait_state "$id" running --attempt 2 --limit 120 && eventually 60 "test -n \"\$(spillway logs --node 1 $id)\""'
is "at no cost to the user" "$(field "$id" user_retries_used)" 0
touch "/tmp/spillway-lab-$PORT"
ok "it ends well" 'wait_state "$id" succeeded --limit 60'
ok "its results come back by node" 'spillway fetch "$id" -o out'
is "each had a line of the list of hosts for each cpu" "$(cat out/node-[01]/hosts.txt | grep -c .)" 8
is "the same list" "$(cat out/node-0/hosts.txt)" "$(cat out/node-1/hosts.txt)"
rm -f "/tmp/spillway-lab-$PORT"*
ok "nothing is left" 'nothing_is_left 90'
done_testing
