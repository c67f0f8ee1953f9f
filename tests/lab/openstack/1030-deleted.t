# SPDX-License-Identifier: Apache-2.0
# 1030-deleted.t - a server that somebody deletes behind our back
. "${0%/*}/lab.sh"
conf ", idle: 1s" site-a
guests_start
broker_start --config conf.yaml
cat >job.yaml <<YAML
script: |
  #!/bin/sh
  until test -e "$T/end"; do sleep 0.2; done
retries: {user: 0}
YAML
id=$(submit job.yaml)
ok "it runs" 'wait_state "$id" running --limit 120'
worker=$(field "$id" worker)
ok "its server is deleted" '"$OPENSTACK/cloud.py" delete "$worker"'
ok "it runs again" 'wait_state "$id" running --attempt 2 --limit 180'
ok "on another server" 'test "$(field "$id" worker)" != "$worker"'
is "at no cost to the user" "$(field "$id" user_retries_used)" 0
touch "$T/end"
ok "it ends well" 'wait_state "$id" succeeded --limit 60'
ok "nothing is left at the cloud" 'nothing_is_left'
guests_stop
done_testing
