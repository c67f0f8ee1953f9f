# SPDX-License-Identifier: Apache-2.0
# 1070-nodes.t - tasks that run on several workers at once: all or none, one end
. "${0%/*}/../lib/spillway.sh"
cat >conf.yaml <<'YAML'
broker: {lease: {ttl: 3s, heartbeat: 1s}}
sites:
  - {name: here, type: local, cpus: 2, memory: 1GiB, limits: {workers: 3}}
YAML
broker_start --config conf.yaml

cat >job.yaml <<'YAML'
name: three
resources: {nodes: 3, cpus: 2}
script: |
  #!/bin/sh
  echo "node $SPILLWAY_NODE_RANK of $SPILLWAY_NNODES at $SPILLWAY_WORKER"
  uniq -c "$SPILLWAY_NODEFILE" | sed 's/ *\([0-9]*\) .*/\1/' >cpus.txt
  echo "$SPILLWAY_NODE_RANK" >"rank-$SPILLWAY_NODE_RANK.txt"
outputs: ["*.txt"]
YAML
id=$(submit job.yaml)
ok "it ends well" 'wait_state "$id" succeeded'
is "in one attempt" "$(field "$id" attempt)" 1
is "each node is told of" "$(attempts "$id" node)" "0 1 2"
is "on a worker of its own" "$(attempts "$id" worker | tr ' ' '\n' | sort -u | wc -l)" 3
for node in 0 1 2; do
    like "the log of node $node" "$(spillway logs --node $node "$id")" "^node $node of 3 at $(attempts "$id" worker | cut -d ' ' -f $((node + 1)))\$"
done
is "without --node it is node 0's" "$(spillway logs "$id")" "$(spillway logs --node 0 "$id")"
nok "there is no fourth" 'spillway logs --node 3 "$id"'
ok "results are fetched by node" 'spillway fetch --logs "$id" -o got && test "$(cat got/node-2/rank-2.txt)" = 2 && test -s "got/$id.node-1.out"'
is "none has what is another's" "$(ls got/node-1)" "cpus.txt
rank-1.txt"
is "a line for each cpu of the hosts, which here are one" "$(cat got/node-0/cpus.txt)" 6
like "show tells of the nodes" "$(spillway show "$id")" '1 node 2 +succeeded'
is "it is one task in the accounts" "$(spillway usage --json | json 0.tasks)" 1

cat >after.yaml <<YAML
name: after
after: [{job: $id}]
inputs: ["job:$id/node-*/rank-*.txt"]
command: [sh, -c, "find . -name 'rank-*.txt' | sort | xargs cat"]
YAML
after=$(submit after.yaml)
ok "a later job takes the results of all nodes" 'wait_state "$after" succeeded'
is "  by their names" "$(spillway logs "$after")" "0
1
2"

# One worker is taken: the others stay idle, none starts alone.
one=$(submit --cpus 2 -- sh -c "until test -e '$T/go'; do sleep 0.1; done")
wait_state "$one" running
id=$(submit job.yaml)
ok "while a node has no room none starts" 'sleep 1; test "$(field "$id" state)" = pending && test -z "$(attempts "$id" id)"'
like "which explain says" "$(spillway explain "$id")" 'busy|workers: limit 3'
touch "$T/go"
ok "then all do" 'wait_state "$id" succeeded'

# One end for all: the first node that does not end well says how.
cat >broken.yaml <<'YAML'
resources: {nodes: 3, cpus: 2}
script: |
  #!/bin/sh
  trap 'echo "told to end"; exit 0' TERM
  if test $SPILLWAY_NODE_RANK = 1; then
      test $SPILLWAY_ATTEMPT_NUMBER = 1 || exit 0
      sleep 0.5
      exit 7
  fi
  test $SPILLWAY_ATTEMPT_NUMBER = 1 || exit 0
  echo "waits for the others"
  while :; do sleep 0.1; done
YAML
id=$(submit broken.yaml)
ok "a node that fails ends all" 'wait_state "$id" failed'
is "with its exit code" "$(field "$id" exit_code)" 7
is "and reason" "$(field "$id" reason)" user-exit
like "the others had a chance to tidy up" "$(spillway logs --node 2 "$id")" 'told to end'
is "they were cancelled, not failed" "$(attempts "$id" state)" "cancelled failed cancelled"
is "it is charged once" "$(attempts "$id" budget | tr -d ' ')" user
printf 'retries: {user: 1, backoff: 0s}\n' | cat broken.yaml - >again.yaml
id=$(submit again.yaml)
ok "with a retry all nodes run again" 'wait_state "$id" succeeded'
is "  in a second attempt" "$(field "$id" attempt) $(field "$id" user_retries_used)" "2 1"
is "  of three nodes" "$(attempts "$id" attempt)" "1 1 1 2 2 2"

forever='until test -e /nowhere; do sleep 0.1; done'
id=$(submit --nodes 3 --cpus 2 -- sh -c "$forever")
wait_state "$id" running
ok "cancelling ends all nodes" 'spillway cancel "$id" && wait_state "$id" cancelled'
ok "nothing of it runs on" 'eventually 10 "! processes | xargs -I{} cat /proc/{}/cmdline 2>/dev/null | grep -q no[w]here"'
id=$(submit --nodes 3 --cpus 2 --walltime 1s -- sh -c "$forever")
ok "its walltime ends all" 'wait_state "$id" failed && test "$(field "$id" reason)" = walltime'
id=$(submit --nodes 2 --cpus 2 -- sh -c 'test $SPILLWAY_NODE_RANK = 1 || sleep 1')
other=$(submit --cpus 2 --array 0-1 -- true)
ok "a node that ends early keeps its room until the last does" 'wait_state "$other" succeeded && test "$(field "$id" state)" != failed && wait_state "$id" succeeded'

nok "more nodes than there can be are refused" 'submit --nodes 4 -- true'
like "  with words" "$(cat "$T/ok.out")" 'workers: limit 3'
ok "the record is whole" 'spillway doctor'
broker_stop

# One machine without a word in the file: nodes are parts of it.
echo '{}' >conf.yaml
broker_start --config conf.yaml
cpus=$(spillway sites show local --json | json shapes.0.cpus)
id=$(submit --nodes "$cpus" -- sh -c 'echo "$SPILLWAY_NODE_RANK"')
ok "on one machine the nodes are parts of it" 'wait_state "$id" succeeded'
is "  on the one worker" "$(attempts "$id" worker | tr ' ' '\n' | sort -u | wc -l)" 1
nok "more than it has room for are refused" 'submit --nodes $((cpus + 1)) -- true'
like "  with words" "$(cat "$T/ok.out")" "asks for $((cpus + 1)) nodes.*room for $cpus.*nodes at most $cpus"
done_testing
