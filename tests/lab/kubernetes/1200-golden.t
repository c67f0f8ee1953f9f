# SPDX-License-Identifier: Apache-2.0
# 1200-golden.t - jobs that end in every way there is end here as they do at every other kind of site
# run: limit 1500
. "${0%/*}/lab.sh"
conf
start
GOLDEN_LIMIT=600
export GOLDEN_LIMIT
ok "all end" '"$LIB/golden" >got'
ok "as they must" 'diff -u "$ROOT/tests/data/golden/expected" got'
ok "nothing is left" 'nothing_is_left 240'
done_testing
