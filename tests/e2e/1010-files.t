# SPDX-License-Identifier: Apache-2.0
# 1010-files.t - inputs go in, outputs come out, also from one job to the next
. "${0%/*}/../lib/spillway.sh"
broker_start

mkdir -p data/deep
echo one >data/one.txt
echo two >data/deep/two.txt
echo 'cat "$1" data/one.txt data/deep/two.txt' >join.sh
chmod 755 join.sh
echo zero >"a name with blanks.txt"
printf '#!/bin/sh\necho x\n' >tool && chmod 755 tool

cat >job.yaml <<'YAML'
name: files
inputs:
  - join.sh
  - data
  - tool
  - {from: "a name with blanks.txt", to: zero.txt}
script: |
  #!/bin/sh
  set -e
  test -x tool
  mkdir -p results/deep
  sh join.sh zero.txt >results/joined.txt
  echo more >results/deep/more.txt
  echo skipped >results/joined.log
  ln -s joined.txt results/link.txt
  ./tool
outputs: ["results/**/*.txt"]
YAML
id=$(submit job.yaml)
ok "a job with a file, a folder and a renamed file" 'wait_state "$id" succeeded'
ok "its results are fetched" 'spillway fetch "$id" -o got'
is "what it made of its inputs" "$(cat got/results/joined.txt | tr '\n' ' ')" "zero one two "
is "a folder deeper" "$(cat got/results/deep/more.txt)" more
ok "what no pattern names stays behind" '! test -e got/results/joined.log'
ok "nothing outside the folder is written" 'test "$(ls got)" = results'

truncate -s 20M large.bin && echo end >>large.bin
sum=$(sha256sum <large.bin)
cat >large.yaml <<'YAML'
inputs: [large.bin]
command: [cp, large.bin, copy.bin]
outputs: [copy.bin]
YAML
id=$(submit large.yaml)
ok "20 MB go through" 'wait_state "$id" succeeded && spillway fetch "$id" -o big'
is "unchanged" "$(sha256sum <big/copy.bin)" "$sum"
id=$(submit large.yaml)
ok "and once more, without another upload" 'wait_state "$id" succeeded'

cat >missing.yaml <<'YAML'
command: ["true"]
outputs: [never-made.txt]
YAML
id=$(submit missing.yaml)
ok "a promised output that is not there" 'wait_state "$id" failed'
is "is a reason" "$(field "$id" reason)" stage-out
like "that names it" "$(field "$id" detail)" never-made.txt

cat >chain.yaml <<'YAML'
name: parts
array: 1-3
script: |
  #!/bin/sh
  mkdir out && echo "part $SPILLWAY_ARRAY_INDEX" >out/part.txt
outputs: [out/part.txt]
---
name: whole
after: [{job: parts, on: success}]
inputs: [{from: "job:parts/out/*.txt", to: in/}]
script: |
  #!/bin/sh
  cat in/1/out/part.txt in/2/out/part.txt in/3/out/part.txt >whole.txt
outputs: [whole.txt]
YAML
ids=$(submit chain.yaml)
whole=$(printf '%s\n' "$ids" | tail -n 1)
ok "the results of an array become another job's inputs" 'wait_state "$whole" succeeded && spillway fetch "$whole" -o whole'
is "one folder a task" "$(tr '\n' ' ' <whole/whole.txt)" "part 1 part 2 part 3 "

for path in ../up /etc/passwd a/../../b; do
    printf 'command: [cat]\ninputs: [{from: join.sh, to: "%s"}]\n' "$path" >bad.yaml
    nok "an input that would land at $path is refused" 'submit bad.yaml'
done
# ---- what the worker fetches itself
cat >serve.py <<'PY'
import http.server
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
print(server.server_port, flush=True)
server.serve_forever()
PY
python3 serve.py >port 2>/dev/null &
server=$!
eventually 30 'test -s port'
cat >url.yaml <<YAML
command: [cmp, large.bin, again.bin]
inputs:
  - {from: "http://127.0.0.1:$(cat port)/large.bin", sha256: ${sum%% *}}
  - {from: "http://127.0.0.1:$(cat port)/large.bin", to: again.bin, sha256: ${sum%% *}, size: 20971524}
YAML
id=$(submit url.yaml)
ok "inputs come by URL, with their size or without" 'wait_state "$id" succeeded'
sed -i "s/sha256: [0-9a-f]*/sha256: $(printf %064d 0)/; s/large.bin\",/no-such-file\",/" url.yaml
id=$(submit url.yaml)
ok "one that is not there" 'wait_state "$id" failed'
is "is a reason" "$(field "$id" reason)" stage-in
like "with the other server's words" "$(field "$id" detail)" 404
kill "$server"

cat >escape.yaml <<'YAML'
script: |
  #!/bin/sh
  mkdir out && ln -s /etc out/etc && ln -s /etc/hostname out/host && echo fine >out/fine
outputs: ["out/**"]
YAML
id=$(submit escape.yaml)
wait_state "$id" ended
spillway fetch "$id" -o escaped >/dev/null 2>&1
ok "a link that leads out of the job's folder brings nothing from there" '! test -e escaped/out/etc/passwd && ! test -s escaped/out/host'
done_testing
