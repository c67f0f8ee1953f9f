#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""cloud.py COMMAND - look at the lab's cloud, or meddle with it, as its administrator.

    left                 what bears Spillway's mark, one a line: servers, ports, security groups
    clean                remove all of that, whoever's it is
    delete NAME          delete that server, as a user might behind the broker's back
    peak SECONDS FILE    for so long, write the largest use of quota seen: SITE instances/LIMIT cores/LIMIT
    wait-none SECONDS    until nothing is left; 1 when something still is
"""
import sys
import time

import openstack

SITES = ("site-a", "site-b", "site-c")
cloud = openstack.connect(cloud="admin")


def get(service, url, key):
    answer = service.get(url)
    answer.raise_for_status()
    return answer.json()[key]


def servers():
    return [s for s in get(cloud.compute, "/servers/detail?all_tenants=1", "servers")
            if "spillway-broker" in s["metadata"]]


def ports():
    return [p for p in get(cloud.network, "/ports", "ports") if p.get("description", "").startswith("spillway ")]


def groups():
    return [g for g in get(cloud.network, "/security-groups", "security_groups")
            if g.get("description", "").startswith("spillway ")]


def left():
    return ([f"server {s['name']} {s['status']}" for s in servers()] + [f"port {p['name']}" for p in ports()] +
            [f"security-group {g['name']}" for g in groups()])


def clean():
    for server in servers():
        cloud.compute.delete(f"/servers/{server['id']}")
    for port in ports():
        cloud.network.delete(f"/ports/{port['id']}")
    for group in groups():
        cloud.network.delete(f"/security-groups/{group['id']}")
    return wait_none(60)


def wait_none(seconds):
    end = time.monotonic() + seconds
    while left():
        if time.monotonic() > end:
            print("\n".join(left()))
            return 1
        time.sleep(0.5)
    return 0


def delete(name):
    found = [s for s in servers() if s["name"] == name]
    for server in found:
        cloud.compute.delete(f"/servers/{server['id']}")
    return 0 if found else 1


def peak(seconds, path):
    projects = {p.name: p.id for p in cloud.identity.projects() if p.name in SITES}
    most = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for site, project in projects.items():
            quota = get(cloud.compute, f"/os-quota-sets/{project}/detail", "quota_set")
            for key in "instances", "cores":
                used, limit = quota[key]["in_use"], quota[key]["limit"]
                if used >= most.get((site, key), (0, 0))[0]:
                    most[site, key] = (used, limit)
        with open(path, "w", encoding="utf-8") as file:
            for (site, key), (used, limit) in sorted(most.items()):
                file.write(f"{site} {key} {used} {limit}\n")
        time.sleep(0.5)
    return 0


def main():
    command, rest = sys.argv[1], sys.argv[2:]
    if command == "left":
        print("\n".join(left()))
        return 0
    if command == "peak":
        return peak(float(rest[0]), rest[1])
    if command == "wait-none":
        return wait_none(float(rest[0]))
    return {"clean": clean, "delete": delete}[command](*rest)


sys.exit(main())
