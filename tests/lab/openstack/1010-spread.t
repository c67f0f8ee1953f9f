# SPDX-License-Identifier: Apache-2.0
# 1010-spread.t - hundreds of tasks on three projects of different quota, which another client uses too
#
# LAB_LONG=1 has three hundred, else it is ninety.
. "${0%/*}/lab.sh"
tasks=90
test -z "${LAB_LONG:-}" || tasks=300
conf ", idle: 5s, boot_deadline: 2m" site-a site-b site-c
guests_start
"$OPENSTACK/cloud.py" peak 1000 "$T/peak" &
peak_pid=$!
broker_start --config conf.yaml
for site in site-a site-b site-c; do
    ok "$site answers" 'eventually 60 "spillway sites show $site --json | json health | grep -qx up"'
done
"$OPENSTACK/cloud.py" crowd 1 >"$T/crowd" 2>&1 &
crowd_pid=$!

cat >job.yaml <<YAML
array: 1-$tasks
resources: {cpus: 1, memory: 256MiB, walltime: 10m}
command: [sh, -c, "sleep 2; echo done"]
YAML
id=$(submit job.yaml)
ok "all end well" 'timeout 900 spillway wait "$id"'
kill $crowd_pid
wait $crowd_pid
diag "$(cat "$T/crowd")"
spillway ls --all --limit 1000 --json >tasks.json
is "$tasks succeeded" "$(json '*.state' <tasks.json | grep -cx succeeded)" $tasks
diag "tasks by site: $(json '*.site' <tasks.json | sort | uniq -c | tr -s ' \n' ' ')"
diag "workers by site: $(spillway workers --all --json | json '*.site' | sort | uniq -c | tr -s ' \n' ' ')"
is "every project was given workers" "$(spillway workers --all --json | json '*.site' | sort -u | tr '\n' ' ')" "site-a site-b site-c "
kill $peak_pid
wait $peak_pid 2>/dev/null
sed 's/^/# most used: /' "$T/peak"
is "no quota was exceeded" "$(awk '$3 > $4' "$T/peak")" ""
# Each refusal is a server that the other client made between our look and our call.
for site in site-a site-b site-c; do
    diag "refused for quota at $site: $(quota_faults $site)"
    ok "$site refused for quota at most once" 'test "$(quota_faults $site)" -le 1'
done
ok "nothing is left at the cloud" 'nothing_is_left'
guests_stop
done_testing
