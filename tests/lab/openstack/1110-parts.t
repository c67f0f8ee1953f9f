# SPDX-License-Identifier: Apache-2.0
# 1110-parts.t - volumes, a floating address and a server group come and go with their worker, and count
# run: needs cinder
. "${0%/*}/lab.sh"
cloud() { "$OPENSTACK/cloud.py" "$@"; }
cloud volume site-a reference
conf ", idle: 3s, scratch: {size: 2GiB, type: fake}, volume: {name: reference, mount: $T/reference}
     , floating_network: outside, server_group: soft-anti-affinity, price: {currency: EUR, hour: 3600, volume: 3600, address: 3600}" site-a
guests_start
broker_start --config conf.yaml
ok "the site answers" 'eventually 60 "spillway sites show site-a --json | json health | grep -qx up"'
like "its volumes count" "$(spillway sites show site-a)" '^volumes +4 +0 +1 +0 +3'
like "and their gigabytes" "$(spillway sites show site-a)" '^gigabytes +100 +0 +1 +0 +99'
like "floating addresses" "$(spillway sites show site-a)" '^floating-ips +50 +0 +0 +0 +50'
like "server groups" "$(spillway sites show site-a)" '^server-groups +10 +0 +0 +0 +10'
like "keypairs" "$(spillway sites show site-a)" '^keypairs +100 +0 +0 +0 +100'
like "security groups" "$(spillway sites show site-a)" '^security-groups +10 '
like "the kept volume, which one worker can have" "$(spillway sites show site-a)" '^volume:reference +1 +0 +0 +0 +1'
like "and images, with whose they are" "$(spillway sites show site-a)" '^debian-12 .*public +20'

cat >job.yaml <<YAML
resources: {cpus: 1, memory: 256MiB, disk: 10MiB}
script: |
  #!/bin/sh
  grep -c " /var/lib/spillway/work ext4 " /proc/mounts
  until test -e "$T/end"; do sleep 0.2; done
YAML
id=$(submit job.yaml)
ok "it runs" 'wait_state "$id" running --limit 120'
worker=$(field "$id" worker)
audit=$(spillway sites audit site-a)
for kind in worker port floating-ip volume security-group server-group; do
    like "the audit shows a $kind, owned" "$audit" "^$kind .* yes"
done
like "the worker with its cost so far" "$audit" '^worker .*[0-9] EUR'
like "a volume with its own" "$audit" '^volume .*[0-9] EUR'
like "and the address" "$audit" '^floating-ip .*[0-9] EUR'
like "what is open to the world, though not ours" "$audit" '^finding: security group .* lets in|^worker'
eventually 20 'spillway sites show site-a | grep -Eq "^volumes +4 +1 +1 +0 +2"'
like "the ledger shows them as ours" "$(spillway sites show site-a)" '^volumes +4 +1 +1 +0 +2'
like "the address too" "$(spillway sites show site-a)" '^floating-ips +50 +1 +0'
like "and nobody else can have the kept volume" "$(spillway sites show site-a)" '^volume:reference +1 +1 +0 +0 +0'
other=$(submit job.yaml)
touch "$T/end"
ok "they end well" 'wait_state "$id" succeeded --limit 60 && wait_state "$other" succeeded --limit 200'
is "on the scratch volume" "$(spillway logs "$id")" 1
ok "nothing is left at the cloud" 'nothing_is_left'
is "but the volume that is kept" "$(openstack --os-cloud site-a volume list -f value -c Name -c Status)" "reference available"
guests_stop
broker_stop
openstack --os-cloud site-a volume delete reference
done_testing
