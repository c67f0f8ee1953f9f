# SPDX-License-Identifier: Apache-2.0
# 3080-sites-probe.t - an operator tries a site: a worker, a small job and the worker's end, step by step
. "${0%/*}/../lib/spillway.sh"
cat >conf.yaml <<'YAML'
sites:
  - {name: home, type: local, cpus: 1, memory: 1GiB}
  - {name: trial, type: local, tier: commercial, phase: test, projects: [others], cpus: 2, memory: 2GiB}
YAML
broker_start --config conf.yaml
eventually 20 'spillway sites show trial --json | grep -q machine'
run() { # the exit code; what was said lies in out and err
    status=0
    "$@" >out 2>err || status=$?
    echo $status
}
steps() { json 'steps.*.step' <out | tr '\n' ' '; }

is "it asks only, when told so" "$(run spillway sites probe --quick trial --json)" 0
is "and gives what the site said" "$(json name <out)" trial
is "no job was queued" "$(spillway ls --all --json)" "[]"

is "the whole way, at a site that no job may go to yet" "$(run spillway sites probe trial --json)" 0
like "each step" "$(steps)" '^asked ordered active joined started ended gone $'
is "it succeeded" "$(json succeeded <out)" true
is "none was there before" "$(json worker_was_there <out)" false
worker=$(json worker <out)
is "its worker is gone" "$(spillway workers show "$worker" --json | json state)" gone
is "no time ran backwards" "$(json 'steps.*.took_ms' <out | grep -c '^-')" 0
is "for people" "$(run spillway sites probe trial)" 0
like "a line a step" "$(cat out)" '^gone +[0-9.]+ s +[0-9.]+ s +the site no longer shows the worker$'
is "an ordinary job still cannot go there" "$(run spillway submit --tier commercial --cpus 2 -- true)" 7

# The site's only worker has others' work: it is used, and stays.
busy=$(submit -- sh -c "until test -e '$T/go'; do sleep 0.1; done")
wait_state "$busy" running
is "when the site is full, the time is up in the end" "$(run spillway sites probe home --timeout 1s)" 1
like "with the site's reason" "$(cat out)" '^home .*(busy|full)'
like "and what to do" "$(cat err)" 'the time is up'
is "its job is no more" "$(spillway ls --project spillway-probe --json)" "[]"
touch "$T/go"
wait_state "$busy" succeeded
is "a worker that is there is used" "$(run spillway sites probe home)" 0
like "which is said" "$(cat out)" 'was there already'
is "and stays" "$(spillway workers --site home --json | json "*.state")" ready

is "a site that is off" "$(run spillway sites disable home) $(run spillway sites probe home)" "0 5"
like "how to switch it on" "$(cat err)" 'spillway sites enable home'
is "no such site" "$(run spillway sites probe nowhere)" 3
SPILLWAY_TOKEN=$(spillway token add --user alice laptop 2>/dev/null)
export SPILLWAY_TOKEN
is "only operators may" "$(run spillway sites probe trial)" 4
is "nor is the project for others" "$(run spillway submit --project spillway-probe -- true)" 7
like "as they are told" "$(cat err)" 'is for operators'
unset SPILLWAY_TOKEN
done_testing
