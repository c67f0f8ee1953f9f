# SPDX-License-Identifier: Apache-2.0
# 1100-no-gpu.t - a flavor that promises a GPU which its servers do not have is left alone, and used once they do
# run: needs gpus
. "${0%/*}/lab.sh"
conf ", idle: 1s" site-a
guests_start
touch "$T/guests/no-gpus"
broker_start --config conf.yaml
ok "the site answers" 'eventually 60 "spillway sites show site-a --json | json health | grep -qx up"'
id=$(submit --gpus 1 --cpus 1 --memory 256MiB -- echo fine)
ok "its worker is a boot that failed" \
    'eventually 120 "spillway workers --all | grep -q \"g1.v100 promises 1 GPU, its agent found 0\""'
like "it is told why it waits" "$(spillway explain "$id")" 'g1.v100 is left alone .*promises 1 GPU, its agent found 0'
is "at no cost to the user" "$(field "$id" user_retries_used)" 0
is "no second one was made at once" "$(spillway workers --all --json | json '*.name' | wc -l)" 1
rm "$T/guests/no-gpus"
ok "a later server has its GPU, and the job runs" 'wait_state "$id" succeeded --limit 180'

ok "its worker goes" 'eventually 60 "test -z \"\$(spillway workers --json | json \"*.name\")\""'

# Not one at a time any more: the flavor is trusted again.  (Of another size, so that it is not thought as short.)
cat >job.yaml <<YAML
array: 1-4
resources: {gpus: 1, cpus: 1, memory: 300MiB}
script: |
  #!/bin/sh
  until test -e "$T/end"; do sleep 0.2; done
YAML
id=$(submit job.yaml)
running() { spillway ls --json --limit 10 | json '*.state' | grep -cx running; }
ok "two run beside each other" 'eventually 180 "test \$(running) = 2"'
touch "$T/end"
ok "and end well" 'timeout 200 spillway wait "$id"'
ok "nothing is left at the cloud" 'nothing_is_left'
guests_stop
done_testing
