# SPDX-License-Identifier: Apache-2.0
# 2075-check.t - spillwayd --check tells what is wrong with a configuration, whoever judges the key
. "${0%/*}/../lib/spillway.sh"

# check FILE: the status of --check; what it said is in said.
check() {
    timeout 20 spillwayd --config "$1" --check >said 2>&1
    echo $?
}

cat >good.yaml <<EOF
broker: {state: $T/elsewhere}
sites:
  - {name: here, type: local, cpus: 2}
EOF
is "a configuration without a fault" "$(check good.yaml)" 0
is "is counted" "$(cat said)" "good.yaml: 1 site"
ok "and nothing was made" '! test -e "$T/elsewhere"'
sed 's/cpus:/cpsu:/' good.yaml >driver.yaml
is "a key that only the driver knows is wrong" "$(check driver.yaml)" 1
like "and named with its place" "$(cat said)" "^driver.yaml:3:.*cpsu: unknown key; did you mean 'cpus'"
sed 's/cpus: 2/tier: hoem/' good.yaml >site.yaml
is "a key of every site" "$(check site.yaml)" 1
like "likewise" "$(cat said)" "site.yaml:3:.*hoem.*home"
sed 's/type: local/type: lcoal/' good.yaml >type.yaml
is "a kind of site that is none" "$(check type.yaml)" 1
like "is told with those there are" "$(cat said)" "lcoal.*local"
sed 's/state:/stat:/' good.yaml >broker.yaml
is "a key of the broker" "$(check broker.yaml)" 1
like "likewise" "$(cat said)" "^broker.yaml:1:.*stat.*did you mean 'state'"
is "a file that is not there" "$(check nowhere.yaml)" 1
like "is named" "$(cat said)" "nowhere.yaml"
done_testing
