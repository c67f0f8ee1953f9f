# SPDX-License-Identifier: Apache-2.0
# 1040-killed.t - the broker is killed while servers are being made, and again while they work
. "${0%/*}/lab.sh"
conf ", idle: 3s, boot_deadline: 2m" site-a site-b
guests_start
broker_start --config conf.yaml
ok "site-a answers" 'eventually 60 "spillway sites show site-a --json | json health | grep -qx up"'
cat >job.yaml <<'YAML'
array: 0-11
resources: {cpus: 1, memory: 256MiB, walltime: 10m}
command: [sh, -c, "sleep 10; echo done"]
YAML
id=$(submit job.yaml)
ok "servers are on their way" 'eventually 60 "test -n \"\$(\"$OPENSTACK/cloud.py\" left)\""'
broker_kill
broker_start --config conf.yaml
pass "killed while they are made, and started again"
ok "tasks run" 'eventually 120 "spillway ls --json --limit 20 | json \"*.state\" | grep -qx running"'
broker_kill
broker_start --config conf.yaml
pass "killed while they run, and started again"
ok "all end well" 'timeout 400 spillway wait "$id"'
is "each once" "$(spillway ls --all --limit 100 --json | json '*.state' | grep -cx succeeded)" 12
ok "nothing is left at the cloud" 'nothing_is_left'
guests_stop
done_testing
