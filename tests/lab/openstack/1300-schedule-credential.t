# SPDX-License-Identifier: Apache-2.0
# 1300-schedule-credential.t - a credential that ends before a nightly run is told of days ahead, once
. "${0%/*}/lab.sh"

echo sesame >"$T/key"
chmod 600 "$T/key"
/usr/bin/python3 "$LIB/receiver.py" "$T" &
receiver=$!
stop() {
    stop_status=$?
    kill $receiver 2>/dev/null
    wait $receiver 2>/dev/null
    for name in ends-soon ends-late; do
        openstack --os-cloud site-a application credential delete $name 2>/dev/null
    done
    (exit $stop_status)
    clean_up
}
trap stop EXIT
eventually 30 'test -s "$T/port"' || fail "the receiver starts"

credential() { # credential NAME DAYS: as its user makes it; an entry of clouds.yaml
    openstack --os-cloud site-a application credential delete "$1" 2>/dev/null
    openstack --os-cloud site-a application credential create "$1" -f json \
        --expiration "$(date -u -d "+$2 days" +%Y-%m-%dT%H:%M:%S)" >"$T/$1.json" || return 1
    printf '  %s: {auth_type: v3applicationcredential, auth: {auth_url: "http://127.0.0.1:5000/v3"' "$1"
    printf ', application_credential_id: "%s"' "$(json id <"$T/$1.json")"
    printf ', application_credential_secret: "%s"}}\n' "$(json secret <"$T/$1.json")"
}
{
    echo clouds:
    credential ends-soon 3
    credential ends-late 60
} >clouds.yaml
like "the cloud's user has two credentials that end" "$(cat clouds.yaml)" "ends-soon: .*application_credential_id: \"[0-9a-f]+\""

conf "" ends-soon ends-late
sed -i "s|^broker: {|broker: {notify: {secret_file: $T/key, webhook: 'http://127.0.0.1:$(cat "$T/port")/operator'}, |" conf.yaml
OS_CLIENT_CONFIG_FILE=$PWD/clouds.yaml broker_start --config conf.yaml
told() { # FIELD of all events received
    cat "$T/received" 2>/dev/null | while read -r line; do
        printf '%s' "$line" | json "events.*.$1"
    done
}
credential_of() { spillway schedule show --json "$1" | json "credential.${2:-site}"; }

# One has a run behind the end, one has not, one may not go there.
day() { date -u -d "+$1 days" +%Y-%m-%dT%H:%M:%SZ; }
printf 'name: nightly\ncommand: ["true"]\nschedule: {cron: "0 3 * * *"}\n' >nightly.yaml
printf 'name: tomorrow\ncommand: ["true"]\nschedule: {at: "%s"}\n' "$(day 1)" >tomorrow.yaml
printf 'name: elsewhere\ncommand: ["true"]\nplacement: {sites: {exclude: [ends-soon]}}\nschedule: {cron: "0 3 * * *"}\n' >elsewhere.yaml
spillway schedule add nightly.yaml tomorrow.yaml elsewhere.yaml >/dev/null
ok "the schedule shows it" 'eventually 60 "credential_of nightly | grep -qx ends-soon"'
end=$(json expires_at <"$T/ends-soon.json" | cut -c1-19)
like "with the end that the cloud gives" "$(credential_of nightly end)" "^$end"
is "not one whose run comes before the end" "$(credential_of tomorrow)" ""
is "nor one that may not go there" "$(credential_of elsewhere)" ""
like "ls says it in words" "$(spillway schedule ls)" "credential of site ends-soon ends at .*renew it"
like "so does sites" "$(spillway sites show ends-soon)" "$(echo "$end" | cut -c1-10)"
ok "the operator is told" 'eventually 60 "told event | grep -qx credential"'
is "of that site" "$(told site)" ends-soon
broker_stop
OS_CLIENT_CONFIG_FILE=$PWD/clouds.yaml broker_start --config conf.yaml
ok "after a restart the schedule shows it again" 'eventually 60 "credential_of nightly | grep -qx ends-soon"'
sleep 8
is "but the operator was told once" "$(told event | grep -cx credential)" 1
is "the far end is nobody's worry yet" "$(told site | grep -c late)" 0

# A new credential: the warning goes.
{
    echo clouds:
    credential ends-soon 60
    credential ends-late 60
} >clouds.new
mv clouds.new clouds.yaml
kill -HUP "$broker_pid"
ok "once it was renewed, the warning is gone" 'eventually 60 "test -z \"\$(credential_of nightly)\""'

done_testing
