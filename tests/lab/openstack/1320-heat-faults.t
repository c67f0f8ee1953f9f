# SPDX-License-Identifier: Apache-2.0
# 1320-heat-faults.t - templates that are refused, and more GPU stacks than there are GPUs
# run: needs gpus
. "${0%/*}/lab.sh"
. "$OPENSTACK/heat.sh"

guests_start
# A template that the cloud refuses, and one that it cannot fulfil.
sed 's/type: OS::Nova::Server/type: OS::Nova::Servant/' worker.yaml >bad.yaml
stacks ", idle: 3s"
sed -i 's/template: worker.yaml/template: bad.yaml/' conf.yaml
broker_start --config conf.yaml
id=$(submit -- true)
ok "what Heat says of a template that it refuses is told" \
    'eventually 150 "{ spillway explain $id; spillway sites show site-a; } | grep -q Servant"'
spillway cancel "$id" >/dev/null
broker_stop
sed '/hidden: true/s/, hidden: true//' worker.yaml >open.yaml
sed -i 's/template: bad.yaml/template: open.yaml/' conf.yaml
broker_start --config conf.yaml
like "user data must be hidden" "$(spillway sites --json)" "conf.yaml:[0-9]+:[0-9]+: sites.0..template: its parameter 'user_data' must be 'hidden: true'"
broker_stop

# 3 on 2 GPUs: the third stack fails for want of room, and its job waits.
stacks ", idle: 3s, gpus: {g1.v100: 'V100:1'}"
broker_start --config conf.yaml
for n in 1 2 3; do submit --gpus 1 --gpu-model V100 -- sleep 15 >>gpu.ids; done
ok "three GPU jobs on two GPUs all succeed" 'for one in $(cat gpu.ids); do wait_state "$one" succeeded --limit 240 || exit 1; done'
ok "and nothing is left" 'nothing_of_stacks 150'
guests_stop
done_testing
