# SPDX-License-Identifier: Apache-2.0
# 1010-host-key.t - the login node is who known_hosts says, or nothing is sent to it
. "${0%/*}/lab.sh"
key=$(cut -d ' ' -f 2,3 "$LAB/known_hosts")
ssh-keygen -q -t ed25519 -N '' -f other
other=$(cut -d ' ' -f 1,2 other.pub)
name="[127.0.0.1]:$LAB_PORT"
SSH_CONFIG=$T/work/ssh_config
sed "s|UserKnownHostsFile.*|UserKnownHostsFile $T/work/known_hosts|" "$LAB/ssh_config" >ssh_config
conf

# with WORDS: this in known_hosts, and the site asked anew.
with() {
    printf '%s\n' "$@" >known_hosts
    spillway sites probe --quick home >probe.out 2>&1
}

echo "$name $other" >known_hosts
broker_start --config conf.yaml
ok "a key that has changed is refused, said loudly" \
    'eventually 30 "grep -q \"THE HOST KEY OF .*HAS CHANGED\" $T/broker.log"'
nok "an authority's word for a plain key is refused, not ignored" 'with "@cert-authority $name $other"'
like "and the words say so" "$(cat probe.out)" 'certificate authority'
nok "a host that is not known is refused" 'with "elsewhere $key"'
like "and the words name its key" "$(cat probe.out)" 'not known .*SHA256:'
nok "a revoked key is refused, though another line knows it" 'with "$name $key" "@revoked * $key"'
like "and the words say so" "$(cat probe.out)" 'REVOKED'
nok "a negated pattern is not a match" 'with "*,!$name $key"'
ok "the right key is taken" 'with "$name $key"'
printf '%s %s\n' "$name" "$key" >known_hosts
ssh-keygen -q -H -f known_hosts
unlike "its name can be hashed" "$(cat known_hosts)" '127\.0\.0\.1'
broker_stop
broker_start --config conf.yaml
ok "and is taken then too" 'eventually 30 site_is_up'
done_testing
