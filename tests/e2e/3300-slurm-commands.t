# SPDX-License-Identifier: Apache-2.0
# 3300-slurm-commands.t - sbatch, squeue, sacct, scancel, sinfo, scontrol and srun, as programs use them
. "${0%/*}/../lib/spillway.sh"
PATH=$BUILD/libexec/spillway/slurm:$PATH
broker_start
mkdir -p run/log && cd run || exit 1

cat >job.sh <<'SH'
#!/bin/sh
#SBATCH --job-name=fit --output=log/%x-%j.txt --time=1:00:00
#SBATCH --mem=100M
echo "$SLURM_JOB_ID $SLURM_JOB_NAME $SLURM_MEM_PER_NODE $#:$2 {task}"
exit 3
SH
id=$(sbatch --parsable job.sh a "b c")
like "sbatch prints the id alone" "$id" '^[0-9]+$'
ok "the job runs" 'wait_state "$id" failed'
is "where it was submitted, with its arguments and variables" "$(cat "log/fit-$id.txt")" "$id fit 100 2:b c {task}"
is "sacct tells its end" "$(sacct -nPX -j "$id" -o JobID,JobName,State,ExitCode,ReqMem)" "$id|fit|FAILED|3:0|100M"
is "and that of its step" "$(sacct -nP -j "$id" -o JobID,State | tail -n 1)" "$id.batch|FAILED"
like "in columns, with headings" "$(sacct -X -j "$id" -o JobID,State%12 | sed -n 2p)" '^-{12} -{12} $'
is "squeue has nothing left of it, and says so with no fault" "$(squeue -h -j "$id"; echo $?)" 0
is "sbatch says it as Slurm does" "$(sbatch --wrap 'echo x' | sed 's/[0-9]*$/N/')" "Submitted batch job N"

sbatch -W -J waits --wrap 'exit 5' >/dev/null
is "with --wait it ends as the job did" $? 5
id=$(sbatch --parsable -W --array=1-3 -o 'a-%A-%a' --wrap 'echo $SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_TASK_COUNT; exit $SLURM_ARRAY_TASK_ID')
is "and as the worst of an array" $? 3
is "each task has its file" "$(cat "a-$id-2")" "2 of 3"
is "and its row" "$(sacct -nPX -j "${id}_2" -o JobID,ExitCode)" "${id}_2|2:0"

id=$(sbatch --parsable -H -J held --array=0-4 --wrap true)
is "what is held waits" "$(squeue -h -j "$id" -o '%i %T %r')" "${id}_[0-4] PENDING JobHeldUser"
is "each task has a row with -r" "$(squeue -h -r -j "$id" -o %K | tr '\n' ' ')" "0 1 2 3 4 "
ok "a part of it is cancelled" 'scancel "${id}_[3-4]"'
is "the rest waits on" "$(squeue -h -r -n held -o %K | tr '\n' ' ')" "0 1 2 "
ok "scontrol releases it" 'scontrol release "$id"'
ok "and it runs" 'eventually 20 "test -z \"\$(squeue -h -j $id)\""'
is "states of all" "$(sacct -nPX -j "$id" -o State | sed 's/ by.*//' | sort | uniq -c | tr -s ' \n' ' ')" " 2 CANCELLED 3 COMPLETED "

first=$(sbatch --parsable --wrap 'sleep 1; exit 1')
never=$(sbatch --parsable -d "afterok:$first" --wrap 'echo never')
after=$(sbatch --parsable -d "afterany:$first" --wrap 'echo after')
like "a dependency is told" "$(squeue -h -j "$after" -o %R)" 'Dependency'
ok "it comes true" 'wait_state "$after" succeeded'
ok "or never" 'eventually 10 "test \"\$(sacct -nPX -j $never -o State)\" = CANCELLED"'
one=$(sbatch --parsable -J only --wrap 'sleep 1')
two=$(sbatch --parsable -J only -d singleton --wrap 'true')
ok "one of a name at a time" 'wait_state "$two" succeeded && test "$(field "$one" state)" = succeeded'

id=$(sbatch --parsable --wrap 'sleep 60')
wait_state "$id" running
is "squeue shows it run" "$(squeue -h --me -t R -o '%A %t %D')" "$id R 1"
like "so does scontrol" "$(scontrol show job "$id")" 'JobState=RUNNING'
ok "scancel ends it" 'scancel "$id" && wait_state "$id" cancelled'
like "and who did is told" "$(sacct -nPX -j "$id" -o State,ExitCode)" '^CANCELLED by [0-9]+\|0:0$'

KEPT=yes MY_TOKEN=secret
export KEPT MY_TOKEN
id=$(sbatch --parsable -W -o env.txt --wrap 'echo "$KEPT ${MY_TOKEN:-none} ${TMPDIR##*/}"; srun -n2 sh -c "echo task \$SLURM_PROCID"' 2>said)
is "the environment goes with it, but no secret" "$(sort env.txt | tr '\n' ';')" "task 0;task 1;yes none tmp;"
like "which is told" "$(cat said)" 'not exported.*MY_TOKEN'
sbatch -W --export=ALL,MY_TOKEN -o env.txt --wrap 'echo "$MY_TOKEN"' >/dev/null 2>&1
is "unless it is named" "$(cat env.txt)" secret

is "sinfo shows the sites" "$(sinfo -h -o '%P %a')" "spillway* up
local up"
ok "a site is a partition" 'sbatch -p local --wrap true'
nok "an option that is not known is a fault" 'sbatch --no-such-thing job.sh'
like "that names it" "$(cat "$T/ok.out")" '^sbatch: error: .*--no-such-thing'
nok "of squeue too" 'squeue --no-such-thing'
nok "a format that is not known" 'squeue -o %€'
nok "a field that is not known" 'sacct -o Nonsense'
nok "a signal that cannot be sent" 'scancel -s USR1 1'
nok "a dependency without counterpart" 'sbatch -d after:1 --wrap true'
nok "a job that is not there" 'squeue -j 4711'
is "of which nothing is printed" "$(squeue -h -j 4711 2>/dev/null)" ""
nok "and sacct says so too" 'sacct -j 4711'
nok "a job that no site can run is refused" 'sbatch -c 5000 --wrap true'
ok "--test-only queues nothing" 'before=$(sacct -nX | wc -l); sbatch --test-only --wrap true && test "$(sacct -nX | wc -l)" = "$before"'
nok "a script without #! is none" 'echo echo | sbatch'
nok "srun is for inside jobs" 'srun true'

cat >files.sh <<'SH'
#!/bin/sh
#SPILLWAY --input input.txt --output result.txt
cat input.txt >result.txt; echo said
SH
echo content >input.txt
id=$(sbatch --parsable files.sh)
ok "a script that names its files has a place of its own" 'wait_state "$id" succeeded && ! test -e result.txt'
is "the broker keeps what it printed" "$(spillway logs "$id")" said

broker_stop
rm -f "$SOCKET"
for command in squeue sacct "scancel 1" sinfo "scontrol show job" "sbatch --wrap true"; do
    nok "with no broker, ${command%% *} says so" "$command >nothing"
    is "and prints nothing" "$(cat nothing)" ""
done
done_testing
