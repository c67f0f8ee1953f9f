# SPDX-License-Identifier: Apache-2.0
# 1050-limits.t - walltime, memory, deadlines and named limits end or hold back what goes beyond them
. "${0%/*}/../lib/spillway.sh"
cat >conf.yaml <<'YAML'
limits: {license-x: 1}
YAML
broker_start --config conf.yaml

cat >walltime.yaml <<'YAML'
script: |
  #!/bin/sh
  trap 'echo term' TERM
  sleep 60 & wait
  sleep 60
resources: {walltime: 1s}
grace: 1s
retries: {user: 0}
YAML
id=$(submit walltime.yaml)
ok "a job that runs too long" 'wait_state "$id" failed'
is "is ended for that reason" "$(field "$id" reason)" walltime
is "after SIGTERM was given a chance" "$(spillway logs "$id")" term
is "it is the user's" "$(attempts "$id" budget)" user

cat >warned.yaml <<'YAML'
script: |
  #!/bin/sh
  trap 'echo warned; exit 0' USR1
  while :; do sleep 0.1; done
resources: {walltime: 2s}
signal: {name: USR1, before: 1s}
YAML
id=$(submit warned.yaml)
ok "a job that is warned in time can end well" 'wait_state "$id" succeeded'
is "and was" "$(spillway logs "$id")" warned

cat >memory.yaml <<'YAML'
script: |
  #!/bin/sh
  exec awk 'BEGIN { for (i = 0; i < 1e8; i++) a[i] = "a text that takes room " i }'
resources: {memory: 64MiB, walltime: 60s}
YAML
id=$(submit memory.yaml)
ok "a job that takes more memory than it asked for" 'wait_state "$id" failed'
is "is ended for that reason" "$(field "$id" reason)" memory
ok "its peak is known" 'test "$(field "$id" max_rss_bytes)" -gt 10000000'

deadline=$(date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ)
held=$(submit --hold --deadline "$deadline" -- true)
running=$(submit --deadline "$deadline" -- sleep 60)
ok "a deadline ends what waits" 'wait_state "$held" cancelled,failed'
is "for that reason" "$(field "$held" reason)" deadline
ok "and what runs" 'wait_state "$running" cancelled,failed'
is "for the same" "$(field "$running" reason)" deadline

mkdir "$T/crowd"
cat >licensed.yaml <<YAML
array: 1-5
limits: [license-x]
script: |
  #!/bin/sh
  mkdir "$T/crowd/one" || exit 1
  sleep 0.1
  rmdir "$T/crowd/one"
YAML
id=$(submit licensed.yaml)
other=$(submit licensed.yaml)
ok "a named limit holds over jobs" 'wait_state "$id" succeeded && wait_state "$other" succeeded'
done_testing
