# SPDX-License-Identifier: Apache-2.0
# 2040-api-events.t - events as they happen, each once and in order, through cuts and restarts
. "${0%/*}/../lib/spillway.sh"
broker_start

# A command, not a function: in the background its pid is curl's own.
follow="curl -s -N --unix-socket $SOCKET -H Accept:text/event-stream http://spillway/v1/events --max-time"
# Of events: a stream also tells from which id it goes on, before there is any.
ids() { sed -n 's/^data: {"id":\([0-9]*\),.*/\1/p' "$1"; }

$follow 60 >stream &
stream=$!
eventually 20 'grep -q retry stream'
id=$(submit -- true)
ok "a stream tells of a job's end" 'eventually 30 "grep -q \"event: job.ended\" stream"'
for kind in job.submitted task.leased task.running task.ended job.ended; do
    ok "and of $kind" "grep -q 'event: $kind' stream"
done
kill $stream
wait $stream 2>/dev/null

last=$(ids stream | tail -n 1)
submit -- true >/dev/null
second=$(submit -- true)
wait_state "$second" succeeded
$follow $((2 * SLOWER)) -H "Last-Event-ID: $last" >more
ok "cut off, it goes on behind the last it saw" 'test "$(ids more | head -n 1)" = $((last + 1))'
{ ids stream && ids more; } >seen
ok "each once, in order" 'sort -n -u seen | cmp - seen'

$follow 60 -H "Last-Event-ID: $(ids more | tail -n 1)" >third &
stream=$!
eventually 20 'grep -q retry third'
ok "a stream does not hold up the end of the broker" 'broker_stop'
wait $stream 2>/dev/null
broker_start
submit -- true >/dev/null
$follow $((3 * SLOWER)) -H "Last-Event-ID: $(ids more | tail -n 1)" >fourth
ok "nor is anything missed over a restart" 'grep -q "event: job.submitted" fourth'

type_of() { # type_of PATH [OPTION...]: what is served there
    type_path=$1
    shift
    curl -s -N --max-time $((2 * SLOWER)) --unix-socket "$SOCKET" -o /dev/null -w '%{content_type}' "$@" "http://spillway$type_path"
}
is "without a word on it, the events are a stream" "$(type_of /v1/events)" text/event-stream
is "a page for who asks for JSON" "$(type_of /v1/events -H Accept:application/json)" application/json
is "or for a page" "$(type_of '/v1/events?limit=3')" application/json

first=$("$LIB/api" GET '/v1/events?limit=3')
is "pages have the size that was asked for" "$(echo "$first" | json 'events.*.id' | wc -l)" 3
cursor=$(echo "$first" | json cursor)
is "and go on from the cursor" "$("$LIB/api" GET "/v1/events?limit=1&after=$cursor" | json events.0.id)" $((cursor + 1))
only=$("$LIB/api" GET "/v1/jobs/$id/events" | json 'events.*.job' | sort -u)
is "a job's events are its own" "$only" "$id"

long=$(submit -- sh -c 'echo one; sleep 1; echo two; sleep 30')
wait_state "$long" running
curl -s -N --max-time 60 --unix-socket "$SOCKET" "http://spillway/v1/jobs/$long/logs/stdout?follow=1" >log &
stream=$!
ok "a followed log brings lines as they are written" 'eventually 30 "grep -q two log"'
"$LIB/api" POST "/v1/jobs/$long/cancel" '{}' >/dev/null
ok "and ends with the attempt" "wait $stream"
done_testing
