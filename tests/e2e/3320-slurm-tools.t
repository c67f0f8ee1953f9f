# SPDX-License-Identifier: Apache-2.0
# 3320-slurm-tools.t - the commands that Nextflow and Dask-Jobqueue issue, in their forms
#
# Neither program is run here: Debian has none of them.  What is run is what Nextflow's SlurmExecutor and
# Dask-Jobqueue's SLURMCluster write at the head of their scripts, and the commands they call.
. "${0%/*}/../lib/spillway.sh"
PATH=$BUILD/libexec/spillway/slurm:$PATH
USER=$(id -un)
export USER
broker_start

# ---- Nextflow: a folder for each task, in it .command.run with .command.sh behind it
task() { # task NAME COMMAND [DIRECTIVE...]
    task_dir=$T/work/nf/$1
    mkdir -p "$task_dir"
    printf '#!/bin/bash -ue\n%s\n' "$2" >"$task_dir/.command.sh"
    {
        echo '#!/bin/bash'
        echo "#SBATCH -J nf-$1"
        echo "#SBATCH -o $task_dir/.command.log"
        echo '#SBATCH --no-requeue'
        echo '#SBATCH --signal B:USR2@30'
        shift 2
        for directive in "$@"; do echo "#SBATCH $directive"; done
        cat <<'SH'
NXF_CHDIR=${NXF_CHDIR:-}
on_exit() {
    exit_status=${nxf_main_ret:=$?}
    printf -- "$exit_status" >.exitcode
    exit "$exit_status"
}
on_term() {
    set +e
    kill "$pid"
}
trap on_exit EXIT
trap on_term TERM INT USR2
trap '' USR1
cd "$SLURM_SUBMIT_DIR"
echo $$ >.command.begin
bash .command.sh >.command.out 2>.command.err &
pid=$!
wait $pid || nxf_main_ret=$?
SH
    } >"$task_dir/.command.run"
    (cd "$task_dir" && sbatch .command.run) >said 2>said.aside || cat said.aside
    # What is no more than said must not be read for the answer.
    sed -n 's/.*Submitted batch job \([0-9]*\).*/\1/p' said
}
poll() { squeue --noheader -o '%i %t' -t all "$@" -u "$USER"; }
state_of() { poll | sed -n "s/^$1 //p"; }

good=$(task 'align_(1)' 'echo good >result.txt' '-c 2' '-t 01:00:00' '--mem 64M')
bad=$(task bad 'exit 9' '--mem 64M' '-p local')
long=$(task long 'sleep 300')
other=$(task other 'sleep 300')
like "each is submitted, and the answer has its number" "$good $bad $long $other" '^[0-9]+ [0-9]+ [0-9]+ [0-9]+$'
ok "one that is done is CD in the answer to a poll of all" 'eventually 60 "test \"\$(state_of $good)\" = CD"'
ok "one that failed is F" 'eventually 60 "test \"\$(state_of $bad)\" = F"'
ok "one that runs is R" 'eventually 60 "test \"\$(state_of $long)\" = R"'
is "each line is an id and a state" "$(poll | grep -vcE '^[0-9]+ [A-Z]+$')" 0
is "a poll by queue has those of the queue" "$(poll -p local | sort)" "$(poll | sort)"
is "the exit code is in its folder" "$(cat "$T/work/nf/align_(1)/.exitcode")" 0
is "that of the one that failed too" "$(cat "$T/work/nf/bad/.exitcode")" 9
is "its result lies there" "$(cat "$T/work/nf/align_(1)/result.txt")" good
ok "and the log" 'test -e "$T/work/nf/align_(1)/.command.log"'
ok "several are ended by one scancel" 'scancel "$long" "$other"'
ok "they are CA" 'eventually 60 "test \"\$(state_of $long)\$(state_of $other)\" = CACA"'

# ---- Dask-Jobqueue: a script in a temporary folder, its logs in another
mkdir logs
cat >worker.sh <<SH
#!/usr/bin/env bash

#SBATCH -J dask-worker
#SBATCH -e logs/dask-worker-%J.err
#SBATCH -o logs/dask-worker-%J.out
#SBATCH -p local
#SBATCH -n 1
#SBATCH --cpus-per-task=1
#SBATCH --mem=60M
#SBATCH -t 00:30:00

JOB_ID=\${SLURM_JOB_ID%;*}
echo "worker of \$JOB_ID"
sleep 300
SH
said=$(sbatch worker.sh)
like "its script is taken" "$said" '^Submitted batch job [0-9]+$'
id=${said##* }
ok "the worker runs, with its logs where they are wanted" 'eventually 60 "grep -q \"^worker of $id\\$\" logs/dask-worker-$id.out"'
ok "there is one for errors" 'test -e logs/dask-worker-$id.err'
ok "scancel ends it" 'scancel "$id"'
ok "and it is gone from the queue" 'eventually 60 "test -z \"\$(squeue -h -j $id)\""'

# ---- with no broker nobody reads an empty answer for "all have ended"
broker_stop
rm -f "$SOCKET"
nok "a poll that nobody answers is a fault" 'poll'
done_testing
