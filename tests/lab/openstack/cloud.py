#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""cloud.py COMMAND - look at what a test has of the lab's cloud, or meddle with it, as its administrator.

    left                 what bears Spillway's mark, one a line: servers, volumes, ports, floating addresses, groups
    clean                remove all of that, whoever's it is
    delete NAME          delete that server, as a user might behind the broker's back
    peak SECONDS FILE    for so long, write the largest use of quota seen: SITE WHAT USED LIMIT; and GPUs, of all projects
    volume SITE NAME     a volume of 1 GiB there, for good; one that is there already is left alone
    stray SITE LIKE NAME  a volume there, marked as if the broker of the worker LIKE had made it for NAME
    volume-state WORKER STATE  what Cinder takes the worker's volumes for
    quota SITE KEY N     that project's quota of "volumes", "gigabytes" or "floatingip"
    others SITE N        that many servers of another client there, in all
    crowd SEED           another client of the three projects, as their user: takes quota and frees it until SIGTERM
    wait-none SECONDS    until nothing is left; 1 when something still is
"""
import collections
import random
import signal
import sys
import time

import openstack

from lane import SITES, Servers, projects

cloud = openstack.connect(cloud="admin")
OURS = projects(cloud)


def get(service, url, key):
    answer = service.get(url)
    answer.raise_for_status()
    return answer.json()[key]


def of_ours(things, key="project_id"):
    return [thing for thing in things if thing[key] in OURS]


def servers():
    return [s for s in of_ours(get(cloud.compute, "/servers/detail?all_tenants=1", "servers"), "tenant_id")
            if "spillway-broker" in s["metadata"]]


def ports():
    return [p for p in of_ours(get(cloud.network, "/ports", "ports")) if p.get("description", "").startswith("spillway ")]


def groups():
    return [g for g in of_ours(get(cloud.network, "/security-groups", "security_groups"))
            if g.get("description", "").startswith("spillway ")]


def floating():
    return [f for f in of_ours(get(cloud.network, "/floatingips", "floatingips"))
            if f.get("description", "").startswith("spillway ")]


def volumes():
    return [v for v in of_ours(get(cloud.block_storage, "/volumes/detail?all_tenants=1", "volumes"),
                               "os-vol-tenant-attr:tenant_id") if "spillway-broker" in v["metadata"]]


def server_groups():
    # Of all projects: the project of a group is not told before microversion 2.13.
    answer = cloud.compute.get("/os-server-groups?all_projects=true", microversion="2.13")
    answer.raise_for_status()
    return [g for g in of_ours(answer.json()["server_groups"]) if g["name"].startswith("spillway ")]


def left():
    return ([f"server {s['name']} {s['status']}" for s in servers()] + [f"port {p['name']}" for p in ports()] +
            [f"volume {v['name']} {v['status']}" for v in volumes()] +
            [f"floating-ip {f['floating_ip_address']}" for f in floating()] +
            [f"security-group {g['name']}" for g in groups()] + [f"server-group {g['name']}" for g in server_groups()])


def clean():
    for server in servers():
        cloud.compute.delete(f"/servers/{server['id']}")
    for address in floating():
        cloud.network.delete(f"/floatingips/{address['id']}")
    for port in ports():
        cloud.network.delete(f"/ports/{port['id']}")
    for volume in volumes():
        url = f"/volumes/{volume['id']}/action"
        cloud.block_storage.post(url, json={"os-reset_status": {"status": "available", "attach_status": "detached"}})
        cloud.block_storage.post(url, json={"os-force_delete": {}})
    for group in server_groups():
        cloud.compute.delete(f"/os-server-groups/{group['id']}")
    for group in groups():
        cloud.network.delete(f"/security-groups/{group['id']}")
    # What a test that was cut short had taken away.
    quota("site-a", "floatingip", 50)
    quota("site-a", "volumes", 4)
    return wait_none(60)


def wait_none(seconds):
    """The servers go first: while there are some, nothing else is asked for."""
    end, names = time.monotonic() + seconds, "&name=%5Espillway-"
    while any(get(cloud.compute, f"/servers?all_tenants=1&project_id={project}{names}", "servers")
              for project in OURS) or left():
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


def volume(site, name):
    own = openstack.connect(cloud=site)
    made = own.block_storage.find_volume(name) or own.block_storage.create_volume(name=name, size=1)
    own.block_storage.wait_for_status(made, "available", failures=["error"], wait=60)
    return 0


def stray(site, like, name):
    mark = next(s for s in servers() if s["name"] == like)["metadata"]["spillway-broker"]
    own = openstack.connect(cloud=site)
    made = own.block_storage.create_volume(name=name, size=1)
    own.block_storage.wait_for_status(made, "available", failures=["error"], wait=60)
    reset_status(made.id, "error_deleting")
    # Marked at the end: what bears the mark and is whole is removed at once.
    own.block_storage.put(f"/volumes/{made.id}/metadata", json={
        "metadata": {"spillway-broker": mark, "spillway-worker": name, "spillway-role": "scratch"}})
    return 0


def reset_status(volume, state):
    cloud.block_storage.post(f"/volumes/{volume}/action", json={"os-reset_status": {"status": state}})


def volume_state(worker, state):
    found = [v for v in volumes() if v["name"] == worker]
    for one in found:
        reset_status(one["id"], state)
    return 0 if found else 1


def quota(site, key, value):
    project = next(number for number, name in OURS.items() if name == site)
    if key == "floatingip":
        cloud.network.put(f"/quotas/{project}", json={"quota": {key: int(value)}})
    else:
        cloud.block_storage.put(f"/os-quota-sets/{project}", json={"quota_set": {key: int(value)}})
    return 0


def gpus_there():
    """As Placement counts them."""
    totals = [get(cloud.placement, f"/resource_providers/{provider['uuid']}/inventories", "inventories")
              for provider in get(cloud.placement, "/resource_providers", "resource_providers")]
    return sum(one.get("CUSTOM_GPU_V100", {}).get("total", 0) for one in totals)


def peak(seconds, path):
    """By the servers themselves: Nova counts one that it refused for quota, late and by ERROR, until it is removed."""
    limits = {name: get(cloud.compute, f"/os-quota-sets/{project}", "quota_set") for project, name in OURS.items()}
    limits["cloud"] = {"V100": gpus_there()}
    all_servers, most = Servers(cloud), collections.Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = collections.Counter()
        for server in all_servers.active().values():
            now["cloud", "V100"] += int(server["flavor"]["extra_specs"].get("resources:CUSTOM_GPU_V100", 0))
            if server["tenant_id"] in OURS:
                now[OURS[server["tenant_id"]], "instances"] += 1
                now[OURS[server["tenant_id"]], "cores"] += server["flavor"]["vcpus"]
        most |= now
        with open(path, "w", encoding="utf-8") as file:
            for (site, key), used in sorted(most.items()):
                file.write(f"{site} {key} {used} {limits[site][key]}\n")
        time.sleep(0.5)
    return 0


def crowd(seed):
    """In each project up to two servers that are nobody's of Spillway's, made and removed again and again."""
    chance, going, made = random.Random(int(seed)), [], 0
    signal.signal(signal.SIGTERM, lambda *_: going.append(1))
    own = {site: openstack.connect(cloud=site) for site in SITES}
    flavor = cloud.compute.find_flavor("m1.tiny").id
    image = cloud.image.find_image("debian-12").id
    network = cloud.network.find_network("labnet").id
    servers = {site: [] for site in SITES}
    while not going:
        site = chance.choice(SITES)
        if servers[site] and (len(servers[site]) == 2 or chance.random() < 0.4):
            own[site].compute.delete(f"/servers/{servers[site].pop(0)}")
        else:
            answer = own[site].compute.post("/servers", json={"server": {
                "name": f"other-{made}", "flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}]}})
            if answer.status_code == 202:  # 403: Spillway was quicker
                servers[site].append(answer.json()["server"]["id"])
                made += 1
        time.sleep(chance.uniform(1, 3))
    for site in SITES:
        for number in servers[site]:
            own[site].compute.delete(f"/servers/{number}")
    print(f"{made} servers of another client")
    return 0


def others(site, count):
    own = openstack.connect(cloud=site)
    there = [s for s in get(own.compute, "/servers/detail", "servers") if s["name"] == "other"]
    for server in there[int(count):]:
        own.compute.delete(f"/servers/{server['id']}")
    for _ in range(int(count) - len(there)):
        answer = own.compute.post("/servers", json={"server": {
            "name": "other", "flavorRef": cloud.compute.find_flavor("m1.tiny").id,
            "imageRef": cloud.image.find_image("debian-12").id,
            "networks": [{"uuid": cloud.network.find_network("labnet").id}]}})
        answer.raise_for_status()
    end = time.monotonic() + 120
    while len([s for s in get(own.compute, "/servers/detail", "servers") if s["name"] == "other"]) != int(count):
        if time.monotonic() > end:
            return 1
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
    return {"clean": clean, "delete": delete, "crowd": crowd, "volume": volume, "stray": stray,
            "volume-state": volume_state, "quota": quota, "others": others}[command](*rest)


sys.exit(main())
