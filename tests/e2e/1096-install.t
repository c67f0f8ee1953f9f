# SPDX-License-Identifier: Apache-2.0
# 1096-install.t - what make install puts somewhere works from there, and make uninstall takes it away
. "${0%/*}/../lib/spillway.sh"

make_in_tree() { make -s -C "$ROOT" B="$BUILD" DESTDIR="$T/root" PREFIX=/opt/spillway "$@"; }
ok "it installs" 'make_in_tree -o all install'
PATH=$T/root/opt/spillway/bin:$PATH
ok "the programs are the installed ones" 'test "$(command -v spillway)" = "$T/root/opt/spillway/bin/spillway"'
ok "they say their version" 'spillway version --json | grep -q "$(sed -n "s/^VERSION *:= *//p" "$ROOT/Makefile")" || spillway version'
broker_start
id=$(submit -- echo installed)
ok "a job runs from there" 'wait_state "$id" succeeded'
ok "by the installed agent" 'for pid in $(agents); do tr "\\0" " " </proc/$pid/cmdline; done | grep -q "^$T/root/opt"'
broker_stop

unit=$T/root/opt/spillway/lib/systemd/system/spillwayd.service
like "the unit names the installed program" "$(cat "$unit")" '^ExecStart=/opt/spillway/bin/spillwayd '
ok "the configuration as installed is understood" '
    sed "s|/var/lib/spillway|$T/other|; s|/run/spillway|$T/other|" "$T/root/etc/spillway/spillway.yaml" >conf.yaml
    spillwayd --config conf.yaml 2>other.log & pid=$!
    eventually 30 "test -S $T/other/spillway.sock"; found=$?
    kill $pid; wait $pid; test $found = 0 || { cat other.log; false; }'
ok "the manual pages are there" 'test -s "$T/root/opt/spillway/share/man/man1/spillway.1"'
ok "so is the completion" 'test -s "$T/root/opt/spillway/share/bash-completion/completions/spillway"'

echo "# mine" >>"$T/root/etc/spillway/spillway.yaml"
ok "installed again" 'make_in_tree -o all install'
like "the configuration stays as it was" "$(cat "$T/root/etc/spillway/spillway.yaml")" '# mine'
ok "it is taken away" 'make_in_tree uninstall'
is "all but the configuration" "$(cd "$T/root" && find . -type f)" "./etc/spillway/spillway.yaml"
done_testing
