# SPDX-License-Identifier: Apache-2.0
# 2360-bad-database.t - a database that cannot be used is refused with words, and left as it is
. "${0%/*}/../lib/spillway.sh"

refused() { # refused WORDS PATTERN: the start fails within seconds and says so
    before=$(sha256sum "$STATE/spillway.db" 2>/dev/null)
    timeout $((20 * SLOWER)) spillwayd --state "$STATE" 2>start.log
    status=$?
    ok "$1: it does not start" 'test $status != 0 && test $status -lt 124'
    like "$1: and says why" "$(cat start.log)" "$2"
    is "$1: nothing is touched" "$(sha256sum "$STATE/spillway.db" 2>/dev/null)" "$before"
}

broker_start
id=$(submit -- true)
wait_state "$id" succeeded
broker_stop
cp -a "$STATE" "$T/good"

head -c 65536 /dev/urandom >"$STATE/spillway.db"
rm -f "$STATE"/spillway.db-*
refused "not a database" 'spillway\.db.*(not a database|malformed|corrupt)'

rm -rf "$STATE" && cp -a "$T/good" "$STATE"
/usr/bin/python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA user_version = 9999")
db.close()' "$STATE/spillway.db"
refused "of a newer version" 'newer'

rm -rf "$STATE" && cp -a "$T/good" "$STATE"
rm "$STATE/spillway.db" && mkdir "$STATE/spillway.db"
refused "a folder in its place" 'spillway\.db'

rm -rf "$STATE" && cp -a "$T/good" "$STATE"
if test "$(id -u)" = 0; then
    skip "unreadable" "root may read everything"
else
    chmod 000 "$STATE/spillway.db"
    refused "unreadable" '[Pp]ermission'
fi

rm -rf "$STATE" && cp -a "$T/good" "$STATE"
chmod 600 "$STATE/spillway.db"
ok "the good one still starts" broker_start
is "with what it held" "$(field "$id" state)" succeeded
spillway doctor >doctor.log 2>&1
is "doctor finds nothing" $? 0
ok "doctor makes a copy while all goes on" 'spillway doctor --backup "$T/copy.db" && test -s "$T/copy.db"'
broker_stop

# Damage inside: the broker may start, but doctor names it and repairs nothing.
/usr/bin/python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA foreign_keys = OFF")
db.execute("UPDATE jobs SET tasks = tasks + 5")
db.commit()' "$STATE/spillway.db" 2>/dev/null
if broker_start 2>/dev/null; then
    nok "counters that do not agree are found" 'spillway doctor >doctor.log 2>&1'
    nok "and found again: nothing was repaired in silence" 'spillway doctor'
fi
done_testing
