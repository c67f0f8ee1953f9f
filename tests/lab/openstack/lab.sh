# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# lab.sh - what the tests of the OpenStack lab share, on top of tests/lib/spillway.sh.
#
# A test has projects to itself, which stand for site-a, site-b and site-c: what earlier ones left there is removed
# first.  Tests that run beside each other have others (lanes), and another address for their broker.

ROOT=${ROOT:-$(cd "${0%/*}/../../.." && pwd)}
OPENSTACK=$ROOT/tests/lab/openstack
# A whole cloud on this machine, and other tests beside: limits are there to end what hangs.
SLOWER=$((${SLOWER:-1} * 3))
export SLOWER
. "$ROOT/tests/lib/spillway.sh"
test -n "${LAB:-}" || skip_all "no lab; tests/lab/openstack/run starts it"
# Tests that only a release needs say so in their head; LAB_LONG=1 runs them too.
if grep -q '^# long$' "$0" && test -z "${LAB_LONG:-}"; then
    skip_all "takes minutes; LAB_LONG=1 runs it"
fi
LANE=${TEST_SLOT:-1}
BROKER=127.0.0.$LANE:7455
if test "$LANE" != 1; then
    OS_CLIENT_CONFIG_FILE=$LAB/lane$LANE/clouds.yaml OS_CLIENT_SECURE_FILE=$LAB/lane$LANE/secure.yaml
    export OS_CLIENT_CONFIG_FILE OS_CLIENT_SECURE_FILE
fi

# conf KEYS SITE...: conf.yaml with these sites, each with these keys besides.
conf() {
    conf_keys=$1
    shift
    {
        echo "broker: {listen: \"$BROKER\", url: \"https://$BROKER\", log: debug"
        echo '  , lease: {ttl: 10s, heartbeat: 1s}}'
        echo 'sites:'
        for conf_site in "$@"; do
            echo "  - {name: $conf_site, type: openstack, cloud: $conf_site, network: labnet, probe: 3s, reconcile: 5s"
            echo "     , calls: {per_second: 50, burst: 50}$conf_keys}"
        done
    } >conf.yaml
}

# project_of SITE: the name of the project that stands for it here, and of its user.
project_of() {
    test "$LANE" = 1 && echo "$1" || echo "$1-$LANE"
}

guests_start() {
    mkdir -p "$T/guests"
    "$OPENSTACK/guests.py" "$T/guests" >"$T/guests.log" 2>&1 &
    guests_pid=$!
}

guests_stop() {
    kill -TERM "$guests_pid"
    wait "$guests_pid" 2>/dev/null
}

# Faults of a kind that the broker noted of a site.
quota_faults() {
    grep -c "site $1: create: .*: 403: .*[Qq]uota" "$T/broker.log"
}

# requests WHAT WORKER: how many requests "making" or "removing" it took, all tries together.
requests() {
    sed -n "s/.*: $1 $2 took \([0-9]*\) requests.*/\1/p" "$T/broker.log" | awk '{ n += $1 } END { print n + 0 }'
}

# As the cloud's own library sees it.
nothing_is_left() {
    "$OPENSTACK/cloud.py" wait-none "${1:-240}"
}

"$OPENSTACK/cloud.py" clean >/dev/null || skip_all "the cloud does not answer, or what bears our mark does not go"
