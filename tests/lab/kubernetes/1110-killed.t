# SPDX-License-Identifier: Apache-2.0
# 1110-killed.t - the broker is killed at random moments while pods come and go; nothing is lost, nothing left
#
# ROUNDS says how often (5), SEED which moments.
# run: limit 2400
# long
. "${0%/*}/lab.sh"
rounds=${ROUNDS:-5} seed=${SEED:-1}
conf
start
# Spans in hundredths of a second, the same for the same seed.
spans=$(awk -v seed="$seed" -v n="$rounds" 'BEGIN { srand(seed); for (i = 0; i < n; i++) printf "%.2f ", 0.1 + rand() * 4 }')
ids='' round=0
for span in $spans; do
    round=$((round + 1))
    ids="$ids $(submit --container "$IMAGE" --memory 64MiB --array 0-1 -- sh -c "sleep 1; echo round $round")"
    test $((round % 3)) != 0 || ids="$ids $(submit --memory 64MiB -- echo "round $round")"
    sleep "$span"
    broker_kill
    broker_start --config conf.yaml
done
pass "killed $rounds times"
# shellcheck disable=SC2086
ok "every job ends well" 'timeout 900 spillway wait $ids'
ok "each task once" 'test "$(spillway ls --all --expand --limit 1000 --json | json "*.state" | sort | uniq -c | grep -c .)" = 1'
ok "nothing is left in the namespace" 'nothing_is_left 240'
done_testing
