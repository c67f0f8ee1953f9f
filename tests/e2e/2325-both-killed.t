# SPDX-License-Identifier: Apache-2.0
# 2325-both-killed.t - broker and agents killed by turns: work may be done again, results come once
. "${0%/*}/../lib/spillway.sh"

ok "killed again and again while jobs pass" '"$LIB/chaos" --agents --seed 7 --kills "${KILLS:-10}" --jobs "${JOBS_IN_ALL:-100}" >figures.json'
broker_pid=$(cat "$T/chaos.pid" 2>/dev/null)
diag "$(cat figures.json)"
figure() { json "$1" <figures.json; }
is "every job was acknowledged" "$(figure acknowledged)" "${JOBS_IN_ALL:-100}"
is "none was lost" "$(figure lost)" 0
is "none is there that nobody was told of" "$(figure unknown)" 0
is "none ran to success twice" "$(figure twice)" 0
is "none succeeded without having run" "$(figure never_ran)" 0
ok "agents were among the killed" 'test "$(figure agent_kills)" -gt 0'
ok "the database is whole" 'spillway doctor'
done_testing
