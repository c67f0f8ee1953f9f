# SPDX-License-Identifier: Apache-2.0
# agent.sh - for the tests of the agent alone: a scripted broker (fake_broker.py says why), an agent, TAP.
#
# Sourced by tests/e2e/12NN-agent-*.t.  BUILD names the build folder (default build).
here=$(cd "$(dirname "$0")/../.." && pwd)
AGENT=${BUILD:-$here/build}/bin/spillway-agent
case $AGENT in /*) ;; *) AGENT=$here/$AGENT ;; esac
T=$(mktemp -d "${TMPDIR:-/tmp}/spillway-agent.XXXXXX")
W=$T/worker
B=$T/broker
count=0
failed=0
pids=
starts=0
more_than_one=

ok() { # DESCRIPTION COMMAND
    count=$((count + 1))
    if eval "$2"; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        echo "# failed: $2"
        failed=$((failed + 1))
    fi
}

done_testing() {
    echo "1..$count"
    test "$failed" = 0
}

clean_up() {
    status=$?
    for pid in $pids; do
        kill -KILL "$pid" 2>/dev/null
    done
    "$AGENT" --reap "$W" 2>/dev/null
    if [ "$failed" != 0 ] && [ -f "$T/agent.log" ]; then
        sed 's/^/# agent: /' "$T/agent.log"
    fi
    rm -rf "$T"
    exit $status
}
trap clean_up EXIT
trap 'exit 1' INT TERM

wait_until() { # COMMAND [SECONDS]
    tries=$((${2:-30} * 20))
    while [ $tries -gt 0 ]; do
        eval "$1" && return 0
        sleep 0.05
        tries=$((tries - 1))
    done
    echo "# waited in vain: $1"
    return 1
}

broker_start() { # [options of fake_broker.py]
    mkdir -p "$B"
    rm -f "$B/port"
    python3 "$here/tests/lib/fake_broker.py" "$B" "$@" 2>"$T/broker.log" &
    BROKER=$!
    pids="$pids $BROKER"
    case "$*" in
    *--t*) wait_until 'test -s "$B/port"' ;;
    *) wait_until 'test -S "$B/sock"' ;;
    esac
}

broker_stop() {
    kill -KILL "$BROKER"
    wait "$BROKER" 2>/dev/null
}

agent_start() { # [more members of the boot payload]
    starts=$((starts + 1))
    printf '{"url": "%s", "worker": "w%s", "token": "join-token", "dir": "%s"%s}' \
        "${URL:-unix://$B/sock}" "$$${more_than_one:+-$starts}" "$W" "${1:+, $1}" >"$T/boot"
    more_than_one=1 # no two workers have one name
    "$AGENT" --boot "$T/boot" 2>>"$T/agent.log" &
    AGENT_PID=$!
    pids="$pids $AGENT_PID"
}

agent_resume() {
    "$AGENT" --resume "$W" 2>>"$T/agent.log" &
    AGENT_PID=$!
    pids="$pids $AGENT_PID"
}

lease() { # ID MEMBERS: hand out one lease
    printf '{"attempt": %s, "task": "%s", "job": %s, "index": 0, "name": "test", "project": "p", "user": "u", %s}' \
        "$1" "$1" "$1" "$2" >"$B/leases/.$1"
    mv "$B/leases/.$1" "$B/leases/$1.json"
}

# report ID FIELD: of the last final report; a Python expression over `r` where FIELD has one
report() {
    python3 - "$B/reports.jsonl" "$1" "$2" <<'PY'
import base64, json, signal, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
found = None
try:
    for line in open(sys.argv[1]):
        r = json.loads(line)
        if r["attempt"] == int(sys.argv[2]) and r["state"] in ("finished", "returned"):
            found = r
except FileNotFoundError:
    pass
if found is None:
    sys.exit(1)
r = found
log = lambda name: base64.b64decode(r["logs"][name].get("data", "")).decode()
print(r.get(sys.argv[3], "") if sys.argv[3].isidentifier() else eval(sys.argv[3]))
PY
}

finished() { # ID [SECONDS]
    wait_until "grep -qs '\"attempt\": $1, \"state\": \"\\(finished\\|returned\\)\"' '$B/reports.jsonl'" "${2:-30}"
}

running() { # ID
    wait_until "grep -qs '\"attempt\": $1, \"state\": \"running\"' '$B/reports.jsonl'"
}

# Whether any process has WORD as an argument.
has_process() {
    for line in /proc/[0-9]*/cmdline; do
        { tr "\0" "\n" <"$line"; } 2>/dev/null | grep -qx -- "$1" && return 0
    done
    return 1
}
