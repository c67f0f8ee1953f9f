# SPDX-License-Identifier: Apache-2.0
# 2340-clock.t - a clock that is set forward or back changes no timeout and loses no work
. "${0%/*}/../lib/spillway.sh"

faketime=$(find /usr/lib -name libfaketime.so.1 2>/dev/null | head -n 1)
test -n "$faketime" || skip_all "libfaketime is not installed"
test -z "$SANITIZE" || skip_all "libfaketime cannot be loaded before a sanitizer's library"

# Wall time of broker and agent comes from this file; monotonic time stays what it is.
clock() { echo "$1" >"$T/clock.new" && mv "$T/clock.new" "$T/clock"; }
clock +0
BROKER_WRAP="env LD_PRELOAD=$faketime FAKETIME_TIMESTAMP_FILE=$T/clock FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_FAKE_MONOTONIC=1"
cat >conf.yaml <<'YAML'
broker: {lease: {ttl: 5s, heartbeat: 1s}}
YAML
broker_start --config conf.yaml

cat >job.yaml <<YAML
resources: {walltime: 10m}
script: |
  #!/bin/sh
  until test -e "$T/end"; do sleep 0.1; done
YAML
id=$(submit job.yaml)
wait_state "$id" running
for shift in +1d -2d +0; do
    clock "$shift"
    other=$(submit -- true)
    ok "with the clock at $shift a job runs" 'wait_state "$other" succeeded'
    is "and the one that was running still does" "$(field "$id" state)" running
done
clock +1d
ok "a deadline in the past is past by that clock" '
    i=$(submit --hold --deadline "$(date -u -d "+1 hour" +%Y-%m-%dT%H:%M:%SZ)" -- true) && wait_state "$i" cancelled,failed ||
    submit --hold --deadline "$(date -u -d "+1 hour" +%Y-%m-%dT%H:%M:%SZ)" -- true 2>&1 | grep -qi "past"'
clock +0
touch "$T/end"
ok "the job ends well" 'wait_state "$id" succeeded'
is "at its first attempt" "$(attempts "$id" detail)$(field "$id" attempt)" 1
done_testing
