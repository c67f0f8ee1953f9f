#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# layers.sh - which folder may use which, and where certain words may stand.
#
# Arrows point down: api cron dispatch reconcile -> store sites -> net conf -> base.  `sched` is pure, `store`
# and `sites` do not know each other, `cli` never sees the store or a driver.  Prints what breaks a rule,
# as FILE:LINE: words, and ends with 1 when anything did.  ROOT names another tree (a test of this test).
set -u
cd "${ROOT:-${0%/*}/../..}" || exit 1

# folder        may include headers of (base, spillway and its own always)
layers="
broker/base
broker/net
broker/conf     net
broker/store    net conf
broker/sched    conf
broker/sites    net conf sched
broker/cron     conf store net
broker/notify   net conf store
broker/api      net conf store sites cron broker
broker          net conf store sites cron notify sched api broker
broker/cli      net conf sched cron
worker-agent    worker-agent
"
# Headers of libraries, and who may see them.
libraries="
sqlite3.h       broker/store
microhttpd.h    broker/api
libssh2.h       broker/net
curl/curl.h     broker/net broker/cli
mbedtls/        worker-agent
http_parser.h   worker-agent
ares.h          worker-agent
"
broken=0
report() {
    echo "$*"
    broken=1
}
sources() {
    find broker worker-agent include -name '*.[ch]' 2>/dev/null | sort
}

# FILE:LINE:#include "HEADER"
includes() {
    # shellcheck disable=SC2046
    grep -n "^#include $1" $(sources) /dev/null
}

check_includes() {
    includes '"' | awk -v layers="$layers" '
    BEGIN {
        n = split(layers, line, "\n")
        for (i = 1; i <= n; i++) {
            m = split(line[i], word, " +")
            for (j = 2; j <= m; j++) may[word[1], word[j]] = 1
        }
    }
    {
        split($0, part, ":"); file = part[1]
        folder = file; sub("/[^/]*$", "", folder)
        if (folder ~ "^broker/sites/") folder = "broker/sites"
        if (folder ~ "^broker/cli/") folder = "broker/cli"
        match($0, /"[^"]*"/); header = substr($0, RSTART + 1, RLENGTH - 2)
        # A bare name is of the own folder; "store/store.h" belongs to store; broker.h to broker itself.
        target = header ~ "/" ? header : folder "/" header
        if (header == "broker.h" && folder != "broker/conf") target = "broker/broker.h"
        sub("^broker/", "", target)
        if (target !~ "/") target = "broker/" target
        sub("/.*", "", target)
        own = folder; sub("^broker/", "", own)
        if (target == own || target == "base" || target == "spillway" || folder == "include/spillway") next
        if (!((folder, target) in may)) print file ":" part[2] ": " folder " must not include " header
    }'
}

check_libraries() {
    echo "$libraries" | while read -r header folders; do
        test -n "$header" || continue
        includes "<$header" | while IFS= read -r line; do
            case " $folders " in *" ${line%/*:*} "*) ;; *) echo "${line%%:#*}: <$header> is for $folders alone" ;; esac
        done
    done
}

# check_words PATTERN WORDS FOLDER: in strings, outside that folder.  conf/site.c is let off the drivers' names:
# the defaults of a site file say which kinds of site stand near.
check_words() {
    # shellcheck disable=SC2046
    grep -nE "$1" $(sources | grep -v "^$3/") /dev/null | sed "s|^\([^:]*:[0-9]*\):.*|\1: $2|"
}

check_size() {
    # shellcheck disable=SC2046
    awk 'function end_of_file() { if (lines > 900) print last ": " lines " lines, 900 at most" }
    FNR == 1 { end_of_file(); last = FILENAME }
    { lines = FNR }
    /^\{/ { start = FNR }
    /^\}/ && start { if (FNR - start > 90) print FILENAME ":" start ": a function of " FNR - start " lines, 90 at most"; start = 0 }
    END { end_of_file() }' $(sources; find tests -name '*.[ch]' 2>/dev/null) /dev/null
}

check_spdx() {
    git ls-files -- '*.[ch]' '*.sh' '*.t' '*.yaml' '*.awk' 2>/dev/null | while read -r file; do
        case $file in tests/fuzz/seeds/* | tests/data/*) continue ;; esac # their lines count
        test ! -f "$file" || head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
            echo "$file:1: no SPDX line"
    done
}

found=$(
    check_includes
    check_libraries
    check_words '"[^"]*\<(SELECT|INSERT INTO|DELETE FROM|CREATE TABLE|PRAGMA)\>' "SQL is for broker/store alone" broker/store
    check_words '\<(openstack|kubernetes|slurm|heat|magnum|local)_driver\>|"(openstack|kubernetes|slurm|heat|magnum)"' \
        "a driver's name is for broker/sites alone" broker/sites | grep -v '^broker/conf/site\.c:'
    check_size
    check_spdx
)
test -z "$found" || report "$found"
exit $broken
