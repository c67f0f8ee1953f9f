# SPDX-License-Identifier: Apache-2.0
# 2720-schedule-kills.t - the broker dies around firing instants: each fires once, none is lost
# run: limit 900
. "${0%/*}/../lib/spillway.sh"
ROUNDS=${SCHEDULE_KILLS:-12}

cat >tick.yaml <<'EOT'
name: tick
command: ["true"]
schedule: {cron: "* * * * * *", overlap: allow, catch_up: all, catch_up_most: 1000, keep: 5000}
EOT
broker_start
spillway schedule add tick.yaml >/dev/null

# Anywhere in the second, so that some land before, in and after the commit.
round=0
while test $round -lt "$ROUNDS"; do
    round=$((round + 1))
    sleep "0.$((round * 7919 % 1000 / 100))$((round * 104729 % 10))"
    broker_kill
    broker_start || break
done
is "the broker came back each time" $round "$ROUNDS"

# Stopped for longer than the time between instants.
kill -STOP $broker_pid
sleep 4
kill -CONT $broker_pid
ok "it goes on" 'last=$(spillway schedule history -n 1 tick --json | json 0.time)
    eventually 20 "test \$(spillway schedule history -n 1 tick --json | json 0.time) != $last"'
spillway schedule pause tick >/dev/null

spillway schedule history -n 5000 --json tick >history.json
cat >"$T/check.py" <<'PY'
import datetime, json
rows = [row for row in json.load(open("history.json")) if not row["missed"]]
times = sorted(datetime.datetime.fromisoformat(row["time"].replace("Z", "+00:00")) for row in rows)
jobs = [row["job"] for row in rows if row["job"]]
gaps = [str(a) for a, b in zip(times, times[1:]) if (b - a).total_seconds() != 1]
print(f"{len(times)} instants, {len(set(times))} different, {len(jobs)} jobs, {len(set(jobs))} different, gaps behind {gaps}")
raise SystemExit(bool(gaps) or len(set(times)) != len(times) or len(set(jobs)) != len(jobs) or len(jobs) != len(times))
PY
ok "each second once, with a job of its own" '/usr/bin/python3 "$T/check.py"'
/usr/bin/python3 "$T/check.py" | sed 's/^/# /'
is "and the jobs are there" "$(spillway ls --all --name tick --limit 10000 --json | json '*.id' | sort -n | uniq -d)" ""

done_testing
