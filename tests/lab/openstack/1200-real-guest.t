# SPDX-License-Identifier: Apache-2.0
# 1200-real-guest.t - a job with nothing running boots a real machine, runs in it, and the machine is gone
. "${0%/*}/lab.sh"
openstack --os-cloud admin image show debian-guest >/dev/null 2>&1 || skip_all "the lab has no image of a real guest"
conf ", idle: 10m, boot_deadline: 15m, availability_zone: qemu, flavors: [m1.tiny], images: {debian: debian-guest}" site-a
# Guests see the lab's end of their bridge, not its loopback.
sed "s/$BROKER/10.77.0.1:7455/g" conf.yaml >conf.new && mv conf.new conf.yaml
broker_start --config conf.yaml
ok "the site answers" 'eventually 60 "spillway sites show site-a --json | json health | grep -qx up"'
is "no server runs" "$(openstack --os-cloud site-a server list -f value -c Name)" ""

# What the machine and all that runs in it could read: what a pattern of credentials finds there, and, so that
# the search itself is known to work, what the pattern of the user data does.
cat >job.yaml <<'YAML'
image: debian
script: |
  #!/bin/sh
  mkdir -p results
  uname -n >results/host
  cat /sys/class/dmi/id/product_name >results/machine
  systemd-detect-virt >results/virtual
  systemctl is-active spillway-agent.service >results/unit
  cut -d ' ' -f 1 /proc/uptime >results/uptime
  cloud-init schema --system >results/schema 2>&1
  echo "status $?" >>results/schema
  cat /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | sort -u >results/environ
  search() { grep -alE "$1" /dev/sr0; grep -rlE "$1" /etc /home /root /run /tmp /var; }
  search 'site-a-secre[t]|auth_ur[l]|127.0.0.1:500[0]|X-Auth-Toke[n]' 2>/dev/null >results/credentials
  search 'SHA256=[0-9a-f]{64}' 2>/dev/null >results/payload
  true
outputs: ["results/*"]
YAML
id=$(submit job.yaml)
ok "a server is there, as the cloud's own client sees it" \
    'eventually 300 "openstack --os-cloud site-a server list -f value -c Name -c Status | grep -q \"^spillway-.* ACTIVE\""'
ok "the job runs in it" 'wait_state "$id" running --limit 600'
ok "and ends well" 'wait_state "$id" succeeded --limit 300'
ok "its results come back" 'spillway fetch "$id" -o out'
result() { find out -name "$1" -exec cat {} +; }
is "from that machine" "$(result host)" "$(field "$id" worker)"
is "which Nova made" "$(result machine)" "OpenStack Nova"
is "and QEMU plays" "$(result virtual)" qemu
is "the agent runs under systemd" "$(result unit)" active
diag "uptime when the job ran: $(result uptime) s"
like "cloud-init's own schema accepts the user data" "$(result schema)" '^Valid cloud-config'
is "no error in it" "$(tail -n 1 "$(find out -name schema)")" "status 0"
like "the search for the payload finds it on the config drive" "$(result payload)" '^/dev/sr0$'
is "the search for credentials of the site finds none" "$(result credentials)" ""
unlike "nor is there one in any environment" "$(result environ)" 'site-a-secret|auth_url|:5000|^OS_'
# The guest's disk as a thief would have it, every byte of it, and what its console showed.
machine=$LAB/nova/qemu-1/instances/$(openstack --os-cloud site-a server list -f value -c ID)
ok "its disk can be read while it runs" 'qemu-img convert -q -U -O raw "$machine/disk" "$T/disk.raw"'
on_disk() { LC_ALL=C grep -aoE "$1" "$T/disk.raw" "$machine/console.log" | sort | uniq -c | head -n 5; }
like "the search of the disk finds what the job wrote" "$(on_disk 'OpenStack Nova')" 'disk.raw:OpenStack Nova'
# (The image's own programs have auth_url in them.)
is "neither the disk nor the console holds a credential of the site" \
    "$(on_disk 'site-a-secret|127\.0\.0\.1:5000|X-Auth-Token: ')" ""
rm -f "$T/disk.raw"
spillway workers drain "$(field "$id" worker)" >/dev/null
ok "the server is gone, as the cloud's own client sees it" \
    'eventually 120 "test -z \"\$(openstack --os-cloud site-a server list -f value -c Name)\""'
ok "nothing is left at the cloud" 'nothing_is_left'
done_testing
