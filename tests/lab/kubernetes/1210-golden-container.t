# SPDX-License-Identifier: Apache-2.0
# 1210-golden-container.t - the same in a container image, each job in a pod of its own
# run: limit 1500
. "${0%/*}/lab.sh"
conf
start
GOLDEN_LIMIT=600
export GOLDEN_LIMIT
ok "all end, in a container image" '"$LIB/golden" --container "$IMAGE" >got'
ok "as they must" 'diff -u "$ROOT/tests/data/golden/expected" got'
ok "nothing is left" 'nothing_is_left 240'
done_testing
