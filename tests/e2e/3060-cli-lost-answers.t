# SPDX-License-Identifier: Apache-2.0
# 3060-cli-lost-answers.t - answers get lost, connections break: nothing is queued twice, nothing half fetched
. "${0%/*}/../lib/spillway.sh"
broker_start
direct=$SPILLWAY_URL

# through RULE...: from now on the way to the broker has these faults.
through() {
    test -z "${proxy:-}" || kill "$proxy"
    rm -f "$T/way.sock"
    "$LIB/unreliable" "$T/way.sock" "$SOCKET" "$@" &
    proxy=$!
    eventually 10 'test -S "$T/way.sock"'
    SPILLWAY_URL=unix://$T/way.sock
}
count() { SPILLWAY_URL=$direct spillway ls --all --json | json '*.id' | wc -l; }
code() {
    eval "$1" >"$T/out" 2>"$T/err"
    echo $?
}

through "POST /v1/jobs 2 drop"
is "a submission whose answer is lost, twice" "$(code 'submit -- true')" 0
is "is one job" "$(count)" 1
id=$(cat "$T/out")
through "POST /v1/jobs 1 refuse"
is "one that never arrived" "$(code 'submit -- true')" 0
is "is one job" "$(count)" 2
through "POST /v1/jobs 1 503" "GET /v1/jobs 1 429"
is "later, says the broker" "$(code 'submit -- true')" 0
is "and is asked again" "$(count)" 3
is "so for reading" "$(code 'spillway ls')" 0
through "GET /v1/jobs 1 cut:20"
is "half an answer is no answer" "$(spillway ls --all --json | json '*.id' | wc -l)" 3
through "POST /v1/jobs 100 503"
is "never, in the end" "$(code 'submit -- true')" 8
is "means none is queued" "$(count)" 3
through "POST /v1/jobs/$id/cancel 1 drop"
code 'spillway cancel "$id"' >/dev/null
is "what is not safe to repeat is not repeated" "$(cat "$T/out")" ""

head -c 9000000 /dev/urandom >big
through "PUT /v1/blobs/ 1 drop" "HEAD /v1/blobs/ 1 refuse"
id=$(submit --input big --output copy -- cp big copy)
ok "an upload that breaks is gone on with" 'spillway wait "$id"'
through "GET /v1/jobs/$id/outputs/copy 3 cut:2000000" "GET /v1/jobs/$id/outputs? 1 drop"
is "a download that breaks too" "$(code 'spillway fetch "$id" -o got')" 0
ok "to the same bytes" 'cmp big got/copy'
through "GET /v1/jobs/$id/outputs/copy 1 cut:1000000" "GET /v1/jobs/$id/outputs/copy 100 503"
is "one that cannot be done" "$(code 'spillway fetch "$id" -o bad')" 8
ok "leaves nothing under the result's name" '! test -e bad/copy'

id=$(submit -- sh -c 'i=0; while [ $i -lt 50 ]; do i=$((i + 1)); echo "line $i"; sleep 0.02; done')
through "GET /v1/jobs/$id/logs/stdout 3 cut:30" "GET /v1/events 2 refuse" "GET /v1/jobs/$id 1 drop"
is "a log that breaks in mid-line is whole" "$(spillway logs -f "$id" | sha256sum)" "$(seq 50 | sed 's/^/line /' | sha256sum)"
through "GET /v1/events 1000 404"
id=$(submit -- sleep 0.5)
ok "without events, wait asks at intervals" 'spillway wait "$id"'
kill "$proxy"
done_testing
