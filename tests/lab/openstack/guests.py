#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""guests.py DIR - play the guests of Nova's fake servers.

Watches for servers that become ACTIVE and do what a machine would do with their user data: writes the files of
the cloud-config and runs its start script, which fetches the agent from the broker, checks its hash and starts
it.  Each guest has a pid and a mount namespace of its own, with a folder below DIR as its /var/lib/spillway; it
ends when its server is deleted.  Switching itself off ends it, and its server is then SHUTOFF.

A file DIR/mute, while it is there, keeps new guests from booting (a server whose agent never joins); DIR/no-gpus
hides their GPUs from them (an image without the driver).
"""
import base64
import json
import os
import signal
import subprocess
import sys
import time

import openstack

DIR = os.path.abspath(sys.argv[1])
GUEST_HOME = "/var/lib/spillway"
cloud = openstack.connect(cloud="admin")


def servers():
    answer = cloud.compute.get("/servers/detail?all_tenants=1", microversion="2.79")
    answer.raise_for_status()
    return answer.json()["servers"]


def boot(server):
    """Run what the user data says; None: it is no server of Spillway's."""
    data = server.get("OS-EXT-SRV-ATTR:user_data")
    # Servers of stacks bear our name and nothing else of ours.
    if not data or not ("spillway-worker" in server["metadata"] or server["name"].startswith("spillway-")):
        return None
    text = base64.b64decode(data).decode()
    first, rest = text.split("\n", 1)
    assert first == "#cloud-config", first
    folder = os.path.join(DIR, server["name"])
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "user_data"), "w", encoding="utf-8") as file:
        file.write(text)
    for item in json.loads(rest)["write_files"]:
        if item["path"].startswith(GUEST_HOME + "/"):
            path = os.path.join(folder, os.path.basename(item["path"]))
            with open(path, "w", encoding="utf-8") as file:
                file.write(item["content"])
            os.chmod(path, int(item["permissions"], 8))
    size_machine(folder, server["flavor"])
    give_gpus(folder, server["flavor"])
    disks = give_disks(folder, server)
    with open(os.path.join(folder, "booted"), "w", encoding="utf-8") as file:
        file.write(f"{int(time.time() * 1000)}\n")
    with open(os.path.join(folder, "console"), "ab") as log:
        return subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
             f"mount --bind '{folder}' {GUEST_HOME} && {disks} cd / && "
             f"PATH={GUEST_HOME}/bin:$PATH exec sh {GUEST_HOME}/start"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def size_machine(folder, flavor):
    """The guest has the flavor's size, not this machine's."""
    path = os.path.join(folder, "boot.json")
    with open(path, encoding="utf-8") as file:
        payload = json.load(file)
    payload.update(cpus=flavor["vcpus"], memory_bytes=flavor["ram"] << 20)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(payload, file)


def give_gpus(folder, flavor):
    """There is no card in this machine: what would list them says what the flavor promises."""
    count = int(flavor["extra_specs"].get("resources:CUSTOM_GPU_V100", 0))
    if os.path.exists(DIR + "/no-gpus"):
        count = 0
    os.makedirs(os.path.join(folder, "bin"), exist_ok=True)
    path = os.path.join(folder, "bin", "nvidia-smi")
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + "".join(f"echo '{i}, Tesla V100, 16160'\n" for i in range(count)))
    os.chmod(path, 0o755)


def give_disks(folder, server):
    """Shell that makes the guest's volumes its disks: files, seen under the names that udev would give them."""
    lines = ["mkdir -p /dev/disk && mount -t tmpfs disks /dev/disk && mkdir /dev/disk/by-id &&"]
    for volume in server["os-extended-volumes:volumes_attached"]:
        path = os.path.join(folder, volume["id"])
        if not os.path.exists(path):
            with open(path, "wb") as file:
                file.truncate(64 << 20)
            made = cloud.block_storage.get(f"/volumes/{volume['id']}").json()["volume"]
            if "spillway-broker" not in made["metadata"]:  # one that is kept: somebody has put something on it
                subprocess.run(["mkfs.ext4", "-q", path], check=True)
        lines.append(f"ln -s $(losetup -f --show '{path}') /dev/disk/by-id/virtio-{volume['id'][:20]} &&")
    return " ".join(lines) if len(lines) > 1 else ""


def take_disks(name):
    """A guest that is gone holds none of them."""
    told = subprocess.run(["losetup", "-nO", "NAME,BACK-FILE"], stdout=subprocess.PIPE, text=True, check=False)
    for line in told.stdout.splitlines():
        device, path = line.split(None, 1)
        if path.startswith(os.path.join(DIR, name) + "/"):
            subprocess.run(["losetup", "-d", device], check=False)


def switch_off(guest):
    guest.send_signal(signal.SIGKILL)
    guest.wait()


def main():
    os.makedirs(GUEST_HOME, exist_ok=True)  # where the folders are bound to
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    guests, names = {}, {}
    try:
        while True:
            try:
                now = {s["id"]: s for s in servers()}
            except Exception as fault:  # pylint: disable=broad-except
                print(f"guests: {fault}", flush=True)
                time.sleep(1)
                continue
            for number, server in now.items():
                if number not in guests and server["status"] == "ACTIVE" and not os.path.exists(DIR + "/mute"):
                    guests[number] = boot(server)
                    names[number] = server["name"]
                    print(f"guests: {server['name']} boots", flush=True)
            for number in list(guests):
                guest = guests[number]
                if number not in now:
                    if guest:
                        switch_off(guest)
                        take_disks(names[number])
                    del guests[number]
                elif guest and guest.poll() is not None and now[number]["status"] == "ACTIVE":
                    print(f"guests: {now[number]['name']} is off", flush=True)
                    cloud.compute.post(f"/servers/{number}/action", json={"os-stop": None})
            time.sleep(0.5)
    finally:
        for number, guest in guests.items():
            if guest:
                switch_off(guest)
                take_disks(names[number])


main()
