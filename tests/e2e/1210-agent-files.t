#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 1210-agent-files.t - inputs arrive whole and private, outputs leave whole and never from outside
. "${0%/*}/../lib/agent.sh"

blob() { # FILE: into the broker's store; prints its hash
    hash=$(sha256sum <"$1" | cut -d' ' -f1)
    cp "$1" "$B/blobs/$hash"
    echo "$hash"
}

mkdir -p "$B/blobs"
head -c 3000000 /dev/urandom >"$T/big"
printf '#!/bin/sh\ncat in/data.txt\n' >"$T/call.sh"
echo small >"$T/data.txt"
: >"$T/empty"
BIG=$(blob "$T/big") CALL=$(blob "$T/call.sh") DATA=$(blob "$T/data.txt") EMPTY=$(blob "$T/empty")
broker_start
agent_start

lease 1 "\"argv\": [\"./call.sh\"], \"inputs\": [
    {\"to\": \"call.sh\", \"sha256\": \"$CALL\", \"size\": $(stat -c %s "$T/call.sh"), \"mode\": 493},
    {\"to\": \"in/data.txt\", \"sha256\": \"$DATA\", \"size\": 6, \"mode\": 420},
    {\"to\": \"in/deep/empty\", \"sha256\": \"$EMPTY\", \"size\": 0, \"mode\": 420}]"
finished 1
ok "inputs are where they were asked"  'test "$(report 1 "log(\"stdout\")")" = small'

echo 1 >"$B/faults/cutblob"
lease 2 "\"argv\": [\"sha256sum\", \"b\"], \"inputs\": [{\"to\": \"b\", \"sha256\": \"$BIG\", \"size\": 3000000, \"mode\": 420}]"
finished 2
ok "an input is whole after a cut"     'report 2 "log(\"stdout\")" | grep -q "$BIG"'
ok "it went on where it was cut"       'grep -q "\"from\": [1-9]" "$B/gets.jsonl"'

lease 3 "\"argv\": [\"sh\", \"-c\", \"chmod u+w b && echo changed > b\"], \"inputs\": [{\"to\": \"b\", \"sha256\": \"$BIG\", \"size\": 3000000, \"mode\": 292}]"
finished 3
lease 4 "\"argv\": [\"sha256sum\", \"b\"], \"inputs\": [{\"to\": \"b\", \"sha256\": \"$BIG\", \"size\": 3000000, \"mode\": 420}]"
finished 4
ok "a job cannot change the cache"     'report 4 "log(\"stdout\")" | grep -q "$BIG"'
ok "an input is fetched once"          'test "$(grep -c "$BIG" "$B/gets.jsonl")" = 2'
for file in "$W"/cache/*; do
    test "$(stat -c %s "$file")" = 3000000 && chmod u+w "$file" && echo evil >>"$file"
done
lease 5 "\"argv\": [\"sha256sum\", \"b\"], \"inputs\": [{\"to\": \"b\", \"sha256\": \"$BIG\", \"size\": 3000000, \"mode\": 420}]"
finished 5
ok "a cache that was touched is not used" 'report 5 "log(\"stdout\")" | grep -q "$BIG"'

NONE=$(echo none | sha256sum | cut -d' ' -f1)
lease 6 "\"argv\": [\"/bin/true\"], \"inputs\": [{\"to\": \"x\", \"sha256\": \"$NONE\", \"size\": 5, \"mode\": 420}]"
finished 6
ok "a missing input: stage-in"         'test "$(report 6 reason)" = stage-in && report 6 detail | grep -q "input x"'
lease 7 "\"argv\": [\"/bin/true\"], \"inputs\": [{\"to\": \"../x\", \"sha256\": \"$DATA\", \"size\": 6, \"mode\": 420}]"
finished 7
ok "an input cannot climb out"         'test "$(report 7 reason)" = stage-in && test ! -e "$W/work/x"'
cp "$T/data.txt" "$B/blobs/$NONE"
lease 8 "\"argv\": [\"/bin/true\"], \"inputs\": [{\"to\": \"x\", \"sha256\": \"$NONE\", \"size\": 6, \"mode\": 420}]"
finished 8
ok "an input with another hash: stage-in" 'test "$(report 8 reason)" = stage-in && report 8 detail | grep -q SHA-256'

lease 20 '"argv": ["sh", "-c", "mkdir -p results/sub; echo a > results/a.vcf; echo b > results/sub/b.vcf; echo c > c.txt; head -c 5000000 /dev/zero > results/z.vcf; chmod 750 c.txt"],
    "outputs": ["results/*.vcf", "c.txt"]'
finished 20
ok "outputs by pattern"                'test "$(ls "$B/outputs/20" "$B/outputs/20/results" | tr "\n" " " | tr -s " ")" = "$B/outputs/20: c.txt results $B/outputs/20/results: a.vcf z.vcf "'
ok "outputs are in the report"         'test "$(report 20 "len(r[\"outputs\"])")" = 3'
ok "with their mode"                   'test "$(report 20 "[o[\"mode\"] for o in r[\"outputs\"] if o[\"path\"] == \"c.txt\"][0]")" = 488'
ok "large ones whole"                  'test "$(stat -c %s "$B/outputs/20/results/z.vcf")" = 5000000'
ok "the broker was told: completing"   'grep -q "\"attempt\": 20, \"state\": \"completing\"" "$B/reports.jsonl"'

lease 21 '"argv": ["sh", "-c", "mkdir -p d/e; echo 1 > d/one; echo 2 > d/e/two"], "outputs": ["d/"]'
finished 21
ok "a directory stands for its files"  'test "$(report 21 "sorted(o[\"path\"] for o in r[\"outputs\"])")" = "['"'d/e/two', 'd/one'"']"'

lease 22 '"argv": ["true"], "outputs": ["*.never"]'
finished 22
ok "nothing matches: stage-out, named" 'test "$(report 22 reason)" = stage-out && report 22 detail | grep -qF "*.never"'
lease 23 '"argv": ["sh", "-c", "exit 4"], "outputs": ["*.never"]'
finished 23
ok "a failure of its own comes first"  'test "$(report 23 reason) $(report 23 exit_code)" = "user-exit 4"'

echo secret >"$T/secret"
mkdir "$T/folder" && echo secret >"$T/folder/f"
lease 24 "\"argv\": [\"sh\", \"-c\", \"ln -s $T/secret link; ln -s $T/folder dir; ln -s ../../../agent.json up; ln -s /etc/passwd etc; echo in > real; ln -s real inside; mkfifo fifo\"], \"outputs\": [\"**\"]"
finished 24
ok "links out are not followed"        'test "$(report 24 "sorted(o[\"path\"] for o in r[\"outputs\"])")" = "['"'inside', 'real'"']"'
ok "nothing else was sent"             '! grep -rq -e secret -e root: "$B/outputs/24"'
lease 25 '"argv": ["true"], "outputs": ["../*"]'
finished 25
ok "a pattern cannot climb out"        'test "$(report 25 reason)" = stage-out'
lease 26 '"argv": ["true"], "outputs": ["/etc/passwd"]'
finished 26
ok "nor be absolute"                   'test "$(report 26 reason)" = stage-out && test ! -e "$B/outputs/26"'

lease 27 '"argv": ["sh", "-c", "head -c 2000000 /dev/zero > big"], "outputs": ["big"], "output_most": 1000000'
finished 27
ok "too large: stage-out"              'test "$(report 27 reason)" = stage-out && report 27 detail | grep -q 1000000'

echo 3 >"$B/faults/upload503"
lease 28 '"argv": ["sh", "-c", "echo x > a"], "outputs": ["a"]'
finished 28
ok "an upload is tried again"          'test "$(cat "$B/outputs/28/a")" = x && test "$(report 28 reason)" = ""'
echo 1 >"$B/faults/uploadlost"
lease 29 '"argv": ["sh", "-c", "head -c 9000000 /dev/zero > a"], "outputs": ["a"]'
finished 29
ok "also after a cut"                  'test "$(stat -c %s "$B/outputs/29/a")" = 9000000'
echo 1 >"$B/faults/upload422"
lease 30 '"argv": ["sh", "-c", "echo y > a"], "outputs": ["a"]'
finished 30
ok "also when the copy was bad"        'test "$(cat "$B/outputs/30/a")" = y'
lease 31 '"argv": ["sh", "-c", "echo z > \"a b%?#é\""], "outputs": ["a*"]'
finished 31
ok "odd names"                         'test "$(cat "$B/outputs/31/a b%?#é")" = z'

lease 40 '"argv": ["sh", "-c", "i=0; while [ $i -lt 600 ]; do mkdir -p t/$i; : > t/$i/f; i=$((i+1)); done; chmod 0 t/3"]'
finished 40
ok "what a job left is removed"        'wait_until "test -z \"\$(ls $W/trash)\"" 10'
kill -TERM "$AGENT_PID"
wait "$AGENT_PID"
rm -rf "$W"
mkdir "$W"
if mount -t tmpfs -o size=4m tmpfs "$W" 2>/dev/null; then
    trap 'umount -l "$W"; clean_up' EXIT
    broker_stop
    rm -f "$B/reports.jsonl" "$B"/leases/*
    broker_start
    agent_start
    lease 50 "\"argv\": [\"true\"], \"inputs\": [{\"to\": \"b\", \"sha256\": \"$BIG\", \"size\": 3000000, \"mode\": 420}]"
    finished 50
    ok "a full disk while staging: a clear reason" 'test "$(report 50 reason)" = stage-in && report 50 detail | grep -q "no room"'
    lease 51 '"argv": ["sh", "-c", "head -c 9000000 /dev/zero > x; seq 1 300000; exit 0"]'
    finished 51
    ok "a full disk under a job: it goes on" 'test "$(report 51 exit_code)" = 0 && test "$(report 51 "r[\"logs\"][\"stdout\"][\"cut\"]")" -gt 0'
    lease 52 '"argv": ["echo", "fine"]'
    finished 52
    ok "and so does the agent"         'test "$(report 52 "log(\"stdout\")")" = fine'
else
    ok "a full disk # SKIP a file system cannot be mounted here" true
fi
done_testing
