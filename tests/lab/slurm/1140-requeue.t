# SPDX-License-Identifier: Apache-2.0
# 1140-requeue.t - an sshd that restarts, and a pilot that an operator requeues, cost the user nothing
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

# Stopped, it takes no session; hung up, it starts anew.
read -r sshd _ <"$LAB/run/sshd"
kill -STOP "$sshd"
for pid in $(pgrep -u "$LAB_USER" -x sshd); do kill -KILL "$pid"; done
ok "with no sshd the site is known to be in trouble" 'eventually 90 "! site_is_up"'
is "the job runs on" "$(field "$id" state) $(field "$id" attempt)" "running 1"
kill -CONT "$sshd"
kill -HUP "$sshd"
ok "the session is opened again" 'eventually 90 site_is_up'
is "and the job never noticed" "$(field "$id" state) $(field "$id" attempt)" "running 1"

# Pilots are made with --no-requeue, for an agent's token dies at its first use.  An operator can have it otherwise.
is "the cluster requeues jobs unless they ask not to be" "$(scontrol show config | awk '$1 == "JobRequeue" { print $3 }')" 1
number=$(squeue -h -n "$worker" -o %i)
nok "Slurm does not requeue a pilot" 'scontrol requeue "$number"'
is "and it runs on" "$(field "$id" state) $(field "$id" attempt)" "running 1"
ok "told that it may be, and told to, Slurm requeues it" \
    'scontrol update JobId="$number" Requeue=1 && scontrol requeue "$number"'
ok "the job runs again, in another pilot" \
    'wait_state "$id" running --attempt 2 --limit 120 && test "$(field "$id" worker)" != "$worker"'
is "the first attempt was preempted" "$(attempts "$id" reason | cut -d ' ' -f 1)" preempted
is "the user's retries remain" "$(field "$id" user_retries_used)" 0
ok "the pilot that Slurm put back in the queue is taken out of it" \
    'eventually 120 "test -z \"\$(squeue -h -n $worker -o %i)\""'
is "Slurm did start it over" "$(sacct -n -X -D -j "$number" -o state%20 | grep -c REQUEUED)" 1
touch "/tmp/spillway-lab-$PORT"
ok "and ends well" 'wait_state "$id" succeeded --limit 60'
rm -f "/tmp/spillway-lab-$PORT"
ok "nothing is left" 'nothing_is_left 90'
done_testing
