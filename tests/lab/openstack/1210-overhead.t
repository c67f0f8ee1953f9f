# SPDX-License-Identifier: Apache-2.0
# 1210-overhead.t - what we add to the cloud's own time, and how many requests a server costs
. "${0%/*}/lab.sh"
conf ", idle: 0s, boot_deadline: 2m, flavors: [m1.tiny]" site-c
# So that it is a removal, not a probe that comes by chance, which tells of free quota.
sed 's/probe: 3s/probe: 5m/' conf.yaml >conf.new && mv conf.new conf.yaml
guests_start
"$OPENSTACK/proxy.py" "$T" >"$T/proxy.log" 2>&1 &
proxy_pid=$!
orders() { curl -s "http://127.0.0.1:15999/$1"; }
eventually 20 'orders left'
lab_clouds=$OS_CLIENT_CONFIG_FILE lab_secure=$OS_CLIENT_SECURE_FILE
OS_CLIENT_CONFIG_FILE=$T/clouds.yaml OS_CLIENT_SECURE_FILE=$T/secure.yaml
broker_start --config conf.yaml
OS_CLIENT_CONFIG_FILE=$lab_clouds OS_CLIENT_SECURE_FILE=$lab_secure
ok "the site answers" 'eventually 60 "spillway sites show site-c --json | json health | grep -qx up"'

# Another project's job waits for the quota (three cores) that the first one's three workers hold.
cat >first.yaml <<YAML
project: one
array: 1-3
resources: {cpus: 1, memory: 256MiB}
script: |
  #!/bin/sh
  until test -e "$T/end"; do sleep 0.1; done
YAML
first=$(submit first.yaml)
states() { spillway ls --all --limit 10 --json | json '*.state' | sort | uniq -c | tr -s ' \n' ' '; }
ok "three servers work" 'eventually 180 "states | grep -qx \" 3 running \""'
second=$(submit --project two --cpus 1 --memory 256MiB -- true)
like "another project's job waits" "$(spillway explain "$second")" 'cores'
touch "$T/end"
ok "it has its turn" 'wait_state "$second" succeeded --limit 120'
ok "and the others ended well" 'wait_state "$first" succeeded --limit 10'
fourth=$(field "$second" worker)
orders log >requests

# From the guest's boot (its start script begins) to the first job started.
for n in 1 2 3; do
    worker=$(field "$first.$n" worker)
    started=$(date -d "$(field "$first.$n" started)" +%s%3N)
    diag "from boot to the job's start: $((started - $(cat "$T/guests/$worker/booted"))) ms"
done

# From the listing that proves a server gone to the first request of the next create.
cat >freed.py <<'PYTHON'
import datetime, json, sys
name, freed = sys.argv[1], None
events = json.load(open(sys.argv[2]))
gone = [e for e in events if e["kind"] == "worker.state" and e["state"] == "gone"]
freed = min(int(datetime.datetime.fromisoformat(e["time"].replace("Z", "+00:00")).timestamp() * 1000) for e in gone)
after = [line.split(None, 3) for line in open(sys.argv[3]) if int(line.split()[0]) >= freed]
first = next(line for line in after if name in line[3])
between = [" ".join(line[1:]).strip() for line in after[:after.index(first)]]
print(int(first[0]) - freed, "ms;", len(between), "other requests before it:", *between)
PYTHON
"$LIB/api" GET "/v1/events?after=0&limit=10000" | json events >events.json
freed=$(python3 freed.py "$fourth" events.json requests)
diag "from freed quota to the next create: $freed"
like "the first request after a server is known to be gone makes the next one" "$freed" '^[0-9]+ ms; 0 other'

ok "nothing is left at the cloud" 'nothing_is_left'
for worker in $(spillway workers --all --json | json '*.name'); do
    diag "$worker: $(requests making "$worker") requests to make it, $(requests removing "$worker") to remove it"
    ok "few requests make it" 'test "$(requests making "$worker")" -le 7'
    ok "and few remove it" 'test "$(requests removing "$worker")" -le 8'
done
orders count >counts
sum() { awk -F '[:,]' -v what="$1" '$0 ~ what { n += $2 } END { print n + 0 }' counts; }
diag "of all: $(sum '') requests for 4 servers; POST $(sum ' POST '), DELETE $(sum ' DELETE '), GET $(sum ' GET ')"
is "four ports were made" "$(sum 'POST /v2.0/ports')" 4
is "and four servers" "$(sum 'POST /v2.1/servers')" 4
is "one login" "$(sum 'POST /v3/auth/tokens')" 1
ok "what was sent to remove them" 'test "$(sum " DELETE ")" -ge 9 && test "$(sum " DELETE ")" -le 14'
kill "$proxy_pid"
wait "$proxy_pid" 2>/dev/null
guests_stop
done_testing
