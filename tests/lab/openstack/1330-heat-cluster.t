# SPDX-License-Identifier: Apache-2.0
# 1330-heat-cluster.t - a cluster that Heat makes when a job waits: used, grown, found after a kill, removed when idle
# run: alone
# long
. "${0%/*}/lab.sh"
. "$OPENSTACK/heat.sh"
. "$OPENSTACK/clusters.sh"
kube_start

# site KEYS
site() {
    cat >conf.yaml <<YAML
broker: {listen: "127.0.0.1:7455", url: "https://127.0.0.1:7455", log: debug, lease: {ttl: 10s, heartbeat: 1s}}
sites:
  - {name: stack, type: heat, cloud: site-a, network: labnet, template: cluster.yaml, kubeconfig: kubeconfig
     , parameters: {image: debian-12, flavor: m1.tiny, server_flavor: m1.tiny, k3s_url: "https://nowhere.invalid/k3s", k3s_sha256: "0"}, url: "https://$KUBE_IP:7455"
     , image: "lab.invalid/busybox:1", shapes: {small: {cpus: 1, memory: 256MiB}}
     , probe: 3s, reconcile: 2s, calls: {per_second: 50, burst: 50}$1}
YAML
}

cp "$ROOT/examples/heat/cluster.yaml" .

# The first server would tell Heat how to log in: this does it, with the kubeconfig of the cluster beside.
tell() {
    printf '{"status": "SUCCESS", "data": "%s"}' "$(kubeconfig_here | base64 -w 0)" >told
    eventually 120 'openstack --os-cloud site-a stack resource signal "$(left stack)" told --data-file told 2>/dev/null' || return 1
    : >told
}
site ", idle: 3s, cluster_idle: 5s, nodes: {most: 2, workers: 1}"
broker_start --config conf.yaml
is "without work there is no cluster" "$(left stack)" ""
like "but a shape that one of its workers would have" "$(spillway sites show stack --json | json 'shapes.*.name')" small
id=$(submit -- sh -c 'echo "in $(hostname)"')
ok "a job makes it" 'eventually 60 "left stack | grep -q cluster"'
ok "whose server is set up" tell
ok "and runs in it" 'wait_state "$id" succeeded --limit 200'
like "in a pod" "$(spillway logs "$id")" "in spillway-"
ok "the idle cluster goes, and all with it" 'eventually 120 "test -z \"\$(left)\""'
is "nothing is left inside" "$(pods_left)" ""
broker_stop

# Two at once want two nodes; a kill while it is made and one while it is used change nothing.
site ", idle: 3s, cluster_idle: 120s, nodes: {most: 2, workers: 1}"
broker_start --config conf.yaml
id=$(submit --time 1h -- sleep 1200)
eventually 60 'left stack | grep -q cluster'
broker_kill
broker_start --config conf.yaml
tell
ok "a broker killed while the cluster is made finds it" 'wait_state "$id" running --limit 200'
is "there is one" "$(left stack | wc -l)" 1
second=$(submit --time 1h -- sh -c 'echo second')
ok "a second job makes it grow" 'wait_state "$second" succeeded --limit 200'
is "to two nodes" "$(left server | grep -c -e -node-)" 2
is "the first was not disturbed" "$(field "$id" state) $(field "$id" attempt)" "running 1"
# The server that Heat would remove of itself, the last, is not the idle one.
openstack --os-cloud site-a server list -f value -c ID -c Name | sed -n 's/^\([^ ]*\) .*-node-0$/\1/p' >idle.txt
node_of "$(cat idle.txt)" 10.0.0.1
ok "with less to do it shrinks, though in use" 'eventually 240 "test \"\$(left server | grep -c -e -node-)\" = 1"'
like "by the node that nothing runs on" "$(left server | grep -e -node-)" "-node-1$"
is "what runs is not disturbed" "$(field "$id" state) $(field "$id" attempt)" "running 1"
node_gone
spillway cancel "$id" >/dev/null
like "the audit shows the cluster" "$(spillway sites audit stack --json | json 'resources.*.kind')" cluster
third=$(submit -- sh -c 'sleep 15; echo third')
fourth=$(submit -- sh -c 'echo fourth')
wait_state "$third" running --limit 200
broker_kill
broker_start --config conf.yaml
ok "killed while a job runs in it, the broker takes it over" 'wait_state "$third" succeeded --limit 90'
ok "it grew again" 'wait_state "$fourth" succeeded --limit 200'
is "the job ran once" "$(field "$third" attempt)" 1
ok "without a worker it shrinks" 'eventually 100 "test \"\$(left server | grep -c -e -node-)\" = 1"'
ok "it goes in the end" 'eventually 300 "test -z \"\$(left)\""'
is "with all that was in it" "$(pods_left)" ""
broker_stop
done_testing
