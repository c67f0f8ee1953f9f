# SPDX-License-Identifier: Apache-2.0
# 2760-schedule-clock.t - the clock set forward and back, and the broker stopped for an hour: once each
. "${0%/*}/../lib/spillway.sh"

faketime=$(find /usr/lib -name libfaketime.so.1 2>/dev/null | head -n 1)
test -n "$faketime" || skip_all "libfaketime is not installed"
test -z "$SANITIZE" || skip_all "libfaketime cannot be loaded before a sanitizer's library"

# Wall time of the broker comes from this file; monotonic time stays what it is.
clock() { echo "$1" >"$T/clock.new" && mv "$T/clock.new" "$T/clock"; }
clock +0
BROKER_WRAP="env LD_PRELOAD=$faketime FAKETIME_TIMESTAMP_FILE=$T/clock FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_FAKE_MONOTONIC=1"
broker_start

add() { # add NAME CATCH_UP
    cat >"$1.yaml" <<YAML
name: $1
command: ["true"]
schedule: {cron: "*/10 * * * *", overlap: allow, catch_up: $2}
YAML
    spillway schedule add "$1.yaml" >/dev/null
}
history() { spillway schedule history -n 1000 --json "$1"; }
fired() { history "$1" | json '*.outcome' | grep -cx fired; }
missed() { history "$1" | json '*.missed' | awk '{ sum += $1 } END { print sum + 0 }'; }
settled() { # the mark is beyond the time AT, in seconds
    next=$(spillway schedule show --json "$1" | json next)
    test "$(date -d "$next" +%s)" -gt "$2"
}
now() { echo $(($(date +%s) + ${1:-0})); }

# The process stands still for an hour: SIGSTOP, and the clock goes on.  An hour holds six instants.
add latest latest
add all all
add none none
kill -STOP "$broker_pid"
clock +60m
kill -CONT "$broker_pid"
for one in latest all none; do
    ok "$one: an hour later it has settled" 'eventually 30 "settled $one $(now 3600)"'
done
# An instant that lies within the last minute is on time, whatever the rule.
is "all: each of the six" "$(fired all)" 6
is "all: none is missed" "$(missed all)" 0
is "latest: the last of them" "$(fired latest)" 1
is "latest: the others are counted" "$(missed latest)" 5
ok "none: at most what was on time" "test $(fired none) -le 1"
is "none: the rest is counted" "$(($(fired none) + $(missed none)))" 6

# Set forward by a day, then back: what the day holds comes once.
clock +1500m
for one in latest none; do
    ok "$one: set forward by a day it has settled" 'eventually 30 "settled $one $(now 90000)"'
done
is "latest: one more for the day" "$(fired latest)" 2
before=$(history latest | json '*.time' | sort | tr '\n' ' ')
clock +60m
sleep 4 # the broker compares its clocks every two seconds
ok "latest: set back, the next run is within ten minutes of that clock" \
    'eventually 30 "test \$(date -d \"\$(spillway schedule show --json latest | json next)\" +%s) -le $(now 4230)"'
is "latest: nothing fired by that alone" "$(fired latest)" 2
# By and by the day comes: what was passed over runs in its time, what was fired does not again.
clock +75m
ok "latest: the day that was passed over runs when it comes" 'eventually 30 "test \$(fired latest) = 3"'
spillway schedule pause latest >/dev/null
history latest | json '*.time' >"$T/times"
is "no instant came twice" "$(sort "$T/times" | uniq -d)" ""
is "and each job belongs to one" "$(history latest | json '*.job' | grep -v '^$' | sort | uniq -d)" ""
for time in $before; do
    grep -qx "$time" "$T/times" || fail "the history still holds $time"
done

# Back by more than anything ever fired: yesterday's times were fired, or are long over.
count=$(fired all)
clock -1d
sleep 3
ok "all: set back by a day, nothing that was fired comes again" "test $(fired all) -ge $count"
history all | json '*.time' >"$T/times"
is "no instant came twice" "$(sort "$T/times" | uniq -d)" ""

done_testing
