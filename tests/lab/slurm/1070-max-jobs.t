# SPDX-License-Identifier: Apache-2.0
# 1070-max-jobs.t - a cluster that takes no more jobs makes work wait, and nothing hang
. "${0%/*}/lab.sh"
conf
# Two jobs are all it takes, and those that have ended of late count, until it is started with its own limit.
restart_with() {
    "$SLURM/lab" down "$LAB" slurmctld
    sed -i '/^MaxJobCount/d' "$SLURM_CONF"
    test -z "$1" || echo "MaxJobCount=$1" >>"$SLURM_CONF"
    "$SLURM/lab" up "$LAB" slurmctld
}
restart_with 2
start
as_user 'for i in 1 2; do timeout 3 sbatch -o /dev/null --mem=10 --wrap "sleep 600" || true; done' >/dev/null 2>&1
id=$(submit -- echo through)
ok "the fault is told" 'eventually 90 "grep -q \"temporarily unable to accept job\" $T/broker.log"'
nok "the task has not failed" 'test "$(field "$id" state)" = failed'
scancel -u "$LAB_USER"
restart_with ""
ok "it runs once there is room" 'wait_state "$id" succeeded --limit 200'
is "no retry of the user's was used" "$(field "$id" user_retries_used)" 0
ok "nothing is left" 'nothing_is_left 90'
done_testing
