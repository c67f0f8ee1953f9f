# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# clusters.sh - what the tests of clusters on demand share, on top of lab.sh: a real Kubernetes beside this cloud.
#
# The cloud's servers are empty, so that a cluster of them has no API server.  The Kubernetes lab's stands for it:
# relays carry connections from this network to that one, and from its pods to the broker.

KUBERNETES=$ROOT/tests/lab/kubernetes
KUBE_DIR=${KUBE_LAB_DIR:-/var/tmp/spillway-lab-kubernetes}
KUBE_IP=10.99.0.1
test -e "$KUBE_DIR/kube-binaries.tar.xz" || skip_all "no programs of Kubernetes in $KUBE_DIR"

kube() {
    LAB_DIR=$KUBE_DIR "$KUBERNETES/lab" "$@"
}

leave_clusters() {
    leave_status=$?
    test -z "${relays:-}" || kill $relays 2>/dev/null
    node_gone
    ip address del "$KUBE_IP/32" dev lo 2>/dev/null
    test -z "${address:-}" || ip address del "$address/32" dev lo 2>/dev/null
    kube stop-part door 2>/dev/null
    test -z "${kube_ours:-}" || kube stop
    (exit $leave_status)
    clean_up
}

kube_start() {
    trap leave_clusters EXIT
    if ! kube kubectl get --raw /readyz >/dev/null 2>&1; then
        kube_ours=1
        { kube install && kube build && kube start; } >kube.log 2>&1 || skip_all "the Kubernetes lab does not start: $(tail -n 1 kube.log)"
    fi
    kube_net=/run/netns/$(kube env | sed -n "s/.*LAB_NAME=\([^ ]*\).*/\1/p")
    ip address replace "$KUBE_IP/32" dev lo
    relay - "$KUBE_IP" 443 "$kube_net" "$KUBE_IP" 443
    relay "$kube_net" "$KUBE_IP" 7455 - 127.0.0.1 7455
}

# relay NETNS ADDRESS PORT NETNS ADDRESS PORT
relay() {
    "$OPENSTACK/relay.py" "$@" >"relay-$3-$6.log" 2>&1 &
    relays="${relays:-} $!"
    eventually 20 "grep -q listens relay-$3-$6.log" || skip_all "no relay: $(cat "relay-$3-$6.log")"
}

# node_of SERVER ADDRESS: a node of Kubernetes that is this server, and takes no pod.
node_of() {
    kube fake 1 nodes --pods 0 --provider-id "openstack:///$1" --address "$2" >>node.log 2>&1 &
    node=$!
    eventually 30 'kube kubectl get node fake-node000 >/dev/null 2>&1'
}
node_gone() {
    test -n "${node:-}" || return 0
    kill "$node" 2>/dev/null
    kube kubectl delete node fake-node000 --ignore-not-found >/dev/null 2>&1
    node=
}

# kubeconfig_here: the administrator's, with all in it.
kubeconfig_here() {
    kube kubectl config view --raw --flatten
}

# Workers in the cluster, with our mark.
pods_left() {
    kube kubectl get jobs,pods,secrets -A -l spillway.io/broker -o name
}

stack_of_cluster() {
    openstack --os-cloud "$1" stack list -f value -c 'Stack Name' | grep cluster
}
