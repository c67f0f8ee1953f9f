# SPDX-License-Identifier: Apache-2.0
# 2380-cluster-sites.t - what is wrong with a site of a cluster on demand is told with its place, and stops no other
. "${0%/*}/../lib/spillway.sh"
export OS_CLIENT_CONFIG_FILE="$PWD/clouds.yaml"

cat >clouds.yaml <<'YAML'
clouds:
  lab: {auth: {auth_url: "http://127.0.0.1:1/v3", username: u, password: p, project_name: p, user_domain_name: d, project_domain_name: d}}
YAML
cat >cluster.yaml <<'YAML'
heat_template_version: 2018-08-31
parameters: {name: {type: string}, size: {type: number}}
outputs: {login: {value: x}}
YAML
cat >conf.yaml <<'YAML'
sites:
  - {name: here, type: local}
  - {name: no-template, type: magnum, cloud: lab, shapes: {small: {cpus: 1, memory: 1GiB}}}
  - {name: no-shapes, type: magnum, cloud: lab, template: k8s}
  - {name: upside-down, type: magnum, cloud: lab, template: k8s, shapes: {small: {cpus: 1, memory: 1GiB}}, nodes: {least: 3, most: 2}}
  - {name: kubeconfig-too, type: magnum, cloud: lab, template: k8s, shapes: {small: {cpus: 1, memory: 1GiB}}, kubeconfig: mine}
  - {name: no-output, type: heat, cloud: lab, template: cluster.yaml, kubeconfig: kubeconfig, parameters: {size: 1}, shapes: {small: {cpus: 1, memory: 1GiB}}}
  - {name: fixed-size, type: heat, cloud: lab, template: cluster.yaml, kubeconfig: login, parameters: {size: 1}, shapes: {small: {cpus: 1, memory: 1GiB}}, nodes: {most: 3}}
  - {name: unset, type: heat, cloud: lab, template: cluster.yaml, kubeconfig: login, shapes: {small: {cpus: 1, memory: 1GiB}}}
  - {name: far, type: magnum, cloud: lab, template: k8s, shapes: {small: {cpus: 1, memory: 1GiB}}, probe: 1s}
YAML
broker_start --config conf.yaml

# says SITE LINE WORDS
says() {
    like "$1: $3" "$(grep "site $1 is left out" "$T/broker.log")" "conf.yaml:$2:[0-9]*: .*$3"
}
says no-template 3 "template: is missing"
says no-shapes 4 "needs 'shapes'"
says upside-down 5 "nodes.most"
says kubeconfig-too 6 "kubeconfig"
says no-output 7 "no output 'kubeconfig'"
says fixed-size 8 "no parameter 'nodes'"
says unset 9 "'size' has no default"
is "one that is well is used, though its cloud cannot be reached" "$(spillway sites show far --json | json mode)" enabled
id=$(submit -- true)
ok "and the machine's own runs jobs" 'wait_state "$id" succeeded --limit 30'
broker_stop
done_testing
