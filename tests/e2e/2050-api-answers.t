# SPDX-License-Identifier: Apache-2.0
# 2050-api-answers.t - answers are what docs/openapi.yaml says; /metrics is what Prometheus wants
. "${0%/*}/../lib/spillway.sh"
broker_start
printf 'data\n' >in.txt
cat >job.yaml <<'YAML'
name: answers
array: 0-2
script: |
  cat in.txt
  echo "{task}" >out.txt
  test "$SPILLWAY_TASK" != "x"
inputs: [in.txt]
outputs: [out.txt]
YAML
id=$(submit job.yaml)
bad=$(submit -- sh -c 'exit 3')
held=$(submit --hold --array 0-9 -- true)
wait_state "$id" succeeded
wait_state "$bad" failed
"$LIB/api" POST /v1/tokens '{"name": "t", "user": "u"}' >/dev/null

while read -r method path template body; do
    out=$(/usr/bin/python3 "$LIB/openapi_check.py" "$method" "$path" "$template" "$body" 2>&1)
    is "$method $path" "$out" "ok"
done <<PATHS
GET /v1/jobs?all=1 /v1/jobs
GET /v1/jobs/$id /v1/jobs/{id}
GET /v1/jobs/$id.1 /v1/jobs/{id}
GET /v1/jobs/$bad /v1/jobs/{id}
GET /v1/jobs/$held /v1/jobs/{id}
GET /v1/jobs/999999 /v1/jobs/{id}
GET /v1/jobs/$held/explain /v1/jobs/{id}/explain
GET /v1/jobs/$id/attempts /v1/jobs/{id}/attempts
GET /v1/jobs/$bad/attempts /v1/jobs/{id}/attempts
GET /v1/jobs/$id/outputs /v1/jobs/{id}/outputs
GET /v1/jobs/$id/events /v1/jobs/{id}/events
GET /v1/events?limit=1000 /v1/events
GET /v1/sites /v1/sites
GET /v1/sites/local /v1/sites/{name}
GET /v1/sites/nowhere /v1/sites/{name}
POST /v1/sites/local/probe /v1/sites/{name}/probe
POST /v1/sites/local/audit /v1/sites/{name}/audit
GET /v1/workers /v1/workers
GET /v1/workers?all=1 /v1/workers
GET /v1/usage /v1/usage
GET /v1/shares /v1/shares
GET /v1/tokens /v1/tokens
GET /v1/version /v1/version
GET /healthz /healthz
GET /readyz /readyz
POST /v1/jobs/$held/release /v1/jobs/{id}/release
POST /v1/jobs/$held/cancel /v1/jobs/{id}/cancel
POST /v1/doctor /v1/doctor {"check":true}
POST /v1/jobs /v1/jobs {"jobs":[{"command":["true"]}]}
POST /v1/jobs /v1/jobs {"dry_run":true,"jobs":[{"command":["true"]}]}
POST /v1/jobs /v1/jobs {"jobs":[{"command":["true"],"resources":{"cpus":100000}}]}
POST /v1/jobs /v1/jobs {"jobs":[{"comand":["true"]}]}
POST /v1/tokens /v1/tokens {"name":"n","user":"m","role":"operator","projects":["p"]}
PATHS

"$LIB/api" GET /metrics >metrics
like "metrics count jobs" "$(cat metrics)" '^spillway_jobs_submitted_total [1-9]'
like "and answers" "$(cat metrics)" '^spillway_http_responses_total\{code="2xx"\} [1-9]'
if command -v promtool >/dev/null; then
    is "promtool has nothing to say" "$(promtool check metrics <metrics 2>&1)" ""
else
    skip "promtool has nothing to say" "Debian's package prometheus is not installed"
fi

curl -s --unix-socket "$SOCKET" -r 0-1 -D head -o part "http://spillway/v1/jobs/$id.1/outputs/out.txt"
like "a range is served as one" "$(cat head)" '^HTTP/1.1 206'
is "with its bytes" "$(cat part)" "1"
curl -s --unix-socket "$SOCKET" -r 100- -D head -o part "http://spillway/v1/jobs/$id.1/outputs/out.txt"
like "beyond the end there is none" "$(cat head)" '^HTTP/1.1 416'
curl -s --unix-socket "$SOCKET" -I "http://spillway/v1/jobs/$id.1/outputs/out.txt" >head
like "HEAD tells the size" "$(cat head)" '^Content-Length: 2'

# ---- what was queued once is answered so, whatever the sites are now
id=$(submit --idempotency-key night-1 -- true)
wait_state "$id" succeeded
broker_stop
echo 'sites: []' >none.yaml
broker_start --config none.yaml
nok "a job that no site could run is refused" 'submit -- true'
is "the repeat of one from before is not" "$(submit --idempotency-key night-1 -- true)" "$id"

# ---- running at once, by rule; and why it waits
broker_stop
echo 'projects: {narrow: {max_tasks: 1}}' >rules.yaml
broker_start --config rules.yaml
first=$(submit --project narrow -- sleep 600)
wait_state "$first" running
second=$(submit --project narrow -- sleep 600)
other=$(submit -- true)
wait_state "$other" succeeded
is "the second of a project that may run one waits" "$(spillway show --json "$second" | json state)" pending
like "and explain says so" "$(spillway explain "$second")" "max_tasks of project narrow.*capacity 1 - in use 1"
spillway cancel "$first"
ok "it runs once there is room" 'wait_state "$second" running'
spillway cancel "$second"
done_testing
