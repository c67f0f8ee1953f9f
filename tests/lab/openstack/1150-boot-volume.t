# SPDX-License-Identifier: Apache-2.0
# 1150-boot-volume.t - servers that boot from a volume made from the image; one whose volume stays `creating` is unwound
# run: needs cinder
. "${0%/*}/lab.sh"
conf ", idle: 1s, boot_deadline: 4m, flavors: [m1.tiny], images: {debian-12: debian-12}
     , boot_volume: {size: 1GiB, type: fake}" site-a
guests_start
broker_start --config conf.yaml
ok "the site answers" 'eventually 60 "spillway sites show site-a --json | json health | grep -qx up"'

id=$(submit --cpus 1 --memory 256MiB -- sh -c "until test -e '$T/end'; do sleep 0.2; done")
ok "it runs" 'wait_state "$id" running --limit 240'
worker=$(field "$id" worker)
server=$(openstack --os-cloud site-a server show "$worker" -f json)
is "the server has no image of its own" "$(echo "$server" | json image | tr -d '{}')" "N/A (booted from volume)"
volume=$(openstack --os-cloud site-a volume list --name "$worker" -f value -c ID)
like "its volume is bootable and in use" "$(openstack --os-cloud site-a volume show "$volume" -f json | json bootable status | tr '\n' ' ')" '^true in-use '
is "and has the image's content" "$(head -c 11 "$LAB/cinder/volumes/$volume")" "not a disk"
ok "the ledger shows it" 'eventually 60 "spillway sites show site-a | grep -Eq \"^volumes +4 +1 \""'
touch "$T/end"
ok "it ends well" 'wait_state "$id" succeeded --limit 60'
ok "nothing is left at the cloud" 'nothing_is_left'

# With the volume service away a volume stays `creating`, and cannot be removed as long as it does.
"$OPENSTACK/lab" down "$LAB" cinder-volume
id=$(submit --cpus 1 --memory 256MiB -- true)
ok "a volume is begun" 'eventually 120 "openstack --os-cloud site-a volume list -f value -c Status | grep -qx creating"'
begun=$(openstack --os-cloud site-a volume list -f value -c Name | head -n 1)
ok "the worker is given up, and why is told" \
    'eventually 180 "spillway events --json --limit 1000 | grep -q \"is still creating\""'
ok "no port stays for it" 'eventually 90 "! openstack --os-cloud site-a port list -f value -c Name | grep -qx $begun"'
is "and no server was made" "$(openstack --os-cloud site-a server list -f value -c Name)" ""
ok "what the volume waits for is told" \
    'eventually 90 "spillway events --json --limit 1000 | grep -q \"cannot be removed before that ends\""'
"$OPENSTACK/lab" up "$LAB" cinder-volume
ok "when the service is back the job runs" 'wait_state "$id" succeeded --limit 300'
ok "and nothing is left, not even that volume" 'nothing_is_left'
guests_stop
done_testing
