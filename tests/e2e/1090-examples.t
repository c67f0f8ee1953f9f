# SPDX-License-Identifier: Apache-2.0
# 1090-examples.t - every example can be submitted as it is, and does what it says
. "${0%/*}/../lib/spillway.sh"
cat >conf.yaml <<'YAML'
limits: {license-x: 2}
YAML
broker_start --config conf.yaml
cp -R "$ROOT/examples" "$T/examples"
cd "$T/examples" || exit 1
tested=''
example() { # example FILE: submitted; its ids, the last of them in $id
    tested="$tested $1"
    ids=$(submit "$1" 2>"$T/warnings" | tr '\n' ' ')
    id=${ids% }
    id=${id##* }
}

example hello.yaml
wait_state "$id" succeeded
is "hello.yaml" "$(spillway logs "$id")" "Hello from job $id"

example array.yaml
ok "array.yaml" 'wait_state "$id" succeeded && spillway fetch "$id" -o squares'
is "  a result for each task" "$(cat squares/12/square.txt)" "12 squared is 144"

example pipeline.yaml
read -r split count total alarm <<IDS
$ids
IDS
ok "pipeline.yaml" 'wait_state "$total" succeeded && spillway fetch "$total" -o total'
is "  what it adds up to" "$(cat total/total.txt)" 129
ok "  no alarm" 'wait_state "$alarm" failed && test "$(field "$alarm" reason)" = dependency'

example retries.yaml
ok "retries.yaml" 'wait_state "$id" succeeded'
is "  at the third attempt" "$(field "$id" attempt)" 3

example warned.yaml
ok "warned.yaml" 'wait_state "$id" succeeded'
like "  it was warned in time" "$(spillway logs "$id")" 'counted to [0-9]+'

example limit.yaml
ok "limit.yaml" 'wait_state "$id" succeeded'

example nodes.yaml
ok "nodes.yaml" 'wait_state "$id" succeeded && spillway fetch "$id" -o nodes'
like "  the second node is told of the first" "$(spillway logs --node 1 "$id")" 'node 1 of 2; node 0 is [0-9a-f]'
like "  each has its list of hosts" "$(cat nodes/node-0/hosts.txt nodes/node-1/hosts.txt)" '2 [0-9a-f]'

example slurm.sh
ok "slurm.sh" 'wait_state "$id" succeeded'
is "  the primes below 1001" "$(spillway logs "$id.1" | tail -n 1)" 168
like "  what it cannot honour is named" "$(cat "$T/warnings")" 'partition'

tested="$tested gpu.yaml"
if spillway sites show local --json | grep -q '"gpus": [1-9]'; then
    example gpu.yaml
    ok "gpu.yaml" 'wait_state "$id" ended'
else
    like "gpu.yaml: told at once that nothing has such a GPU" "$(submit gpu.yaml 2>&1)" '[Gg][Pp][Uu]'
fi

cd mauna-loa || exit 1
example job.yaml
ok "mauna-loa: eight fits and a summary" 'wait_state "$id" succeeded --limit 170'
ok "  its results are fetched" 'spillway fetch "$id" -o got'
# The random numbers are its own, so every machine finds the same.
is "  the growth that it found" "$(cut -f1,4 got/results/growth.tsv | tr '\t\n' ' ;')" \
    "period growth_ppm_per_year;1960-1964 0.668;1965-1969 1.092;1970-1974 1.248;1975-1979 1.481;1980-1984 1.429;1985-1989 1.836;1990-1994 1.095;1995-1999 1.883;"
like "  its plot is an SVG" "$(head -n 1 got/results/mauna-loa.svg)" '^<svg '
ok "  and well-formed" '/usr/bin/python3 -c "import sys, xml.dom.minidom as x; x.parse(sys.argv[1])" got/results/mauna-loa.svg'
cd .. || exit 1
for file in *.yaml slurm.sh; do
    case " $tested " in *" $file "*) ;; *) fail "$file is tested here" ;; esac
done
done_testing
