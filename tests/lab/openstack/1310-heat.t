# SPDX-License-Identifier: Apache-2.0
# 1310-heat.t - workers that are stacks of the operator's template: made, used, removed, also through a kill
. "${0%/*}/lab.sh"
openstack --os-cloud site-a stack list >/dev/null 2>&1 || skip_all "this lab has no Heat; LAB_EXTRAS=heat starts it"

. "$OPENSTACK/heat.sh"

stacks ", idle: 3s"
guests_start
broker_start --config conf.yaml
id=$(submit --array 0-3 -- echo fine)
ok "four tasks succeed on servers that Heat made" 'wait_state "$id" succeeded --limit 200'
like "the worker was a stack" "$(spillway workers --all --json 2>/dev/null | json '*.name')" "^spillway-"
is "with its output in the log" "$(spillway logs "$id.2")" fine
ok "idle workers go, and nothing is left of their stacks" 'nothing_of_stacks 120'
broker_stop

# A stack whose maker dies: found again by name and tag, not made twice.
stacks ", idle: 60s"
broker_start --config conf.yaml
id=$(submit -- sh -c 'sleep 5; echo survived')
eventually 60 'left stack | grep -q .'
broker_kill
broker_start --config conf.yaml
ok "a broker killed while a stack is made goes on with it" 'wait_state "$id" succeeded --limit 150'
is "there is one stack" "$(left stack | wc -l)" 1
ok "and one server in it" 'test "$(left server | wc -l)" = 1'
is "its metadata is the operator's" "$(openstack --os-cloud site-a server show "$(left server)" -f json -c properties | json properties.purpose)" test
unlike "the token is not to be read in the stack's parameters" \
    "$(openstack --os-cloud site-a stack show "$(left stack)" -f json)" '"token"'

# Somebody deletes the stack behind our back.
id=$(submit -- sleep 600)
wait_state "$id" running --limit 60
stack=$(left stack)
openstack --os-cloud site-a stack delete -y "$stack"
ok "a stack deleted by hand: the job runs again elsewhere" \
    'eventually 150 "test \"\$(field $id attempt)\" = 2 && field $id state | grep -qx running"'
is "at no cost to the user's retries" "$(field "$id" user_retries_used)" 0
spillway cancel "$id" >/dev/null
ok "no stack is left" 'spillway sites drain site-a >/dev/null; nothing_of_stacks 150'
broker_stop

guests_stop
done_testing
