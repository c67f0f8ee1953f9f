# SPDX-License-Identifier: Apache-2.0
# 1060-plain-host.t - a host with nothing but sshd is a site too, also behind another
. "${0%/*}/lab.sh"
sed "s/^Host login/Host behind/" "$LAB/ssh_config" >ssh_config
echo "    ProxyJump login" >>ssh_config
cat "$LAB/ssh_config" >>ssh_config
cat >conf.yaml <<YAML
broker: {listen: "127.0.0.1:$PORT", lease: {ttl: 10s, heartbeat: 1s}}
sites:
  - {name: home, type: ssh, ssh: {host: behind, config: ssh_config}, cpus: 2, memory: 1GiB, probe: 2s, reconcile: 2s,
     idle: 3s}
YAML
start
cat >job.yaml <<YAML
script: |
  #!/bin/sh
  echo "I am \$(id -un), attempt \$SPILLWAY_ATTEMPT_NUMBER"
  until test -e /tmp/spillway-lab-$PORT; do sleep 0.1; done
YAML
id=$(submit job.yaml)
ok "a job runs, over two hosts" 'wait_state "$id" running'
worker=$(field "$id" worker)
ok "its agent is killed" 'as_user "cut -d \" \" -f 1 .spillway/workers/$worker/pid | xargs kill -9"'
ok "it runs again" 'wait_state "$id" running --attempt 2'
broker_kill
broker_start --config conf.yaml
touch "/tmp/spillway-lab-$PORT"
ok "and ends well, though the broker was killed" 'wait_state "$id" succeeded'
rm -f "/tmp/spillway-lab-$PORT"
is "as the host's user" "$(spillway logs "$id")" "I am $LAB_USER, attempt 2"
is "the user's retries remain" "$(field "$id" user_retries_used)" 0
ok "nothing is left" nothing_is_left
ok "no process of it either" 'eventually 20 "! pgrep -u $LAB_USER -f bin/agent-"'
done_testing
