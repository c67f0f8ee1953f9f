# SPDX-License-Identifier: Apache-2.0
# 2740-schedule-prepare.t - workers are there when a schedule's run is due, and stay until then
. "${0%/*}/../lib/spillway.sh"

cat >conf.yaml <<'YAML'
sites: [{name: local, type: local, idle: 1s}]
YAML
broker_start --config conf.yaml

in_s() { date -u -d "+$1 seconds" +%Y-%m-%dT%H:%M:%SZ; }
since_epoch() { date -d "$1" +%s; }
workers() { spillway workers --json | json '*.name'; }
write() { # write NAME TIME PREPARE
    cat >"$1.yaml" <<YAML
name: $1
command: ["true"]
schedule: {at: "$2", prepare: $3}
YAML
}

due=$(in_s 14)
write early "$due" 9s
spillway schedule add early.yaml >/dev/null
is "nothing is made too early" "$(workers)" ""
ok "a worker is made before there is a job" 'eventually 20 "test -n \"\$(workers)\""'
now=$(date +%s)
ok "not earlier than asked for" "test $now -ge $(($(since_epoch "$due") - 9))"
ok "but before the time" "test $now -lt $(since_epoch "$due")"
is "no job is there yet" "$(spillway ls --all --json | json '*.id')" ""
worker=$(workers)
ok "it is ready" 'eventually 20 "spillway workers --json | json \"*.state\" | grep -qx ready"'
# It idles out after a second, but not while it waits for the run.
ok "it stays until the time" 'eventually 30 "spillway schedule history early --json | json 0.job | grep -q ."'
job=$(spillway schedule history early --json | json 0.job)
ok "the run succeeds" "wait_state $job succeeded"
is "on the worker that was prepared" "$(field "$job" worker)" "$worker"
ok "which idles out after it" 'eventually 30 "test -z \"\$(workers)\""'

# auto: the boot time that was just learnt, a second or so.
due=$(in_s 12)
write auto "$due" auto
spillway schedule add auto.yaml >/dev/null
ok "auto makes one as well" 'eventually 30 "test -n \"\$(workers)\""'
now=$(date +%s)
ok "as long ahead as a boot takes" "test $now -ge $(($(since_epoch "$due") - 9))"
ok "and in time" "test $now -le $(since_epoch "$due")"
ok "the run succeeds" 'eventually 30 "spillway schedule history auto --json | json 0.state | grep -qx succeeded"'

# A paused schedule asks for nothing.
ok "they idle out" 'eventually 30 "test -z \"\$(workers)\""'
write paused "$(in_s 600)" 595s
spillway schedule add paused.yaml >/dev/null
spillway schedule pause paused >/dev/null
ok "a paused one lets go of what it asked for" 'eventually 30 "test -z \"\$(workers)\""'
spillway schedule resume paused >/dev/null
ok "a resumed one asks again" 'eventually 30 "test -n \"\$(workers)\""'
spillway schedule rm paused >/dev/null
ok "a removed one lets go" 'eventually 30 "test -z \"\$(workers)\""'

done_testing
