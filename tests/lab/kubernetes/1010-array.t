# SPDX-License-Identifier: Apache-2.0
# 1010-array.t - two hundred tasks in a container image: every log and every output right, nothing left
# run: limit 1200
. "${0%/*}/lab.sh"
conf
start
cat >job.yaml <<YAML
container: $IMAGE
array: 0-199
resources: {cpus: 1, memory: 64MiB}
outputs: ["square-{task}"]
script: |
  #!/bin/sh
  echo "task \$SPILLWAY_ARRAY_INDEX"
  echo \$((SPILLWAY_ARRAY_INDEX * SPILLWAY_ARRAY_INDEX)) >square-\$SPILLWAY_ARRAY_INDEX
YAML
id=$(submit job.yaml)
ok "all end" 'timeout 900 spillway wait "$id"'
is "well" "$(spillway ls --all --expand --json "$id" | json '*.state' | grep -cx succeeded)" 200
wrong_logs() {
    i=0
    while test $i -lt 200; do
        test "$(spillway logs "$id.$i")" = "task $i" || echo "$i"
        i=$((i + 1))
    done
}
wrong_outputs() {
    i=0
    while test $i -lt 200; do
        test "$(cat "out/$i/square-$i")" = $((i * i)) || echo "$i"
        i=$((i + 1))
    done
}
is "every log is right" "$(wrong_logs)" ""
spillway fetch "$id" -o out >/dev/null
is "and every output" "$(wrong_outputs)" ""
ok "nothing is left" 'nothing_is_left 240'
diag "$(requests) requests to the API in all, $(requests '"verb":"create"') of them made something"
done_testing
