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

# An sshd beside the lab's that shows nothing but a certificate: libssh2 1.10 would take it, and fall over it.
ssh-keygen -q -t ecdsa -N '' -f certified
ssh-keygen -q -s other -I host -h -n 127.0.0.1 certified.pub
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
grep -v '^HostKey\|^ListenAddress' "$LAB/ssh/sshd_config" >sshd_config
cat >>sshd_config <<END
ListenAddress 127.0.0.1:$port
HostKey $PWD/certified
HostCertificate $PWD/certified-cert.pub
HostKeyAlgorithms ecdsa-sha2-nistp256-cert-v01@openssh.com
END
/usr/sbin/sshd -D -f sshd_config -E sshd.log &
sshd_pid=$!
eventually 20 'grep -q "Server listening" sshd.log'
sed -i "s/Port .*/Port $port/" ssh_config
broker_stop
broker_start --config conf.yaml
nok "a host that shows a certificate alone is refused" 'with "@cert-authority [127.0.0.1]:$port $other"'
like "and the words say why" "$(cat probe.out)" 'no key exchange.*no certificate can'
ok "the broker is alive" 'spillway sites'
kill "$sshd_pid"
wait "$sshd_pid"
sed -i "s/Port .*/Port $LAB_PORT/" ssh_config
printf '%s %s\n' "$name" "$key" >known_hosts
ssh-keygen -q -H -f known_hosts
unlike "its name can be hashed" "$(cat known_hosts)" '127\.0\.0\.1'
broker_stop
broker_start --config conf.yaml
ok "and is taken then too" 'eventually 30 site_is_up'
done_testing
