# SPDX-License-Identifier: Apache-2.0
# 1240-burst-operator.t - an operator's account takes jobs of other users, and reaches their files as them alone
. "${0%/*}/lab.sh"
command -v sudo >/dev/null || skip_all "sudo is not installed"
OPERATOR=${LAB_USER}op RULE=/etc/sudoers.d/$LAB_USER

leave() {
    rm -f "$RULE"
    sacctmgr -iQ delete user "$OPERATOR" >/dev/null 2>&1
    userdel "$OPERATOR" 2>/dev/null
    rm -rf "$LAB/operator"
}
leave
trap 'leave; clean_up' EXIT
useradd -M -U -s /bin/sh -p '*' -d "$LAB/operator" "$OPERATOR"
install -d -m 700 -o "$OPERATOR" -g "$OPERATOR" "$LAB/operator"
sacctmgr -iQ add user "$OPERATOR" account=lab adminlevel=operator >/dev/null
echo "$OPERATOR ALL=($LAB_USER) NOPASSWD: /usr/bin/find, /usr/bin/cat, /usr/bin/tar, /usr/bin/sh, /usr/bin/rm, /usr/bin/test" >"$RULE"
chmod 440 "$RULE"
sed "s/Host login/Host operator/; s/User .*/User $OPERATOR/" "$LAB/ssh_config" >ssh_config

cat >conf.yaml <<YAML
broker: {listen: "127.0.0.1:$PORT", lease: {ttl: 10s, heartbeat: 1s}}
projects: {lab: {}}
sites:
  - name: home
    type: slurm
    ssh: {host: operator, config: $T/work/ssh_config}
    probe: 2s
    reconcile: 2s
    burst: {qos: normal, users: all, every: 1s}
  - {name: near, type: local, tier: partner, overflow_after: 1m, limits: {cores: 2}, idle: 30s}
YAML
as_user 'sbatch -c 4 -o /dev/null --wrap "sleep 3600"' >/dev/null
ok "home is full" 'eventually 30 "test -n \"\$(squeue -h -t R -u $LAB_USER -o %i)\""'
as_user 'rm -rf w && mkdir -m 700 w && echo 40 >w/number && cat >w/job.sh' <<'SH'
#!/bin/bash
mkdir results
echo $(($(cat number) + 2)) >results/answer
echo said
exit 3
SH
id=$(as_user 'cd w && sbatch --parsable -t 10 --mem=10 job.sh')
start
ok "another user's job goes and comes back" 'eventually 90 "test \"\$(burst_field $id state)\" = done"' || spillway burst ls --all
is "its results are in its folder" "$(as_user cat w/results/answer)" 42
is "hers, as nobody else's" "$(stat -c '%U' "$LAB/home/w/results/answer" "$LAB/home/w/slurm-$id.out" | sort -u)" "$LAB_USER"
is "its output too" "$(as_user "cat w/slurm-$id.out")" said
like "the accounting is told" "$(sacct -nXP -j "$id" -o State,DerivedExitCode,Comment)" '^CANCELLED.*\|3:0\|spillway: ran at near'
job=$(burst_field "$id" job)
is "it is hers in the broker" "$(field "$job" user)" "$LAB_USER"
is "and of her account's project" "$(field "$job" project)" lab
ok "nothing of it is left with the operator" 'test -z "$(ls "$LAB/operator/.spillway/burst" 2>/dev/null)"'
done_testing
