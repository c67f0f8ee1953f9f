# SPDX-License-Identifier: Apache-2.0
# 1020-array.t - an array runs all its tasks, at most as many at a time as it says
. "${0%/*}/../lib/spillway.sh"
broker_start

cat >array.yaml <<'YAML'
name: squares
array: 0-11
script: |
  #!/bin/sh
  i=$SPILLWAY_ARRAY_INDEX
  echo "$((i * i))" >square.txt
  test "$i" != 5 || exit 5
outputs: [square.txt]
YAML
id=$(submit array.yaml)
ok "all tasks end" 'wait_state "$id" succeeded,failed'
is "one of them failed" "$(field "$id" counts.failed)" 1
is "the others did not" "$(field "$id" counts.succeeded)" 11
is "it is the fifth" "$(field "$id.5" exit_code)" 5
is "which is a task like others" "$(field "$id.5" state)" failed
ok "its results come a folder each" 'spillway fetch "$id" -o got && test "$(cat got/7/square.txt)" = 49'
spillway wait "$id" >/dev/null 2>&1
is "wait says that not all went well" $? 1

# Each task notes when it is there and how many others are.
mkdir "$T/crowd"
cat >limited.yaml <<YAML
array: 1-12%2
resources: {cpus: 1}
script: |
  #!/bin/sh
  mkdir "$T/crowd/\$SPILLWAY_ARRAY_INDEX"
  ls "$T/crowd" | wc -l
  sleep 0.1
  rmdir "$T/crowd/\$SPILLWAY_ARRAY_INDEX"
YAML
id=$(submit limited.yaml)
ok "an array with a limit" 'wait_state "$id" succeeded'
most=$(for i in $(seq 12); do spillway logs "$id.$i"; done | sort -n | tail -n 1)
ok "never runs more at once" 'test "$most" -le 2'

id=$(submit --array 3,5,10-20:5 -- echo "{task}")
ok "indices with gaps" 'wait_state "$id" succeeded'
is "are those that were asked for" "$(spillway ls --all --json | json '*.id' | grep "^$id\." | tr '\n' ' ')" \
    "$id.3 $id.5 $id.10 $id.15 $id.20 "

id=$(submit --array 1-1000000%1 -- sleep 0.1)
ok "a million tasks are queued" 'test "$(field "$id" tasks)" = 1000000'
ok "and cancelled" 'spillway cancel "$id" && wait_state "$id" cancelled,succeeded'
done_testing
