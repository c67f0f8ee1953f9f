#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# demo.sh - `make demo`: a broker with nothing configured runs a real analysis on this machine.
#
# What it does is what a user would type; the commands are printed as they run.  The broker keeps its
# state in a directory that is removed at the end, with the broker and its worker; the results stay in
# $BUILD/demo, which `make clean` removes.
set -eu

here=$(cd "${0%/*}" && pwd)
BUILD=${BUILD:-$here/../build}
results=$BUILD/demo
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
PATH=$BUILD/bin:$PATH
state=$(mktemp -d "${TMPDIR:-/tmp}/spillway-demo.XXXXXX")
SPILLWAY_URL=unix://$state/spillway.sock
export SPILLWAY_URL
unset SPILLWAY_TOKEN SPILLWAY_CONFIG
broker=''

say() { printf '\n== %s\n' "$*"; }
run() {
    printf '$ %s\n' "$*"
    "$@"
}
alive() {
    case $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) in Z* | '') return 1 ;; esac
}
# Agents of this broker: what runs our agent with a working directory or an argument below its state.
agents() {
    for dir in /proc/[0-9]*; do
        case $(readlink "$dir/exe" 2>/dev/null) in */spillway-agent*) ;; *) continue ;; esac
        case $(readlink "$dir/cwd" 2>/dev/null) in
        "$state"*) echo "${dir#/proc/}" ;;
        *) grep -qsaF "$state" "$dir/cmdline" "$dir/environ" && echo "${dir#/proc/}" ;;
        esac
    done
}
# Wait at most 15 s for a command to succeed.
within() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        test $tries -lt 150 || return 1
        sleep 0.1
    done
}
no_agents() { test -z "$(agents)"; }

stop() {
    test -n "$broker" || return 0
    # Asked to drain, the site sends its idle workers home; then nothing is left to do for the broker.
    spillway sites drain local >/dev/null 2>&1 || true
    for worker in $(agents); do kill -TERM "$worker" 2>/dev/null || true; done
    within no_agents || for worker in $(agents); do kill -KILL "$worker" 2>/dev/null || true; done
    kill -TERM "$broker" 2>/dev/null || true
    wait "$broker" || true
    broker=''
}
clean_up() {
    status=$?
    trap - EXIT
    test $status = 0 || tail -n 20 "$state/broker.log" >&2 || true
    stop
    rm -rf "$state"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

ready() {
    alive "$broker" || exit 1
    spillway version >/dev/null 2>&1 && spillway ls >/dev/null 2>&1
}

# done/all of a job, as "succeeded=8 of 8"; ends when all have ended.
progress() {
    last=''
    while :; do
        shown=$(spillway ls --all --json | awk '
            { text = text $0 }
            END {
                # One object a task; the fields we need stand in every one.
                m = split(text, object, "}")
                for (i = 1; i <= m; i++) {
                    if (!match(object[i], /"state": *"[a-z]*"/)) continue
                    state = substr(object[i], RSTART, RLENGTH); gsub(/.*: *"|"/, "", state)
                    match(object[i], /"name": *"[^"]*"/)
                    name = substr(object[i], RSTART, RLENGTH); gsub(/.*: *"|"/, "", name)
                    many = 1
                    if (match(object[i], /"tasks": *[0-9]+/)) {
                        many = substr(object[i], RSTART, RLENGTH); gsub(/[^0-9]/, "", many)
                    }
                    if (!(name in all)) order[++names] = name
                    all[name] += many; count[name, state] += many
                    if (state ~ /succeeded|failed|cancelled/) ended += many
                    total += many
                }
                for (i = 1; i <= names; i++) {
                    name = order[i]
                    printf "   %s: %d of %d done", name, count[name, "succeeded"], all[name]
                    if (count[name, "running"]) printf ", %d running", count[name, "running"]
                    if (count[name, "failed"]) printf ", %d failed", count[name, "failed"]
                }
                if (total && ended == total) printf " ."
            }')
        test "$shown" = "$last" || printf '%s\n' "${shown% .}"
        last=$shown
        case $shown in *" .") return 0 ;; esac
        sleep 0.2
    done
}

say "A broker with nothing configured, on this machine"
echo "\$ spillwayd --state $state &"
spillwayd --state "$state" 2>"$state/broker.log" &
broker=$!
within ready
run spillway sites

say "Eight tasks fit a period of CO2 measurements each, one job puts them together"
(cd "$here/mauna-loa" && run spillway submit job.yaml)
echo
progress

say "Where it ran, and what it took"
run spillway ls --all

say "Its results"
summary=$(spillway ls --all --name summary --json | sed -n 's/.*"id": *"\([0-9]*\)".*/\1/p' | head -n 1)
run spillway logs "$summary"
rm -rf "$results"
run spillway fetch "$summary" -o "$results"

stop
say "The broker and its worker are gone, its state is removed."
echo "The plot is in $results/results/mauna-loa.svg, the table beside it."
echo "README.md says how to go on."
