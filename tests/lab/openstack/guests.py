#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""guests.py DIR - play the guests of Nova's fake servers, those of the test's own projects.

Watches for servers that become ACTIVE and do what a machine would do with their user data: writes the files of
the cloud-config and runs its start script, which fetches the agent from the broker, checks its hash and starts
it.  Each guest has a pid and a mount namespace of its own, with a folder below DIR as its /var/lib/spillway; it
ends when its server is deleted.  Switching itself off ends it, and its server is then SHUTOFF.

A guest that was given SSH keys stands in a network of its own, at the addresses of its server and with a real sshd
there, as cloud-init would leave it; nothing leads out of it but to the one address that stands for the broker's side.

A file DIR/wrong-key, while it is there, gives new guests another host key than their user data does (an image that
makes its own, or somebody in between).  A file DIR/mute, while it is there, keeps new guests from booting (a server whose agent never joins); DIR/no-gpus
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

from lane import Servers, projects

DIR = os.path.abspath(sys.argv[1])
GUEST_HOME = "/var/lib/spillway"
OUTSIDE = "169.254.99.1"
cloud = openstack.connect(cloud="admin")
OURS = projects(cloud)


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
    config = json.loads(rest)
    for item in config["write_files"]:
        if item["path"].startswith(GUEST_HOME + "/"):
            path = os.path.join(folder, os.path.basename(item["path"]))
            with open(path, "w", encoding="utf-8") as file:
                file.write(item["content"])
            os.chmod(path, int(item["permissions"], 8))
    size_machine(folder, server["flavor"])
    give_gpus(folder, server["flavor"])
    disks = give_disks(folder, server)
    sshd = give_sshd(folder, config, server)
    with open(os.path.join(folder, "booted"), "w", encoding="utf-8") as file:
        file.write(f"{int(time.time() * 1000)}\n")
    with open(os.path.join(folder, "console"), "ab") as log:
        guest = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"] + ["--net"] * bool(sshd) +
            ["sh", "-c", f"mount --bind '{folder}' {GUEST_HOME} && {disks} {sshd} cd / && "
             # An sshd without parents must not become the agent's, which ends what its jobs leave behind.
             f"PATH={GUEST_HOME}/bin:$PATH " + (f"sh {GUEST_HOME}/start; exit $?" if sshd else
                                                f"exec sh {GUEST_HOME}/start")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    if sshd:
        plug(guest, server)
        with open(os.path.join(folder, "pid"), "w", encoding="utf-8") as file:
            file.write(f"{guest.pid}\n")
    return guest


def addresses(server):
    """Where it can be reached: its port's own addresses, and the floating ones that lead there."""
    found = []
    for port in cloud.network.get(f"/ports?device_id={server['id']}").json()["ports"]:
        found += [fixed["ip_address"] for fixed in port["fixed_ips"]]
        floating = cloud.network.get(f"/floatingips?port_id={port['id']}").json()["floatingips"]
        found += [each["floating_ip_address"] for each in floating]
    return found


def give_sshd(folder, config, server):
    """What cloud-init makes of `ssh_keys` and `users`, and shell that starts an sshd with it; "": it has neither."""
    if "ssh_keys" not in config:
        return ""
    user = next(each for each in config["users"] if each != "default")
    key = os.path.join(folder, "host_key")
    if os.path.exists(DIR + "/wrong-key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    else:
        with open(key, "w", encoding="utf-8") as file:
            file.write(config["ssh_keys"]["ed25519_private"])
    os.chmod(key, 0o600)
    # All of /etc, and not those files alone: a mount over one goes when somebody replaces it outside.
    subprocess.run(["cp", "-a", "/etc", folder + "/etc"], check=False)
    for name, line in ("passwd", f"{user['name']}:x:64990:65534::/nonexistent:{user['shell']}"), \
                      ("shadow", f"{user['name']}:*:20000::::::"):
        with open(f"{folder}/etc/{name}", "a", encoding="utf-8") as file:
            file.write(line + "\n")
    files = {"authorized_keys": "".join(line + "\n" for line in user["ssh_authorized_keys"])}
    rules = "".join(item["content"] for item in config["write_files"] if "/sshd_config.d/" in item["path"])
    files["sshd_config"] = (f"HostKey {GUEST_HOME}/host_key\nAuthorizedKeysFile {GUEST_HOME}/authorized_keys\nStrictModes no\nUsePAM no\n"
                            f"PidFile none\nLogLevel VERBOSE\n{rules}")
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    own = " && ".join(f"ip address add {address}/32 dev eth0" for address in addresses(server))
    return (f"mount --bind '{folder}/etc' /etc && mount -t tmpfs run /run && mkdir /run/sshd && ip link set lo up && "
            "until ip link show eth0 >/dev/null 2>&1; do sleep 0.1; done && "
            f"{own} && ip link set eth0 up && ip route add {OUTSIDE} dev eth0 && "
            f"/usr/sbin/sshd -f '{folder}/sshd_config' -E '{folder}/sshd.log' && ")


def plug(guest, server):
    """A cable from this network to the guest's, which is there once it has left ours."""
    ours, theirs, end = os.readlink("/proc/self/ns/net"), "", time.monotonic() + 10
    while time.monotonic() < end and guest.poll() is None and theirs in ("", ours):
        theirs = os.readlink(f"/proc/{guest.pid}/ns/net")
        time.sleep(0.02)
    cable = "g" + server["id"][:8]
    subprocess.run(["ip", "address", "add", OUTSIDE + "/32", "dev", "lo"], stderr=subprocess.DEVNULL, check=False)
    for words in ([f"link add {cable} type veth peer name eth0 netns {guest.pid}", f"link set {cable} up"] +
                  [f"route replace {address} dev {cable} src {OUTSIDE}" for address in addresses(server)]):
        subprocess.run(["ip"] + words.split(), check=True)


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
    servers, guests, names = Servers(cloud), {}, {}
    try:
        while True:
            try:
                active = {n: s for n, s in servers.active().items() if s["tenant_id"] in OURS}
                gone = [n for n in guests if n not in active and not servers.look(n)]
            except Exception as fault:  # pylint: disable=broad-except
                print(f"guests: {fault}", flush=True)
                time.sleep(1)
                continue
            for number in gone:
                if guests[number]:
                    switch_off(guests[number])
                    take_disks(names[number])
                del guests[number]
            for number, server in active.items():
                guest = guests.get(number)
                if number not in guests and not os.path.exists(DIR + "/mute"):
                    guests[number] = boot(server)
                    names[number] = server["name"]
                    print(f"guests: {server['name']} boots", flush=True)
                elif guest and guest.poll() is not None:
                    print(f"guests: {server['name']} is off", flush=True)
                    cloud.compute.post(f"/servers/{number}/action", json={"os-stop": None})
            time.sleep(0.3)
    finally:
        for number, guest in guests.items():
            if guest:
                switch_off(guest)
                take_disks(names[number])


main()
