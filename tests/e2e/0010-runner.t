# SPDX-License-Identifier: Apache-2.0
# 0010-runner.t - the runner counts what tests say, and what they hide
. "${0%/*}/../lib/spillway.sh"

# A tree of its own, so that the runner finds these tests and no others.
mkdir -p "$T/tree/tests/lib" "$T/tree/tests/e2e" "$T/tree/build"
cp "$ROOT/tests/lib/run" "$T/tree/tests/lib/run"

# runner LINE...: a test of these lines; prints what the runner says of it.
runner() {
    rm -f "$T"/tree/tests/e2e/*
    printf '%s\n' "$@" >"$T/tree/tests/e2e/1-it.t"
    BUILD=$T/tree/build V='' SANITIZE='' AGAIN="${again:-0}" "$T/tree/tests/lib/run" e2e
    echo "status $?"
}
# The count is a line of its own, the last but our "status".
ends_with() { # ends_with WORDS OUTPUT COUNT STATUS
    is "$1" "$(printf '%s\n' "$2" | tail -n 2 | tr '\n' '/')" "$3/status $4/"
}

ends_with "all pass" "$(runner 'echo 1..2' 'echo ok 1 - a' 'echo ok 2 - b')" '2 passed, 0 failed' 0

out=$(runner 'echo ok 1 - a' 'echo not ok 2 - b' 'echo "# because"' 'echo 1..2' 'exit 1')
ends_with "one fails" "$out" '1 passed, 1 failed' 1
like "and its output is shown" "$out" '# because'

# Fails until it has left a mark.
once='test -e "'$T'/mark" || { touch "'$T'/mark"; echo 1..1; echo not ok 1 - a; exit 1; }'
out=$(again=1 && runner "$once" 'echo 1..1' 'echo ok 1 - a')
ends_with "one that was late gets a second run" "$out" '1 passed, 0 failed' 0
like "which is said" "$out" 'once more, each by itself: e2e/1-it'
ends_with "but not what fails twice" "$(again=1 && runner 'echo 1..1' 'echo not ok 1 - a' 'exit 1')" \
    '0 passed, 1 failed' 1

ends_with "skipped is told apart" "$(runner 'echo 1..2' 'echo ok 1 - a' 'echo "ok 2 - b # skip no root"')" \
    '1 passed, 0 failed, 1 skipped' 0
ends_with "skipped as a whole" "$(runner 'echo "1..0 # skip no root"')" '0 passed, 0 failed, 1 skipped' 0
ends_with "stops early" "$(runner 'echo 1..3' 'echo ok 1 - a')" '1 passed, 1 failed' 1
ends_with "no plan" "$(runner 'echo ok 1 - a')" '1 passed, 1 failed' 1
ends_with "fails after its last word" "$(runner 'echo 1..1' 'echo ok 1 - a' 'exit 3')" '1 passed, 1 failed' 1

out=$(runner 'echo 1..1' 'echo ok 1 - a' 'kill -SEGV $$')
ends_with "crashes" "$out" '1 passed, 1 failed' 1
like "and the signal is named" "$out" 'SIGSEGV'

out=$(runner '# run: limit 1' 'echo 1..1' 'sleep 60' 'echo ok 1 - a')
ends_with "hangs" "$out" '0 passed, 1 failed' 1
like "and the limit is named" "$out" 'limit of 1 s'

out=$(runner 'echo 1..1' 'sleep 63 & echo $! >&2' 'echo ok 1 - a')
ends_with "leaves a process" "$out" '1 passed, 1 failed' 1
like "which is named" "$out" 'left a process running: [0-9]+ .+'
pid=$(printf '%s\n' "$out" | sed -n 's/.*running: \([0-9]*\) .*/\1/p')
ok "and ended" "! process_alive $pid"
out=$(runner 'echo 1..1' 'cd /; (env -i setsid sleep 64 &)' 'echo ok 1 - a')
ends_with "leaves one that hides" "$out" '1 passed, 1 failed' 1

out=$(runner 'echo 1..1' 'echo report >"${ASAN_OPTIONS##*log_path=}.1"' 'echo ok 1 - a')
ends_with "a sanitizer has spoken" "$out" '1 passed, 1 failed' 1
out=$(again=1 && runner 'echo 1..1' 'echo report >"${ASAN_OPTIONS##*log_path=}.1"' 'echo ok 1 - a')
ends_with "that is never run again" "$out" '1 passed, 1 failed' 1

ends_with "no such test" "$("$T/tree/tests/lib/run" nothing-like-it; echo "status $?")" '0 passed, 1 failed' 1
done_testing
