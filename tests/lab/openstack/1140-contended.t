# SPDX-License-Identifier: Apache-2.0
# 1140-contended.t - another client takes the quota behind our back: one refusal, then we look first; what it frees is seen
. "${0%/*}/lab.sh"
cloud() { "$OPENSTACK/cloud.py" "$@"; }
conf ", idle: 1s, flavors: [m1.tiny]" site-c
# So that no probe comes by chance.
sed 's/probe: 3s/probe: 10m/' conf.yaml >conf.new && mv conf.new conf.yaml
guests_start
cloud others site-c 0
broker_start --config conf.yaml
ok "the site answers" 'eventually 60 "spillway sites show site-c --json | json health | grep -qx up"'

# All three cores, of which the broker still believes that they are free.
ok "another client takes all" 'cloud others site-c 3'
id=$(submit --cpus 1 --memory 256MiB -- true)
ok "the quota is looked at anew" 'eventually 60 "spillway sites show site-c | grep -Eq \"^cores +3 +0 +3\""'
like "the job waits for it" "$(spillway explain "$id")" 'cores'
like "which is no fault of the flavor" "$(spillway sites show site-c --json | json 'shapes.0.closed_until')" '^(null)?$'
ok "the other client lets go" 'cloud others site-c 0'
ok "and the job runs soon, though the next probe is far" 'wait_state "$id" succeeded --limit 90'

eventually 90 'spillway sites show site-c | grep -Eq "^cores +3 +0 +0 +0 +3"'
ok "it takes two thirds" 'cloud others site-c 2'
all=$(submit --array 1-3 --cpus 1 --memory 256MiB -- true)
ok "three jobs share what is left" 'wait_state "$all" succeeded --limit 240'
diag "refused for quota: $(quota_faults site-c)"
ok "refused at most once in all" 'test "$(quota_faults site-c)" -le 1'
cloud others site-c 0
ok "nothing is left at the cloud" 'nothing_is_left'
guests_stop
done_testing
