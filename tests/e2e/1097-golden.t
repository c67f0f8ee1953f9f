# SPDX-License-Identifier: Apache-2.0
# 1097-golden.t - jobs that end in every way there is end here as they do at every other kind of site
. "${0%/*}/../lib/spillway.sh"
broker_start
ok "all end" '"$LIB/golden" >got'
ok "as they must" 'diff -u "$ROOT/tests/data/golden/expected" got'
done_testing
