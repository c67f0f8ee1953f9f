# SPDX-License-Identifier: Apache-2.0
# 1300-thousand.t - many Jobs in flight at once: what the API is asked for each, and what the broker spends
#
# JOBS_IN_ALL says how many (60; 1000 is the long form).  They run on nodes whose pods nodes.py plays, each a real
# agent in namespaces of its own.
# run: alone
# run: limit 3600
# long
. "${0%/*}/lab.sh"
count=${JOBS_IN_ALL:-60}
example nodes.yaml | kubectl apply -f - >/dev/null
lab fake $((count / 200 + 1)) "$T/pods" --cpu 256 --memory 512Gi --pods 250 --image "$IMAGE=$LAB/state/rootfs/busybox" >"$T/nodes.log" 2>&1 &
nodes=$!
kubectl cordon lab-node1 >/dev/null
ok "the nodes are there" 'eventually 180 "kubectl wait --for=condition=Ready --timeout=1s node -l lab/fake=true"'
IDLE=1m PROBE=15s TTL=2m HEARTBEAT=10s
conf "node_selector: {lab/fake: 'true'}, shapes: {one: {cpus: 1, memory: 256MiB}}, limits: {workers: 2000}"
# All those agents come from one address, as they may where a cluster's pods share a way out.
sed -i 's/^broker: {/&http: {connections: 5000, connections_each: 4000}, /' conf.yaml
start
cat >job.yaml <<YAML
container: $IMAGE
array: 1-$count
resources: {cpus: 1, memory: 64MiB, walltime: 1h}
script: |
  #!/bin/sh
  echo "task \$SPILLWAY_ARRAY_INDEX"
  exec sleep 36000
YAML
cpu() { # of the broker, in ms
    awk '{ print ($14 + $15) * 10 }' "/proc/$broker_pid/stat"
}
before=$(requests) spent=$(cpu)
id=$(submit job.yaml)
running() {
    spillway ls --all --expand --limit 2000 --json "$id" | json '*.state' | grep -cx running
}
ok "$count Jobs are in flight" 'eventually 1500 "test \$(running) = $count"'
made=$(requests) rss=$(awk '/VmRSS/ { print $2 }' "/proc/$broker_pid/status")
workers=$(k get jobs -l spillway.io/broker -o name | wc -l)
diag "$workers Jobs of Kubernetes, $(((made - before) * 100 / count)) requests for a hundred of them, $(($(cpu) - spent)) ms of the broker's CPU, $((rss / 1024)) MiB resident"
is "each in a pod of its own" "$workers" "$count"
spillway cancel "$id" >/dev/null
ok "all end" 'eventually 900 "test \$(spillway ls --all --expand --limit 2000 --json $id | json \"*.state\" | grep -cx cancelled) = $count"'
ok "nothing is left" 'nothing_is_left 600'
all=$(($(requests) - before))
diag "$((all * 100 / count)) requests for a hundred Jobs, made and removed; $(($(cpu) - spent)) ms of the broker's CPU"
# A Job and its Secret are made, and the Job removed; the rest are looks at all of them together.
ok "three requests for each, and a few for all of them" 'test $all -le $((count * 3 + count / 4 + 60))'
kill $nodes
wait $nodes 2>/dev/null
kubectl delete node -l lab/fake=true >/dev/null
kubectl uncordon lab-node1 >/dev/null
done_testing
