# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# heat.sh - what the tests of stacks share, on top of lab.sh.

openstack --os-cloud site-a stack list >/dev/null 2>&1 || skip_all "this lab has no Heat; LAB_EXTRAS=heat starts it"

# left [KIND]: names of what is ours in the project of site-a: stacks, servers, ports and groups.
left() {
    /usr/bin/python3 - "$@" <<'PY'
import sys
import openstack
site = openstack.connect(cloud="site-a")
found = [("stack", s.name) for s in site.orchestration.stacks()]
found += [("server", s["name"]) for s in site.compute.get("/servers").json()["servers"]]
found += [("port", p["name"]) for p in site.network.get("/ports").json()["ports"]]
found += [("group", g["name"]) for g in site.network.get("/security-groups").json()["security_groups"]]
for kind, name in found:
    if name.startswith("spillway-") and kind in (sys.argv[1:] or [kind]):
        print(name)
PY
}
nothing_of_stacks() { eventually "${1:-90}" 'test -z "$(left)"'; }

for old in $(left stack); do openstack --os-cloud site-a stack delete -y "$old"; done
nothing_of_stacks 60 || skip_all "stacks of an earlier run do not go"

cp "$ROOT/examples/heat/worker.yaml" worker.yaml
stacks() { # stacks KEYS
    cat >conf.yaml <<YAML
broker: {listen: "$BROKER", url: "https://$BROKER", log: debug, lease: {ttl: 10s, heartbeat: 1s}}
sites:
  - {name: site-a, type: heat, cloud: site-a, network: labnet, template: worker.yaml, probe: 3s, reconcile: 5s
     , calls: {per_second: 50, burst: 50}, flavors: [m1.tiny, m1.small, g1.v100], parameters: {purpose: test}, images: {debian-12: debian-12}$1}
YAML
}

