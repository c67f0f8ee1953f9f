# SPDX-License-Identifier: Apache-2.0
# 1050-bad.t - site files and credentials that are wrong: told with their place, and the other site works on
. "${0%/*}/lab.sh"
conf ", idle: 1s" site-a
cat >>conf.yaml <<'YAML'
  - {name: nobody, type: openstack, cloud: nobody}
  - name: typo
    type: openstack
    cloud: site-b
    netwrok: labnet
  - {name: locked, type: openstack, cloud: locked, network: labnet}
  - {name: bare, type: openstack, cloud: bare, network: labnet}
  - {name: lost, type: openstack, cloud: site-c, network: elsewhere}
YAML
entry() { # entry NAME USER [PASSWORD]
    printf '  %s: {auth: {auth_url: "http://127.0.0.1:5000", username: %s, project_name: %s%s}}\n' \
        "$1" "$2" "$2" "${3:+, password: $3}"
}
{
    echo clouds:
    for site in site-a site-b site-c; do
        entry $site "$(project_of $site)" $site-secret
    done
    entry bare "$(project_of site-b)"
    entry locked "$(project_of site-b)" wrong
} >clouds.yaml
guests_start
lab_clouds=$OS_CLIENT_CONFIG_FILE
OS_CLIENT_CONFIG_FILE=$PWD/clouds.yaml
export OS_CLIENT_CONFIG_FILE
broker_start --config conf.yaml
OS_CLIENT_CONFIG_FILE=$lab_clouds
told() { spillway sites --json | python3 -c 'import json,sys; print(*[str(s) for s in json.load(sys.stdin) if s["name"] == sys.argv[1]])' "$1"; }
like "a cloud that is not there" "$(told nobody)" "conf.yaml:[0-9]+:[0-9]+: sites.1..cloud: .*has no cloud .*nobody"
like "a slip of the pen" "$(told typo)" "conf.yaml:[0-9]+:[0-9]+: sites.2..netwrok: unknown key; did you mean .*network"
like "a credential that is not whole" "$(told bare)" "conf.yaml:[0-9]+:[0-9]+: sites.4..cloud: .*bare.*auth.password .it may stand in secure.yaml. is missing"
ok "a wrong password" 'eventually 30 "told locked | grep -q \"Keystone refuses the login: 401\""'
unlike "is not told to anybody" "$(cat "$T/broker.log"; told locked)" 'wrong'
ok "a network that is not there" 'eventually 30 "told lost | grep -q \"network: no such network; there is .*labnet\""'
id=$(submit -- echo fine)
ok "the good site works" 'wait_state "$id" succeeded --limit 120'
is "on the good site" "$(field "$id" site)" site-a
ok "nothing is left at the cloud" 'nothing_is_left'
guests_stop
done_testing
