# SPDX-License-Identifier: Apache-2.0
# 3200-simulate.t - a workload replayed against sites and policies, and the broker's own record replayed
. "${0%/*}/../lib/spillway.sh"

cd "$T" || exit
cat >sites.yaml <<'END'
sites:
  - {name: home, type: local, limits: {cores: 4}}
  - name: lent
    type: openstack
    tier: partner
    limits: {workers: 4, cores: 16}
    overflow_after: 10m
    price: {currency: EUR, flavors: {m4: 0.5}}
    simulate: {shapes: {m4: {cpus: 4}}, boot: 2m, boot_spread: 0.3, failures: 0.1}
END
# 60 jobs of an hour on 2 cpus, one a minute: far more than home can take.
{
    echo '; Version: 2.2'
    echo '; MaxProcs: 4'
    for i in $(seq 60); do echo "$i $((i * 60)) -1 3600 2 -1 -1 2 7200 -1 1 $((i % 3 + 1)) 1 -1 1 -1 -1 -1"; done
} >trace.swf
simulate() { spillway simulate --trace trace.swf --sites sites.yaml "$@"; }

simulate --json >one.json
is "every job ends" "$(json jobs <one.json)" 60
is "the fields are those of the manual" "$(python3 -c 'import json,sys; print(*json.load(sys.stdin))' <one.json)" \
    "jobs makespan_s mean_wait_s median_wait_s p95_wait_s mean_bounded_slowdown cost sites"
simulate --json >again.json
ok "the same input gives the same bytes" 'cmp one.json again.json'
simulate --json --seed 2 >other.json
ok "another seed, other boots" '! cmp -s one.json other.json'

simulate --json --policy home-only --policy default >both.json
is "several policies come as a list" "$(python3 -c 'import json,sys; print(*(p["policy"] for p in json.load(sys.stdin)))' <both.json)" \
    "home-only default"
ok "home alone keeps them waiting longer" \
    'python3 -c "import json; a, b = json.load(open(\"both.json\")); assert a[\"mean_wait_s\"] > 2 * b[\"mean_wait_s\"]; assert a[\"cost\"] == 0 < b[\"cost\"]"'
like "people get a table" "$(simulate --policy home-only --policy greedy)" 'mean bounded slowdown'

echo '{overflow: never, reserve_after: 1m}' >policy.yaml
simulate --json --policy ./policy.yaml >file.json
is "a policy comes from a file" "$(json cost <file.json)" "0.0"
like "a slip in it is told" "$(echo '{overflw: never}' >policy.yaml; simulate --policy ./policy.yaml 2>&1)" "did you mean 'overflow'"

simulate --plot busy.svg >/dev/null
ok "the plot is SVG" 'head -c 4 busy.svg | grep -q "<svg" && tail -n 1 busy.svg | grep -q "</svg>"'

{ echo '1 2 3'; cat trace.swf; echo 'x y z'; } >bad.swf
out=$(spillway simulate --json --trace bad.swf --sites sites.yaml 2>bad.err)
is "lines that are no jobs are skipped" "$(echo "$out" | json jobs)" 60
like "and told" "$(cat bad.err)" 'line 1: 3 fields, 18 wanted'
spillway simulate --trace missing.swf --sites sites.yaml 2>/dev/null
is "a trace that is not there is a fault" $? 3

# What the broker itself has run is a workload too.
broker_start
id=$(spillway submit --parsable --array 0-19 --walltime 1m -- sleep 0.1)
spillway wait "$id"
spillway simulate --json --from 2020-01-01 --sites sites.yaml >own.json
is "its own record is replayed" "$(json jobs <own.json)" 20
like "one that is empty is told" "$(spillway simulate --from 2099-01-01 --sites sites.yaml 2>&1)" 'take an earlier --from'
done_testing
