# SPDX-License-Identifier: Apache-2.0
# 1250-burst-mail.t - who is to be written to, for a job that ran elsewhere, and what the accounts say of it
. "${0%/*}/lab.sh"

cat >"$T/sendmail" <<SH
#!/bin/sh
{ echo "called with \$*"; cat; echo '-- end'; } >>$T/box
SH
chmod 755 "$T/sendmail"
cat >conf.yaml <<YAML
broker:
  listen: "127.0.0.1:$PORT"
  lease: {ttl: 10s, heartbeat: 1s}
  notify: {sendmail: "$T/sendmail", from: spillway@lab.example}
sites:
  - name: home
    type: slurm
    ssh: {host: login, config: "$LAB/ssh_config"}
    probe: 2s
    reconcile: 2s
    burst: {comment: "away*", every: 1s}
  - {name: near, type: local, tier: partner, overflow_after: 1m, limits: {cores: 2}, idle: 30s}
YAML
as_user 'sbatch -c 4 -o /dev/null --wrap "sleep 3600"' >/dev/null
ok "home is full" 'eventually 60 "squeue -h -t R -u $LAB_USER -o %i | grep -q ."'
start

as_user 'rm -rf w && mkdir w'
send() { as_user "cd w && sbatch --parsable --comment=away -t 10 --mem=10 $*"; }
as_user 'cat >w/lines.sh' <<'SH'
#!/bin/bash
#SBATCH --mail-type=FAIL --mail-user=lines@lab.example
exit 4
SH
as_user 'cat >w/signal.sh' <<'SH'
#!/bin/bash
kill -SEGV $$
SH
lines=$(send lines.sh)
called=$(send --mail-type=END --mail-user=called@lab.example --wrap "'exit 5'")
well=$(send --mail-type=FAIL --mail-user=well@lab.example --wrap true)
killed=$(send signal.sh)
for id in $lines $called $well $killed; do
    ok "$id goes and ends" 'eventually 120 "test \"\$(burst_field $id state)\" = done"' || spillway burst ls --all
done
ok "whom a line of the script names is written to" 'eventually 60 "grep -q \"^To:.*lines@lab.example\" $T/box"'
ok "whom the command line names too" 'eventually 60 "grep -q \"^To:.*called@lab.example\" $T/box"'
nok "nobody is of what was not asked for" 'grep -q "^To:.*well@lab.example" "$T/box"'
is "each once" "$(grep -c '^-- end' "$T/box")" 2
account() { sacct -nXP -j "$1" -o State,DerivedExitCode,Comment | sed 's/ by [0-9]*//; s/job [0-9]*/job N/'; }
is "the accounts have the code of each" "$(account "$lines")" "CANCELLED|4:0|spillway: ran at near as job N, exit code 4"
is "whatever its options" "$(account "$called")" "CANCELLED|5:0|spillway: ran at near as job N, exit code 5"
is "also of one that went well" "$(account "$well")" "CANCELLED|0:0|spillway: ran at near as job N, exit code 0"
like "and the signal of one that was ended by it" "$(account "$killed")" '^CANCELLED\|(139:0\|.*exit code 139|0:11\|.*signal 11)'
done_testing
