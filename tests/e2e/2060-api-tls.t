# SPDX-License-Identifier: Apache-2.0
# 2060-api-tls.t - over TCP: a certificate of its own, tokens only, and plain HTTP on loopback alone
. "${0%/*}/../lib/spillway.sh"
broker_start --listen 127.0.0.1:0

port() { sed -n 's/.*listening address=[^ ]* port=\([0-9]*\).*/\1/p' "$T/broker.log" | tail -n 1; }
status() { curl -s -o answer -w '%{http_code}' --max-time 20 "$@"; }
token=$("$LIB/api" POST /v1/tokens '{"name": "t", "user": "u"}' | json token)
url=https://127.0.0.1:$(port)

is "it answers over TLS" "$(status -k "$url/healthz")" 200
is "its certificate names this address" "$(status --cacert "$STATE/tls.crt" "$url/healthz")" 200
is "nobody is known without a token" "$(status -k "$url/v1/jobs")" 401
is "with one, she is" "$(status -k -H "Authorization: Bearer $token" "$url/v1/jobs")" 200
is "no old TLS" "$(status -k --tls-max 1.1 "$url/healthz")" 000
is "no plain HTTP on the same port" "$(status "http://127.0.0.1:$(port)/healthz")" 000
is "the key is the daemon's alone" "$(stat -c %a "$STATE/tls.key")" 600
is "the client finds its way with URL and token" \
    "$(SPILLWAY_URL=unix://$SOCKET SPILLWAY_TOKEN=$token spillway ls --json)" "[]"
pin=$(openssl x509 -in "$STATE/tls.crt" -outform DER | sha256sum | cut -c1-64)
like "the log tells the certificate's fingerprint" "$(cat "$T/broker.log")" "pin=$pin"
broker_stop
broker_start --listen 127.0.0.1:0
is "a restart keeps the certificate" "$(status --cacert "$STATE/tls.crt" "https://127.0.0.1:$(port)/healthz")" 200
broker_stop

cat >plain.yaml <<'YAML'
broker: {url: "http://127.0.0.1:7455"}
YAML
broker_start --config plain.yaml --listen 127.0.0.1:0
is "plain HTTP on loopback, when asked for" "$(status "http://127.0.0.1:$(port)/healthz")" 200
is "takes tokens too" "$(status -H "Authorization: Bearer $token" "http://127.0.0.1:$(port)/v1/jobs")" 200
is "and nothing without" "$(status "http://127.0.0.1:$(port)/v1/jobs")" 401
broker_stop
nok "but on no other address" 'timeout $((20 * SLOWER)) spillwayd --config plain.yaml --state "$STATE" --listen 0.0.0.0:0 2>start.log'
like "and it says why" "$(cat start.log)" 'loopback'

printf 'no key\n' >bad.key
cat >bad.yaml <<YAML
broker: {listen: "127.0.0.1:7455", tls: {certificate: $STATE/tls.crt, key: $T/work/bad.key}}
YAML
nok "a key that is none is refused" 'timeout $((20 * SLOWER)) spillwayd --config bad.yaml --state "$STATE" 2>start.log'
like "with the file's name" "$(cat start.log)" 'tls\.crt|bad\.key'
done_testing
