# SPDX-License-Identifier: Apache-2.0
# 1130-too-late.t - a pilot that Slurm would start too late is cancelled at once, and says when
. "${0%/*}/lab.sh"
conf
sed -i 's/partitions: \[batch, gpu\]/partition: batch/' conf.yaml
as_user 'sbatch -o /dev/null -p batch -c 4 --mem=100 -t 60 -J full --wrap "sleep 3600"' >/dev/null
ok "the cluster is full for an hour" 'eventually 30 "squeue -h -n full -t R -o %i | grep -q ."'
start
id=$(submit -- echo through)
ok "a pilot is queued" 'eventually 30 "pilots >first.pilot"'
late() { spillway sites show home --json | json 'shapes.*.closed_why' | grep 'Slurm expects to start it at'; }
ok "the shape is closed, for it would start too late" 'eventually 60 late'
diag "$(late | head -n 1)"
ok "the pilot goes at once, long before its deadline" 'eventually 30 "test -z \"\$(squeue -h -n $(head -n 1 first.pilot) -o %i)\""'
nok "the task has not failed" 'test "$(field "$id" state)" = failed'
is "no retry of the user's was used" "$(field "$id" user_retries_used)" 0
scancel -n full
ok "it runs once there is room" 'wait_state "$id" succeeded --limit 200'
ok "nothing is left" 'nothing_is_left 90'
done_testing
