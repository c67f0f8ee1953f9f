# SPDX-License-Identifier: Apache-2.0
# 1160-placement.t - who may read Placement knows how many GPUs there are; who may not is not troubled
# run: needs gpus
. "${0%/*}/lab.sh"
conf ", idle: 1s, boot_deadline: 3m" admin site-a
guests_start
broker_start --config conf.yaml
for site in admin site-a; do
    ok "$site answers" 'eventually 60 "spillway sites show $site --json | json health | grep -qx up"'
done
like "two GPUs" "$(spillway sites show admin)" '^gpus:V100 +2 +0 +0 +0 +2$'
unlike "of which an ordinary member hears nothing" "$(spillway sites show site-a)" '^gpus:'
is "nor is that a fault" "$(spillway sites show site-a --json | json detail)" ""
id=$(submit --site admin --gpus 1 -- sh -c "until test -e '$T/end'; do sleep 0.2; done")
ok "a job has one of them" 'wait_state "$id" running --limit 180'
ok "which is seen" 'eventually 60 "spillway sites show admin | grep -Eq \"^gpus:V100 +2 +1 +0 +0 +1\""'
touch "$T/end"
ok "it ends well" 'wait_state "$id" succeeded --limit 60'
ok "nothing is left at the cloud" 'nothing_is_left'
guests_stop
done_testing
