# SPDX-License-Identifier: Apache-2.0
# 2370-learned.t - what sites have shown is kept across restarts, and shown
. "${0%/*}/../lib/spillway.sh"
printf '#!/bin/sh\ntest "$1" = --reap && exec rm -rf "$2"\nexit 1\n' >agent
chmod +x agent
cat >conf.yaml <<YAML
sites:
  - {name: broken, type: local, agent: $T/work/agent, cpus: 1, boot_deadline: 1s}
  - {name: good, type: local, cpus: 1}
YAML
learned() { # learned SITE KEY FIELD
    spillway sites show "$1" --json | python3 -c 'import json, sys
print(json.load(sys.stdin)["learned"].get(sys.argv[1], {}).get(sys.argv[2], ""))' "$2" "$3"
}
broker_start --config conf.yaml
cat >there.yaml <<'YAML'
command: ["true"]
placement: {sites: {require: [broken]}}
YAML
stuck=$(submit there.yaml)
ok "a site whose workers do not start is left alone" 'eventually 60 "test -n \"\$(learned broken breaker/broken/machine faults)\" && spillway explain $stuck | grep -q \"left alone after faults\""'
id=$(submit --name elsewhere -- true)
ok "others serve meanwhile" 'wait_state "$id" succeeded'
like "how long a worker takes to begin is known" "$(learned good boot/good//machine seen)" '^[1-9]'
class=$(spillway explain "$id" --json | json decision.class)
like "and how long the class waited for one" "$(learned good "wait/good/$class" seen)" '^[1-9]'
like "sites show says so to people" "$(spillway sites show broken)" 'breaker/broken/machine'
faults=$(learned broken breaker/broken/machine faults)
seen=$(learned good boot/good//machine seen)
ok "the broker stops" broker_stop
broker_start --config conf.yaml
ok "a later one knows of the faults" 'test "$(learned broken breaker/broken/machine faults)" -ge "$faults"'
ok "and of the boots" 'test "$(learned good boot/good//machine seen)" -ge "$seen"'
done_testing
