# SPDX-License-Identifier: Apache-2.0
# 1400-golden.t - jobs that end in every way there is end here as they do at every other kind of site
. "${0%/*}/lab.sh"
conf ", idle: 5s" site-a
guests_start
broker_start --config conf.yaml
ok "the site answers" 'eventually 120 "spillway sites show site-a --json | json health | grep -qx up"'
ok "all end" 'GOLDEN_LIMIT=800 "$LIB/golden" >got'
ok "as they must" 'diff -u "$ROOT/tests/data/golden/expected" got'
# But for those that never ran, whose dependency failed.
is "at the cloud" "$(spillway ls --all --limit 1000 --json | json '*.site' | grep . | sort -u)" site-a
ok "nothing is left at the cloud" 'nothing_is_left'
guests_stop
done_testing
