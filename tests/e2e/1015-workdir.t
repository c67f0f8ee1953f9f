# SPDX-License-Identifier: Apache-2.0
# 1015-workdir.t - a job that runs among its user's files, where the site shares them
. "${0%/*}/../lib/spillway.sh"
broker_start
mkdir -p "$T/data/log"
echo "from before" >"$T/data/input"

cat >job.yaml <<YAML
script: |
  #!/bin/sh
  echo "\$# arguments, the second: \$2"
  echo "to stderr" >&2
  pwd
  cat input >output
  exit 3
arguments: ["{task}", "two words"]
workdir: $T/data
stdout: "log/out-{job}.txt"
stderr: log/err
YAML
id=$(spillway submit --parsable job.yaml)
ok "a job in a directory of the user's runs" 'wait_state "$id" failed'
is "its exit code is told" "$(field "$id" exit_code)" 3
is "what it printed is in the file there" "$(cat "$T/data/log/out-$id.txt")" "2 arguments, the second: two words
$T/data"
is "errors in the other" "$(cat "$T/data/log/err")" "to stderr"
is "it saw and made files there" "$(cat "$T/data/output")" "from before"

cat >append.yaml <<YAML
command: "echo out; echo err >&2"
workdir: $T/data
stdout: both
stderr: both
append: true
array: 0-1%1
YAML
id=$(spillway submit --parsable append.yaml)
ok "an array runs" 'spillway wait "$id"'
is "both streams of both tasks are behind each other in one file" "$(sort "$T/data/both" | uniq -c | tr -s ' \n' ' ')" " 2 err 2 out "

id=$(spillway submit --parsable --workdir "$T/nowhere" -- true)
ok "a directory that is not there is a fault" 'wait_state "$id" failed'
is "with its reason" "$(field "$id" reason)" stage-in
like "and the words name it" "$(field "$id" detail)" "$T/nowhere cannot be entered.*No such file"
mkfifo "$T/data/pipe"
id=$(spillway submit --parsable --workdir "$T/data" --stdout pipe -- echo x)
ok "a pipe that nobody reads holds up nothing" 'wait_state "$id" failed'
like "and is named" "$(field "$id" detail)" "cannot be written to pipe"

broker_stop
cat >conf.yaml <<YAML
sites: [{name: near, type: local, shared_directories: [/elsewhere, /data/lab]}]
YAML
broker_start --config conf.yaml
nok "where no site shares it the job is refused at once" 'spillway submit --workdir "$T/data" -- true'
like "in words" "$(cat "$T/ok.out")" 'does not share its working directory'
like "explain says what would help" "$(spillway submit --dry-run --workdir "$T/data" -- true)" 'shared_directories'
ok "another lies below one that is shared" 'spillway submit --dry-run --workdir /data/lab/run/7 -- true'
done_testing
