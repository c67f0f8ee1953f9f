# SPDX-License-Identifier: Apache-2.0
# 2750-schedule-operator.t - what the operator is told of, and users who lose their project
. "${0%/*}/../lib/spillway.sh"

echo sesame >"$T/key"
chmod 600 "$T/key"
/usr/bin/python3 "$LIB/receiver.py" "$T" &
receiver=$!
stop() {
    stop_status=$?
    kill $receiver 2>/dev/null
    wait $receiver 2>/dev/null
    (exit $stop_status)
    clean_up
}
trap stop EXIT
eventually 30 'test -s "$T/port"' || fail "the receiver starts"

conf() { # conf USERS of the project genomics
    cat >"$T/conf.yaml" <<EOT
broker:
  notify: {secret_file: $T/key, webhook: "http://127.0.0.1:$(cat "$T/port")/operator"}
projects:
  genomics: {users: [$1]}
sites: [{name: local, type: local}]
EOT
}
told() { # FIELD of all events received
    cat "$T/received" 2>/dev/null | while read -r line; do
        printf '%s' "$line" | json "events.*.$1"
    done
}
state() { spillway schedule show --json "$1" | json state; }

conf "ada, ben"
broker_start --config "$T/conf.yaml"
token=$(spillway token add --user ada desk 2>/dev/null)
as_ada() { SPILLWAY_TOKEN=$token "$@"; }

# Rights are looked at when a run is due, not only when the schedule was added.
cat >hers.yaml <<'EOT'
name: hers
project: genomics
command: ["true"]
schedule: {cron: "* * * * * *", overlap: allow}
EOT
ok "a member adds a schedule" 'as_ada spillway schedule add hers.yaml'
ok "it fires" 'eventually 30 "as_ada spillway schedule history hers --json | json 0.outcome | grep -qx fired"'
conf ben
kill -HUP "$broker_pid"
ok "once she is no member any more, it is paused" \
    'eventually 30 "as_ada spillway schedule show --json hers | json state | grep -qx paused"'
like "with the reason" "$(as_ada spillway schedule show --json hers | json why)" \
    "user 'ada' may not submit under project 'genomics' any more"
nok "nor does she trigger it" 'as_ada spillway schedule trigger hers'
like "which is said" "$(cat "$T/ok.out")" "may not submit under project 'genomics'"
ok "the operator is told" 'eventually 30 "told event | grep -qx paused"'
like "why" "$(told why)" "may not submit under project"
runs=$(as_ada spillway schedule history -n 1000 hers --json | json '*.job' | grep -c .)
conf "ada, ben"
kill -HUP "$broker_pid"
ok "as a member again she resumes it" 'as_ada spillway schedule resume hers'
ok "and it goes on" \
    'eventually 30 "test \$(as_ada spillway schedule history -n 1000 hers --json | json \"*.job\" | grep -c .) -gt $runs"'
as_ada spillway schedule rm hers >/dev/null

# A schedule that keeps failing, and a run that does not start.
cat >fails.yaml <<'EOT'
name: fails
command: ["false"]
schedule: {cron: "* * * * * *", pause_after: 2}
EOT
spillway schedule add fails.yaml >/dev/null
ok "one that fails is paused" 'eventually 60 "state fails | grep -qx failing"'
ok "the operator is told" 'eventually 60 "test \$(told event | grep -cx paused) = 2"'
like "with the count" "$(told why)" "2 failures in a row"

cat >waits.yaml <<'EOT'
name: waits
hold: true
command: ["true"]
schedule: {at: "AT", late_after: 1s}
EOT
sed -i "s/AT/$(date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ)/" waits.yaml
spillway schedule add waits.yaml >/dev/null
ok "of a run that has not begun in time as well" 'eventually 90 "told event | grep -qx late"'
is "and of nothing else" "$(told event | sort | uniq -c | tr -s ' ' | tr '\n' ';')" " 1 late; 2 paused;"
is "a user does not see the operator's address" "$(as_ada spillway notices ls --json | json '*.id')" ""
is "no message was forged" "$(ls "$T/forged" 2>/dev/null)" ""

done_testing
