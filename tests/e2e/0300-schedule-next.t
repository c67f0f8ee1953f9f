# SPDX-License-Identifier: Apache-2.0
# 0300-schedule-next.t - `schedule next` tells when a job will run, without a broker
. "${0%/*}/../lib/spillway.sh"
unset SPILLWAY_URL

next() {
    spillway schedule next --json "$@"
}

utc_times() {
    json '*.time' | tr '\n' ' ' | sed 's/ $//'
}

cat >nightly.yaml <<'EOT'
name: nightly
command: [date]
schedule: {cron: "30 2 * * *", timezone: Europe/Paris}
EOT

is "a file's coming times, in UTC" "$(next nightly.yaml -n 3 --from 2026-03-28T12:00:00Z | utc_times)" \
    "2026-03-29T01:00:00Z 2026-03-30T00:30:00Z 2026-03-31T00:30:00Z"
is "and by the schedule's clock" "$(next nightly.yaml -n 1 --from 2026-06-01T00:00:00Z | json 0.local)" \
    "2026-06-01T02:30:00+02:00"
like "a time that does not exist is remarked on" \
    "$(next nightly.yaml -n 1 --from 2026-03-28T12:00:00Z | json 0.note)" "does not exist.*first instant"
like "and one that exists twice" \
    "$(next nightly.yaml -n 1 --from 2026-10-24T12:00:00Z | json 0.note)" "exists twice"
is "--from by the schedule's clock" "$(next nightly.yaml -n 1 --from 2026-06-01T02:29 | utc_times)" \
    "2026-06-01T00:30:00Z"
like "for people too" "$(spillway schedule next nightly.yaml -n 1 --from 2026-06-01)" \
    "2026-06-01T02:30:00\+02:00 CEST +2026-06-01T00:30:00Z"
is "ten times when not asked for more" "$(next nightly.yaml | json '*.time' | wc -l)" 10

is "a cron line, quoted" "$(next -n 2 --from 2026-11-24T00:00:00Z -- '0 0 L * *' | utc_times)" \
    "2026-11-30T00:00:00Z 2026-12-31T00:00:00Z"
is "in a zone" \
    "$(next -n 1 --timezone Australia/Lord_Howe --from 2026-10-03T00:00:00Z -- '15 2 * * *' | utc_times)" \
    "2026-10-03T15:30:00Z"

printf 'name: a\ncommand: [date]\nschedule: {every: 6h, anchor: "2026-11-24T01:00:00Z"}\n' >every.yaml
is "an interval" "$(next every.yaml -n 2 --from 2026-11-24T01:00:00Z | utc_times)" \
    "2026-11-24T07:00:00Z 2026-11-24T13:00:00Z"
printf 'name: a\ncommand: [date]\nschedule: {at: "2026-12-01T08:00:00+01:00"}\n' >at.yaml
is "a single instant" "$(next at.yaml --from 2026-11-24T01:00:00Z | utc_times)" "2026-12-01T07:00:00Z"
is "that has passed" "$(next at.yaml --from 2026-12-01T07:00:00Z)" "[]"

printf 'name: a\ncommand: [date]\nschedule:\n  cron: "0 25 * * *"\n' >wrong.yaml
status() {
    "$@" >/dev/null 2>&1
    echo $?
}
is "a fault is refused" "$(status spillway schedule next wrong.yaml)" 7
like "with its place and what is right" "$(spillway schedule next wrong.yaml 2>&1)" \
    "wrong.yaml:4:9: .*hour: '25' is not between 0 and 23"
printf 'name: a\ncommand: [date]\nschedule: {cron: "0 5 * * *", timezone: Europe/Pariss}\n' >zone.yaml
like "an unknown zone, with its neighbour" "$(spillway schedule next zone.yaml 2>&1)" \
    "zone.yaml:3:[0-9]+: .*Europe/Paris"
printf 'name: a\ncommand: [date]\n' >none.yaml
is "a job without a schedule is refused" "$(status spillway schedule next none.yaml)" 7
is "so is nothing" "$(status spillway schedule next)" 7
is "and a line that never fires" "$(status spillway schedule next -- '0 0 30 2 *')" 7
is "-n has bounds" "$(status spillway schedule next -n 0 -- '0 0 1 2 *')" 7

done_testing
