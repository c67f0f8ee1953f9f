# SPDX-License-Identifier: Apache-2.0
# 1000-one-job.t - a job that nothing waits for: a server, its agent, its result, and all is gone
. "${0%/*}/lab.sh"
conf ", idle: 2s" site-a
guests_start
broker_start --config conf.yaml
ok "the site answers" 'eventually 60 "spillway sites show site-a --json | json health | grep -qx up"'
like "its GPUs are known" "$(spillway sites show site-a)" 'g1.v100 .* 1  V100'
like "its quota is" "$(spillway sites show site-a)" '^instances +6 +0 +0'

cat >job.yaml <<'YAML'
script: |
  #!/bin/sh
  echo hello from a guest
  mkdir -p results && echo 42 >results/answer
outputs: ["results/*"]
YAML
id=$(submit job.yaml)
ok "it ends well" 'wait_state "$id" succeeded --limit 120'
is "with its log" "$(spillway logs "$id")" "hello from a guest"
ok "and its result" 'spillway fetch "$id" -o out && test "$(find out -name answer -exec cat {} +)" = 42'
is "at the cloud" "$(field "$id" site)" site-a

worker=$(field "$id" worker)
unlike "user data holds no credential of the site" "$(cat "$T/guests/$worker/user_data")" 'site-a-secret|password|auth_url|:5000'
like "but what the agent needs" "$(cat "$T/guests/$worker/user_data")" '"url\\":'
nok "the payload is gone from the guest's disk" 'test -e "$T/guests/$worker/boot.json"'
ok "nothing is left at the cloud" 'nothing_is_left'
made=$(requests making "$worker")
removed=$(requests removing "$worker")
diag "requests: $made to make it, $removed to remove it"
# A look for the port and one for the group, network and group; the port, the server.
ok "its making took few requests" 'test "$made" -gt 0 && test "$made" -le 7'
# Once for the server and once for what is gone by then, or is still going.
ok "and so did its removal" 'test "$removed" -gt 0 && test "$removed" -le 12'
guests_stop
done_testing
