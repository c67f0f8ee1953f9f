# SPDX-License-Identifier: Apache-2.0
# 1170-rsa.t - RSA keys, as files and in ssh-agent, at an sshd that takes no signature by SHA-1
. "${0%/*}/lab.sh"
trap 'rm -f "$LAB/ssh/more.pub"; kill "${agent:-}" 2>/dev/null; clean_up' EXIT
ssh-keygen -q -t rsa -b 3072 -N '' -f new
ssh-keygen -q -t rsa -b 2048 -N '' -m PEM -f old
ssh-keygen -q -t rsa -b 2048 -N '' -f lent
ssh-keygen -q -t rsa -b 2048 -N '' -f stranger
ssh-keygen -q -t rsa -b 2048 -N secret -f locked
cat new.pub old.pub lent.pub locked.pub >"$LAB/ssh/more.pub"
unlike "this sshd takes no ssh-rsa" "$(sshd -T -f "$LAB/ssh/sshd_config" | grep -i '^pubkeyaccepted')" '[ ,]ssh-rsa(,|$)'

# with LINES: ssh's configuration with these in place of the usual key, and a new session to the host.
with() {
    { grep -v 'Identit' "$LAB/ssh_config" && printf '    %s\n' "$@"; } >ssh_config
    broker_stop
    broker_start --config conf.yaml
    spillway sites probe --quick home >probe.out 2>&1
}

cat >conf.yaml <<YAML
broker: {listen: "127.0.0.1:$PORT"}
sites:
  - {name: home, type: ssh, ssh: {host: login, config: ssh_config}, cpus: 2, memory: 1GiB, probe: 1h, reconcile: 1h}
YAML
ok "a key in OpenSSH's own form" 'with "IdentityFile $PWD/new" "IdentitiesOnly yes"' || cat probe.out
ok "a key in PEM" 'with "IdentityFile $PWD/old" "IdentitiesOnly yes"' || cat probe.out
nok "one that the host does not know is refused" 'with "IdentityFile $PWD/stranger" "IdentitiesOnly yes"'
like "and named" "$(cat probe.out)" 'tried: .*/stranger'
nok "one with a passphrase too" 'with "IdentityFile $PWD/locked" "IdentitiesOnly yes"'
eval "$(ssh-agent -s -a "$T/agent")" >/dev/null
agent=$SSH_AGENT_PID
ssh-add -q stranger lent
ok "one in ssh-agent, behind another" 'with "IdentityAgent $T/agent"' || cat probe.out
ssh-add -q -d lent
nok "taken out of it, it opens nothing" 'with "IdentityAgent $T/agent"'
done_testing
