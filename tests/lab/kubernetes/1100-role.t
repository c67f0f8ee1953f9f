# SPDX-License-Identifier: Apache-2.0
# 1100-role.t - the role of the example is enough, and with any one verb less something fails and is said
#
# A site for each verb of the role, each in a namespace of its own whose role lacks that verb, beside one that lacks
# nothing, all under one broker.
# run: limit 1200
# long
. "${0%/*}/lab.sh"
example role.yaml | sed -n 's/^- //p' >rules
test "$(grep -c apiGroups rules)" -ge 5 || { fail "the role has rules" && done_testing; }

# lacking NAMESPACE RESOURCE VERB: the example, without that.
lacking() {
    example role.yaml | sed "s/\b$NS\b/$1/g" | kubectl apply -f - >/dev/null
    kubectl -n "$1" get role "$1" -o json | jq --arg resource "$2" --arg verb "$3" \
        '.rules |= (map(if .resources | index($resource) then .verbs -= [$verb] else . end) | map(select(.verbs != [])))' |
        kubectl replace -f - >/dev/null
}
cases=$(sed 's/.*resources: \[\([^]]*\)\], verbs: \[\([^]]*\)\].*/\1|\2/; s/,//g; s,/,-,g' rules |
    while IFS='|' read -r resource verbs; do for verb in $verbs; do echo "$resource-$verb"; done; done)
site() { # site NAME NAMESPACE
    NS=$2
    account_kubeconfig "$LAB_API" "$(lab token "$2" "$2")" >"kubeconfig-$1"
    NS=$OWN
    echo "  - {name: $1, type: kubernetes, kubeconfig: kubeconfig-$1, image: \"$IMAGE\", idle: 1s, probe: 2s, reconcile: 2s, pull_deadline: 5s, calls: {per_second: 100, burst: 100}}"
}
OWN=$NS
refused() {
    grep -F "\"username\":\"system:serviceaccount:$NS-$1:" "$LAB/log/audit" | grep -v '"resource":"nodes"' | grep -q '"code":403'
}
# In the log, of the site, or of the worker that it concerns.  Without a pod's log a diagnosis is poorer, and without
# the quota the site file's limits decide: that ends nothing, and is not said.
is_said() {
    { grep -F "site $1: " "$T/broker.log"; spillway sites show "$1"; spillway workers --all | grep -F " $1 "; } |
        grep -Eq '403|forbidden|may not' || test "$1" = pods-log-get || test "$1" = resourcequotas-list
}
for case in $cases; do
    lacking "$NS-$case" "$(echo "${case%-*}" | tr - /)" "${case##*-}"
done
cat >conf.yaml <<YAML
broker: {listen: "$LAB_NODE_IP:$PORT", url: "https://$LAB_NODE_IP:$PORT", log: debug, lease: {ttl: 10s, heartbeat: 1s}}
sites:
$(site whole "$NS"
for case in $cases; do site "$case" "$NS-$case"; done)
YAML
broker_start --config conf.yaml
all_asked() {
    test "$(spillway sites --json | json '*.health' | grep -c -e up -e down)" = $(($(echo "$cases" | wc -w) + 1))
}
ok "all sites have been looked at" 'eventually 180 all_asked'
id=$(submit --site whole -- echo whole)
ok "with the whole role a job runs" 'wait_state "$id" succeeded --limit 300'
worker=$(field "$id" worker)

# A Job that is there already is asked for: whatever the next workers are called.
for number in 2 3 4 5 6 7 8; do
    printf -- '---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: %s-%s}\nspec: {parallelism: 0, template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}\n' \
        "${worker%-*}" $number
done | kubectl -n "$NS-jobs-get" apply -f - >/dev/null
submit --site jobs-get -- true >/dev/null
ok "a Job of the next worker's name is met" 'eventually 180 "refused jobs-get"'
# A pod that was cut off from its Job is removed by itself.
id=$(submit --site pods-delete -- sleep 600)
ok "a job runs without delete of pods" 'wait_state "$id" running --limit 240'
kubectl -n "$NS-pods-delete" delete job "$(field "$id" worker)" --cascade=orphan >/dev/null
# What a pod wrote is read when it has failed.
submit --site pods-log-get --container 127.0.0.1:1/none:1 -- true >/dev/null
for case in $cases; do
    case $case in jobs-get | pods-delete | pods-log-get) ;; *) submit --site "$case" -- sleep 1 >/dev/null ;; esac
done
for case in $cases; do
    ok "without ${case##*-} of ${case%-*} something is refused" 'eventually 180 "refused $case"'
    ok "and said" 'eventually 180 "is_said $case"'
done
ok "nothing is left where nothing is lacking" 'nothing_is_left 240'
unlike "and nothing was refused there but what is optional" \
    "$(grep -F "serviceaccount:$NS:" "$LAB/log/audit" | grep '"code":403' | grep -v '"resource":"nodes"')" .
broker_stop
for case in $cases; do
    kubectl delete namespace "$NS-$case" --wait=false >/dev/null
done
done_testing
