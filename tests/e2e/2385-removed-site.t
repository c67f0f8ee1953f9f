# SPDX-License-Identifier: Apache-2.0
# 2385-removed-site.t - a site that is taken out of the configuration while something of ours is there is not forgotten
. "${0%/*}/../lib/spillway.sh"
printf 'sites:\n  - {name: one, type: local}\n' >conf.yaml
broker_start --config conf.yaml
id=$(spillway submit --parsable -- sh -c 'while ! test -e "$0"; do sleep 0.2; done' "$T/end")
ok "a job runs" 'wait_state "$id" running'
ok "the doctor finds nothing" 'spillway doctor >doctor.log'

# removed NAME: what `sites` says of a site that is not configured.
removed() {
    spillway sites --json | python3 -c 'import json, sys
for site in json.load(sys.stdin):
    if site["name"] == sys.argv[1]: print(site["health"], site["workers"], site["detail"])' "$1"
}
printf 'sites:\n  - {name: two, type: local}\n' >conf.yaml
kill -HUP "$broker_pid"
ok "its site is taken out, and still shown" 'eventually 30 "removed one | grep -q ^removed.1"'
like "with what is there and what to do" "$(removed one)" "1 worker may still be there.*put the site back"
like "the log tells it" "$(cat "$T/broker.log")" "site one: it is not in the configuration any more"
is "the doctor finds it" "$(spillway doctor >doctor.log 2>&1; echo $?)" 1
like "by name" "$(cat doctor.log)" "site one: it is not in the configuration"
is "the new one is there" "$(spillway sites --json | grep -c '"two"')" 1

# A cluster that a driver has noted before it made it.
mkdir -p "$STATE/sites/cluster"
echo spillway-cluster >"$STATE/sites/cluster/made"
like "a cluster without its site is told too" "$(removed cluster)" "^removed 0 .*a cluster may still be there"
rm "$STATE/sites/cluster/made"
is "until it is gone" "$(removed cluster)" ""

printf 'sites:\n  - {name: one, type: local}\n' >conf.yaml
kill -HUP "$broker_pid"
ok "put back, it is a site as before" 'eventually 30 "spillway sites show one --json | json mode | grep -q enabled"'
: >"$T/end"
ok "and its job ends well" 'wait_state "$id" succeeded'
is "at its first attempt" "$(field "$id" attempt)" 1
broker_stop
done_testing
