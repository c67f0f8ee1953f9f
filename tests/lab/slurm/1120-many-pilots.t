# SPDX-License-Identifier: Apache-2.0
# 1120-many-pilots.t - pilots that are wanted at once are one array; the login node is asked seldom
. "${0%/*}/lab.sh"
conf
start
# Four projects, none of which shares a worker with another.
for project in a b c d; do
    cat <<YAML
---
name: job-$project
project: $project
resources: {cpus: 1, memory: 200MiB}
script: |
  #!/bin/sh
  until test -e /tmp/spillway-lab-$PORT; do sleep 0.1; done
YAML
done >jobs.yaml
ids=$(submit jobs.yaml)
for id in $ids; do
    ok "job $id runs" 'wait_state "$id" running --limit 60'
done
queue=$(squeue -h -r -u "$LAB_USER" -o '%i %j %T' | grep ' spillway-')
diag "$queue"
is "each has a pilot of its own" "$(printf '%s\n' "$queue" | grep -c RUNNING)" 4
ok "fewer calls of sbatch made them" 'test "$(printf "%s\n" "$queue" | sed "s/[_ ].*//" | sort -u | wc -l)" -lt 4'
is "the site lists them by the names of the workers" \
    "$(spillway sites audit home --json | json 'resources.*.worker' | sort | tr '\n' ' ')" \
    "$(spillway workers --json | json '*.name' | sort | tr '\n' ' ')"

# One of the array is taken away: it alone.
worker=$(field "${ids%%[!0-9]*}" worker)
number=${worker##*-}
member=$(printf '%s\n' "$queue" | while read -r id name state; do
    case $name in
    *+) base=${name%+} base=${base##*-}; test $((base + ${id#*_})) != "$number" || echo "$id" ;;
    *) test "$name" != "$worker" || echo "$id" ;;
    esac
done)
first=${ids%%[!0-9]*}
ok "one pilot is cancelled" 'as_user scancel "$member"'
ok "its job runs again elsewhere" 'wait_state "$first" running --attempt 2 --limit 90'
is "the others never noticed" "$(for id in $ids; do test "$id" = "$first" || field "$id" attempt; done | tr '\n' ' ')" "1 1 1 "
broker_kill
broker_start --config conf.yaml
touch "/tmp/spillway-lab-$PORT"
for id in $ids; do
    ok "job $id ends well, though the broker was killed" 'wait_state "$id" succeeded --limit 60'
done
rm -f "/tmp/spillway-lab-$PORT"
like "how often the login node was asked is shown" "$(spillway sites show home)" 'calls_minute +[1-9]'
ok "and is within its bound" \
    'site=$(spillway sites show home --json); test "$(echo "$site" | json calls_minute)" -le "$(echo "$site" | json calls_minute_most)"'
diag "commands in the last minute: $(spillway sites show home --json | json calls_minute), at most $(spillway sites show home --json | json calls_minute_most)"
ok "nothing is left" 'nothing_is_left 90'
done_testing
