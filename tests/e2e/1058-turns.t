# SPDX-License-Identifier: Apache-2.0
# 1058-turns.t - where a job's data may go, what goes behind a reservation, and whose turn it is
. "${0%/*}/../lib/spillway.sh"
cat >conf.yaml <<'YAML'
broker: {fair_share: {reserve_after: 2s}}
sites:
  - {name: home, type: local, cpus: 2, memory: 1GiB, jurisdiction: DE}
  - {name: paris, type: local, tier: partner, cpus: 4, memory: 1GiB, jurisdiction: FR, overflow_after: 0s}
  - {name: reach, type: local, tier: partner, cpus: 4, memory: 1GiB, jurisdiction: FR, cloud_act: true, overflow_after: 0s}
YAML
broker_start --config conf.yaml
answers() { test "$(spillway sites show "$1" --json | json health)" = up; }
eventually 60 'answers home && answers paris && answers reach'
placed() { # placed YAML-OF-PLACEMENT [CPUS]: the site where such a job runs
    printf 'command: ["true"]\nresources: {cpus: %s}\nplacement: %s\n' "${2:-1}" "$1" >placed.yaml
    placed_id=$(submit placed.yaml)
    wait_state "$placed_id" succeeded >&2
    field "$placed_id" site
}

# Where.
is "three cpus and data for France out of reach of the CLOUD Act" "$(placed '{jurisdiction: [FR], cloud_act: false}' 3)" paris
is "one that is excluded is not used" "$(placed '{sites: {exclude: [home, paris]}}')" reach
is "of workers that are up, one at a preferred site is taken" "$(placed '{sites: {prefer: [reach]}}')" reach
is "one that is required is" "$(placed '{sites: {require: [paris]}}')" paris
printf 'command: ["true"]\nresources: {cpus: 3}\nplacement: {jurisdiction: [DE]}\n' >de.yaml
nok "nobody in Germany has three cpus" 'submit de.yaml'
like "  the CLOUD Act is named where it is what stands in the way" \
    "$(printf 'command: ["true"]\nplacement: {cloud_act: false}\n' >act.yaml; spillway submit --dry-run act.yaml)" 'reach .*CLOUD Act'
nok "no site has an A100 with 40 GiB" 'submit --gpus 1 --gpu-model A100 --gpu-memory 40GiB -- true'
id=$(submit --anyway --parsable --gpus 1 --gpu-model A100,V100 --gpu-memory 40GiB -- true 2>/dev/null)
like "queued anyway, show says why it waits" "$(spillway show "$id")" 'pending: no-site'
is "  to programs as well" "$(spillway show "$id" --json | json reason)" no-site
spillway cancel "$id"

# One cpu of home is held, ten minutes at most.  A job for both has waited long enough: the rest goes
# behind it only if it is back by then.
rm -f "$T/go"
hold="until test -e '$T/go'; do sleep 0.2; done"
held=$(submit --tier home --walltime 10m -- sh -c "$hold")
wait_state "$held" running
wide=$(submit --tier home --cpus 2 --walltime 1h -- true)
since=$(date +%s)
eventually 30 'test "$(date +%s)" -gt $((since + 3))'
long=$(submit --tier home --walltime 30m -- true)
brief=$(submit --tier home --walltime 1m -- true)
ok "a short job goes behind the reservation" 'wait_state "$brief" succeeded'
is "  a longer one would delay it" "$(field "$long" state) $(field "$wide" state)" "pending pending"
like "  explain says what is free" "$(spillway explain "$wide")" 'home .*busy.*cpus: 2 - in use 1 = 1 free, 2 needed'
touch "$T/go"
ok "the wide one starts when both are free" 'wait_state "$wide" succeeded'
ok "  and the longer one runs" 'wait_state "$long" succeeded'
began() { date -d "$(field "$1" started)" +%s.%N; }
ok "  after it" 'echo "$(began "$wide") $(began "$long")" | awk "{exit !(\$1 <= \$2)}"'

# Ada has 20 tasks in the queue when Bob comes with three.
token() { "$LIB/api" POST /v1/tokens "{\"name\": \"$1\", \"user\": \"$1\", \"role\": \"user\", \"projects\": [\"shared\"]}" | json token; }
ada=$(token ada) bob=$(token bob)
printf 'command: [sleep, "0.6"]\nproject: shared\narray: 1-20\nplacement: {tier: home}\n' >ada.yaml
sed 's/1-20/1-3/; s/home}/home}\nname: few/' ada.yaml >bob.yaml
hers=$(SPILLWAY_TOKEN=$ada submit ada.yaml)
his=$(SPILLWAY_TOKEN=$bob submit bob.yaml)
ok "both users' work is done" 'spillway wait "$hers" "$his"'
last_begun() { spillway ls --all "$1" --json | json '*.started' | sort | tail -n 1; }
behind() { # of Ada's tasks, those that began after the last of Bob's
    spillway ls --all "$hers" --json | json '*.started' | awk -v last="$(last_begun "$his")" '$1 > last' | grep -c .
}
ok "Bob's few did not wait for all of Ada's" 'test "$(behind)" -ge 5'
like "usage --shares names both" "$(spillway usage --shares | tr '\n' ' ')" 'ada.*bob|bob.*ada'
done_testing
