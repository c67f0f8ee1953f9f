# SPDX-License-Identifier: Apache-2.0
# 1020-gpus.t - the cloud has two GPUs: a third job waits, is told why, and has its turn
# run: needs gpus
. "${0%/*}/lab.sh"
conf ", idle: 1s" site-a site-b
guests_start
"$OPENSTACK/cloud.py" peak 600 "$T/peak" &
peak_pid=$!
broker_start --config conf.yaml
ok "site-a answers" 'eventually 60 "spillway sites show site-a --json | json health | grep -qx up"'
ok "site-b answers" 'eventually 60 "spillway sites show site-b --json | json health | grep -qx up"'
cat >job.yaml <<YAML
array: 1-3
resources: {gpus: 1, gpu_model: V100, cpus: 1, memory: 256MiB}
script: |
  #!/bin/sh
  until test -e "$T/end-\$SPILLWAY_ARRAY_INDEX"; do sleep 0.2; done
YAML
id=$(submit job.yaml)
running() { spillway ls --json --limit 10 | json '*.state' | grep -cx running; }
ok "two of them run" 'eventually 180 "test \$(running) = 2"'
ok "the third is refused by the cloud, not counted against anybody" \
    'eventually 120 "spillway workers --all | grep -q \"No valid host\""'
is "two run still" "$(running)" 2
# The other site may still be asked for the same.
ok "it is told why it waits" \
    'eventually 120 "spillway explain $id | grep -q \"g1.v100 is left alone .*No valid host\""'
touch "$T/end-1" "$T/end-2" "$T/end-3"
ok "in the end all have run" 'timeout 300 spillway wait "$id"'
kill $peak_pid
wait $peak_pid 2>/dev/null
is "the cloud never had more servers with a GPU than GPUs" "$(grep -w V100 "$T/peak")" "cloud V100 2 2"
ok "nothing is left at the cloud" 'nothing_is_left'
guests_stop
done_testing
