# SPDX-License-Identifier: Apache-2.0
# 1200-burst.t - waiting jobs of a user's own Slurm run elsewhere, and end at home as if they had run there
. "${0%/*}/lab.sh"

cat >conf.yaml <<YAML
broker: {listen: "127.0.0.1:$PORT", lease: {ttl: 10s, heartbeat: 1s}}
sites:
  - name: home
    type: slurm
    ssh: {host: login, config: "$LAB/ssh_config"}
    probe: 2s
    reconcile: 2s
    burst: {comment: "away*", every: 1s}
  - {name: near, type: local, tier: partner, jurisdiction: FR, overflow_after: 1m, limits: {cores: 2}, idle: 30s}
YAML

# Home is full for the next hour.
as_user 'sbatch -c 4 -o /dev/null --wrap "sleep 3600"' >/dev/null
ok "home is full" 'eventually 30 "test -n \"\$(squeue -h -t R -u $LAB_USER -o %i)\""'

start
as_user 'rm -rf w && mkdir w && echo 40 >w/number && cat >w/job.sh' <<'SH'
#!/bin/bash
#SBATCH --job-name=answer
cd "$SLURM_SUBMIT_DIR" || exit 1
echo "job $SLURM_JOB_ID with $SLURM_CPUS_PER_TASK core"
echo "a word aside" >&2
mkdir -p results
echo $(($(cat number) + 2)) >results/answer
exit 3
SH
away=$(as_user 'cd w && sbatch --parsable --comment=away -t 10 job.sh')
stays=$(as_user 'cd w && sbatch --parsable -t 10 job.sh')
ok "the one that is named for it goes" 'eventually 60 "test \"\$(burst_field $away state)\" = done"' ||
    spillway burst ls --all
is "its results are in its folder" "$(as_user cat w/results/answer)" 42
like "its output where Slurm would have put it" "$(as_user "cat w/slurm-$away.out")" "^job $away with 1 core$"
like "what it said aside too" "$(as_user "cat w/slurm-$away.out")" "^a word aside$"
like "the accounting has its end and its code" "$(sacct -nXP -j "$away" -o State,DerivedExitCode)" '^CANCELLED.*\|3:0$'
like "and where it ran" "$(sacct -nXP -j "$away" -o Comment)" 'spillway: ran at near as job [0-9]+, exit code 3'
is "the other one waits as before" "$(squeue -h -j "$stays" -o '%T|%r' | sed 's/Resources\|Priority/room/')" 'PENDING|room'
done_testing
