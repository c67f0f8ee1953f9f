# SPDX-License-Identifier: Apache-2.0
# 2320-broker-killed.t - a broker that is killed at any moment loses nothing and does nothing twice
#
# The long form, by hand:  KILLS=200 JOBS_IN_ALL=2000 tests/lib/run 2320
. "${0%/*}/../lib/spillway.sh"

ok "killed again and again while jobs pass" '"$LIB/chaos" --seed 20261124 --kills "${KILLS:-10}" --jobs "${JOBS_IN_ALL:-200}" >figures.json'
broker_pid=$(cat "$T/chaos.pid" 2>/dev/null)
diag "$(cat figures.json)"
figure() { json "$1" <figures.json; }
is "every job was acknowledged" "$(figure acknowledged)" "${JOBS_IN_ALL:-200}"
is "none was refused" "$(figure refused)" 0
is "none was lost" "$(figure lost)" 0
is "none is there that nobody was told of" "$(figure unknown)" 0
is "none ran to success twice" "$(figure twice)" 0
is "none ran more than once at all" "$(figure ran_again)" 0
is "none succeeded without having run" "$(figure never_ran)" 0
ok "the database is whole" 'spillway doctor'
done_testing
