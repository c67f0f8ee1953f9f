# SPDX-License-Identifier: Apache-2.0
# 1050-faults.t - memory, walltime and a pod that somebody deletes: each has its reason, and its payer
# run: limit 900
. "${0%/*}/lab.sh"
conf
start
cat >memory.yaml <<YAML
container: $IMAGE
resources: {cpus: 1, walltime: 5m}
command: [awk, 'BEGIN { s = "sixteen letters."; while (1) s = s s }']
YAML
id=$(submit memory.yaml)
ok "more memory than the pod may have" 'wait_state "$id" failed --limit 240'
is "is the reason" "$(field "$id" reason)" memory
is "the user's, at the first attempt" "$(attempts "$id" budget)" user

id=$(submit --container "$IMAGE" --walltime 2s -- sleep 600)
ok "more time than it asked for" 'wait_state "$id" failed --limit 240'
is "is the reason" "$(field "$id" reason)" walltime

cat >long.yaml <<YAML
container: $IMAGE
script: |
  #!/bin/sh
  echo "attempt \$SPILLWAY_ATTEMPT_NUMBER"
  test "\$SPILLWAY_ATTEMPT_NUMBER" = 1 || exit 0
  while :; do sleep 0.1; done
YAML
id=$(submit long.yaml)
ok "a job runs" 'wait_state "$id" running --limit 240'
k delete pod -l job-name="$(field "$id" worker)" --grace-period=5 --wait=false >/dev/null
ok "its pod is deleted by hand: it runs again" 'wait_state "$id" succeeded --limit 300'
is "at its second attempt" "$(spillway logs "$id")" "attempt 2"
is "no retry of the user's was used" "$(field "$id" user_retries_used)" 0
like "the first one's reason" "$(attempts "$id" reason)" '^(preempted|lost)'

id=$(submit long.yaml)
ok "a job runs" 'wait_state "$id" running --limit 240'
k delete pod -l job-name="$(field "$id" worker)" --grace-period=0 --force >/dev/null 2>&1
ok "its pod is deleted without grace: it runs again" 'wait_state "$id" succeeded --limit 300'
is "no retry of the user's was used" "$(field "$id" user_retries_used)" 0
ok "nothing is left" 'nothing_is_left 240'
done_testing
