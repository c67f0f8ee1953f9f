# SPDX-License-Identifier: Apache-2.0
# 0020-layers.t - each folder keeps to its layer, and the rule that says so can fail
. "${0%/*}/../lib/spillway.sh"

ok "the tree keeps its layers" '"$LIB/layers.sh"'

mkdir -p "$T/tree/broker/sched" "$T/tree/broker/sites/openstack" "$T/tree/broker/cli" "$T/tree/worker-agent"
layers() { ROOT=$T/tree "$LIB/layers.sh"; }
echo '#include "store/store.h"' >"$T/tree/broker/sched/filter.c"
like "the scheduler may not see the store" "$(layers)" 'sched/filter.c:1: broker/sched must not include store/store.h'
echo '#include "broker.h"' >"$T/tree/broker/sites/openstack/nova.c"
like "a driver may not see the broker" "$(layers)" 'nova.c:1: broker/sites must not include broker.h'
echo '#include <sqlite3.h>' >"$T/tree/broker/cli/ls.c"
like "the command line may not see SQLite" "$(layers)" 'ls.c:1: <sqlite3.h> is for broker/store alone'
echo 'static const char sql[] = "SELECT id FROM jobs";' >"$T/tree/broker/cli/ls.c"
like "nor speak SQL" "$(layers)" 'ls.c:1: SQL is for'
echo 'if (!strcmp(type, "openstack"))' >"$T/tree/broker/cli/ls.c"
like "nor name a driver" "$(layers)" "ls.c:1: a driver's name"
{ echo 'static int f(void)'; echo '{'; seq 95; echo '}'; } >"$T/tree/broker/cli/ls.c"
like "a long function is seen" "$(layers)" 'ls.c:2: a function of 96 lines'
done_testing
