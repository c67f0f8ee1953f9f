# SPDX-License-Identifier: Apache-2.0
# 2780-schedule-bounds.t - a schedule keeps to its user's bound on open tasks: late, not lost
. "${0%/*}/../lib/spillway.sh"

cat >conf.yaml <<'YAML'
users: {ada: {max_open: 2}}
projects: {genomics: {users: [ada]}}
sites: [{name: local, type: local}]
YAML
broker_start --config conf.yaml
token=$(spillway token add --user ada desk 2>/dev/null)
as_ada() { SPILLWAY_TOKEN=$token "$@"; }
row() { # NAME FIELD of the newest firing
    as_ada spillway schedule history -n 1 --json "$1" | json "0.$2"
}
soon() { date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ; }

held=$(as_ada spillway submit --parsable --hold --array 0-1 --project genomics -- true)
cat >hers.yaml <<YAML
name: hers
project: genomics
command: ["true"]
schedule: {at: "$(soon)", late_after: 1s}
YAML
as_ada spillway schedule add hers.yaml >/dev/null
ok "a run that there is no room for waits" 'eventually 30 "row hers outcome | grep -qx waiting"'
like "and says why" "$(row hers why)" "users.ada.max_open"
is "no job was made" "$(row hers job)" ""
nok "nor is one made by hand" 'as_ada spillway schedule trigger hers'
like "which is said as well" "$(cat "$T/ok.out")" "max_open"
ok "it is told of as late" 'eventually 60 "row hers late | grep -qx true"'
broker_kill
broker_start --config conf.yaml
spillway cancel "$held" >/dev/null
ok "once there is room it runs, after a restart too" 'eventually 60 "row hers state | grep -qx succeeded"'
is "one instant, one row" "$(as_ada spillway schedule history --json hers | json '*.time' | wc -l)" 1

cat >large.yaml <<YAML
name: large
project: genomics
array: 0-2
command: ["true"]
schedule: {at: "$(soon)"}
YAML
as_ada spillway schedule add large.yaml >/dev/null
ok "one that could never fit is refused" 'eventually 30 "row large outcome | grep -qx refused"'
like "with the reason" "$(row large why)" "at most 2"

done_testing
