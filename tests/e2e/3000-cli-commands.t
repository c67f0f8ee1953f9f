# SPDX-License-Identifier: Apache-2.0
# 3000-cli-commands.t - every command once, its words, and the exit codes of spillway(1)
. "${0%/*}/../lib/spillway.sh"

# code COMMAND: its exit code; what it said is in $T/out and $T/err.
code() {
    eval "$1" >"$T/out" 2>"$T/err"
    echo $?
}
said() { cat "$T/out" "$T/err"; }

# ---- without a broker
is "no command is wrong use" "$(code spillway)" 2
like "which is told with the commands there are" "$(said)" "usage: spillway COMMAND"
is "an unknown one too" "$(code 'spillway submti -- true')" 2
like "told with the nearest name" "$(said)" "did you mean 'submit'"
is "an unknown option" "$(code 'spillway ls --stat running')" 2
like "told with the nearest name" "$(said)" "did you mean '--state'"
is "no broker" "$(code 'spillway ls')" 6
like "told with where it was looked for" "$(said)" "$SOCKET"
like "and how to start it" "$(said)" "spillwayd --state $STATE"
is "an address that is none" "$(code 'SPILLWAY_URL=http://broker.example spillway ls')" 7
is "version needs no broker" "$(code 'spillway version')" 0
is "doctor says what is wrong" "$(code 'spillway doctor')" 6
like "with what to do" "$(said)" "BAD.*start .spillwayd"
is "help is no fault" "$(code 'spillway help')" 0
is "unknown help is" "$(code 'spillway help nothing')" 3

broker_start

# ---- watching
id=$(submit --name first -- sh -c 'echo out; echo err >&2')
long=$(submit --name long -- sleep 600)
ok "wait" 'spillway wait "$id"'
like "ls shows what has not ended" "$(spillway ls)" "^$long +long"
unlike "and not what has" "$(spillway ls)" "^$id +first"
like "--all does" "$(spillway ls --all)" "^$id +first"
is "by name" "$(spillway ls --all --name first --json | json '*.id')" "$id"
is "by state" "$(spillway ls --all --state succeeded --json | json '*.id')" "$id"
is "an unknown state is invalid" "$(code 'spillway ls --state runing')" 7
is "by job" "$(spillway ls --all "$id" --json | json '*.id')" "$id"
is "of a job that is not there" "$(code 'spillway ls 999999')" 3
is "of one that has ended" "$(code 'spillway ls "$id"')" 0
like "says so" "$(said)" "$id has ended: succeeded; --all shows it"
is "bounded, the newest" "$(spillway ls --all --limit 1 --json | json '*.id')" "$long"
like "show" "$(spillway show "$id")" "^state +succeeded"
is "as JSON, an object" "$(spillway show --json "$id" | json state)" succeeded
is "with its attempts" "$(spillway show --json "$id" | json attempts.0.attempt)" 1
is "its description" "$(spillway show --description "$id" | json command.0)" sh
is "one that is not there" "$(code 'spillway show 999999')" 3
is "an id that is none" "$(code 'spillway show ../sites')" 7
like "explain" "$(spillway explain "$id")" "^$id is succeeded"
is "explain as JSON" "$(spillway explain --json "$id" | json state)" succeeded
is "logs" "$(spillway logs "$id" 2>/dev/null)" out
is "stderr stays apart" "$(spillway logs "$id" 2>&1 >/dev/null)" err
is "unless asked for" "$(spillway logs --stderr "$id")" err
is "both, in order, as one list" "$(spillway logs "$id" --json | json '*.text' | tr '\n' ' ')" "out  err  "
is "an attempt that was not" "$(code 'spillway logs --attempt 9 "$id"')" 3
like "events" "$(spillway events --job "$id")" "task.ended +$id +succeeded"
is "events as JSON, a list" "$(spillway events --json --job "$id" | json 0.kind)" job.submitted
like "usage" "$(spillway usage)" '^PROJECT .*\n?'
is "usage as JSON, a list" "$(spillway usage --json | json '*.tasks')" 1
is "since a day" "$(spillway usage --json --from "$(date +%F)" --to now+1h | json '*.tasks')" 1
is "of a time long ago" "$(spillway usage --json --to 400d --from 401d)" "[]"
like "shares" "$(spillway usage --shares)" "^PROJECT"
like "top" "$(spillway top --once)" "^$long +long"
is "top as JSON, once" "$(spillway top --json | json sites.0.name)" local
is "version, the broker's too" "$(spillway version --json | json broker)" "$(spillway version --json | json version)"

# ---- changing
is "a wait that is too short" "$(code 'spillway wait --timeout 100ms "$long"')" 8
is "cancel" "$(code 'spillway cancel "$long"')" 0
is "a job that did not succeed" "$(code 'spillway wait "$long"')" 1
like "is named" "$(said)" "^$long: cancelled"
is "cancelled twice" "$(code 'spillway cancel "$long"')" 5
held=$(submit --hold -- true)
is "held at its submission" "$(field "$held" state)" held
is "has no log yet" "$(code 'spillway logs "$held"')" 0
like "and says why" "$(said)" "$held has not started; it is held"
is "nor as JSON" "$(spillway logs --json "$held" 2>/dev/null)" "[]"
is "released" "$(spillway release --json "$held" | json 0.tasks)" 1
ok "it runs" 'spillway wait "$held"'
failed=$(submit -- sh -c 'exit 3')
is "a failure" "$(code 'spillway wait "$failed"')" 1
like "is told with its reason" "$(said)" "user-exit \(3\)"
is "retry" "$(code 'spillway retry "$failed"')" 0
is "of what succeeded" "$(code 'spillway retry "$id"')" 5

# ---- capacity and administration
like "sites" "$(spillway sites)" '^local +local +home'
is "one site as JSON" "$(spillway sites show local --json | json name)" local
like "for people" "$(spillway sites show local)" '^machine +[0-9]'
is "of all sites, a list" "$(spillway sites show --json | json '*.name')" local
is "probe" "$(spillway sites probe --quick local --json | json name)" local
is "of all" "$(spillway sites probe --quick --json | json '*.name')" local
is "the whole way wants a name" "$(code 'spillway sites probe')" 2
is "disable" "$(code 'spillway sites disable local')" 0
is "is seen" "$(spillway sites show local --json | json mode)" disabled
is "enable" "$(code 'spillway sites enable local')" 0
is "audit" "$(code 'spillway sites audit local')" 0
is "of all" "$(spillway sites audit --json | json '*.site')" local
is "drain wants a name" "$(code 'spillway sites drain')" 2
like "and says how" "$(said)" "usage: spillway sites drain SITE"
is "no such site" "$(code 'spillway sites show nowhere')" 3
worker=$(spillway workers --json | json 0.name)
like "workers" "$(spillway workers)" "^$worker +local"
is "one of them" "$(spillway workers show "$worker" --json | json name)" "$worker"
is "drain" "$(code 'spillway workers drain "$worker"')" 0
is "no such worker" "$(code 'spillway workers rm nobody')" 3
token=$(spillway token add --user alice --expires 1d laptop 2>/dev/null)
like "a token" "$token" '^spillway_[0-9a-f]{64}$'
like "is listed" "$(spillway token ls)" 'laptop +alice +user.* valid$'
is "without its secret" "$(spillway token ls --json | grep -c "$token")" 0
is "revoked" "$(code 'spillway token revoke 1')" 0
like "is seen" "$(spillway token ls)" 'revoked$'
is "no such token" "$(code 'spillway token revoke 77')" 3
is "doctor finds nothing" "$(code 'spillway doctor')" 0
is "backup" "$(code 'spillway doctor --backup copy.db')" 0
ok "lies where it was asked for" 'test -s copy.db'
is "and is told with its size" "$(spillway doctor --backup second.db --json | json bytes)" "$(stat -c %s second.db)"
is "a backup over a file" "$(code 'spillway doctor --backup copy.db')" 5
is "prune" "$(code 'spillway doctor --prune')" 0

# ---- a name cannot act on a terminal, a full disk is no success
evil=$(submit --name "$(printf 'tab\\033[2J')" -- true)
ok "no escape reaches the output" '! spillway ls --all "$evil" | grep -q "$(printf "\\033")"'
is "a full disk is told" "$(code 'spillway ls --all --json >/dev/full')" 8

# ---- what a list holds
ok "the fields of a task" 'spillway ls --all --json "$id" | json 0.id 0.name 0.project 0.user 0.state 0.reason \
    0.exit_code 0.signal 0.site 0.worker 0.attempt 0.submitted 0.started 0.finished 0.cpu_seconds 0.max_rss_bytes'
is "explain names the task" "$(spillway explain --json "$id" | json id)" "$id"
mixed=$(submit --array 1-4 -- sh -c 'test "$SPILLWAY_ARRAY_INDEX" -lt 3 || exit "$SPILLWAY_ARRAY_INDEX"')
spillway wait "$mixed" >/dev/null 2>&1
like "an array shows its counts" "$(spillway show "$mixed")" "^tasks +2 succeeded, 2 failed"
like "and the worst of its tasks" "$(spillway show "$mixed")" "^worst +$mixed\.3 failed: user-exit \(3\)"
is "also as JSON" "$(spillway show --json "$mixed" | json worst.exit_code)" 3
for _ in $(seq 1002); do printf -- '---\nname: many\nhold: true\ncommand: ["true"]\n'; done >many.yaml
last=$(submit many.yaml | tail -n 1)
spillway ls --all --json >all.json 2>more.txt
is "a long list is the newest" "$(json '*.id' <all.json | tail -n 1)" "$last"
is "a thousand of them, oldest first" "$(json '*.id' <all.json | sed -n '1p;$=')" "$((last - 999))
1000"
like "and says how to see more" "$(cat more.txt)" "newest 1000.*--limit N"
ok "the newest are completed" 'spillway __complete jobs | grep -qx "$last"'
is "cancelled again" "$(code "spillway cancel $(seq -s " " $((last - 1001)) "$last")")" 0

# ---- an array's rest, row by row
array=$(submit --hold --array 3-9:2 -- true)
is "as one row" "$(spillway ls --json "$array" | json '*.id')" "$array.[3-9:2]"
is "apart" "$(spillway ls --json --expand "$array" | json '*.id' | tr '\n' ' ')" "$array.3 $array.5 $array.7 $array.9 "
is "bounded" "$(spillway ls --json --expand --limit 2 "$array" | json '*.id' | tr '\n' ' ')" "$array.3 $array.5 "
is "bounded, the last ones" "$(spillway ls --json --all --expand --limit 2 "$array" | json '*.id' | tr '\n' ' ')" "$array.7 $array.9 "
spillway cancel "$array.7" >/dev/null
is "with a hole" "$(spillway ls --json "$array" | json '*.id' | tr '\n' ' ')" "$array.[3-5:2] $array.9 "
odd=$(submit --hold --array 1,3,5,7,9,11,13,15,17,19,21-40%2 -- true)
is "of many ranges too" "$(spillway ls --json --expand "$odd" | json '*.index' | tail -n 1)" 40
is "one of two is not there" "$(code 'spillway cancel 999999 "$odd"')" 3
is "the other is cancelled all the same" "$(field "$odd" state)" cancelled
done_testing
