# SPDX-License-Identifier: Apache-2.0
# 1130-login.t - every way in that a kubeconfig may name, at the real API server
# run: limit 900
. "${0%/*}/lab.sh"
conf
token=$(lab token "$NS" "$NS")

# kubeconfig CLUSTER USER [FILE]: what is asked for in the cluster's and the user's entry.
kubeconfig() {
    cat >"${3:-kubeconfig}" <<YAML
apiVersion: v1
kind: Config
current-context: lab
clusters:
- {name: lab, cluster: {$1}}
users:
- {name: account, user: {$2}}
contexts:
- {name: lab, context: {cluster: lab, user: account, namespace: $NS}}
YAML
    chmod 600 "${3:-kubeconfig}"
}
# lets_in WORDS: the site is up with the kubeconfig that is there.
lets_in() {
    broker_start --config conf.yaml
    ok "$1" 'eventually 180 site_is_up'
    broker_stop
}
# keeps_out WORDS PATTERN
keeps_out() {
    broker_start --config conf.yaml
    ok "$1" "eventually 180 'spillway sites show home | grep -Eq \"$2\"'"
    broker_stop
}
runs() {
    id=$(submit --container "$IMAGE" -- echo in)
    ok "$1" 'wait_state "$id" succeeded --limit 240'
}
good="server: \"$LAB_API\", certificate-authority: $LAB/pki/ca.crt"

example token.yaml | kubectl apply -f - >/dev/null
asked_token() { k get secret "$NS-token" -o 'jsonpath={.data.token}' | base64 -d; }
ok "the cluster makes the token that is asked for" 'eventually 180 "test -n \"\$(asked_token)\""'
kubeconfig "$good" "token: \"$(asked_token)\""
lets_in "a token that was asked for"

printf %s "$token" >token && chmod 600 token
kubeconfig "$good" "tokenFile: $PWD/token"
lets_in "a token in a file"
kubeconfig "server: \"$LAB_API\", certificate-authority-data: $(base64 -w 0 "$LAB/pki/ca.crt")" "token: \"$token\""
lets_in "a token, and the CA as data"
kubeconfig "$good" "token: wrong"
keeps_out "a wrong token is refused, and that is said" '401|authenticat'

# The certificate's names are kubernetes.default, ...; its addresses not this one.
kubeconfig "server: \"https://127.0.0.2:443\", certificate-authority: $LAB/pki/ca.crt" "token: \"$token\""
keeps_out "another name than the certificate's" 'certificate|127.0.0.2|SSL'
kubeconfig "server: \"https://127.0.0.2:443\", certificate-authority: $LAB/pki/ca.crt, tls-server-name: kubernetes.default" \
    "token: \"$token\""
lets_in "tls-server-name says which it is"
kubeconfig "server: \"$LAB_API\"" "token: \"$token\""
keeps_out "without the CA nobody is believed" 'certificate|SSL'
kubeconfig "server: \"$LAB_API\", insecure-skip-tls-verify: true" "token: \"$token\""
lets_in "but where the user wants it so"
ok "with a warning" 'grep -q insecure-skip-tls-verify "$T/broker.log"'

# A user with a certificate, who may do what the account may.
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout user.key -subj "/CN=$NS-user" 2>/dev/null |
    openssl x509 -req -days 1 -CA "$LAB/pki/ca.crt" -CAkey "$LAB/pki/ca.key" -CAcreateserial -CAserial serial \
        -out user.crt 2>/dev/null
chmod 600 user.key
k create rolebinding user --role="$NS" --user="$NS-user" >/dev/null
kubeconfig "$good" "client-certificate: $PWD/user.crt, client-key: $PWD/user.key"
lets_in "a client's certificate in files"
kubeconfig "$good" "client-certificate-data: $(base64 -w 0 user.crt), client-key-data: $(base64 -w 0 user.key)"
lets_in "and as data"

# The cluster in one file, the user in another, the context in a third.
kubeconfig "$good" "token: \"$token\"" whole
sed '/^- {name: account/d; /^- {name: lab, context/d; /^users:/d; /^contexts:/d; /^current/d' whole >clusters
sed '/^- {name: lab/d; /^clusters:/d; /^contexts:/d; /^current/d' whole >users
sed '/^- {name: account/d; /^- {name: lab, cluster/d; /^users:/d; /^clusters:/d' whole >contexts
chmod 600 clusters users contexts
sed "s,kubeconfig: kubeconfig,kubeconfig: \"$PWD/clusters:$PWD/users:$PWD/contexts\"," conf.yaml >conf.several
mv conf.several conf.yaml
lets_in "several files"
conf

# A program that prints a credential, which ends soon; it counts how often it was asked.
cat >plugin <<'SH'
#!/bin/sh
dir=${0%/*}
echo "$KUBERNETES_EXEC_INFO" >>"$dir/asked"
cat <<END
{"apiVersion": "$1", "kind": "ExecCredential",
 "status": {"token": "$(cat "$dir/token")", "expirationTimestamp": "$(date -u -d "+${2} seconds" +%Y-%m-%dT%H:%M:%SZ)"}}
END
SH
chmod 755 plugin
for version in v1beta1 v1; do
    rm -f asked
    kubeconfig "$good" "exec: {apiVersion: client.authentication.k8s.io/$version, command: $PWD/plugin, args: [client.authentication.k8s.io/$version, '3600'], interactiveMode: Never}"
    lets_in "a program of $version"
    is "is asked once" "$(grep -c . asked)" 1
    is "in its version" "$(jq -r .apiVersion asked)" "client.authentication.k8s.io/$version"
done
kubeconfig "$good" "exec: {apiVersion: client.authentication.k8s.io/v1, command: $PWD/plugin, args: [client.authentication.k8s.io/v1, '75'], interactiveMode: Never}"
rm -f asked
start
runs "a job runs by a program's credential"
ok "it is asked again before that ends" 'eventually 180 "test \$(grep -c . asked) -ge 2"'
# The token is taken back, and the program knows another.
old=$(k get serviceaccount "$NS" -o 'jsonpath={.secrets[0].name}')
k delete secret "$old" >/dev/null
ok "the cluster makes another token" 'eventually 180 "test \"\$(k get serviceaccount \$NS -o jsonpath={.secrets[0].name})\" != $old && lab token \$NS \$NS >fresh && test -s fresh"'
mv fresh token
runs "a job runs by the next, after the first was refused"
ok "nothing is left" nothing_is_left
broker_stop

# The files that a pod of this account would see, where it would see them.
printf %s "$(lab token "$NS" "$NS")" >token
cat >pod <<'SH'
#!/bin/sh
at=/run/secrets/kubernetes.io/serviceaccount
mount -t tmpfs tmpfs /run && mkdir -p "$at" && cp token ca.crt namespace "$at/" || exit 1
exec "$@"
SH
chmod 755 pod
cp "$LAB/pki/ca.crt" ca.crt
printf %s "$NS" >namespace
sed 's/kubeconfig: kubeconfig/kubeconfig: in-cluster/' conf.yaml >conf.inside && mv conf.inside conf.yaml
BROKER_WRAP="unshare --mount $PWD/pod"
KUBERNETES_SERVICE_HOST=10.96.0.1 KUBERNETES_SERVICE_PORT=443
export KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT
start
runs "a job runs by the account of the pod that the broker is in"
ok "nothing is left" nothing_is_left
done_testing
