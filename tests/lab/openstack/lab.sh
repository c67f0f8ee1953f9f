# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# lab.sh - what the tests of the OpenStack lab share, on top of tests/lib/spillway.sh.
#
# A test has the cloud to itself: what earlier ones left is removed first.

ROOT=${ROOT:-$(cd "${0%/*}/../../.." && pwd)}
OPENSTACK=$ROOT/tests/lab/openstack
. "$ROOT/tests/lib/spillway.sh"
test -n "${LAB:-}" || skip_all "no lab; tests/lab/openstack/run starts it"

# conf KEYS SITE...: conf.yaml with these sites, each with these keys besides.
conf() {
    conf_keys=$1
    shift
    {
        echo 'broker: {listen: "127.0.0.1:7455", url: "https://127.0.0.1:7455", log: debug'
        echo '  , lease: {ttl: 10s, heartbeat: 1s}}'
        echo 'sites:'
        for conf_site in "$@"; do
            echo "  - {name: $conf_site, type: openstack, cloud: $conf_site, network: labnet, probe: 3s, reconcile: 5s"
            echo "     , calls: {per_second: 50, burst: 50}$conf_keys}"
        done
    } >conf.yaml
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

# As the cloud's own client sees it.
nothing_is_left() {
    "$OPENSTACK/cloud.py" wait-none "${1:-60}" &&
        test -z "$(openstack --os-cloud admin server list --all-projects -f value -c Name | grep '^spillway-')" &&
        test -z "$(openstack --os-cloud admin port list -f value -c Name | grep '^spillway-')"
}

"$OPENSTACK/cloud.py" clean >/dev/null || skip_all "the cloud does not answer, or what bears our mark does not go"
