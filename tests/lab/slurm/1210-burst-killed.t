# SPDX-License-Identifier: Apache-2.0
# 1210-burst-killed.t - broker, agents and SSH sessions killed while jobs go and come back: none lost, none twice
# run: limit 1800
. "${0%/*}/lab.sh"
# The site lets two commands a second through, so that fifty jobs take minutes.
JOBS_IN_ALL=${JOBS_IN_ALL:-${LAB_LONG:+50}}
JOBS_IN_ALL=${JOBS_IN_ALL:-20} KILLS=${KILLS:-24} SEED=${SEED:-11}

cat >conf.yaml <<YAML
broker: {listen: "127.0.0.1:$PORT", lease: {ttl: 5s, heartbeat: 1s}}
sites:
  - name: home
    type: slurm
    ssh: {host: login, config: "$LAB/ssh_config"}
    probe: 2s
    reconcile: 2s
    burst: {partition: batch, every: 1s}
  - {name: near, type: local, tier: partner, overflow_after: 1m, limits: {cores: 3}, idle: 30s, reconcile: 1s}
  - {name: far, type: local, tier: partner, overflow_after: 1m, limits: {cores: 3}, idle: 30s, reconcile: 1s}
YAML
filler=$(as_user 'sbatch --parsable -c 4 -o /dev/null --wrap "sleep 3600"')
ok "home is full" 'eventually 30 "squeue -h -t R -j $filler | grep -q ."'
# Where every run leaves a line, whoever it runs as and wherever.
runs=$T/runs
: >"$runs" && chmod 755 "$T" "$T/.." && chmod 666 "$runs"
as_user 'rm -rf w && mkdir w && cat >w/job.sh' <<SH
#!/bin/bash
cat number.\$1 >/dev/null || exit 2
sleep 0.\$((\$1 % 10))
echo \$((\$(cat number.\$1) * 2)) >double.\$1
echo "said \$1"
echo \$1 >>$runs
exit \$((\$1 % 5 ? 0 : 7))
SH
as_user "cd w && for i in \$(seq $JOBS_IN_ALL); do echo \$i >number.\$i
    printf '#!/bin/bash\n#SPILLWAY --input number.%d\n#SPILLWAY --input job.sh\n#SPILLWAY --output double.%d\nbash job.sh %d\n' \$i \$i \$i >run.\$i
    sbatch --parsable -J n\$i -t 10 --mem=10 -o out.\$i run.\$i; done" >ids
is "all are queued" "$(grep -c . ids)" "$JOBS_IN_ALL"

commands=$(sessions_of command) transfers=$(sessions_of subsystem)
broker_start --config conf.yaml
killed_broker=0 killed_agent=0 killed_ssh=0
kill_one() {
    case $1 in
    0) broker_kill && killed_broker=$((killed_broker + 1)) && broker_start --config conf.yaml ;;
    1)
        victim=$(agents | head -n 1)
        test -z "$victim" || { kill -9 "$victim" && killed_agent=$((killed_agent + 1)); }
        ;;
    2)
        victim=$(ps -o pid= --ppid "$(cut -d ' ' -f 1 "$LAB/run/sshd")" | head -n 1)
        test -z "$victim" || { kill -9 $victim && killed_ssh=$((killed_ssh + 1)); }
        ;;
    esac
}
# Moments and victims by the seed.
awk -v seed="$SEED" -v kills="$KILLS" 'BEGIN { srand(seed)
    for (i = 0; i < kills; i++) printf "%.2f %d\n", 0.3 + rand() * 2.2, int(rand() * 3) }' >plan
while read -r wait victim; do
    sleep "$wait"
    kill_one "$victim" 2>/dev/null
done <plan
diag "killed: broker $killed_broker, agents $killed_agent, SSH sessions $killed_ssh"
ok "of each some were killed" 'test $killed_broker -gt 0 && test $killed_agent -gt 0 && test $killed_ssh -gt 0'
ok "all went, or came back" 'eventually 900 "test \"\$(spillway burst ls --json)\" = \"[]\" && ! squeue -h -t PD -u $LAB_USER -o %r | grep -q Held"' ||
    spillway burst ls | head -n 30
diag "commands on the login node: $(($(sessions_of command) - commands)), connections of SFTP: $(($(sessions_of subsystem) - transfers))"
# Those that were given back run here, now that there is room.
scancel "$filler"
ok "the queue at home empties" 'eventually 120 "test -z \"\$(squeue -h -u $LAB_USER -o %i)\""'

files=$(as_user 'cd w && for f in out.* double.*; do echo "$f $(tr "\n" " " <$f)"; done')
spillway burst ls --all --json | LIB=$LIB "$SLURM/burst-count" ids "$runs" "$files" >figures.json
diag "$(cat figures.json)"
figure() { json "$1" <figures.json; }
is "none is lost" "$(figure lost)" 0
is "none ran to success twice" "$(figure twice)" 0
is "none succeeded without having run" "$(figure never_ran)" 0
is "results and output are in her folder" "$(figure without_result)" 0
is "the accounting has every code" "$(figure wrong_code)" 0
ok "most went" 'test "$(figure away)" -gt $((JOBS_IN_ALL / 2))'
ok "the database is whole" 'spillway doctor'
done_testing
