# SPDX-License-Identifier: Apache-2.0
# 1000-one-job.t - a job in its own container image: its Job, its agent, its result, and all is gone
. "${0%/*}/lab.sh"
IDLE=20s conf
start
home=$(spillway sites show home --json | json more)
is "it is known which version answers" "$(echo "$home" | jq -r .server)" "$(kubectl version -o json | jq -r .serverVersion.gitVersion)"
# What is used of newer versions than 1.26.
is "and what is used of it" "$(echo "$home" | jq '.uses | length > 0')" \
    "$(echo "$home" | jq '.server | split(".")[1] | tonumber > 26')"
cat >job.yaml <<YAML
container: $IMAGE
script: |
  #!/bin/sh
  echo "hello from \$(cat /etc/hostname)"
  test -x /bin/busybox && echo from the image
  mkdir -p results && echo 42 >results/answer
outputs: ["results/*"]
YAML
id=$(submit job.yaml)
ok "it ends well" 'wait_state "$id" succeeded --limit 240'
worker=$(field "$id" worker)
is "with its log" "$(spillway logs "$id")" "hello from $(k get pods -l job-name="$worker" -o 'jsonpath={.items[0].metadata.name}')
from the image"
ok "and its result" 'spillway fetch "$id" -o out && test "$(cat out/results/answer)" = 42'
is "at the cluster" "$(field "$id" site)" home
ok "nothing is left of it" nothing_is_left

id=$(submit -- sh -c 'echo "I am $(id -u)"; exit 7')
ok "a job that names no image" 'wait_state "$id" failed --limit 240'
is "fails as it did" "$(field "$id" exit_code)" 7
unlike "and was not root" "$(spillway logs "$id")" '^I am 0$'
second=$(submit -- true)
ok "another" 'wait_state "$second" succeeded --limit 240'
is "shares its pod" "$(field "$second" worker)" "$(field "$id" worker)"
ok "nothing is left" nothing_is_left
done_testing
