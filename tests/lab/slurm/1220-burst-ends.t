# SPDX-License-Identifier: Apache-2.0
# 1220-burst-ends.t - receipts with a task prolog, and what its user does to the original meanwhile
. "${0%/*}/lab.sh"

conf_burst() {
    cat >conf.yaml <<YAML
broker: {listen: "127.0.0.1:$PORT", lease: {ttl: 10s, heartbeat: 1s}}
sites:
  - name: home
    type: slurm
    ssh: {host: login, config: "$LAB/ssh_config"}
    probe: 2s
    reconcile: 2s
    burst: {comment: "away*", every: 1s$1}
  - {name: near, type: local, tier: partner, overflow_after: 1m, limits: {cores: 4}, idle: 30s}
YAML
}
fill() { as_user 'sbatch --parsable -c 4 -o /dev/null --wrap "sleep 3600"' && eventually 30 'squeue -h -t R -u "$LAB_USER" -o %i | grep -q .'; }
send() { as_user "cd w && sbatch --parsable --comment=away -t 10 --mem=10 $*"; }
is_in() { test "$(burst_field "$1" state)" = "$2"; }
history() { sacct -nXP -j "$1" -o State,ExitCode; }

as_user 'rm -rf w && mkdir w && cat >w/job.sh' <<'SH'
#!/bin/bash
echo "with $SLURM_CPUS_PER_TASK core"
echo aside >&2
echo result >result
exit 3
SH
as_user 'cat >w/long.sh' <<'SH'
#!/bin/bash
sleep 300
SH

# ---- who is quicker
filler=$(fill)
conf_burst ""
start
released=$(send long.sh) cancelled=$(send long.sh) back=$(send long.sh)
for id in $released $cancelled $back; do
    ok "$id goes" 'eventually 60 "is_in $id running"'
done
as_user "scontrol release $released; scancel $cancelled"
spillway burst release "$(burst_field "$back" id)" >/dev/null
ok "one that its user releases is hers again" 'eventually 60 "is_in $released dropped"'
ok "one that she cancels is cancelled" 'eventually 60 "is_in $cancelled dropped"'
ok "one that is sent home goes home" 'eventually 60 "is_in $back released"'
for id in $released $cancelled $back; do
    is "ours of $id has ended" "$(field "$(burst_field "$id" job)" state)" cancelled
done
is "it waits there as before" "$(squeue -h -j "$back" -o %T)" PENDING
ok "and is not taken again" 'sleep 3; is_in $back released'

# ---- what the other machine lacks
lacking=$(send --wrap "'spillway-no-such-command'")
ok "a script that calls what is not there runs at home" 'eventually 60 "is_in $lacking released"'
like "which is told" "$(burst_field "$lacking" why)" 'a command it calls is not there at near \(exit code 127\)'
scancel "$back" "$released" "$lacking"

# ---- another job waits for it
needed=$(send -H job.sh)
waiter=$(as_user "cd w && sbatch --parsable --dependency=afterok:$needed -o /dev/null --wrap true")
as_user "scontrol release $needed"
ok "a job that another waits for stays" 'sleep 4; test -z "$(burst_field $needed state)"'
broker_stop

# ---- receipts
cp "$ROOT/examples/burst/task-prolog" "$LAB/bin/task-prolog"
conf_burst ", end: receipt"
broker_start --config conf.yaml
ok "without a prolog nothing is released" 'eventually 90 "burst_field $needed why | grep -q TaskProlog"' || spillway burst ls --all
is "it is held still" "$(squeue -h -j "$needed" -o '%r')" JobHeldUser
echo "TaskProlog=$LAB/bin/task-prolog" >>"$SLURM_CONF"
scontrol reconfigure
good=$(as_user "cd w && sbatch --parsable --comment=away -t 10 --mem=10 -o good.out --wrap 'echo well; hostname >result2'")
after=$(as_user "cd w && sbatch --parsable --dependency=afterok:$good --mem=10 -o /dev/null --wrap true")
ok "with it, the original is released with a receipt" 'eventually 90 "is_in $good ending && test -x $LAB/home/w/.spillway-$good/script"'
scancel "$filler"
test -z "$waiter" || as_user "scancel $waiter"
ok "it ends" 'eventually 90 "is_in $good done && is_in $needed done"' || spillway burst ls --all
is "in its own state, with its own code" "$(history "$needed")" 'FAILED|3:0'
is "and so does the good one" "$(history "$good")" 'COMPLETED|0:0'
is "its output is where Slurm puts it, once" "$(as_user "cat w/slurm-$needed.out w/good.out")" "with 1 core
aside
well"
ok "what waited for it goes on" 'eventually 30 "test \"$(history $after)\" = \"COMPLETED|0:0\""'
ok "no receipt is left" 'test -z "$(as_user "ls -d w/.spillway-* .spillway/burst/* 2>/dev/null")"'
broker_stop
sed -i '/^TaskProlog/d' "$SLURM_CONF"
scontrol reconfigure
done_testing
