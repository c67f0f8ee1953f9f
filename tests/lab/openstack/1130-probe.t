# SPDX-License-Identifier: Apache-2.0
# 1130-probe.t - an operator tries a site: server, agent, a small job, and nothing is left
. "${0%/*}/lab.sh"
conf ", idle: 5m, phase: test" site-a
guests_start
broker_start --config conf.yaml
ok "the site answers" 'eventually 60 "spillway sites show site-a --json | json health | grep -qx up"'
ok "the whole way works" 'spillway sites probe site-a --timeout 4m >out'
sed 's/^/# /' out
for step in asked ordered active joined started ended gone; do
    like "$step" "$(cat out)" "^$step +[0-9.]+ s"
done
ok "nothing is left at the cloud" 'nothing_is_left'

# A guest that never boots: the probe says how far it came, and takes all away again.
touch "$T/guests/mute"
nok "a guest that does not boot" 'spillway sites probe site-a --timeout 20s --json >mute.json 2>err'
is "its server ran" "$(json 'steps.*.step' <mute.json | tail -n 1)" gone
unlike "but nobody joined" "$(json 'steps.*.step' <mute.json)" joined
rm "$T/guests/mute"
ok "nothing of that is left either" 'nothing_is_left'
guests_stop
done_testing
