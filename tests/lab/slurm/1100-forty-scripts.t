# SPDX-License-Identifier: Apache-2.0
# 1100-forty-scripts.t - the same scripts to Slurm's sbatch and to ours: files, exit codes, states
. "${0%/*}/lab.sh"
SCRIPTS=$ROOT/tests/data/sbatch
OURS=$BUILD/libexec/spillway/slurm
AREA=$LAB/home/scripts
rm -rf "$AREA"
install -d -m 755 -o "$LAB_USER" "$AREA"
conf 'shared_directories: [/]'
start
FROM_CALLER="from the caller"
export FROM_CALLER

# submit KIND SCRIPT: in a folder of its own; the job's id.
submit_one() {
    folder=$AREA/$1/$(basename "$2" .sh)
    install -d -m 777 -o "$LAB_USER" "$folder" "$folder/sub"
    echo "from before" >"$folder/before.txt"
    chown -R "$LAB_USER" "$folder"
    said=$(sed -n 's/^# called with: //p' "$2")
    case $said in *--*) before=${said%%-- *} behind=${said#*-- } ;; *) before='' behind=$said ;; esac
    case $said in *"-- "*) ;; -*) before=$said behind='' ;; esac
    case $1 in
    real) # as the user, for Slurm runs a job as who submits it
        setpriv --reuid "$LAB_USER" --regid "$LAB_USER" --init-groups sh -c \
            "unset TMPDIR; cd '$folder' && umask 022 && HOME=/home/x exec sbatch --parsable $before '$2' $behind" 2>/dev/null
        ;;
    ours) (cd "$folder" && eval "HOME=/home/x \"$OURS/sbatch\" --parsable $before '$2' $behind" 2>"$folder.said") ;;
    esac
}

# The last first: it runs into its time limit, which takes Slurm a minute and a half.
submit_all() {
    for script in $(printf '%s\n' "$SCRIPTS"/*.sh | sort -r); do
        echo "$(basename "$script" .sh) $(submit_one "$1" "$script")"
    done >"$1.ids"
}

# What sacct says of each, by its array index: "12-array 1|COMPLETED|0:0".
states() {
    while read -r name id; do
        PATH=$2$PATH sacct -nPX -j "$id" -o JobID,State,ExitCode |
            sed "s/^[0-9]*_\{0,1\}/$name /; s/CANCELLED by [0-9]*/CANCELLED/"
    done <"$1.ids" | sort
}

# Files and what is in them: the job's number as J, without what Slurm itself adds, the script by no path.
files() {
    while read -r name id; do
        (cd "$AREA/$1/$name" && find . -type f | sort | while read -r file; do
            sum=$(sed '/^slurmstepd[^ ]*: /d; s|^/[^ ]*script: line|script: line|' "$file" | sha256sum | cut -c 1-16)
            echo "$name $file $sum" | sed "s/-$id\([._]\)/-J\1/"
        done)
    done <"$1.ids"
}

submit_all ours
ok "ours takes all of them" '! grep -vE "^[^ ]+ [0-9]+$" ours.ids'
cat "$AREA"/ours/*.said | sed 's/^/# /'
submit_all real
ok "so does Slurm's" '! grep -vE "^[^ ]+ [0-9]+$" real.ids'
ok "there are forty at least" 'test "$(wc -l <ours.ids)" -ge 40'
PATH=$OURS:$PATH eventually 240 'test -z "$(squeue -h -o %i)"'
is "all of ours have ended" "$(PATH=$OURS:$PATH squeue -h -o '%i %j %T')" ""
ok "all of Slurm's have ended" 'eventually 240 "test -z \"\$(squeue -h -o %j -u $LAB_USER | grep -v ^spillway-)\""'
states ours "$OURS:" >ours.states
eventually 20 'states real "" >real.states; ! grep -q RUNNING real.states'
is "states and exit codes are the same" "$(diff real.states ours.states)" ""
files ours >ours.files
files real >real.files
is "files and what is in them are the same" "$(diff real.files ours.files)" ""
for script in $(diff real.files ours.files | awk '{ print $2 }' | sort -u); do
    diag "$script: Slurm's: $(head -c 300 "$AREA/real/$script"/*.out) ours: $(head -c 300 "$AREA/ours/$script"/*.out)"
done
diag "$(wc -l <ours.states) tasks of $(wc -l <ours.ids) scripts, $(wc -l <ours.files) files compared"
ok "nothing is left" nothing_is_left
rm -rf "$AREA"
done_testing
