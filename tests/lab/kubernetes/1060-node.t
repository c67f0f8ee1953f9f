# SPDX-License-Identifier: Apache-2.0
# 1060-node.t - a node is drained, its kubelet is silent, and it is lost with all that ran there
# run: alone
# run: limit 1200
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
  until test -e /tmp/go; do sleep 0.2; done
YAML
id=$(submit long.yaml)
ok "a job runs" 'wait_state "$id" running --limit 240'
kubectl drain lab-node1 --pod-selector spillway.io/broker --delete-emptydir-data --force --grace-period=10 --timeout=60s >/dev/null 2>&1
ok "its node is drained: it waits again" 'wait_state "$id" pending --attempt 1 --limit 240'
like "as preempted" "$(attempts "$id" reason)" '^preempted'
kubectl uncordon lab-node1 >/dev/null
ok "it runs when the node is back" 'wait_state "$id" succeeded --limit 240'
is "no retry of the user's was used" "$(field "$id" user_retries_used)" 0

node_is() {
    test "$(kubectl get node lab-node1 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = "$1"
}
id=$(submit long.yaml)
ok "a job runs" 'wait_state "$id" running --limit 240'
lab stop-part kubelet
ok "its kubelet falls silent, and the node is taken for lost" 'eventually 180 "node_is Unknown"'
is "the job goes on, for its agent reports" "$(field "$id" state)" running
# Nothing of the cluster is asked: it is a process of this machine.
for pid in $(pod_agents); do
    touch "/proc/$pid/root/tmp/go"
done
ok "and ends well" 'wait_state "$id" succeeded --limit 240'
is "at its first attempt" "$(spillway logs "$id")" "attempt 1"
lab start-part kubelet
ok "the node is back" 'eventually 180 "node_is True"'
ok "nothing is left" 'nothing_is_left 240'

id=$(submit long.yaml)
ok "a job runs" 'wait_state "$id" running --limit 240'
lab stop-part kubelet
# shellcheck disable=SC2046
kill -KILL $(pod_agents)
ok "its node is lost, with the agent: it is unreachable first" 'wait_state "$id" unreachable,pending --limit 240'
ok "then waits again" 'wait_state "$id" pending --attempt 1 --limit 240'
like "as lost" "$(attempts "$id" reason)" '^lost'
lab start-part kubelet
ok "it runs when the node is back" 'wait_state "$id" succeeded --limit 300'
is "no retry of the user's was used" "$(field "$id" user_retries_used)" 0
ok "nothing is left" 'nothing_is_left 240'
done_testing
