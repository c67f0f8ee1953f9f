# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2119,SC2120,SC2154
# lab.sh - what the tests of the Kubernetes lab share, on top of tests/lib/spillway.sh.
#
# Each test works in a namespace of its own, $NS, as the service account that examples/kubernetes/role.yaml makes
# there.  The broker stands beside the cluster, at the node's address and a port of the test's, where pods reach
# it.  Tests run beside one another but for those that stop parts of the cluster or take its node away.  LAB, LAB_NAME, LAB_API,
# LAB_NODE_IP and KUBECONFIG (the administrator's) come from tests/lab/kubernetes/run.

ROOT=${ROOT:-$(cd "${0%/*}/../../.." && pwd)}
KUBERNETES=$ROOT/tests/lab/kubernetes
test -n "${LAB:-}" || { echo "1..0 # skip no lab; tests/lab/kubernetes/run starts it" && exit 0; }
LAB_DIR=$LAB
PATH=$LAB/bin:$PATH
export LAB_DIR
. "$ROOT/tests/lib/spillway.sh"
NUMBER=$(basename "$0" .t | cut -d - -f 1)
NS=test-$NUMBER
PORT=2$NUMBER
IMAGE=lab.invalid/busybox:1

lab() {
    "$KUBERNETES/lab" "$@"
}

# As the administrator, in the test's namespace.
k() {
    kubectl -n "$NS" "$@"
}

# example FILE: of examples/kubernetes, for the test's namespace.
example() {
    sed "s/\bspillway\b/$NS/g; s/^# .*//" "$ROOT/examples/kubernetes/$1"
}

# account_kubeconfig SERVER TOKEN: the account's kubeconfig, as users are given one.
account_kubeconfig() {
    cat <<YAML
apiVersion: v1
kind: Config
current-context: lab
clusters:
- {name: lab, cluster: {server: "$1", certificate-authority: $LAB/pki/ca.crt}}
users:
- {name: account, user: {token: "$2"}}
contexts:
- {name: lab, context: {cluster: lab, user: account, namespace: $NS}}
YAML
}

# conf [KEYS]: conf.yaml with the cluster as its only site, with these keys besides.  Spans in IDLE, PROBE, TTL and
# HEARTBEAT take the place of the short ones that tests want.
conf() {
    cat >conf.yaml <<YAML
broker: {listen: "$LAB_NODE_IP:$PORT", url: "https://$LAB_NODE_IP:$PORT", log: debug, lease: {ttl: ${TTL:-10s}, heartbeat: ${HEARTBEAT:-1s}}}
sites:
  - {name: home, type: kubernetes, kubeconfig: kubeconfig, image: "$IMAGE", idle: ${IDLE:-3s}, probe: ${PROBE:-2s}, reconcile: ${PROBE:-2s},
     boot_deadline: 5m, calls: {per_second: 100, burst: 100}${1:+, $1}}
YAML
}

start() {
    broker_start --config conf.yaml
    ok "the cluster answers" 'eventually 180 site_is_up'
}

site_is_up() {
    test "$(spillway sites show home --json | json health)" = up
}

# What bears our mark in the namespace, by kind.
ours() {
    k get jobs,pods,secrets,configmaps -l spillway.io/broker -o name
}

workers_left() {
    k get jobs,pods,secrets -l spillway.io/broker -o name
}

nothing_is_left() {
    eventually "${1:-240}" 'test -z "$(workers_left)"' || { workers_left && return 1; }
}

# The agents in the lab's pods, by pid.
pod_agents() {
    for pod_agents_pid in $(pgrep -f '^/spillway/work/agent'); do
        ! grep -q "/$LAB_NAME/" "/proc/$pod_agents_pid/cgroup" || echo "$pod_agents_pid"
    done
}

# requests [PATTERN]: lines of the API server's audit log about our account.
requests() {
    grep -F "\"username\":\"system:serviceaccount:$NS:" "$LAB/log/audit" | grep -c -e "${1:-.}"
}

# The namespace is new for each test and goes with it.
leave_lab() {
    leave_status=$?
    kubectl delete namespace "$NS" --ignore-not-found --wait=false >/dev/null 2>&1
    kubectl delete clusterrole,clusterrolebinding "$NS-nodes" --ignore-not-found >/dev/null 2>&1
    (exit $leave_status)
    clean_up
}

# Tests that take minutes say so in their head; LAB_LONG=1 runs them too.
if grep -q '^# long$' "$0" && test -z "${LAB_LONG:-}"; then
    skip_all "takes minutes; LAB_LONG=1 runs it"
fi
for part in etcd apiserver controllers scheduler containerd kubelet; do
    lab start-part $part
done
kubectl uncordon lab-node1 >/dev/null
kubectl delete namespace "$NS" --ignore-not-found --timeout=120s >/dev/null 2>&1
trap leave_lab EXIT
example role.yaml | kubectl apply -f - >/dev/null || skip_all "the cluster does not answer"
eventually 30 'lab token "$NS" "$NS"' || skip_all "the cluster makes no token"
account_kubeconfig "$LAB_API" "$(lab token "$NS" "$NS")" >kubeconfig
chmod 600 kubeconfig
