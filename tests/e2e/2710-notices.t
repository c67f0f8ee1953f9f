# SPDX-License-Identifier: Apache-2.0
# 2710-notices.t - a webhook receiver and a mail server get what was asked for, and nothing else
. "${0%/*}/../lib/spillway.sh"

# The mail server of Python's library: each message to a file of its own.
cat >"$T/mail.py" <<'PY'
import warnings; warnings.simplefilter("ignore")
import asyncore, os, smtpd, sys
folder = sys.argv[1]
class Server(smtpd.SMTPServer):
    count = 0
    def process_message(self, peer, sender, to, data, **more):
        Server.count += 1
        with open(os.path.join(folder, f"mail.{Server.count}"), "wb") as file:
            file.write(f"to={to} from={sender}\n".encode() + data)
server = Server(("127.0.0.1", 0), None)
with open(os.path.join(folder, "mailport.new"), "w") as file:
    file.write(str(server.socket.getsockname()[1]))
os.rename(os.path.join(folder, "mailport.new"), os.path.join(folder, "mailport"))
asyncore.loop()
PY
echo sesame >"$T/key"
chmod 600 "$T/key"
/usr/bin/python3 "$LIB/receiver.py" "$T" &
receiver=$!
/usr/bin/python3 "$T/mail.py" "$T" &
mail=$!
stop() {
    stop_status=$?
    kill $receiver $mail 2>/dev/null
    wait $receiver $mail 2>/dev/null
    (exit $stop_status)
    clean_up
}
trap stop EXIT
eventually 30 'test -s "$T/port" && test -s "$T/mailport"' || fail "receivers start"
port=$(cat "$T/port")

cat >"$T/conf.yaml" <<EOT
broker:
  notify: {secret_file: $T/key, smtp: "smtp://127.0.0.1:$(cat "$T/mailport")", from: spillway@lab.example}
EOT
broker_start --config "$T/conf.yaml"

received() { # FIELD of all events received
    cat "$T/received" 2>/dev/null | while read -r line; do
        printf '%s' "$line" | json "events.*.$1"
    done
}

cat >job.yaml <<EOT
name: "bad night"
command: ["false"]
notify: {on: [failed, succeeded], webhook: "http://127.0.0.1:$port/hook", mail: ada@lab.example}
EOT
id=$(submit job.yaml)
wait_state "$id" failed
ok "the webhook is called" 'eventually 30 "test -s $T/received"'
is "with the job's end" "$(received event) $(received job)" "failed $id"
ok "a mail arrives" 'eventually 30 "test -s $T/mail.1"'
like "to whom it was asked for" "$(head -n 1 "$T/mail.1")" "to=\['ada@lab.example'\] from=spillway@lab.example"
like "with the words for it" "$(cat "$T/mail.1")" "^Subject: \[spillway\] bad night failed \(job $id\)"
ok "both are noted as done" 'eventually 30 "test \$(spillway notices ls --state done --json | json \"*.id\" | wc -l) = 2"'

# Quiet: what nobody asked for.
sed -i 's/on: .*succeeded\]/on: [failed]/; s/"false"/"true"/' job.yaml
id=$(submit job.yaml)
wait_state "$id" succeeded

# A schedule: failures are told, then that it recovered; grouped where they come close together.
cat >often.yaml <<EOT
name: often
command: ["false"]
notify: {webhook: "http://127.0.0.1:$port/hook"}
schedule: {cron: "* * * * * *", pause_after: 2}
EOT
spillway schedule add often.yaml >/dev/null
ok "it fails until it is paused" 'eventually 60 "spillway schedule ls | grep -q failing"'
ok "each failure is told" 'eventually 60 "test \$(received schedule | grep -c often) = 2"'
is "the last says that it is paused" "$(received schedule_paused | tail -n 1)" true
sed -i 's/"false"/"true"/' often.yaml
spillway schedule add often.yaml >/dev/null
spillway schedule trigger often >/dev/null
ok "that it recovered is told once" 'eventually 60 "received event | grep -qx recovered"'
is "in all" "$(received event | sort | uniq -c | tr -s ' ' | tr '\n' ';')" " 3 failed; 1 recovered;"
is "no message was forged, none refused" "$(ls "$T/forged" "$T/refused" 2>/dev/null)" ""

# Dead letters.
: >"$T/refuse"
sed -i 's/"true"/"false"/' job.yaml
id=$(submit job.yaml)
wait_state "$id" failed
ok "a refused one is tried again" 'eventually 60 "test \$(wc -l <$T/refused) -ge 2"'
rm "$T/refuse"
ok "and arrives in the end" 'eventually 120 "received job | grep -qx $id"'

done_testing
