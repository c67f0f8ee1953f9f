# SPDX-License-Identifier: Apache-2.0
# 1250-rounds.t - faults of every kind and kills of the broker, ten rounds; all jobs end once, nothing is left
# run: alone
# run: limit 7200
#
# ROUNDS=100 CARDS=1 SEED=2026 makes it the long form, BESIDE=4 has four rounds under way at once.
# The short one's seed has Nova and Keystone away early, and once.
. "${0%/*}/lab.sh"
guests_start
ok "the rounds are played" '"$OPENSTACK/rounds.py" --seed "${SEED:-133}" --rounds "${ROUNDS:-10}" --cards "${CARDS:-2}" --beside "${BESIDE:-1}" >figures.json 2>"$T/rounds.log"'
grep -E '^# ' "$T/rounds.log"
grep -vE '^# ' "$T/rounds.log" | tail -n 20 | sed 's/^/# /'
diag "$(cat figures.json)"
figure() { json "$1" <figures.json; }
is "all tasks succeeded" "$(figure states.succeeded)" "$(figure tasks)"
is "each ended once" "$(figure ended_once)" "$(figure tasks)"
ok "though the broker was killed" 'test "$(figure kills)" -gt 0'
is "none succeeded twice" "$(figure succeeded_twice)" 0
is "nothing of ours is left" "$(figure left)" "[]"
ok "nor does the cloud's own client see anything" 'nothing_is_left 1'
for what in "server list --all-projects" "port list" "volume list --all-projects" "keypair list"; do
    is "openstack $what: nothing of ours" \
        "$(for cloud in admin site-a site-b site-c; do
            case $cloud-$what in admin-* | *keypair*) ;; *) continue ;; esac
            openstack --os-cloud $cloud $what -f value -c Name
        done | grep '^spillway-')" ""
done
is "openstack floating ip list: nothing of ours" \
    "$(openstack --os-cloud admin floating ip list --long -f value -c Description | grep '^spillway ')" ""
guests_stop
done_testing
