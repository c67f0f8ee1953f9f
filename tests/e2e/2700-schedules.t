# SPDX-License-Identifier: Apache-2.0
# 2700-schedules.t - a schedule fires on time, once, through a kill, and can be paused and triggered
. "${0%/*}/../lib/spillway.sh"
broker_start

status() {
    "$@" >/dev/null 2>&1
    echo $?
}
history() {
    spillway schedule history --json "$@"
}
fired() { # how many instants made jobs
    history "$1" | json '*.outcome' | grep -cx fired
}

echo one >input.txt
cat >often.yaml <<'EOT'
name: often
script: |
  #!/bin/sh
  cat input.txt
  echo "{scheduled_time} {previous_success}" >out.txt
inputs: [input.txt]
outputs: [out.txt]
schedule: {cron: "*/2 * * * * *", overlap: queue, timezone: Europe/Paris}
EOT
like "it is added" "$(spillway schedule add often.yaml)" "often: added, version 1"
like "adding it again changes nothing" "$(spillway schedule add often.yaml)" "as it was, version 1"
ok "it fires" 'eventually 20 "test \$(fired often) -ge 2"'
job=$(history often | json '*.job' | grep . | tail -n 1)
ok "the first run succeeds" "wait_state $job succeeded"
mkdir got
ok "its results are fetched" "spillway fetch $job -o got"
like "it knew its time" "$(cat got/out.txt)" '^20..-..-..T..:..:.[02468][+]0[12]:00 '
ok "a later run knows the success before" 'eventually 20 "history often | json \"*.state\" | grep -c succeeded | grep -qv \"^[01]$\""'

cat >never.yaml <<'EOT'
name: never
command: [nproc]
resources: {cpus: 99999}
schedule: {cron: "0 3 * * *"}
EOT
is "one that no site can ever run is refused" "$(status spillway schedule add never.yaml)" 7
like "with the reason and the way on" "$(spillway schedule add never.yaml 2>&1)" 'have it wait for one that can with --anyway'
is "and was not added" "$(status spillway schedule show never)" 3
like "it is added --anyway, with a warning" "$(spillway schedule add --anyway never.yaml 2>&1)" \
    'warning: .*cannot run at any site'
spillway schedule rm never >/dev/null

like "ls shows it" "$(spillway schedule ls)" "often .*active .*\*/2 .*Europe/Paris"
is "next works by name" "$(spillway schedule next often -n 3 --json | json '*.time' | wc -l)" 3

echo two >input.txt
like "an edit is a new version" "$(spillway schedule add often.yaml)" "often: changed, version 2"
ok "which runs" 'eventually 20 "history often | json 0.version | grep -qx 2"'
first=$(spillway schedule show often --version 1 --json | json description.inputs.0.sha256)
second=$(spillway schedule show often --json | json description.inputs.0.sha256)
is "the old version's input is still known" "$first" "$(printf 'one\n' | sha256sum | cut -d' ' -f1)"
is "and the new one's" "$second" "$(printf 'two\n' | sha256sum | cut -d' ' -f1)"

spillway schedule pause --reason "moving house" often >"$T/out"
like "paused" "$(spillway schedule show often)" "moving house"
before=$(history -n 1000 often | json '*.time' | wc -l)
sleep 3
is "a paused one does not fire" "$(history -n 1000 often | json '*.time' | wc -l)" "$before"
id=$(spillway schedule trigger often --json | json 0.job)
ok "but can be triggered" "wait_state $id succeeded"
is "which is told" "$(history -n 1 often | json 0.manual)" true

spillway schedule resume often >"$T/out"
for i in 1 2 3 4 5; do
    n=$(fired often)
    eventually 20 "test \$(fired often) -gt $n"
    broker_kill
    broker_start
done
ok "it goes on after kills" 'n=$(fired often); eventually 20 "test \$(fired often) -gt $n"'
spillway schedule pause often >"$T/out"
history -n 1000 often | json '*.time' >"$T/times"
is "no instant fired twice" "$(sort "$T/times" | uniq -d)" ""
is "each job belongs to one instant" "$(history -n 1000 often | json '*.job' | grep . | sort | uniq -d)" ""

is "removed" "$(status spillway schedule rm often)" 0
is "it is gone" "$(status spillway schedule show often)" 3
ok "its jobs stay" "spillway show $job"

printf 'name: a\ncommand: [date]\n' >none.yaml
is "a job without a schedule is refused" "$(status spillway schedule add none.yaml)" 7
printf 'name: a\ncommand: [date]\nschedule:\n  cron: "0 25 * * *"\n' >wrong.yaml
like "a wrong rule is told with its place" "$(spillway schedule add wrong.yaml 2>&1)" \
    "wrong.yaml:4:9: .*'25' is not between 0 and 23"
printf 'name: a\ncommand: [date]\nschedule: {at: "2020-01-01T00:00:00Z"}\n' >past.yaml
like "so is one that never fires again" "$(spillway schedule add past.yaml 2>&1)" "never fires"
is "and an unknown name" "$(status spillway schedule pause nobody)" 3

done_testing
