# SPDX-License-Identifier: Apache-2.0
# 2070-api-crowd.t - one address may keep so many connections; that more are refused is said, and no other suffers
. "${0%/*}/../lib/spillway.sh"
cat >conf.yaml <<'YAML'
broker: {url: "http://127.0.0.1:7455", http: {threads: 1, connections: 64, connections_each: 5}}
YAML
broker_start --config conf.yaml --listen 127.0.0.1:0
port=$(sed -n 's/.*listening .*port=\([0-9]*\).*/\1/p' "$T/broker.log")
cat >crowd.py <<'PYTHON'
"""Keeps connections until told to end; tells how many of them are answered."""
import socket, sys
answered = 0
kept = []
for _ in range(12):
    try:
        one = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20)
        kept.append(one)
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answered += one.recv(12) == b"HTTP/1.1 200"
    except OSError:
        pass
print(answered, flush=True)
sys.stdin.read()
PYTHON
mkfifo end
python3 crowd.py "$port" <end >answered &
crowd=$!
exec 8>end
ok "the crowd is there" 'eventually 120 "test -s answered"'
is "as many are answered as may be" "$(cat answered)" 5
is "that more came is said once" "$(grep -c 'connections are refused.*http.connections_each' "$T/broker.log")" 1
ok "the Unix socket answers as before" '"$LIB/api" GET /healthz'
exec 8>&-
wait $crowd
ok "and so does the port, when they have gone" 'eventually 30 "curl -sf --noproxy 127.0.0.1 --max-time 20 http://127.0.0.1:$port/healthz"'
done_testing
