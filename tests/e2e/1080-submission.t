# SPDX-License-Identifier: Apache-2.0
# 1080-submission.t - a submission is checked whole, queued whole, and safe to repeat
. "${0%/*}/../lib/spillway.sh"
broker_start

id=$(submit --idempotency-key night-1 -- true)
is "the same key again is the same job" "$(submit --idempotency-key night-1 -- true)" "$id"
nok "with another job it is refused" 'submit --idempotency-key night-1 -- false'
other=$(submit --idempotency-key night-2 -- true)
ok "another key is another job" 'test "$other" != "$id"'
broker_kill
broker_start
is "and is still known after a crash" "$(submit --idempotency-key night-1 -- true)" "$id"

count() { spillway ls --all --json | json '*.id' | wc -l; }
before=$(count)
cat >half.yaml <<'YAML'
name: good
command: ["true"]
---
name: bad
command: ["true"]
resources: {memroy: 8GiB}
YAML
nok "one wrong document" 'submit half.yaml'
out=$(submit half.yaml 2>&1)
like "is named by file, line and column" "$out" 'half\.yaml:6:[0-9]+: '
like "with the nearest key" "$out" "memory"
is "and nothing is queued" "$(count)" "$before"

cat >two.yaml <<'YAML'
name: one
command: ["true"]
---
name: two
command: ["true"]
YAML
is "two documents are two jobs" "$(submit two.yaml | wc -l)" 2

before=$(count)
ok "a dry run says where it could run" 'spillway submit --dry-run two.yaml'
is "and queues nothing" "$(count)" "$before"
nok "what no site can ever run" 'submit --cpus 100000 -- true'
like "is told so at once" "$(submit --cpus 100000 -- true 2>&1)" 'local'
is "and is not queued" "$(count)" "$before"

cat >vars.yaml <<'YAML'
name: vars
array: 5-6
environment: {GREETING: "hello {task}", EMPTY: ""}
script: |
  #!/bin/sh
  echo "$GREETING|$SPILLWAY_JOB_ID|$SPILLWAY_TASK_ID|${EMPTY-unset}|$SPILLWAY_JOB_NAME"
YAML
id=$(submit vars.yaml)
wait_state "$id" succeeded
is "environment and placeholders" "$(spillway logs "$id.6")" "hello 6|$id|$id.6||vars"
ok "nothing of the broker's own environment reaches a job" '
    SECRET_OF_BROKER=1 submit -- env >/dev/null; i=$(submit -- env); wait_state "$i" succeeded;
    ! spillway logs "$i" | grep -q TOKEN'
done_testing
