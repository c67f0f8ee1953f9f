# SPDX-License-Identifier: Apache-2.0
# 1030-scancel.t - a pilot that somebody cancels costs the user nothing
. "${0%/*}/lab.sh"
conf
start
cat >job.yaml <<YAML
script: |
  #!/bin/sh
  echo "attempt \$SPILLWAY_ATTEMPT_NUMBER"
  until test -e /tmp/spillway-lab-$PORT; do sleep 0.1; done
retries: {user: 1}
YAML
id=$(submit job.yaml)
ok "a job runs" 'wait_state "$id" running'
worker=$(field "$id" worker)
ok "its pilot is cancelled" 'as_user scancel -n "$worker"'
ok "it runs again" 'wait_state "$id" running --attempt 2'
ok "in another pilot" 'test "$(field "$id" worker)" != "$worker"'
is "the user's retries remain" "$(field "$id" user_retries_used)" 0

worker=$(field "$id" worker)
pid=$(squeue -h -n "$worker" -o %i | xargs scontrol listpids -N cpu1 2>/dev/null | awk '$3 == "batch" && $1 > 1 { print $1; exit }')
if test -n "$pid"; then
    ok "its agent is killed" 'kill -KILL "$pid"'
    ok "it runs once more" 'wait_state "$id" running --attempt 3'
    is "still at no cost of the user's" "$(field "$id" user_retries_used)" 0
fi
touch "/tmp/spillway-lab-$PORT"
ok "and ends well" 'wait_state "$id" succeeded'
rm -f "/tmp/spillway-lab-$PORT"
ok "nothing is left" nothing_is_left
done_testing
