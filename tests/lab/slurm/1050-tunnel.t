# SPDX-License-Identifier: Apache-2.0
# 1050-tunnel.t - an agent that cannot reach the broker talks through the SSH session
. "${0%/*}/lab.sh"
conf 'connect: ssh'
start
cat >job.yaml <<YAML
script: |
  #!/bin/sh
  echo "attempt \$SPILLWAY_ATTEMPT_NUMBER"
  until test -e /tmp/spillway-lab-$PORT; do sleep 0.1; done
  head -c 3000000 /dev/zero >big
outputs: [big]
YAML
id=$(submit job.yaml)
ok "a job runs" 'wait_state "$id" running'
door=$(cat "$STATE/sites/home/tunnel.port")
like "a door is open on the login node" "$door" '^[0-9]+$'
like "the agent's connection ends at the session's door" "$(ss -Htn state established "dport = :$door")" ":$door"
is "one session serves it all" "$(ss -Htn state established "dport = :$LAB_PORT" | grep -c .)" 1

session=$(ss -Htnp state established "sport = :$LAB_PORT" | sed 's/.*pid=\([0-9]*\).*/\1/' | head -n 1)
ok "the session is cut" 'kill -KILL "$session"'
ok "another takes its place" 'eventually 60 "test -n \"\$(ss -Htln \"sport = :\$door\")\""'
broker_kill
broker_start --config conf.yaml
ok "a broker that starts again opens the same door" 'eventually 60 "test -n \"\$(ss -Htln \"sport = :\$door\")\""'
touch "/tmp/spillway-lab-$PORT"
ok "the job ends well" 'wait_state "$id" succeeded'
rm -f "/tmp/spillway-lab-$PORT"
is "at its first attempt" "$(spillway logs "$id")" "attempt 1"
ok "its result came through" 'spillway fetch "$id" -o out && test "$(wc -c <out/big)" = 3000000'
ok "nothing is left" nothing_is_left
done_testing
