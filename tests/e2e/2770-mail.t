# SPDX-License-Identifier: Apache-2.0
# 2770-mail.t - a real mail server and a sendmail get exactly the expected messages; the hour's limit holds
. "${0%/*}/../lib/spillway.sh"

# OpenSMTPD keeps what comes for lab.example in a Maildir.  One runs on a machine: its socket is its own.
if ! command -v smtpd >/dev/null; then
    no_server="opensmtpd is not installed"
elif test "$(id -u)" != 0; then
    no_server="opensmtpd wants to be root"
elif test -S /var/run/smtpd.sock && smtpctl show status >/dev/null 2>&1; then
    no_server="an opensmtpd runs on this machine"
elif find /var/spool/smtpd/queue -type f 2>/dev/null | grep -q .; then
    no_server="opensmtpd's queue holds mail already, which would come with ours"
else
    no_server=
fi

smtpd_pid=
# Not below $T: the one who delivers is nobody, and what a runner makes is closed to others.
box=$(mktemp -d /tmp/spillway-box.XXXXXX)
chmod 777 "$box"
stop() {
    stop_status=$?
    if test -n "$smtpd_pid"; then
        kill "$smtpd_pid" 2>/dev/null
        wait "$smtpd_pid" 2>/dev/null
    fi
    rm -rf "$box"
    (exit $stop_status)
    clean_up
}
trap stop EXIT

start_smtpd() {
    for port in 2525 2526 2527 2528; do
        cat >"$T/smtpd.conf" <<EOT
table everyone { "@" = nobody }
listen on 127.0.0.1 port $port
action "keep" maildir "$box" virtual <everyone>
match from any for domain "lab.example" action "keep"
EOT
        smtpd -d -f "$T/smtpd.conf" >"$T/smtpd.log" 2>&1 &
        smtpd_pid=$!
        eventually 10 "curl -s --max-time 2 smtp://127.0.0.1:$port -X NOOP" && return 0
        wait "$smtpd_pid"
    done
    return 1
}

restart() { # restart NOTIFY: the broker with these keys
    broker_stop
    printf 'broker:\n  notify: {%s}\n' "$1" >"$T/conf.yaml"
    broker_start --config "$T/conf.yaml"
}
run_job() { # run_job NAME COMMAND ON
    cat >job.yaml <<EOT
name: "$1"
command: ["$2"]
notify: {on: [$3], mail: [ada@lab.example, ben@lab.example]}
EOT
    run_id=$(submit job.yaml)
    wait_state "$run_id" ended
}
header() { # header FILE NAME
    sed -n '/^$/q; s/^'"$2"': //p' "$1" | tr -d '\r'
}
box() { find "$box" -path '*/new/*' -type f; }
dones() { spillway notices ls --state 'done' --json | json '*.id' | grep -c .; }

if test -n "$no_server"; then
    skip "a real mail server gets the messages" "$no_server"
else
    ok "the mail server starts" start_smtpd
    restart "smtp: 'smtp://127.0.0.1:$port', from: spillway@lab.example"
    run_job "Häufigkeit
  night" false failed
    ok "the failure arrives, for each of the two" 'eventually 60 "test \$(box | wc -l) = 2"'
    for file in $(box); do
        header "$file" Delivered-To
        header "$file" To >>"$T/to"
    done | sort -u >"$T/delivered"
    is "once to each" "$(sort "$T/to" | tr '\n' ' ')" "ada@lab.example ben@lab.example "
    file=$(box | head -n 1)
    is "from whom it is said" "$(header "$file" From)" spillway@lab.example
    is "the name is where a name belongs" "$(/usr/bin/python3 - "$file" <<'PY'
import email, email.policy, sys
message = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
print(message["Subject"])
PY
)" "[spillway] Häufigkeit night failed (job $run_id)"
    is "it says that a program wrote it" "$(header "$file" Auto-Submitted)" auto-generated
    run_job quiet true failed
    run_job gone false succeeded
    sleep 12
    is "nothing that nobody asked for arrives" "$(box | wc -l)" 2
    is "both are noted" "$(dones)" 2
    is "each has an id of its own" "$(box | xargs -n 1 sed -n 's/^Message-ID: //Ip' | sort -u | wc -l)" 2

    # A server that is away: the notice waits and arrives when it is back.
    kill "$smtpd_pid"
    wait "$smtpd_pid"
    run_job later false failed
    ok "without the server the notices wait" \
        'eventually 60 "spillway notices ls --state pending --json | json \"*.tries\" | grep -q \"[1-9]\""'
    smtpd -d -f "$T/smtpd.conf" >>"$T/smtpd.log" 2>&1 &
    smtpd_pid=$!
    ok "and arrive once it is back" 'eventually 90 "test \$(box | wc -l) = 4"'
    broker_stop
    rm -rf "$STATE"
fi

# A sendmail: the message on its input, the addresses as arguments, and no shell in between.
cat >"$T/sendmail" <<EOT
#!/bin/sh
test -e "$T/refuse" && exit 75
n=\$(find "$T" -name 'sent.*' | wc -l)
printf '%s\n' "\$@" >"$T/args.\$n"
cat >"$T/sent.new"
mv "$T/sent.new" "$T/sent.\$n"
EOT
chmod 755 "$T/sendmail"
restart "sendmail: $T/sendmail, from: spillway@lab.example, most_per_hour: 2"
sent() { find "$T" -name 'sent.[0-9]*' | wc -l; }
run_job 'bad; touch owned' false failed
ok "sendmail is run for each" 'eventually 60 "test \$(sent) = 2"'
like "with the address" "$(cat "$T"/args.*)" '^ada@lab.example$'
like "and the sender" "$(cat "$T"/args.*)" 'spillway@lab.example'
like "with the message on its input" "$(cat "$T/sent.0")" "^Subject: \[spillway\] bad; touch owned failed \(job $run_id\)"
nok "and no shell read the name" 'find "$T" -name owned | grep .'

# Two messages an hour to one receiver: the third waits, however long the window is over.
: >"$T/refuse"
run_job second false failed
ok "what it does not take is tried again" \
    'eventually 60 "spillway notices ls --state pending --json | json \"*.tries\" | grep -q 1"'
rm "$T/refuse"
sleep 25
is "the second try was the hour's last" "$(sent)" 2
is "so they wait" "$(spillway notices ls --state pending --json | json '*.id' | grep -c .)" 2

done_testing
