# SPDX-License-Identifier: Apache-2.0
# 2020-api-users.t - one user against another: what is not hers she cannot see, let alone change
. "${0%/*}/../lib/spillway.sh"
broker_start

new_token() { # new_token USER ROLE PROJECTS [EXPIRES]
    "$LIB/api" POST /v1/tokens \
        "{\"name\": \"$1\", \"user\": \"$1\", \"role\": \"$2\", \"projects\": [$3], \"expires\": ${4:-null}}" |
        json token
}
as() { # as TOKEN METHOD PATH [BODY]: the status
    curl -s -o answer -w '%{http_code}' --max-time 60 --unix-socket "$SOCKET" -X "$2" \
        -H "Authorization: Bearer $1" ${4+--data-binary "$4"} "http://spillway$3"
}

alice=$(new_token alice user '"shared"')
bob=$(new_token bob user '"shared", "other"')
eve=$(new_token eve user '')
olga=$(new_token olga operator '')

SPILLWAY_TOKEN=$alice
export SPILLWAY_TOKEN
printf 'secret\n' >in.txt
cat >job.yaml <<'YAML'
name: hers
project: shared
script: |
  cat in.txt
  cp in.txt out.txt
inputs: [in.txt]
outputs: [out.txt]
YAML
id=$(submit job.yaml)
wait_id=$id
unset SPILLWAY_TOKEN
ok "a job under a token runs" 'wait_state "$wait_id" succeeded'
is "it is alice's" "$(field "$id" user)" alice

for path in "" /explain /attempts /events /logs/stdout /outputs /outputs/out.txt; do
    is "alice reads her job$path" "$(as "$alice" GET "/v1/jobs/$id$path")" 200
    is "bob, of her project, reads it too" "$(as "$bob" GET "/v1/jobs/$id$path")" 200
    is "eve is told that there is none" "$(as "$eve" GET "/v1/jobs/$id$path")" 404
    unlike "and learns nothing by it" "$(cat answer)" 'secret|alice|shared'
done
for verb in cancel hold release retry; do
    is "eve cannot $verb it" "$(as "$eve" POST "/v1/jobs/$id/$verb" '{}')" 404
done
is "an operator can read it" "$(as "$olga" GET "/v1/jobs/$id")" 200
as "$eve" GET '/v1/jobs?all=1' >/dev/null
is "eve's list is empty" "$(json tasks <answer)" "[]"
as "$eve" GET "/v1/jobs?all=1&user=alice" >/dev/null
is "asking for alice's does not help" "$(json tasks <answer)" "[]"
as "$eve" GET '/v1/events?limit=1000' >/dev/null
unlike "nor do the events tell" "$(cat answer)" '"job":[0-9]'
is "nor the events of the job" "$(as "$eve" GET "/v1/events?job=$id")" 404
is "a job cannot wait for hers" \
    "$(as "$eve" POST /v1/jobs "{\"jobs\": [{\"command\": [\"true\"], \"after\": [{\"job\": $id}]}]}")" 422
is "a job cannot go into another's project" \
    "$(as "$alice" POST /v1/jobs '{"jobs": [{"command": ["true"], "project": "other"}]}')" 422

sha=$(sha256sum <in.txt | cut -c1-64)
is "alice has her input" "$(as "$alice" PUT "/v1/blobs/$sha?size=7&offset=0" "")" 201
is "knowing its hash does not make it eve's" \
    "$(as "$eve" POST /v1/jobs "{\"jobs\": [{\"command\": [\"cat\", \"a\"], \"inputs\": [{\"from\": \"a\", \"to\": \"a\", \"sha256\": \"$sha\"}]}]}")" 422
is "nor may a user fetch blobs" "$(as "$eve" GET "/v1/blobs/$sha")" 401

for path in /v1/tokens /v1/tokens/1; do
    is "a user cannot see to $path" "$(as "$alice" "$(test $path = /v1/tokens && echo GET || echo DELETE)" $path)" 403
done
is "nor make an admin of herself" "$(as "$eve" POST /v1/tokens '{"name": "e", "user": "eve", "role": "admin"}')" 403
is "nor can an operator" "$(as "$olga" POST /v1/tokens '{"name": "e", "user": "olga", "role": "admin"}')" 403
is "a user cannot disable a site" "$(as "$eve" POST /v1/sites/local/disable '{}')" 403
is "nor remove a worker" "$(as "$eve" DELETE "/v1/workers/$(field "$id" worker)")" 403
is "nor have files written" "$(as "$eve" POST /v1/doctor '{"backup": "/tmp/x"}')" 403

brief=$(new_token brief user '' "\"$(date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ)\"")
is "a token works" "$(as "$brief" GET /v1/jobs)" 200
ok "until it expires" 'eventually 30 "test \"\$(as \"$brief\" GET /v1/jobs)\" = 401"'
is "bob's token works" "$(as "$bob" GET /v1/jobs)" 200
is "until it is revoked" "$("$LIB/api" status DELETE /v1/tokens/2)" 200
is "and from then on not" "$(as "$bob" GET /v1/jobs)" 401

log=$(cat "$T/broker.log")
like "what eve tried is in the log" "$log" "refused user=\"eve\" job=$id"
like "roles too" "$log" 'refused user="eve".*needs=operator'
like "and tokens that are refused" "$log" 'token refused'
unlike "no token is" "$log" "$alice|$bob|$eve|$olga|$brief"
ok "nor in the database" '! grep -aq -e "$alice" -e "$eve" "$STATE"/spillway.db*'

guess() { for i in $(seq 60); do as "guess-$i" GET /v1/jobs; echo; done; }
like "who guesses is put off" "$(guess)" '^429$'
done_testing
