# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034
# spillway.sh - what the end-to-end tests share: a place of their own, a broker in it, and TAP.
#
# A test sources this file, tells its story with ok/is/like, and ends with done_testing.  It starts the
# real programs, waits for states (wait_state, eventually), never for a while.  Everything lies in $T,
# which is removed at the end together with every process that the test's programs started.

ROOT=${ROOT:-$(cd "${0%/*}/../.." && pwd)}
BUILD=${BUILD:-$ROOT/build}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
SLOWER=${SLOWER:-1}
# Whatever we start inherits the mark; it is how the test's processes are known from others.
SPILLWAY_TEST=${SPILLWAY_TEST:-by-hand-$$}
export BUILD ROOT SPILLWAY_TEST

T=$(mktemp -d "${TMPDIR:-/tmp}/sw.XXXXXX") || exit 1
STATE=$T/state
SOCKET=$STATE/spillway.sock
HOME=$T/home
PATH=$BUILD/bin:$PATH
SPILLWAY_URL=unix://$SOCKET
LIB=$ROOT/tests/lib
unset SPILLWAY_TOKEN SPILLWAY_CONFIG XDG_STATE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR XDG_CACHE_HOME
export HOME PATH SPILLWAY_URL T STATE
mkdir -p "$HOME" "$T/work"
cd "$T/work" || exit 1

tap_count=0 tap_failed=0 tap_planned="" tap_inside="" broker_pid=""

# ---- TAP ---------------------------------------------------------------------------------------------

plan() {
    tap_planned=$1
    echo "1..$1"
}

# A broker that is still there must end cleanly; one that should be there and is not, has crashed.
done_testing() {
    end_agents
    broker_stop || fail "the broker ends cleanly (status $broker_status)"
    test -n "$tap_planned" || echo "1..$tap_count"
    test "$tap_failed" = 0
    exit
}

skip_all() {
    echo "1..0 # skip $1"
    exit 0
}

skip() { # skip WORDS REASON
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # skip $2"
}

diag() {
    printf '%s\n' "$*" | sed 's/^/# /'
}

tap_result() { # tap_result STATUS WORDS
    tap_count=$((tap_count + 1))
    if test "$1" = 0; then
        echo "ok $tap_count - $2"
    else
        tap_failed=$((tap_failed + 1))
        echo "not ok $tap_count - $2"
    fi
    return "$1"
}

pass() { tap_result 0 "$1"; }
fail() { tap_result 1 "$1"; }

# ok WORDS COMMAND: the command, a shell text, succeeds.  Its output is shown when it does not.
ok() {
    tap_inside=1
    eval "$2" >"$T/ok.out" 2>&1
    tap_status=$?
    tap_inside=''
    if test $tap_status = 0; then
        tap_result 0 "$1"
    else
        tap_result 1 "$1" || diag "failed: $2"
        sed 's/^/#   /' "$T/ok.out" | tail -n 30
        return 1
    fi
}

# nok WORDS COMMAND: the command fails.  It must fail by itself: a signal is not a refusal.
nok() {
    eval "$2" >"$T/ok.out" 2>&1
    tap_status=$?
    if test $tap_status != 0 && test $tap_status -lt 126; then
        tap_result 0 "$1"
    else
        tap_result 1 "$1" || diag "ended with $tap_status: $2"
        sed 's/^/#   /' "$T/ok.out" | tail -n 30
        return 1
    fi
}

# is WORDS GOT WANTED
is() {
    if test "$2" = "$3"; then
        tap_result 0 "$1"
    else
        tap_result 1 "$1" || diag "     got: $2"
        diag "expected: $3"
        return 1
    fi
}

# like WORDS TEXT PATTERN, a pattern of grep -E; unlike is its opposite.
like() {
    if printf '%s\n' "$2" | grep -Eq -e "$3"; then
        tap_result 0 "$1"
    else
        tap_result 1 "$1" || diag "     got: $2"
        diag "no match: $3"
        return 1
    fi
}

unlike() {
    if printf '%s\n' "$2" | grep -Eq -e "$3"; then
        tap_result 1 "$1" || diag "     got: $2"
        diag " matches: $3"
        return 1
    else
        tap_result 0 "$1"
    fi
}

# ---- waiting -----------------------------------------------------------------------------------------

# eventually SECONDS COMMAND: until it succeeds; bounded, so that a test ends.
eventually() {
    eventually_end=$(($(date +%s) + $1 * SLOWER))
    until eval "$2" >/dev/null 2>&1; do
        test "$(date +%s)" -lt "$eventually_end" || {
            diag "not so after $(($1 * SLOWER)) s: $2"
            return 1
        }
        sleep 0.05
    done
}

# wait_state ID STATE [--attempt N] [--limit SECONDS]: STATE may be a list, "succeeded,failed", or
# "ended".  A task that has ended otherwise ends the wait at once.
wait_state() {
    "$LIB/api" wait "$@"
}

# ---- programs ----------------------------------------------------------------------------------------

# broker_start [ARGUMENTS of spillwayd]: returns once it says that it is ready.  BROKER_WRAP is put
# before the program (an LD_PRELOAD, a limit).  Without a broker there is no story to tell: unless it is
# itself what is tested (ok "it starts" broker_start), a failure ends the test.
broker_start() {
    # shellcheck disable=SC2086
    ${BROKER_WRAP:-} spillwayd --state "$STATE" "$@" >>"$T/broker.log" 2>&1 &
    broker_pid=$!
    eventually 60 'broker_ready || ! process_alive $broker_pid' && broker_ready && return 0
    broker_show_log
    diag "the broker did not become ready"
    test -n "$tap_inside" || exit 1
    return 1
}

broker_ready() {
    "$LIB/api" GET /readyz >/dev/null 2>&1
}

# SIGTERM, and it ends "cleanly within seconds".  Status: the broker's.
broker_stop() {
    test -n "$broker_pid" || return 0
    kill -TERM "$broker_pid" 2>/dev/null
    eventually 30 '! process_alive $broker_pid' || kill -KILL "$broker_pid"
    wait "$broker_pid"
    broker_status=$?
    broker_pid=
    # 127: not our child (tests/lib/chaos started it), so that nobody can say; it did end.
    test $broker_status = 0 || test $broker_status = 127
}

broker_kill() {
    kill -KILL "$broker_pid"
    wait "$broker_pid" 2>/dev/null
    broker_pid=
}

broker_show_log() {
    test ! -s "$T/broker.log" || tail -n 40 "$T/broker.log" | sed 's/^/# broker: /'
}

# submit ...: prints the id alone.
submit() {
    spillway submit --parsable "$@"
}

# field ID NAME: of `show --json`; "" when null.
field() {
    spillway show --json "$1" | json "$2"
}

# json PATH <document: "jobs.0.id" of it; strings bare, the rest as JSON, null as nothing.
json() {
    "$LIB/json" "$@"
}

# attempts ID NAME: that field of every attempt, oldest first, on one line.
attempts() {
    "$LIB/api" GET "/v1/jobs/$1/attempts" | json "attempts.*.$2" | tr '\n' ' ' | sed 's/ $//'
}

# ---- processes ---------------------------------------------------------------------------------------

process_alive() {
    test -r "/proc/$1/stat" || return 1
    case $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) in Z* | X* | '') return 1 ;; esac
}

# Pids of what this test's programs started, itself apart: by the mark, or by where they stand.
# All of a machine are looked at in two calls, for there may be thousands.
processes() {
    processes_seen=' '
    for processes_pid in $(
        grep -lzsFx "SPILLWAY_TEST=$SPILLWAY_TEST" /proc/[0-9]*/environ
        find /proc/[0-9]*/cwd -maxdepth 0 -lname "$STATE/*" 2>/dev/null
    ); do
        processes_pid=${processes_pid#/proc/}
        processes_pid=${processes_pid%%/*}
        case $processes_seen in *" $processes_pid "*) continue ;; esac
        processes_seen="$processes_seen$processes_pid "
        test "$processes_pid" != $$ && process_alive "$processes_pid" && echo "$processes_pid"
    done
}

# Pids of this test's agents.  A child that an agent has forked and that is not yet what it will be is none.
agents() {
    for agents_pid in $(processes); do
        case $(readlink "/proc/$agents_pid/exe" 2>/dev/null) in */spillway-agent) ;; *) continue ;; esac
        agents_parent=$(sed 's/.*) . \([0-9]*\).*/\1/' "/proc/$agents_pid/stat" 2>/dev/null)
        case $(readlink "/proc/$agents_parent/exe" 2>/dev/null) in */spillway-agent) ;; *) echo "$agents_pid" ;; esac
    done
}

# agent_pid ID: the agent that has the task; the local site notes its pid in the worker's folder.
agent_pid() {
    cut -d ' ' -f 1 "$STATE/sites/local/$(field "$1" worker)/pid"
}

# Agents take SIGTERM for "your machine is taken away" and go at once while the broker answers.
end_agents() {
    for end_pid in $(agents); do
        kill -TERM "$end_pid" 2>/dev/null
    done
    eventually 3 'test -z "$(agents)"' >/dev/null
}

# What is left of all that this test has started.  The subshells of this very pipeline bear the mark too;
# they are our children and end by themselves.
strays() {
    for stray in $(processes); do
        test "$(sed 's/.*) . \([0-9]*\).*/\1/' "/proc/$stray/stat" 2>/dev/null)" != $$ ||
            test "$stray" = "$broker_pid" || continue
        process_alive "$stray" && echo "$stray"
    done
}

clean_up() {
    clean_up_status=$?
    trap - EXIT
    test "$tap_failed" = 0 && test $clean_up_status = 0 || broker_show_log
    if test -d "$STATE"; then
        test -z "$broker_pid" || kill -TERM "$broker_pid" 2>/dev/null
        end_agents
        for stray in $(strays); do
            kill -KILL "$stray" 2>/dev/null
        done
        eventually 5 'test -z "$(strays)"' >/dev/null
    fi
    cd /
    umount "$STATE" 2>/dev/null # of the tests that fill a small one
    rm -rf "$T"
    exit $clean_up_status
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP
