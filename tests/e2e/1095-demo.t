# SPDX-License-Identifier: Apache-2.0
# 1095-demo.t - the demo runs, shows its results, and leaves nothing behind
. "${0%/*}/../lib/spillway.sh"
unset SPILLWAY_URL
mkdir -p "$T/build" "$T/tmp"
ln -s "$BUILD/bin" "$T/build/bin"

out=$(TMPDIR=$T/tmp BUILD=$T/build "$ROOT/examples/demo.sh" 2>&1)
is "it ends well" $? 0
like "it shows its progress" "$out" 'periods: 8 of 8 done'
like "it prints the table" "$out" '1995-1999 +364\.40 +1\.88 '
like "it says where the plot is" "$out" 'demo/results/mauna-loa\.svg'
ok "which is there" 'test -s "$T/build/demo/results/mauna-loa.svg"'
is "no process is left" "$(agents)" ""
is "no state is left" "$(ls -A "$T/tmp")" ""
is "nothing is written to the home" "$(ls -A "$HOME")" ""
test "$tap_failed" = 0 || diag "$out"
done_testing
