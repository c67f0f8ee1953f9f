# SPDX-License-Identifier: Apache-2.0
# 1150-disk-full.t - the login node's disk is full: the site says so, nothing is lost, and it goes on
. "${0%/*}/lab.sh"
small=$LAB/small
mkdir -p "$small"
mountpoint -q "$small" || mount -t tmpfs -o size=8m,mode=755 tmpfs "$small" || skip_all "no file system can be mounted"
chown "$LAB_USER" "$small"
trap 'umount "$small"' EXIT
conf "dir: \"$small/spillway\""
head -c 8388608 /dev/zero >"$small/filler" 2>/dev/null
broker_start --config conf.yaml
ok "the site is known to be in trouble, and why" 'eventually 60 "spillway sites show home --json | json detail | grep \"disk full\""'
id=$(spillway submit --parsable --anyway -- echo through)
is "the job waits" "$(field "$id" state)" pending
rm "$small/filler"
ok "it runs once there is room" 'wait_state "$id" succeeded --limit 200'
is "no retry of the user's was used" "$(field "$id" user_retries_used)" 0
ok "no pilot is left" 'eventually 90 "test -z \"\$(pilots)\" && test -z \"\$(ls $small/spillway/workers)\""'
end_agents
broker_stop
trap - EXIT
umount "$small"
done_testing
