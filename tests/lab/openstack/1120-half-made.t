# SPDX-License-Identifier: Apache-2.0
# 1120-half-made.t - a part that the cloud refuses, or that never comes or goes, takes the others with it
# run: needs cinder
. "${0%/*}/lab.sh"
cloud() { "$OPENSTACK/cloud.py" "$@"; }
restore() {
    cloud quota site-a floatingip 50
    cloud quota site-a volumes 4
}
trap restore EXIT
conf ", idle: 2s, scratch: {size: 1GiB}, floating_network: outside" site-a
sed -i "s/probe: 3s/probe: 1h/" conf.yaml
guests_start
broker_start --config conf.yaml
ok "the site answers" 'eventually 60 "spillway sites show site-a --json | json health | grep -qx up"'

# The quota goes while nobody looks: volume and port are there when the address is refused.
cloud quota site-a floatingip 0
id=$(submit -- echo fine)
ok "a floating address is refused" 'eventually 60 "spillway workers --all | grep -qi \"floatingips.*quota\|quota.*floatingip\""'
spillway sites disable site-a >/dev/null
ok "volume and port go again" '"$OPENSTACK/cloud.py" wait-none 240'
is "no server was made for it" "$(openstack --os-cloud site-a server list -f value)" ""
cloud quota site-a floatingip 50
spillway sites probe --quick site-a >/dev/null
spillway sites enable site-a >/dev/null
ok "with the quota back it runs" 'wait_state "$id" succeeded --limit 200'
ok "nothing is left at the cloud" 'nothing_is_left'

# A volume that no worker has, and that Cinder failed to remove.
id=$(submit -- sleep 3)
ok "another runs" 'wait_state "$id" running --limit 120'
cloud stray site-a "$(field "$id" worker)" spillway-lost-1
ok "it is told" 'eventually 60 "grep -q \"error_deleting: the cloud.s operator must\" $T/broker.log"'
like "the audit shows it" "$(spillway sites audit site-a)" '^volume .*spillway-lost-1 +failed .*NO .*the volume is error_deleting'
ok "workers go as ever" 'wait_state "$id" succeeded --limit 60 && eventually 60 "test -z \"\$(openstack --os-cloud site-a server list -f value)\""'
cloud volume-state spillway-lost-1 available
ok "with its state mended it goes" 'nothing_is_left'
guests_stop
done_testing
