# SPDX-License-Identifier: Apache-2.0
# 1030-dependencies.t - jobs wait for others, in every way they can
. "${0%/*}/../lib/spillway.sh"
broker_start

good=$(submit --hold -- true)
bad=$(submit --hold -- false)
after_good=$(submit --after "$good" -- true)
after_bad=$(submit --after "$bad" -- true)
on_failure=$(submit --after "$bad:failure" -- true)
not_failed=$(submit --after "$good:failure" -- true)
any_good=$(submit --after "$good:any" -- true)
any_bad=$(submit --after "$bad:any" -- true)
both=$(submit --after "$good" --after "$bad:any" -- true)
is "what waits says so" "$(spillway explain --json "$after_good" | json state reason | tr '\n' ' ')" "pending dependency "
spillway release "$good" "$bad" >/dev/null

ok "success follows success" 'wait_state "$after_good" succeeded'
ok "success cannot follow failure" 'wait_state "$after_bad" failed'
is "which is the reason" "$(field "$after_bad" reason)" dependency
ok "failure is followed by what waits for it" 'wait_state "$on_failure" succeeded'
ok "and by nothing when it does not happen" 'wait_state "$not_failed" failed'
is "for the same reason" "$(field "$not_failed" reason)" dependency
ok "any follows success" 'wait_state "$any_good" succeeded'
ok "and failure" 'wait_state "$any_bad" succeeded'
ok "two at once" 'wait_state "$both" succeeded'
late=$(submit --after "$good" -- true)
ok "a job that ended long ago counts" 'wait_state "$late" succeeded'
late=$(submit --after "$bad" -- true)
ok "also when it failed" 'wait_state "$late" failed'

# A chain falls as a whole; what waits for any end does not.
cat >chain.yaml <<'YAML'
name: a
command: ["false"]
---
name: b
after: [a]
command: ["true"]
---
name: c
after: [b]
command: ["true"]
---
name: d
after: [{job: c, on: any}]
command: ["true"]
YAML
read -r a b c d <<IDS
$(submit chain.yaml | tr '\n' ' ')
IDS
ok "what follows what cannot run, cannot run either" 'wait_state "$c" failed'
is "by dependency" "$(field "$c" reason)" dependency
ok "but an end is an end" 'wait_state "$d" succeeded'

cat >array.yaml <<'YAML'
name: first
array: 1-4
script: |
  #!/bin/sh
  test $SPILLWAY_ARRAY_INDEX != 3
---
name: each
array: 1-4
after: [{job: first, on: success, each: true}]
command: [echo, "{task}"]
---
name: all
after: [{job: first, on: success}]
command: ["true"]
YAML
read -r first each all <<IDS
$(submit array.yaml | tr '\n' ' ')
IDS
ok "task by task" 'wait_state "$each" succeeded,failed'
is "three of four went on" "$(field "$each" counts.succeeded)" 3
is "the third could not" "$(field "$each.3" state) $(field "$each.3" reason)" "failed dependency"
ok "as a whole it failed" 'wait_state "$all" failed'

nok "a job cannot wait for one that is not there" 'submit --after 999999 -- true'
cat >cycle.yaml <<'YAML'
name: a
after: [b]
command: ["true"]
---
name: b
after: [a]
command: ["true"]
YAML
nok "nor can two wait for each other" 'submit cycle.yaml'
before=$(spillway ls --all --json | json '*.id' | wc -l)
submit cycle.yaml >/dev/null 2>&1
is "and nothing is queued" "$(spillway ls --all --json | json '*.id' | wc -l)" "$before"

first=$(submit --hold -- true)
second=$(submit --after "$first" -- true)
spillway cancel "$first" >/dev/null
ok "what waits for a cancelled job ends too" 'wait_state "$second" failed,cancelled'
is "by dependency" "$(field "$second" reason)" dependency
done_testing
