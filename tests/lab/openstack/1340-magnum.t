# SPDX-License-Identifier: Apache-2.0
# 1340-magnum.t - a cluster that Magnum makes when a job waits: its certificate, its size, its end
# run: alone
# long
#
# Magnum, Heat, the servers and their networks are the cloud's own.  The servers are empty: nodes.py says for them that
# they are set up, and a real API server answers at the address that Magnum tells, with a certificate that Magnum signed.
. "${0%/*}/lab.sh"
openstack --os-cloud site-b coe cluster list >/dev/null 2>&1 || skip_all "this lab has no Magnum; LAB_EXTRAS='heat magnum' starts it"
. "$OPENSTACK/clusters.sh"

coe() {
    openstack --os-cloud site-b coe "$@"
}
clusters() {
    coe cluster list -f value -c name
}
nodes() {
    openstack --os-cloud site-b server list -f value -c Name | grep -e '^spillway-.*-node-'
}
# Servers, stacks, networks and ports of any cluster of ours.
left_of_clusters() {
    openstack --os-cloud site-b stack list -f value -c 'Stack Name' | grep '^spillway-'
    openstack --os-cloud site-b server list -f value -c Name | grep '^spillway-'
    openstack --os-cloud site-b network list -f value -c Name | grep '^spillway-'
    clusters
}

for old in $(clusters); do coe cluster delete "$old"; done
eventually 180 'test -z "$(left_of_clusters)"' || skip_all "clusters of an earlier run do not go"
openstack --os-cloud admin image show fedora-coreos >/dev/null 2>&1 ||
    openstack --os-cloud admin image create fedora-coreos --file "$LAB/fake.img" --disk-format raw --container-format bare \
        --public --property os_distro=fedora-coreos >/dev/null
openstack --os-cloud admin coe cluster template show spillway >/dev/null 2>&1 ||
    openstack --os-cloud admin coe cluster template create spillway --public --coe kubernetes --image fedora-coreos \
        --external-network outside --flavor m1.small --master-flavor m1.small --network-driver flannel --floating-ip-disabled >template.log 2>&1 ||
    skip_all "Magnum takes no cluster template: $(tail -n 1 template.log)"
kube_start
"$OPENSTACK/nodes.py" site-b >nodes.log 2>&1 &
relays="$relays $!"

# door ADDRESS: the API server of the cluster there.
door() {
    coe ca show "$cluster" >ca.pem
    openssl req -new -newkey rsa:2048 -nodes -keyout door.key -subj /CN=kubernetes -addext "subjectAltName=IP:$1" -out door.csr 2>openssl.log
    coe ca sign "$cluster" door.csr >door.pem
    openssl verify -CAfile ca.pem door.pem >>openssl.log 2>&1 || return 1
    ip address replace "$1/32" dev lo
    kube door 6443 "$PWD/door.pem" "$PWD/door.key" "$PWD/ca.pem"
    relay - "$1" 6443 "$kube_net" "$KUBE_IP" 6443
}

cat >conf.yaml <<YAML
broker: {listen: "127.0.0.1:7455", url: "https://127.0.0.1:7455", log: debug, lease: {ttl: 10s, heartbeat: 1s}}
sites:
  - {name: lab, type: magnum, cloud: site-b, template: spillway, url: "https://$KUBE_IP:7455", boot_deadline: 15m
     , image: "lab.invalid/busybox:1", shapes: {small: {cpus: 1, memory: 256MiB}}, nodes: {most: 2, workers: 1}
     , idle: 3s, cluster_idle: 20s, probe: 3s, reconcile: 3s, calls: {per_second: 50, burst: 50}}
YAML
broker_start --config conf.yaml
is "without work there is no cluster" "$(clusters)" ""
id=$(submit --time 1h -- sh -c 'echo "in $(hostname)"; sleep 1200')
ok "a job makes one" 'eventually 90 "clusters | grep -q ^spillway-"'
cluster=$(clusters)
like "called by broker and site" "$cluster" "^spillway-[0-9a-f]{8}-cluster-lab$"
broker_kill
broker_start --config conf.yaml
ok "Magnum says where its API is" 'eventually 300 "coe cluster show \$cluster -f value -c api_address | grep -q ^https://"'
is "a broker that was killed meanwhile made no second" "$(clusters)" "$cluster"
address=$(coe cluster show "$cluster" -f value -c api_address | sed 's|https://||; s|:.*||')
ok "Magnum signs for the API server" 'door "$address"'
ok "the job runs in it" 'wait_state "$id" running --limit 300'
second=$(submit --time 1h -- echo second)
ok "another job gives it a second node" 'eventually 120 "coe cluster show \$cluster -f value -c node_count | grep -qx 2"'
ok "a server of the cloud" 'eventually 120 "test \"\$(nodes | wc -l)\" = 2"'
ok "and runs there" 'wait_state "$second" succeeded --limit 300'
is "the first was not disturbed" "$(field "$id" state) $(field "$id" attempt)" "running 1"
like "in a pod" "$(spillway logs "$id")" "in spillway-"
# The server that Heat would remove of itself, the last, is not the idle one.
openstack --os-cloud site-b server list -f value -c ID -c Name -c Networks | grep -e '-node-0 ' >idle.txt
node_of "$(cut -d ' ' -f 1 idle.txt)" "$(grep -oE '[0-9]+(\.[0-9]+){3}' idle.txt | head -n 1)"
ok "with less to do it shrinks, though in use" 'eventually 240 "test \"\$(nodes | wc -l)\" = 1"'
like "by the node that nothing runs on" "$(nodes)" "-node-1$"
is "what runs is not disturbed" "$(field "$id" state) $(field "$id" attempt)" "running 1"
is "Magnum knows its size" "$(coe cluster show "$cluster" -f value -c node_count)" 1
node_gone
spillway cancel "$id" >/dev/null
ok "the idle cluster is deleted, and all with it" 'eventually 300 "test -z \"\$(left_of_clusters)\""'
is "nothing is left inside" "$(pods_left)" ""
broker_stop
done_testing
