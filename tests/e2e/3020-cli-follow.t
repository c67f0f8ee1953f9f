# SPDX-License-Identifier: Apache-2.0
# 3020-cli-follow.t - what follows goes on when the broker restarts, and misses nothing
. "${0%/*}/../lib/spillway.sh"
broker_start

mkfifo gate
# Two hundred lines, then the gate, then as many again: the restarts fall between, whatever the speed.
cat >writer.sh <<'SH'
#!/bin/sh
gate=$1
i=0
while [ $i -lt 200 ]; do i=$((i + 1)); echo "line $i"; done
cat "$gate"
while [ $i -lt 400 ]; do i=$((i + 1)); echo "line $i"; done
SH
chmod 755 writer.sh
spillway events -f --json >events.out 2>events.err &
events=$!
eventually 20 'spillway submit --parsable -- true >warm && sleep 0.3 && test -s events.out'
id=$(submit --input writer.sh -- ./writer.sh "$PWD/gate")
spillway logs -f "$id" >log.out 2>log.err &
logs=$!
spillway wait "$id" >wait.out 2>wait.err &
waiting=$!
spillway run --input writer.sh -- sh -c 'echo first; cat "$0"; echo last; exit 5' "$PWD/gate2" >run.out 2>run.err &
run=$!
mkfifo gate2
ok "the first half is there" 'eventually 20 "test \$(wc -l <log.out) = 200 && grep -q first run.out"'
broker_kill
sleep 0.5
broker_start
ok "killed and started again, the broker has the job" 'wait_state "$id" running'
broker_stop
ok "stopped and started again" broker_start
echo through >gate &
echo through >gate2 &
wait $logs
is "logs -f ends when the job has" $? 0
wait $waiting
is "so does wait" $? 0
wait $run
is "and run, as its job did" $? 5
is "no line is missing, none is there twice" "$(grep -v through log.out | sha256sum)" "$(i=0; while [ $i -lt 400 ]; do i=$((i + 1)); echo "line $i"; done | sha256sum)"
is "run's neither" "$(tr '\n' ' ' <run.out)" "first through last "
ok "events -f has seen the end" 'eventually 20 "grep -q \"job.ended.*\\\"job\\\": *$id\" events.out"'
is "each event once" "$(sed 's/.*"id":\([0-9]*\),"time.*/\1/' events.out | sort -n | uniq -d | wc -l)" 0
first=$(sed -n '1s/.*"id":\([0-9]*\),"time.*/\1/p' events.out)
is "and every one" "$(spillway events --json --after $((first - 1)) | json '*.id' | sort -n | head -n "$(wc -l <events.out)")" \
    "$(sed 's/.*"id":\([0-9]*\),"time.*/\1/' events.out | sort -n)"
kill $events

# ---- through a retry
cat >retry.yaml <<'YAML'
script: |
  #!/bin/sh
  echo "attempt"
  test ! -e "$MARK" || exit 0
  touch "$MARK"
  cat "$GATE"
  exit 1
retries: {user: 1, backoff: 10ms}
YAML
mkfifo gate3
id=$(submit --env "MARK=$T/mark" --env "GATE=$PWD/gate3" retry.yaml)
spillway logs -f "$id" >retry.out &
logs=$!
eventually 20 'grep -q attempt retry.out'
: >gate3
wait $logs
is "logs -f shows the next attempt too" "$(wc -l <retry.out)" 2
is "or just the one asked for" "$(spillway logs -f --attempt 1 "$id" | wc -l)" 1

# ---- what never starts, and a broker that does not come back
id=$(submit --hold -- echo never)
spillway logs -f "$id" >held.out 2>&1 &
logs=$!
spillway cancel "$id" >/dev/null
wait $logs
is "logs -f of a job that never started ends with it" $? 0
id=$(submit -- sleep 600)
wait_state "$id" running
timeout 60 spillway wait --timeout 3s "$id" 2>wait.err &
waiting=$!
sleep 0.3
broker_kill
wait $waiting
status=$?
ok "wait --timeout ends also when the broker is away" 'test $status = 8 || test $status = 6'
done_testing
