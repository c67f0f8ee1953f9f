# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# lab.sh - what the tests of the Slurm lab share, on top of tests/lib/spillway.sh.
#
# A test has the cluster to itself: what earlier ones left in the queue is removed first.  LAB, LAB_USER,
# LAB_PORT and SLURM_CONF come from tests/lab/slurm/run.

ROOT=${ROOT:-$(cd "${0%/*}/../../.." && pwd)}
SLURM=$ROOT/tests/lab/slurm
. "$ROOT/tests/lib/spillway.sh"
test -n "${LAB:-}" || skip_all "no lab; tests/lab/slurm/run starts it"

PORT=$((20000 + $$ % 10000))

# conf [KEYS]: conf.yaml with the cluster as its only site, with these keys besides.
conf() {
    cat >conf.yaml <<YAML
broker: {listen: "127.0.0.1:$PORT", lease: {ttl: 10s, heartbeat: 1s}}
sites:
  - {name: home, type: slurm, ssh: {host: login, config: "${SSH_CONFIG:-$LAB/ssh_config}"}, partitions: [batch, gpu],
     time: 20m, probe: 2s, reconcile: 2s, idle: 3s, boot_deadline: 2m${1:+, $1}}
YAML
}

start() {
    broker_start --config conf.yaml
    ok "the cluster answers" 'eventually 60 site_is_up'
}

site_is_up() {
    test "$(spillway sites show home --json | json health)" = up
}

# What the site's own words for its trouble are.
site_fault() {
    spillway sites show home --json | json fault
}

# Pilots in the cluster's queue, by name.
pilots() {
    squeue -h -u "$LAB_USER" -o '%j' | grep '^spillway-'
}

nothing_is_left() {
    eventually "${1:-60}" 'test -z "$(pilots)" && test -z "$(ls "$LAB/home/.spillway/workers" 2>/dev/null)"'
}

# burst_field HOME-ID KEY: of the job that was taken from the queue under that id.
burst_field() {
    spillway burst ls --all --json | python3 -c 'import json, sys
for row in json.load(sys.stdin):
    if row["home"] == sys.argv[1]:
        print(row[sys.argv[2]])' "$1" "$2"
}

# sessions_of KIND: how many sessions of SSH were begun so far, for a `command` or the `subsystem` of SFTP.
sessions_of() {
    grep -c "Starting session: $1" "$LAB/log/sshd"
}

as_user() {
    ssh -F "$LAB/ssh_config" login "$@"
}

"$SLURM/lab" up "$LAB" slurmctld
"$SLURM/lab" up "$LAB" sshd
test -z "$(squeue -h -u "$LAB_USER" -o %i)" || scancel -u "$LAB_USER"
eventually 60 'test -z "$(squeue -h -u "$LAB_USER" -o %i)"' || skip_all "the cluster's queue does not empty"
eventually 60 'test "$(sinfo -h -N -t idle -o %N | sort -u | grep -c .)" = 2' || skip_all "the nodes are not idle"
rm -rf "$LAB/home/.spillway/workers" "$LAB/home/.spillway/burst"
