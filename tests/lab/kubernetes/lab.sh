# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# lab.sh - what the tests of the Kubernetes lab share, on top of tests/lib/spillway.sh.
#
# Each test works in a namespace of its own, $NS, as the service account that examples/kubernetes/role.yaml
# makes there.  LAB, LAB_API, LAB_NODE_IP and KUBECONFIG (the administrator's) come from
# tests/lab/kubernetes/run.

ROOT=${ROOT:-$(cd "${0%/*}/../../.." && pwd)}
KUBERNETES=$ROOT/tests/lab/kubernetes
test -n "${LAB:-}" || { echo "1..0 # skip no lab; tests/lab/kubernetes/run starts it" && exit 0; }
LAB_DIR=$LAB
PATH=$LAB/bin:$PATH
export LAB_DIR
. "$ROOT/tests/lib/spillway.sh"
NS=test-$(basename "$0" .t | cut -d - -f 1)

lab() {
    "$KUBERNETES/lab" "$@"
}

# As the administrator, in the test's namespace.
k() {
    kubectl -n "$NS" "$@"
}

# namespace NAME: with the account and the role of the example.
namespace() {
    sed "s/\(namespace:\|name: *\) *spillway\b/\1 $1/" "$ROOT/examples/kubernetes/role.yaml" | kubectl apply -f - >/dev/null
    eventually 30 "lab token $1 spillway >/dev/null"
}

# A test's namespace is removed with all in it, before and after.
namespace_gone() {
    kubectl delete namespace "$1" --ignore-not-found --wait=false >/dev/null 2>&1
    eventually 60 "! kubectl get namespace $1"
}
