# SPDX-License-Identifier: Apache-2.0
# 3010-cli-submit.t - files, scripts, options and standard input become jobs; faults are told with their place
. "${0%/*}/../lib/spillway.sh"
broker_start

code() {
    eval "$1" >"$T/out" 2>"$T/err"
    echo $?
}
said() { cat "$T/out" "$T/err"; }
field_of() { spillway show --json "$1" | json "description.$2"; }

# ---- what a job can come from
id=$(submit --name named --cpus 1 --memory 64MiB --walltime 1m --priority 5 --project p -- echo hello)
is "options become keys" "$(field_of "$id" resources.memory)" 64MiB
is "name" "$(field "$id" name)" named
is "project" "$(field "$id" project)" p
is "priority" "$(field "$id" priority)" 5
id=$(printf 'name: from-stdin\ncommand: [echo, hi]\n' | submit -)
is "standard input, YAML" "$(field "$id" name)" from-stdin
id=$(printf '#!/bin/sh\n#SPILLWAY --name script-stdin\necho hi\n' | submit -)
is "standard input, a script" "$(field "$id" name)" script-stdin
cat >job.sh <<'SH'
#!/bin/sh
#SBATCH --job-name=batch
#SBATCH --qos=high
#SBATCH --mem=32M
#SPILLWAY --cpus 1
echo "got $# $1 $2"
SH
is "a script" "$(code 'submit job.sh')" 0
id=$(cat "$T/out")
is "its #SBATCH lines count" "$(field "$id" name)" batch
like "what has no counterpart is named" "$(cat "$T/err")" 'job\.sh:3: warning: .*qos'
mkdir elsewhere
id=$(cd elsewhere && submit ../job.sh one -- --two 2>/dev/null)
ok "a script with arguments" 'spillway wait "$id"'
is "gets them" "$(spillway logs "$id")" "got 2 one --two"
is "options win over the file" "$(field "$(submit --name mine job.sh 2>/dev/null)" name)" mine

# ---- several jobs
cat >many.yaml <<'YAML'
name: a
command: ["true"]
---
name: b
command: ["true"]
after: [{job: a, on: success}]
YAML
ids=$(submit many.yaml)
is "a file of two" "$(echo "$ids" | wc -l)" 2
b=$(echo "$ids" | tail -n 1)
ok "the second waits for the first by name" 'spillway wait "$b"'
is "as JSON, a list" "$(spillway submit --json many.yaml | json '*.name' | tr '\n' ' ')" "a b "
ok "--wait" 'spillway submit --wait many.yaml'
is "--wait, one fails" "$(code 'spillway submit --wait -- sh -c "exit 4"')" 1
is "--wait as JSON, the final objects" "$(spillway submit --wait --json -- true | json '*.state')" succeeded
id=$(submit --after "$b" -- true)
ok "--after" 'spillway wait "$id"'

# ---- inputs
mkdir -p project/data
echo call >project/data/x.txt
printf '#!/bin/sh\ncat data/x.txt\n' >project/call.sh && chmod 755 project/call.sh
printf 'command: [./call.sh]\ninputs: [call.sh, data]\n' >project/job.yaml
id=$(submit project/job.yaml)
ok "inputs start at the description's folder" 'spillway wait "$id"'
is "and arrive" "$(spillway logs "$id")" call
id=$(submit --input project/call.sh --input project/data -- project/call.sh 2>"$T/err")
unlike "an input that is named brings no warning" "$(cat "$T/err")" "will not be found"
is "a program that is here and not there" "$(code 'submit -- project/call.sh')" 0
like "is warned of" "$(said)" "--input project/call.sh"
is "a file that is not there" "$(code 'submit --input nothing.txt -- true')" 7
like "is named" "$(said)" "nothing.txt"
ln -s /etc/hostname project/data/out
is "a link that leads out of a folder" "$(code 'submit project/job.yaml')" 7
like "is named with its place" "$(said)" 'project/job\.yaml:2:.*data/out'
rm project/data/out

# ---- faults
before=$(spillway ls --all --json | json '*.id' | wc -l)
cat >bad.yaml <<'YAML'
name: bad
command: ["true"]
resources:
  memroy: 8GiB
  cpus: many
---
nmae: worse
command: ["true"]
YAML
is "faults" "$(code 'submit bad.yaml')" 7
like "all of them" "$(said)" '^bad\.yaml:4:3: .*memroy.*memory'
like "by line and column" "$(said)" '^bad\.yaml:5:9: '
like "in every document" "$(said)" '^bad\.yaml:7:1: .*nmae.*name'
like "and how many" "$(said)" '3 faults, nothing was submitted'
is "a fault of an option" "$(code 'submit --memory lots -- true')" 7
like "names the option" "$(said)" '^--memory: '
printf 'a: [1\n' >broken.yaml
is "no YAML" "$(code 'submit broken.yaml')" 7
like "is told with its line" "$(said)" '^broken\.yaml:[12]:'
printf '#!/bin/sh\n#SPILLWAY --cpsu 4\ntrue\n' >bad.sh
is "a fault in a script" "$(code 'submit bad.sh')" 7
like "is told with its line" "$(said)" '^bad\.sh:2: '
printf 'command: ["true"]\nafter: [{job: 987654}]\n' >after.yaml
is "what only the broker can know" "$(code 'submit after.yaml')" 7
like "is told too" "$(said)" '987654'
is "nothing to run" "$(code submit)" 2
is "a file and a command" "$(code 'submit many.yaml -- true')" 7
is "no such file" "$(code 'submit none.yaml')" 3
printf 'x' >empty.yaml && : >empty.yaml
is "an empty file" "$(code 'submit empty.yaml')" 7
is "a key with a blank" "$(code 'submit --idempotency-key "a b" -- true')" 7
is "nothing of it was queued" "$(spillway ls --all --json | json '*.id' | wc -l)" "$before"

# ---- what no site can run
is "never" "$(code 'submit --cpus 99999 -- true')" 7
like "told with the site" "$(said)" '^local +home +never'
like "and the way on" "$(said)" 'have it wait for one that can with --anyway'
is "--dry-run of it" "$(code 'spillway submit --dry-run --cpus 99999 -- true')" 1
is "--dry-run of what can run" "$(code 'spillway submit --dry-run -- true')" 0
is "as JSON" "$(spillway submit --dry-run --json -- true | json 0.sites.0.site)" local
is "--anyway" "$(code 'submit --anyway --cpus 99999 -- true')" 0
spillway cancel "$(cat "$T/out")" >/dev/null

# ---- run
is "run" "$(spillway run -- sh -c 'echo out; echo err >&2' 2>"$T/err")" out
is "keeps the streams apart" "$(cat "$T/err")" err
is "exits as the job" "$(code 'spillway run -- sh -c "exit 9"')" 9
is "by signal" "$(code 'spillway run -- sh -c "kill -TERM \$\$"')" 143
is "of an array is wrong use" "$(code 'spillway run --array 1-3 -- true')" 2
mkfifo gate
timeout 60 spillway run --json -- sh -c 'trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 0.05; done' >run.out 2>run.err &
run=$!
ok "it begins" 'eventually 20 "grep -q ready run.out"'
kill -INT "$(pgrep -P $run)"
wait $run
is "interrupted, it cancels the job and exits as that did" $? 3
like "shows what the job still writes" "$(cat run.out)" bye
done_testing
