# SPDX-License-Identifier: Apache-2.0
# 2350-disk-full.t - a full disk is said plainly, loses nothing, and is over when there is room again
test -n "${IN_NAMESPACE:-}" || {
    # Small file systems need a mount namespace; where users may make one, root is not needed.
    unshare -rm true 2>/dev/null && exec env IN_NAMESPACE=1 unshare -rm sh "$0"
    echo "1..0 # skip no mount namespace may be made here"
    exit 0
}
. "${0%/*}/../lib/spillway.sh"

fill() { dd if=/dev/zero of="$1/ballast" bs=64k 2>/dev/null; dd if=/dev/zero of="$1/ballast2" bs=1k 2>/dev/null; sync; }
relieve() { rm -f "$1/ballast" "$1/ballast2"; }

mkdir -p "$STATE"
mount -t tmpfs -o size=16m none "$STATE" || skip_all "no tmpfs may be mounted here"
broker_start
id=$(submit -- true)
ok "a job runs" 'wait_state "$id" succeeded'

fill "$STATE"
acknowledged=''
while i=$(submit -- true 2>submit.err); do
    acknowledged="$acknowledged $i"
    test "$(echo "$acknowledged" | wc -w)" -lt 3000 || break
done
like "a submission that cannot be kept is refused" "$(cat submit.err)" '(space|full)'
ok "the broker lives" 'spillway ls'
relieve "$STATE"
ok "with room again it takes jobs" 'eventually 30 "i=\$(submit -- true)"'
ok "and all that it had acknowledged run" 'for i in $acknowledged; do wait_state "$i" succeeded || exit 1; done'
ok "the database is whole" 'spillway doctor'

mkdir -p "$STATE/blobs"
fill "$STATE"
truncate -s 4M big && head -c 100 /dev/urandom >>big
printf 'inputs: [big]\ncommand: ["true"]\n' >big.yaml
nok "an input for which there is no room is refused" 'submit big.yaml 2>submit.err'
like "for that reason" "$(cat submit.err)" '(space|full)'
relieve "$STATE"
ok "with room again it is taken" 'id=$(submit big.yaml) && wait_state "$id" succeeded'

cat >greedy.yaml <<'YAML'
command: [dd, if=/dev/zero, of=fill, bs=1M]
retries: {user: 0, infra: 1}
YAML
id=$(submit greedy.yaml)
ok "a job that fills its directory ends" 'wait_state "$id" failed'
like "and its log says why" "$(spillway logs --stderr "$id")" 'No space left'
id=$(submit -- true)
ok "what it filled is free again" 'wait_state "$id" succeeded'
done_testing
