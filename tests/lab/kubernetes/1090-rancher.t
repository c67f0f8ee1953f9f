# SPDX-License-Identifier: Apache-2.0
# 1090-rancher.t - the API behind a proxy with a path prefix and a token of its own, as Rancher's
# long
. "${0%/*}/lab.sh"
prefix=https://$LAB_NODE_IP:8443/k8s/clusters/c-lab
lab token "$NS" "$NS" >token
LAB_DIR=$LAB "$KUBERNETES/rancher.py" 8443 token >"$T/rancher.log" 2>&1 &
rancher=$!
account_kubeconfig "$prefix" kubeconfig-lab:wrong >kubeconfig
conf
broker_start --config conf.yaml
ok "a token that the proxy refuses is a fault" 'eventually 180 "spillway sites show home | grep -E \"401|authenticat\""'
account_kubeconfig "$prefix" kubeconfig-lab:secret >kubeconfig
broker_stop
start
id=$(submit --container "$IMAGE" -- echo through the proxy)
ok "a job runs" 'wait_state "$id" succeeded --limit 240'
is "with its log" "$(spillway logs "$id")" "through the proxy"
ok "nothing is left" nothing_is_left
ok "watches went through it" 'grep -q "GET .*watch=" "$T/rancher.log"'
nok "nothing went beside the prefix" 'grep -v "/k8s/clusters/c-lab/\| 401$" "$T/rancher.log"'
kill $rancher
done_testing
