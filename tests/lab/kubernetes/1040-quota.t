# SPDX-License-Identifier: Apache-2.0
# 1040-quota.t - work waits inside the namespace's quota, and the API is not asked for more than that
# run: limit 900
. "${0%/*}/lab.sh"
k create quota room --hard=pods=3,requests.cpu=1,requests.memory=2Gi >/dev/null
eventually 180 'test -n "$(k get quota room -o "jsonpath={.status.hard.pods}")"'
quota_events() {
    k get events -o 'jsonpath={range .items[?(@.reason=="FailedCreate")]}{.message}{"\n"}{end}' | grep -c 'exceeded quota'
}
conf
start
like "the quota is known" "$(spillway sites show home)" '^cores +1 '
cat >job.yaml <<YAML
container: $IMAGE
array: 0-5
resources: {cpus: 1, memory: 128MiB}
command: [sleep, "2"]
YAML
id=$(submit job.yaml)
ok "all tasks run within it" 'timeout 500 spillway wait "$id"'
ok "at most one pod was refused" 'test "$(quota_events)" -le 1'

cat <<YAML | k apply -f - >/dev/null
apiVersion: v1
kind: Pod
metadata: {name: other}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: "$IMAGE", command: [sleep, "600"], resources: {requests: {cpu: 800m, memory: 64Mi}}}]
YAML
id=$(submit --container "$IMAGE" -- true)
ok "what others use is counted, and said" 'eventually 180 "spillway explain $id | grep -Ei \"cores|cpu|quota\""'
diag "$(spillway explain "$id")"
is "it waits" "$(field "$id" state)" pending
k delete pod other >/dev/null
ok "it runs when they have gone" 'wait_state "$id" succeeded --limit 240'
ok "at most one pod was refused in all" 'test "$(quota_events)" -le 1'
ok "nothing is left" nothing_is_left
done_testing
