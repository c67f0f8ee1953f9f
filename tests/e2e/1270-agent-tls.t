#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 1270-agent-tls.t - TLS with a pinned certificate, plain HTTP on loopback, names by c-ares
. "${0%/*}/../lib/agent.sh"

certificate() { # NAME
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/$1.key" -out "$T/$1.crt" -days 2 -subj "/CN=broker" 2>/dev/null
    openssl x509 -in "$T/$1.crt" -outform DER | sha256sum | cut -d' ' -f1
}
PIN=$(certificate good)
OTHER=$(certificate other)

broker_start --tls "$T/good.crt" "$T/good.key"
URL=https://localhost:$(cat "$B/port")
agent_start "\"pin\": \"$PIN\""
lease 1 '"argv": ["sh", "-c", "seq 1 500000; seq 1 3000000 > out"], "outputs": ["out"]'
finished 1 60
ok "a job over TLS"                    'test "$(report 1 exit_code)" = 0'
ok "its log is whole"                  'seq 1 500000 | cmp - "$B/logs/1.stdout"'
ok "its output is whole"               'seq 1 3000000 | cmp - "$B/outputs/1/out"'
kill -TERM "$AGENT_PID"
wait "$AGENT_PID"

rm -rf "$W" "$B/joined"
agent_start "\"pin\": \"$OTHER\""
wait_until 'grep -q "not the broker" "$T/agent.log"' 10
ok "another certificate is refused"    'grep -q "not the broker" "$T/agent.log"'
ok "and nothing was said to it"        'test ! -e "$B/joined"'
kill -KILL "$AGENT_PID"
wait "$AGENT_PID" 2>/dev/null

rm -rf "$W"
: >"$T/agent.log"
agent_start
wait_until 'grep -q -e "certificate refused" -e "no certificate authorities" "$T/agent.log"' 10
ok "without a pin the system's authorities decide" 'test ! -e "$B/joined"'
kill -KILL "$AGENT_PID"
wait "$AGENT_PID" 2>/dev/null
broker_stop

rm -rf "$W" "$B"
broker_start --tcp
URL=http://127.0.0.1:$(cat "$B/port")
agent_start
lease 1 '"argv": ["echo", "clear"]'
finished 1
ok "plain HTTP on loopback"            'test "$(report 1 "log(\"stdout\")")" = clear'

# An input from elsewhere: the stand-in is a web server too.
seq 1 100000 >"$T/data"
SUM=$(sha256sum <"$T/data" | cut -d' ' -f1)
cp "$T/data" "$B/blobs/$SUM"
echo 1 >"$B/faults/cutblob"
lease 2 "\"argv\": [\"sha256sum\", \"d\"], \"inputs\": [{\"to\": \"d\", \"url\": \"$URL/redirect/v1/blobs/$SUM\", \"sha256\": \"$SUM\"}]"
finished 2
ok "an input by URL, redirected, cut and resumed" 'report 2 "log(\"stdout\")" | grep -q "$SUM"'
WRONG=$(echo wrong | sha256sum | cut -d' ' -f1)
lease 3 "\"argv\": [\"true\"], \"inputs\": [{\"to\": \"d\", \"url\": \"$URL/v1/blobs/$SUM\", \"sha256\": \"$WRONG\"}]"
finished 3
ok "its checksum is held to"           'test "$(report 3 reason)" = stage-in && report 3 detail | grep -q SHA-256'
lease 4 "\"argv\": [\"true\"], \"inputs\": [{\"to\": \"d\", \"url\": \"$URL/v1/blobs/$SUM\"}]"
finished 4
ok "clear HTTP needs a checksum"       'test "$(report 4 reason)" = stage-in && report 4 detail | grep -q https'
lease 5 "\"argv\": [\"true\"], \"inputs\": [{\"to\": \"d\", \"url\": \"$URL/v1/blobs/$WRONG\", \"sha256\": \"$WRONG\"}]"
finished 5
ok "what is not there is said"         'test "$(report 5 reason)" = stage-in && report 5 detail | grep -q 404'
kill -KILL "$AGENT_PID"
wait "$AGENT_PID" 2>/dev/null

rm -rf "$W"
: >"$T/agent.log"
URL=https://no-such-name.invalid:1
agent_start "\"pin\": \"$PIN\""
wait_until 'grep -q "look up no-such-name.invalid" "$T/agent.log"' 40
ok "a name that does not resolve is named" 'grep -q "look up no-such-name.invalid" "$T/agent.log"'
done_testing
