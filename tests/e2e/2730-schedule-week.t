# SPDX-License-Identifier: Apache-2.0
# 2730-schedule-week.t - the example analysis every night of a week; its nights are seconds here
. "${0%/*}/../lib/spillway.sh"

cp -r "$ROOT/examples/mauna-loa" analysis
cat >analysis/nightly.yaml <<'EOT'
name: growth
project: climate
array: 1960-1995:5
command: [./growth.awk, "first={task}", years=5, replicates=40, co2-weekly.csv]
environment: {NIGHT: "{scheduled_time}"}
inputs: [growth.awk, co2-weekly.csv]
outputs: ["growth-{task}.tsv"]
resources: {cpus: 1, walltime: 10m}
schedule: {cron: "*/4 * * * * *", timezone: Pacific/Honolulu, overlap: queue}
EOT
broker_start
like "it is added" "$(spillway schedule add analysis/nightly.yaml)" "growth: added"

nights() { # jobs that succeeded, oldest first
    spillway schedule history -n 1000 --json growth | json '*' >"$T/rows"
    /usr/bin/python3 - "$T/rows" <<'PY'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
print(*[row["job"] for row in reversed(rows) if row["state"] == "succeeded"])
PY
}
ok "seven nights succeed" 'eventually 150 "test \$(nights | wc -w) -ge 7"'
spillway schedule pause growth >/dev/null

for job in $(nights | cut -d' ' -f1-7); do
    mkdir "night-$job"
    spillway fetch "$job" -o "night-$job" >/dev/null || fail "results of job $job"
    find "night-$job" -name 'growth-*.tsv' | wc -l
done >counts
is "each left its eight results" "$(sort counts | uniq -c | tr -s ' ')" " 7 8"
is "the same ones every night" "$(for job in $(nights | cut -d' ' -f1-7); do
    find "night-$job" -name 'growth-*.tsv' | sort | xargs cat | sha256sum
done | sort -u | wc -l)" 1
first=$(nights | cut -d' ' -f1)
like "a run knew its night" "$(spillway show --json "$first" | json description.environment.NIGHT)" \
    '^....-..-..T..:..:..-10:00$'
like "ls tells how the last one ended" "$(spillway schedule ls)" "growth .*paused .*succeeded"

done_testing
