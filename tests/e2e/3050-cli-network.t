# SPDX-License-Identifier: Apache-2.0
# 3050-cli-network.t - over TLS: who the broker is, who you are, and that secrets stay put
. "${0%/*}/../lib/spillway.sh"

code() {
    eval "$1" >"$T/out" 2>"$T/err"
    echo $?
}
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
broker_start --listen "127.0.0.1:$port"
pin=$(sed -n 's/.*pin=\([0-9a-f]*\).*/\1/p' "$T/broker.log" | head -n 1)
token=$(spillway token add --user alice laptop 2>/dev/null)
mine=$(submit -- true)
local_url=$SPILLWAY_URL
export SPILLWAY_URL="https://127.0.0.1:$port"

is "an unknown certificate" "$(code 'SPILLWAY_TOKEN=$token spillway ls')" 4
like "says how to trust it" "$(cat "$T/err")" 'SPILLWAY_CACERT.*SPILLWAY_PIN'
export SPILLWAY_PIN="$pin"
is "pinned, but no token" "$(code 'spillway ls')" 4
is "a token that is none" "$(code 'SPILLWAY_TOKEN=nonsense spillway ls')" 4
is "a token with a line break in it" "$(code 'SPILLWAY_TOKEN="a
b" spillway ls')" 7
is "pinned, with a token" "$(code 'SPILLWAY_TOKEN=$token spillway ls')" 0
is "another pin" "$(code 'SPILLWAY_TOKEN=$token SPILLWAY_PIN=$(printf %064d 0) spillway ls')" 4
like "is named" "$(cat "$T/err")" SPILLWAY_PIN
is "a pin that is none" "$(code 'SPILLWAY_PIN=abc spillway ls')" 7
is "the certificate as its own authority" "$(code 'SPILLWAY_PIN= SPILLWAY_CACERT=$STATE/tls.crt SPILLWAY_TOKEN=$token spillway ls')" 0
(umask 077 && echo "$token" >token)
is "a token file" "$(code 'spillway --token-file token ls')" 0
is "brings no warning" "$(cat "$T/err")" ""
chmod 644 token
is "that others can read" "$(code 'spillway ls --token-file token')" 0
like "brings one" "$(cat "$T/err")" 'chmod 600'
is "one that is not there" "$(code 'spillway ls --token-file nothing')" 3

export SPILLWAY_TOKEN="$token"
is "a job runs over TLS" "$(spillway run -- echo far)" far
head -c 6000000 /dev/urandom >big
id=$(submit --input big --output copy -- cp big copy)
ok "files go there and come back" 'spillway wait "$id" && spillway fetch "$id" -o got && cmp big got/copy'
is "hers only" "$(code 'spillway show "$mine"')" 3
is "tokens are not for her" "$(code 'spillway token ls')" 4
is "nor is the switch of a site" "$(code 'spillway sites disable local')" 4
is "doctor leaves out what is not for her" "$(code 'spillway doctor')" 0
is "unless she asks for it" "$(code 'spillway doctor --check')" 4
is "plain http is for this machine" "$(code 'SPILLWAY_URL=http://192.0.2.1:1 spillway ls')" 7
is "nobody listens there" "$(code 'SPILLWAY_URL=https://127.0.0.1:1 spillway ls')" 6
ok "no token was printed or logged" '! grep -qr "$token" "$T/broker.log" "$T/out" "$T/err"'
SPILLWAY_URL=$local_url
unset SPILLWAY_PIN
is "revoked" "$(SPILLWAY_TOKEN='' code 'spillway token revoke 1')" 0
SPILLWAY_URL="https://127.0.0.1:$port"
is "it is good for nothing" "$(SPILLWAY_PIN=$pin code 'spillway ls')" 4
done_testing
