# SPDX-License-Identifier: Apache-2.0
# 1020-controller-down.t - while slurmctld is down work goes on, and nothing is lost
. "${0%/*}/lab.sh"
conf
start
cat >job.yaml <<YAML
script: |
  #!/bin/sh
  echo "attempt \$SPILLWAY_ATTEMPT_NUMBER"
  until test -e /tmp/spillway-lab-$PORT; do sleep 0.1; done
YAML
id=$(submit job.yaml)
ok "a job runs" 'wait_state "$id" running'
"$SLURM/lab" down "$LAB" slurmctld
cat >late.yaml <<'YAML'
resources: {cpus: 4}
command: [echo, late]
YAML
ok "the site is known to be in trouble" 'eventually 90 "! site_is_up"'
late=$(submit late.yaml)
like "why is said in words" "$(spillway explain "$late")" 'slurm|controller|did not end'
is "the running job was left alone" "$(field "$id" state)" running
touch "/tmp/spillway-lab-$PORT"
ok "and ends well, with no controller" 'wait_state "$id" succeeded'
rm -f "/tmp/spillway-lab-$PORT"
is "at its first attempt" "$(spillway logs "$id")" "attempt 1"
"$SLURM/lab" up "$LAB" slurmctld
ok "what came meanwhile runs once it is back" 'wait_state "$late" succeeded --limit 200'
is "no retry of the user's was used" "$(field "$late" user_retries_used)" 0
ok "nothing is left" 'nothing_is_left 90'
done_testing
