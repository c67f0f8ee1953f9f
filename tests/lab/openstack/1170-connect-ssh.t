# SPDX-License-Identifier: Apache-2.0
# 1170-connect-ssh.t - workers that can reach nobody: the broker comes to them by SSH, and to no other machine
. "${0%/*}/lab.sh"
conf ", idle: 3s, boot_deadline: 5m, floating_network: outside, connect: ssh" site-a
sed -i "s/ttl: 10s/ttl: 60s/" conf.yaml # a busy machine takes its time to start a broker
guests_start
broker_start --config conf.yaml
ok "the site answers" 'eventually 60 "spillway sites show site-a --json | json health | grep -qx up"'
cat >job.yaml <<YAML
script: |
  #!/bin/sh
  echo "attempt \$SPILLWAY_ATTEMPT_NUMBER"
  ip -o route | grep -vc '^169.254.99.1 dev eth0'
  until test -e "$T/end"; do sleep 0.2; done
  head -c 3000000 /dev/zero >big
outputs: [big]
retries: {user: 0}
YAML
id=$(submit job.yaml)
ok "a job runs" 'wait_state "$id" running --limit 180'
worker=$(field "$id" worker)
guest=$T/guests/$worker
like "on a machine that the broker came to" "$(cat "$guest/sshd.log")" 'Accepted publickey for spillway'
is "which lets in SSH and nothing else" \
    "$(openstack --os-cloud site-a security group rule list --ingress -f value -c 'IP Protocol' -c 'Port Range' \
        "$(openstack --os-cloud site-a security group list -f value -c Name | grep '^spillway-')" | sort -u)" "tcp 22:22"
is "its user data holds one private key, its own" "$(grep -c 'BEGIN OPENSSH PRIVATE KEY' "$guest/user_data")" 1
nok "the broker's key opens no shell there" 'grep -q "Starting session" "$guest/sshd.log"'

# The session that carries it dies, and so does the broker.
seen() { grep -c 'Accepted publickey for spillway' "$guest/sshd.log"; }
before=$(seen)
ok "the session is cut" 'kill -KILL $(pgrep --ns "$(cat "$guest/pid")" --nslist net -fx "sshd: spillway")'
ok "and opened again" 'eventually 60 "test \"\$(seen)\" -gt $before"'
before=$(seen)
broker_kill
broker_start --config conf.yaml
ok "a broker that starts again comes back with the same keys" 'eventually 60 "test \"\$(seen)\" -gt $before"'
touch "$T/end"
ok "the job ends well" 'wait_state "$id" succeeded --limit 90'
is "at its first attempt, with no way out but the one" "$(spillway logs "$id" | tr '\n' ' ')" "attempt 1 0 "
ok "its result came through" 'spillway fetch "$id" -o out && test "$(wc -c <out/big)" = 3000000'

ok "its worker goes" 'eventually 120 "! spillway workers | grep -q ^spillway-"'

# Somebody else answers at the worker's address.
touch "$T/guests/wrong-key"
id=$(submit job.yaml)
ok "a host key that is not the worker's is refused, said loudly" \
    'eventually 120 "grep -q \"THE HOST KEY OF .* IS NOT ITS OWN\" $T/broker.log"'
ok "the worker goes, and says why" \
    'eventually 180 "spillway workers --all | grep -q \"boot.*IS NOT ITS OWN\""'
is "nobody was let in there" "$(for made in "$T"/guests/*/host_key.pub; do
    grep -c Accepted "${made%/*}/sshd.log"
done | sort -u)" 0
rm "$T/guests/wrong-key"
ok "the job runs on a machine that is who it says" 'wait_state "$id" succeeded --limit 240'
is "at no cost to the user" "$(field "$id" user_retries_used)" 0
ok "nothing is left" 'nothing_is_left'
is "nor any private key at the broker but the secret that they follow from" \
    "$(grep -rl 'OPENSSH PRIVATE KEY' "$STATE" | wc -l) $(find "$STATE/sites/site-a" -name ssh.secret -perm 600 -size -33c | wc -l)" "0 1"
guests_stop
done_testing
