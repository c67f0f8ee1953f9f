# SPDX-License-Identifier: Apache-2.0
# 1205-real-volume.t - a real machine boots from a volume of its own, and the volume goes with it
# run: alone
# long
. "${0%/*}/lab.sh"
openstack --os-cloud admin image show debian-guest >/dev/null 2>&1 || skip_all "the lab has no image of a real guest"
conf ", idle: 1s, boot_deadline: 20m, availability_zone: qemu, flavors: [m1.tiny], images: {debian: debian-guest}
     , boot_volume: {size: 2GiB, type: fake}" site-a
# Guests see the lab's end of their bridge, not its loopback.
sed "s/$BROKER/10.77.0.1:7455/g" conf.yaml >conf.new && mv conf.new conf.yaml
broker_start --config conf.yaml
ok "the site answers" 'eventually 60 "spillway sites show site-a --json | json health | grep -qx up"'
cat >job.yaml <<'YAML'
image: debian
script: |
  #!/bin/sh
  mkdir -p results
  root=$(sed -n 's/^\(\/dev\/[a-z]*\) \/ .*/\1/p' /proc/mounts)
  echo "$root" >results/root
  cat "/sys/class/block/${root#/dev/}/size" >results/sectors
  cat "/sys/class/block/${root#/dev/}/serial" >results/serial
outputs: ["results/*"]
YAML
id=$(submit job.yaml)
ok "a volume is made from the image" \
    'eventually 300 "openstack --os-cloud site-a volume list -f value -c Name -c Size | grep -q \"^spillway-.* 2$\""'
volume=$(openstack --os-cloud site-a volume list -f value -c ID -c Name | sed -n "s, spillway-.*,,p")
ok "the job runs in a machine that booted from it" 'wait_state "$id" succeeded --limit 1100'
ok "its results come back" 'spillway fetch "$id" -o out'
result() { find out -name "$1" -exec cat {} +; }
diag "root is $(result root), serial $(result serial)"
is "its root is as large as the volume" "$(result sectors)" $((2 << 21))
is "and is the volume" "$(result serial)" "$(echo "$volume" | cut -c 1-20)"
ok "nothing is left at the cloud" 'nothing_is_left'
done_testing
