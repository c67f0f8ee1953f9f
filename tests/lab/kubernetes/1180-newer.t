# SPDX-License-Identifier: Apache-2.0
# 1180-newer.t - a server that says it is 1.32 is asked for what it has, and what it says otherwise is understood
#
# newer.py stands between: no newer server than the lab's is to be had as Debian's packages.  What it is sent must be
# right by Kubernetes' own types of those versions: LAB_TYPES="trixie sid" says of which suites.
# run: limit 1200
. "${0%/*}/lab.sh"
LAB_DIR=$LAB "$KUBERNETES/newer.py" 8444 1.32 "$T/bodies" >"$T/newer.log" 2>&1 &
newer=$!
account_kubeconfig "https://$LAB_NODE_IP:8444" "$(lab token "$NS" "$NS")" >kubeconfig
conf 'tolerations: [{key: lab, operator: Exists}], node_selector: {kubernetes.io/os: linux}, labels: {team: a}, annotations: {b: "1"}'
start
is "which version it is" "$(spillway sites show home --json | json more.server)" v1.32.0
is "what is used of it" "$(spillway sites show home --json | json more.uses | jq -r 'join(" ")')" \
    "fieldValidation podFailurePolicy podReplacementPolicy"
id=$(submit --container "$IMAGE" -- echo hello)
ok "a job runs" 'wait_state "$id" succeeded --limit 240'
is "with its log" "$(spillway logs "$id")" hello
ok "its Job is checked strictly" 'grep -q "/jobs?fieldValidation=Strict	" "$T/bodies"'
sed -n "s/.*jobs?fieldValidation=Strict	//p" "$T/bodies" | head -n 1 >job.json
is "its policies" "$(jq -c '.spec | [.podFailurePolicy, .podReplacementPolicy]' job.json)" \
    '[{"rules":[{"action":"FailJob","onPodConditions":[{"type":"DisruptionTarget","status":"True"}]}]},"Failed"]'
ok "nothing is left" nothing_is_left

cat >long.yaml <<YAML
container: $IMAGE
script: |
  #!/bin/sh
  test "\$SPILLWAY_ATTEMPT_NUMBER" = 1 || exit 0
  while :; do sleep 0.1; done
YAML
# taken WORDS: a job's pod is deleted, and its agent says nothing of it.
taken() {
    id=$(submit long.yaml)
    ok "a job runs" 'wait_state "$id" running --limit 240'
    pod=$(k get pod -l job-name="$(field "$id" worker)" -o 'jsonpath={.items[0].metadata.name}')
    test "$1" != evicted || k annotate pod "$pod" lab/evicted=yes >/dev/null
    pod_agents | xargs kill -STOP
    k delete pod "$pod" --grace-period=0 --force >/dev/null 2>&1
    ok "its pod is $1: it runs again" 'wait_state "$id" succeeded --limit 300'
    like "as one that was preempted" "$(attempts "$id" reason)" '^preempted'
    is "which costs the user nothing" "$(field "$id" user_retries_used)" 0
}
taken deleted
taken evicted
like "and by whom is known" "$(spillway workers --all --json | json '*.detail')" 'EvictionByEvictionAPI: Eviction API: evicting'
ok "nothing is left" nothing_is_left

cut -f 2- <"$T/bodies" >objects
for suite in ${LAB_TYPES:-}; do
    "$KUBERNETES/types" "$suite" >types || { fail "$suite has newer types" && continue; }
    read -r strict version <types
    diag "Kubernetes' types of $suite: $version"
    ok "all that it was sent is right by the types of $suite" '"$strict" <objects >kinds'
    is "of these kinds" "$(sort -u kinds | tr '\n' ' ')" "ConfigMap DeleteOptions Job Secret "
    jq -c '.spec.template.spec.tolerations[0].efect = "NoSchedule"' job.json >misspelt
    nok "a misspelt key is not" '"$strict" <misspelt >kinds'
    like "and is named" "$(cat kinds)" 'unknown field "spec.template.spec.tolerations\[0\].efect"'
done
kill $newer
done_testing
