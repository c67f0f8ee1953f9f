# SPDX-License-Identifier: Apache-2.0
# 1040-retries.t - retries are the user's to spend
. "${0%/*}/../lib/spillway.sh"
broker_start

cat >third.yaml <<'YAML'
name: third-time
script: |
  #!/bin/sh
  echo "attempt $SPILLWAY_ATTEMPT_NUMBER"
  test "$SPILLWAY_ATTEMPT_NUMBER" = 3 || exit 75
retries: {user: 2, backoff: 1s}
YAML
id=$(submit third.yaml)
ok "the third attempt succeeds" 'wait_state "$id" succeeded'
is "it was the third" "$(field "$id" attempt)" 3
is "two retries were used" "$(field "$id" user_retries_used)" 2
is "every attempt is on record" "$(attempts "$id" state)" "failed failed succeeded"
is "and whose fault it was" "$(attempts "$id" budget | sed 's/ *$//')" "user user"
is "the log is the last one's" "$(spillway logs "$id")" "attempt 3"

cat >never.yaml <<'YAML'
command: ["false"]
retries: {user: 1, backoff: 1s}
YAML
id=$(submit never.yaml)
ok "retries come to an end" 'wait_state "$id" failed'
is "after two attempts" "$(field "$id" attempt)" 2

cat >on-exit.yaml <<'YAML'
command: [sh, -c, "exit 3"]
retries: {user: 5, on_exit: [75], backoff: 1s}
YAML
id=$(submit on-exit.yaml)
ok "an exit code that is not listed" 'wait_state "$id" failed'
is "is not tried again" "$(field "$id" attempt)" 1

ok "by hand, it is" 'spillway retry "$id" && wait_state "$id" failed --attempt 2'
is "with fresh budgets" "$(field "$id" user_retries_used)" 0
id=$(submit -- true)
wait_state "$id" succeeded
nok "what succeeded is not run again" 'spillway retry "$id"'
done_testing
