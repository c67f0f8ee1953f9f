# SPDX-License-Identifier: Apache-2.0
# 1010-spread.t - thirty tasks on three projects of different quota
# run: limit 600
. "${0%/*}/lab.sh"
conf ", idle: 5s, boot_deadline: 2m" site-a site-b site-c
guests_start
"$OPENSTACK/cloud.py" peak 500 "$T/peak" &
peak_pid=$!
broker_start --config conf.yaml
for site in site-a site-b site-c; do
    ok "$site answers" 'eventually 60 "spillway sites show $site --json | json health | grep -qx up"'
done

cat >job.yaml <<'YAML'
array: 0-29
resources: {cpus: 1, memory: 256MiB, walltime: 10m}
command: [sh, -c, "sleep 20; echo done"]
YAML
id=$(submit job.yaml)
ok "all thirty end well" 'timeout 400 spillway wait "$id"'
spillway ls --all --limit 100 --json >tasks.json
is "thirty succeeded" "$(json '*.state' <tasks.json | grep -cx succeeded)" 30
sites=$(json '*.site' <tasks.json | sort | uniq -c | tr -s ' \n' ' ')
diag "by site:$sites"
ok "the work was spread" 'test "$(json "*.site" <tasks.json | sort -u | wc -l)" -ge 2'
kill $peak_pid
wait $peak_pid 2>/dev/null
sed 's/^/# most used: /' "$T/peak"
is "no quota was exceeded" "$(awk '$3 > $4' "$T/peak")" ""
for site in site-a site-b site-c; do
    ok "$site refused for quota at most once" 'test "$(quota_faults $site)" -le 1'
done
ok "nothing is left at the cloud" 'nothing_is_left 90'
guests_stop
done_testing
