# SPDX-License-Identifier: Apache-2.0
# 3030-cli-fetch.t - results arrive whole, where they belong, and nowhere else
. "${0%/*}/../lib/spillway.sh"
broker_start

code() {
    eval "$1" >"$T/out" 2>"$T/err"
    echo $?
}

cat >job.yaml <<'YAML'
name: results
script: |
  #!/bin/sh
  mkdir -p out/deep
  head -c 3000000 /dev/zero | tr '\0' x >out/large
  echo small >"out/deep/with blank & ünïcode"
  : >out/empty
  printf '#!/bin/sh\n' >out/tool && chmod 4755 out/tool
  chmod 640 out/large
  echo said; echo wailed >&2
outputs: ["out/**"]
YAML
id=$(submit job.yaml)
ok "a job with results" 'spillway wait "$id"'
is "are fetched" "$(code 'spillway fetch "$id"')" 0
is "to a folder named after it" "$(sort "$T/out" | tr '\n' ' ')" \
    "spillway-$id/out/deep/with blank & ünïcode spillway-$id/out/empty spillway-$id/out/large spillway-$id/out/tool "
is "whole" "$(wc -c <"spillway-$id/out/large")" 3000000
is "with their mode" "$(stat -c %a "spillway-$id/out/large")" 640
is "but no set-user-id" "$(stat -c %a "spillway-$id/out/tool")" 755
is "an empty one too" "$(stat -c %s "spillway-$id/out/empty")" 0
ok "no half file is left" '! find . -name "*.part" | grep -q .'
is "as JSON, a list" "$(spillway fetch -o again --json "$id" | json '*.path' | wc -l)" 4

# ---- again, and after a break
before=$(stat -c %i "spillway-$id/out/large")
is "once more" "$(code 'spillway fetch "$id"')" 0
is "what is there stays" "$(stat -c %i "spillway-$id/out/large")" "$before"
mkdir -p broken/out
head -c 1000000 "spillway-$id/out/large" >broken/out/large.part
is "what broke off is gone on with" "$(code 'spillway fetch "$id" -o broken')" 0
ok "to the same bytes" 'cmp broken/out/large "spillway-$id/out/large"'
rm -r broken && mkdir -p broken/out
head -c 1000000 /dev/zero >broken/out/large.part
is "a part with other bytes" "$(code 'spillway fetch "$id" -o broken')" 8
like "is found out" "$(cat "$T/err")" hash
is "and mended by the next call" "$(code 'spillway fetch "$id" -o broken')" 0

# ---- in the way
echo mine >"spillway-$id/out/empty"
is "a file that differs" "$(code 'spillway fetch "$id"')" 5
like "is named" "$(cat "$T/err")" "spillway-$id/out/empty"
is "and kept" "$(cat "spillway-$id/out/empty")" mine
is "--force replaces it" "$(code 'spillway fetch --force "$id"')" 0
is "with the result" "$(stat -c %s "spillway-$id/out/empty")" 0
mkdir -p target trap1 trap2
ln -s ../target trap1/out
is "a link in place of a folder" "$(code 'spillway fetch "$id" -o trap1')" 7
mkdir trap2/out && ln -s "$PWD/target/x" trap2/out/empty
is "a link in place of a file" "$(code 'spillway fetch "$id" -o trap2')" 5
is "also with --force" "$(code 'spillway fetch --force "$id" -o trap2')" 0
ok "is replaced, not followed" 'test -f trap2/out/empty && ! test -L trap2/out/empty'
rm -r trap2/out && mkdir -p trap2/out && ln -s "$PWD/target/x" trap2/out/large.part
is "a link in place of a part" "$(code 'spillway fetch "$id" -o trap2')" 7
ok "nothing was written through any of them" 'test -z "$(ls target)"'

# ---- logs, arrays, nothing
is "--logs" "$(code 'spillway fetch --logs "$id" -o logs')" 0
is "brings standard output" "$(cat "logs/$id.out")" said
is "and standard error" "$(cat "logs/$id.err")" wailed
cat >array.yaml <<'YAML'
array: 2-4
script: echo {task} >n.txt
outputs: [n.txt]
YAML
id=$(submit array.yaml)
ok "an array" 'spillway wait "$id" && spillway fetch --logs "$id" -o array >/dev/null'
is "a folder for each task" "$(cat array/2/n.txt array/3/n.txt array/4/n.txt | tr '\n' ' ')" "2 3 4 "
ok "a log for each task" 'test -e "array/$id.3.out"'
is "of one task, no folder more" "$(spillway fetch "$id.3" -o one)" "one/n.txt"
id=$(submit -- true)
spillway wait "$id"
is "a job without results" "$(code 'spillway fetch "$id"')" 0
like "is told so" "$(cat "$T/err")" "left no results"
ok "and makes no folder" '! test -e "spillway-$id"'
is "one that is not there" "$(code 'spillway fetch 999999')" 3
done_testing
