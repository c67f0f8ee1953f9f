# SPDX-License-Identifier: Apache-2.0
# 2010-api-bad-requests.t - whatever is sent, the answer is a clear one, nothing is queued, nothing breaks
. "${0%/*}/../lib/spillway.sh"

cat >slow.yaml <<'YAML'
broker: {http: {idle: 1s}}
YAML
broker_start --config slow.yaml

tell() { # what the script says, as TAP
    while IFS= read -r line; do
        case $line in
        "ok "*) pass "${line#ok }" ;;
        *) fail "${line#not ok }" ;;
        esac
    done
}

/usr/bin/python3 "$LIB/bad_requests.py" cases >cases.out
tell <cases.out
ok "that were more than 60" 'test "$(grep -c . cases.out)" -gt 60'
is "nothing was queued" "$("$LIB/api" GET '/v1/jobs?all=1' | json tasks)" "[]"

/usr/bin/python3 "$LIB/bad_requests.py" slow $((40 * SLOWER)) >slow.out
tell <slow.out
ok "and it says so" 'grep -q "too slow" "$T/broker.log"'
done_testing
