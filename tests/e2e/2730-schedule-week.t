# SPDX-License-Identifier: Apache-2.0
# 2730-schedule-week.t - the whole example analysis every night of a week; its nights are seconds here
. "${0%/*}/../lib/spillway.sh"

cp -r "$ROOT/examples/mauna-loa" analysis
cp "$ROOT/examples/mauna-loa/job.yaml" analysis/nightly.yaml
# As shipped, but for the smaller fits and what makes it recur: the schedule, and a job for bad nights.
/usr/bin/python3 - analysis/nightly.yaml <<'PY'
import sys
path = sys.argv[1]
text = open(path).read().replace("replicates=4000", "replicates=40")
head, rest = text.split("---\n", 1)
head += 'environment: {NIGHT: "{scheduled_time}"}\n'
head += 'schedule: {cron: "*/6 * * * * *", timezone: Pacific/Honolulu, overlap: queue}\n'
rest += '---\nname: tell\nafter: [{job: periods, on: failure}]\ncommand: [echo, no summary tonight]\n'
open(path, "w").write(head + "---\n" + rest)
PY
broker_start
is "its coming times are known before" \
    "$(spillway schedule next analysis/nightly.yaml -n 7 --json | json '*.name' | uniq -c | tr -s ' ')" " 7 periods"
like "it is added" "$(spillway schedule add analysis/nightly.yaml)" "periods: added"

nights() { # "JOB JOB JOB" of each night that succeeded, oldest first
    spillway schedule history -n 1000 --json periods >"$T/rows"
    /usr/bin/python3 - "$T/rows" <<'PY'
import json, sys
for row in reversed(json.load(open(sys.argv[1]))):
    if row["state"] == "succeeded":
        print(*row["jobs"])
PY
}
ok "seven nights succeed" 'eventually 240 "test \$(nights | wc -l) -ge 7"'
spillway schedule pause periods >/dev/null
nights | head -n 7 >week

while read -r periods summary tell; do
    mkdir "night-$periods"
    spillway fetch "$periods" -o "night-$periods/parts" >/dev/null || fail "results of job $periods"
    spillway fetch "$summary" -o "night-$periods/summary" >/dev/null || fail "results of job $summary"
    find "night-$periods/parts" -name 'growth-*.tsv' | wc -l >>counts
    find "night-$periods/summary" -type f | wc -l >>files
    field "$tell" reason >>told
    spillway show --json "$periods" | json description.environment.NIGHT >>times
done <week
is "each night has three jobs of its own" "$(tr ' ' '\n' <week | sort | uniq -c | grep -c '^ *1 ')" 21
is "each left its eight periods" "$(sort counts | uniq -c | tr -s ' ')" " 7 8"
ok "and a summary" 'test "$(sort -u files | wc -l)" = 1 && test "$(head -n 1 files)" -ge 1'
is "the same one every night" "$(for night in night-*; do
    find "$night/summary" -type f | sort | xargs cat | sha256sum
done | sort | uniq -c | tr -s ' ' | cut -d' ' -f2)" 7
ok "with figures in it" 'grep -rqE "19[6-9][0-9]" night-*/summary'
is "what tells of a bad night never ran" "$(sort told | uniq -c | tr -s ' ')" " 7 dependency"
is "each run knew its night" "$(sort -u times | grep -cE '^....-..-..T..:..:..-10:00$')" 7
like "ls tells how the last one ended" "$(spillway schedule ls)" "periods .*paused .*succeeded"
like "history shows the jobs of a night" "$(spillway schedule history periods)" \
    "$(head -n 1 week | tr ' ' '\n' | sed -n 1p)-$(head -n 1 week | tr ' ' '\n' | sed -n 3p)"
is "show has all three documents" "$(spillway schedule show --json periods | json 'with.*.name' | tr '\n' ' ')" "summary tell "

# A night that goes wrong.
sed -i 's/replicates=40/replicates=none/; s/^command: .*growth.awk.*/command: ["false"]/' analysis/nightly.yaml
spillway schedule add analysis/nightly.yaml >/dev/null
id=$(spillway schedule trigger periods --json | json 0.job)
ok "what tells of it runs" "wait_state $((id + 2)) succeeded"
ok "the summary does not" "wait_state $((id + 1)) failed"
ok "and the run has failed" 'eventually 60 "spillway schedule history -n 1 --json periods | json 0.state | grep -qx failed"'

# What could never run together is refused when it is added.
printf 'name: a\ncommand: [date]\nschedule: {every: 1h}\n---\nname: b\nafter: [{job: c}]\ncommand: [date]\n' >wrong.yaml
like "a job that waits for one of another file" "$(spillway schedule add wrong.yaml 2>&1)" \
    "wrong.yaml:6:.*no earlier job of the same schedule"
printf 'name: a\ncommand: [date]\n---\nname: b\nschedule: {every: 1h}\ncommand: [date]\n' >order.yaml
like "a first document without a schedule" "$(spillway schedule add order.yaml 2>&1)" "order.yaml:1:.*has no schedule"

done_testing
