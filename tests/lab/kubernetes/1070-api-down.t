# SPDX-License-Identifier: Apache-2.0
# 1070-api-down.t - the API server is away, and comes back with a history that begins anew (410)
# run: alone
# run: limit 900
# long
. "${0%/*}/lab.sh"
conf
start
cat >job.yaml <<YAML
container: $IMAGE
script: |
  #!/bin/sh
  echo "attempt \$SPILLWAY_ATTEMPT_NUMBER"
  sleep \${LONG:-1}
YAML
id=$(submit --env LONG=15 job.yaml)
ok "a job runs" 'wait_state "$id" running --limit 240'
lab stop-part apiserver
late=$(submit --cpus 2 job.yaml)
ok "the site is known to be in trouble" 'eventually 180 "! site_is_up"'
like "why is said in words" "$(spillway explain "$late")" 'connect|refused|answer|unavailable'
ok "the running job ends well, with no API" 'wait_state "$id" succeeded --limit 240'
is "at its first attempt" "$(spillway logs "$id")" "attempt 1"
sleep "${OUTAGE:-0}"
lab start-part apiserver
ok "what came meanwhile runs once it is back" 'wait_state "$late" succeeded --limit 240'
is "no retry of the user's was used" "$(field "$late" user_retries_used)" 0
ok "nothing is left" nothing_is_left

# The broker sleeps while its pod goes, the history before that is thrown away, and the connections with it.
compact() {
    revision=$(curl -s --noproxy '*' http://127.0.0.1:2379/v3/kv/range -d '{"key": "AA=="}' | jq -r .header.revision)
    curl -s --noproxy '*' http://127.0.0.1:2379/v3/kv/compaction -d "{\"revision\": $revision, \"physical\": true}"
}
id=$(submit --env LONG=1000 job.yaml)
ok "a job runs" 'wait_state "$id" running --limit 240'
worker=$(field "$id" worker)
kill -STOP "$broker_pid"
k delete job "$worker" --wait=false >/dev/null
k create configmap noise >/dev/null
k delete configmap noise >/dev/null
eventually 180 'test -z "$(k get pods -l job-name=$worker -o name)"'
lab stop-part apiserver
compact >/dev/null
lab start-part apiserver
kill -CONT "$broker_pid"
ok "a Job that went unseen is missed" 'wait_state "$id" running --attempt 2 --limit 240'
like "the first attempt was lost" "$(attempts "$id" reason)" '^(lost|preempted)'
is "no retry of the user's was used" "$(field "$id" user_retries_used)" 0
spillway cancel "$id" >/dev/null
ok "it ends" 'wait_state "$id" cancelled --limit 240'
ok "nothing is left" nothing_is_left
is "what lingered was said once" "$(grep -o 'site home: .* bears our mark.*' "$T/broker.log" | sort | uniq -d)" ""
done_testing
