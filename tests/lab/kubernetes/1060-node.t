# SPDX-License-Identifier: Apache-2.0
# 1060-node.t - a node is drained, its kubelet is silent, and it is lost with all that ran there
# run: limit 500
# long
. "${0%/*}/lab.sh"
conf
start
cat >long.yaml <<YAML
container: $IMAGE
script: |
  #!/bin/sh
  echo "attempt \$SPILLWAY_ATTEMPT_NUMBER"
  test "\$SPILLWAY_ATTEMPT_NUMBER" = 1 || exit 0
  sleep \${LONG:-1000} & wait
YAML
id=$(submit long.yaml)
ok "a job runs" 'wait_state "$id" running --limit 90'
kubectl drain lab-node1 --pod-selector spillway.io/broker --delete-emptydir-data --force --grace-period=10 --timeout=60s >/dev/null 2>&1
ok "its node is drained: it waits again" 'wait_state "$id" pending --attempt 1 --limit 60'
like "as preempted" "$(attempts "$id" reason)" '^preempted'
kubectl uncordon lab-node1 >/dev/null
ok "it runs when the node is back" 'wait_state "$id" succeeded --limit 120'
is "no retry of the user's was used" "$(field "$id" user_retries_used)" 0

node_is() {
    test "$(kubectl get node lab-node1 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = "$1"
}
id=$(submit --env LONG=40 long.yaml)
ok "a job runs" 'wait_state "$id" running --limit 90'
lab stop-part kubelet
ok "its kubelet falls silent, and the node is taken for lost" 'eventually 60 "node_is Unknown"'
is "the job goes on, for its agent reports" "$(field "$id" state)" running
ok "and ends well" 'wait_state "$id" succeeded --limit 90'
is "at its first attempt" "$(spillway logs "$id")" "attempt 1"
lab start-part kubelet
ok "the node is back" 'eventually 60 "node_is True"'
ok "nothing is left" 'nothing_is_left 90'

id=$(submit long.yaml)
ok "a job runs" 'wait_state "$id" running --limit 90'
lab stop-part kubelet
agents=$(pgrep -f '^/spillway/work/agent' | tr '\n' ' ')
# shellcheck disable=SC2086
kill -KILL $agents
ok "its node is lost, with the agent: it is unreachable first" 'wait_state "$id" unreachable,pending --limit 60'
ok "then waits again" 'wait_state "$id" pending --attempt 1 --limit 90'
like "as lost" "$(attempts "$id" reason)" '^lost'
lab start-part kubelet
ok "it runs when the node is back" 'wait_state "$id" succeeded --limit 150'
is "no retry of the user's was used" "$(field "$id" user_retries_used)" 0
ok "nothing is left" 'nothing_is_left 90'
done_testing
