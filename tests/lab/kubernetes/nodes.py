#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nodes.py COUNT DIR [--cpu N] [--memory SIZE] [--pods N] [--gpus N] [--image NAME=ROOT]...
         [--provider-id ID] [--address IP] - nodes without a kubelet.

For tests with more pods than one real node can hold.  Registers COUNT nodes, keeps them ready, and plays the
pods that are bound to them: init containers and then the one container, each as a process with mount and pid
namespaces of its own, changed into the root file system that --image names for its image, with the pod's
volumes (emptyDir, secret, configMap), environment and user.  There are no control groups and no network
namespaces, images have no configuration, and only one container is played.  Started by `lab fake`, it runs until
it is killed; its pods end with it, the nodes stay registered.
"""
import argparse
import base64
import concurrent.futures
import datetime
import functools
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time

PKI = os.path.join(os.environ["LAB_DIR"], "pki")
HOST = "10.99.0.1"
local = threading.local()
trust = ssl.create_default_context(cafile=f"{PKI}/ca.crt")
trust.load_cert_chain(f"{PKI}/admin.crt", f"{PKI}/admin.key")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("dir")
    parser.add_argument("--cpu", default="64")
    parser.add_argument("--memory", default="256Gi")
    parser.add_argument("--pods", default="250")
    parser.add_argument("--gpus", default="0")
    parser.add_argument("--image", action="append", default=[])
    parser.add_argument("--provider-id")
    parser.add_argument("--address")
    found = parser.parse_args()
    found.images = dict(image.split("=", 1) for image in found.image)
    found.dir = os.path.abspath(found.dir)
    return found


OPTIONS = arguments()


def now():
    return datetime.datetime.utcnow().strftime("%Y-%m-%dT%H:%M:%SZ")


# ---- the API -----------------------------------------------------------------------------------------

class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(f"{status}: {text[:300]}")
        self.status = status


def call(method, path, body=None, kind="application/json"):
    """An answer's document; one connection for each thread, opened anew when it broke."""
    for attempt in (1, 2, 3):
        try:
            if not getattr(local, "connection", None):
                local.connection = http.client.HTTPSConnection(HOST, context=trust, timeout=60)
            local.connection.request(method, path, body and json.dumps(body), {"Content-Type": kind})
            answer = local.connection.getresponse()
            text = answer.read()
            break
        except (OSError, http.client.HTTPException):
            local.connection = None
            if attempt == 3:
                raise
    if answer.status >= 300:
        raise Refused(answer.status, text.decode(errors="replace"))
    return json.loads(text)


def watch_pods(changed):
    """Every pod that is bound to a node, now and as they change; returns when the watch ends."""
    selector = "fieldSelector=spec.nodeName!%3D"
    pods = call("GET", f"/api/v1/pods?{selector}")
    for pod in pods["items"]:
        changed(pod)
    connection = http.client.HTTPSConnection(HOST, context=trust, timeout=400)
    connection.request("GET", f"/api/v1/pods?watch=1&timeoutSeconds=300&{selector}"
                       f"&resourceVersion={pods['metadata']['resourceVersion']}")
    answer = connection.getresponse()
    for line in iter(answer.readline, b""):
        event = json.loads(line)
        if event["type"] in ("ADDED", "MODIFIED"):
            changed(event["object"])
        elif event["type"] == "DELETED":
            changed({**event["object"], "gone": True})
        elif event["type"] == "ERROR":
            break


# ---- nodes -------------------------------------------------------------------------------------------

def node_name(number):
    return f"fake-node{number:03}"


def register(number):
    room = {"cpu": OPTIONS.cpu, "memory": OPTIONS.memory, "pods": OPTIONS.pods,
            "nvidia.com/gpu": OPTIONS.gpus, "ephemeral-storage": "1Ti"}
    name = node_name(number)
    node = {"metadata": {"name": name, "labels": {
        "lab/fake": "true", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
        "spec": {"providerID": OPTIONS.provider_id} if OPTIONS.provider_id else {},
        "status": {"addresses": [{"type": "InternalIP", "address": OPTIONS.address}] if OPTIONS.address else [],
                   "capacity": room, "allocatable": room, "conditions": [
            {"type": "Ready", "status": "True", "reason": "Fake", "lastHeartbeatTime": now(), "lastTransitionTime": now()}]}}
    try:
        call("POST", "/api/v1/nodes", node)
    except Refused as fault:
        if fault.status != 409:
            raise


def keep_ready():
    """The node controller believes in a node whose lease is renewed."""
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    while True:
        for number in range(OPTIONS.count):
            spec = {"holderIdentity": node_name(number), "leaseDurationSeconds": 8,
                    "renewTime": now()[:-1] + ".000000Z"}
            try:
                call("PATCH", f"{path}/{node_name(number)}", {"spec": spec}, "application/merge-patch+json")
            except Refused as fault:
                if fault.status == 404:
                    call("POST", path, {"metadata": {"name": node_name(number)}, "spec": spec})
            except (OSError, http.client.HTTPException) as fault:
                print(f"nodes: {fault}", flush=True)
        time.sleep(3)


# ---- pods --------------------------------------------------------------------------------------------

@functools.lru_cache(maxsize=64)
def config_map(namespace, name):
    """Asked for once: the nodes of a test see no change of one."""
    return call("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")


def secret(namespace, name):
    """One that is still to come is waited for, as a kubelet does."""
    for _ in range(200):
        try:
            return call("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except Refused as fault:
            if fault.status != 404:
                raise
        time.sleep(0.3)
    raise ValueError(f"secret {name} did not come")


def keys_of(namespace, kind, source, name):
    """File name -> content of a secret or config map, as its `items` pick them."""
    plain = kind == "configmaps"
    found = config_map(namespace, name) if plain else secret(namespace, name)
    data = {key: text.encode() if plain else base64.b64decode(text) for key, text in (found.get("data") or {}).items()}
    data.update({key: base64.b64decode(text) for key, text in (found.get("binaryData") or {}).items()})
    items = source.get("items") or [{"key": key, "path": key} for key in data]
    return {item["path"]: (data[item["key"]], item.get("mode", source.get("defaultMode", 0o644))) for item in items}


def write_files(folder, files):
    for path, (content, mode) in files.items():
        path = os.path.join(folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)


class Pod:
    def __init__(self, pod):
        self.meta, self.spec = pod["metadata"], pod["spec"]
        self.namespace, self.name = self.meta["namespace"], self.meta["name"]
        self.folder = os.path.join(OPTIONS.dir, self.meta["uid"])
        self.process, self.started, self.ending = None, now(), False
        self.lock = threading.Lock()

    def path(self):
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"

    def make_volumes(self):
        group = (self.spec.get("securityContext") or {}).get("fsGroup")
        for volume in self.spec.get("volumes", []):
            folder = os.path.join(self.folder, "volumes", volume["name"])
            os.makedirs(folder)
            if "secret" in volume:
                write_files(folder, keys_of(self.namespace, "secrets", volume["secret"], volume["secret"]["secretName"]))
            elif "configMap" in volume:
                write_files(folder, keys_of(self.namespace, "configmaps", volume["configMap"], volume["configMap"]["name"]))
            elif "projected" in volume:
                for source in volume["projected"]["sources"]:
                    kind = "secret" if "secret" in source else "configMap"
                    picked = {"defaultMode": volume["projected"].get("defaultMode", 0o644), **source[kind]}
                    write_files(folder, keys_of(self.namespace, "secrets" if kind == "secret" else "configmaps", picked,
                                                source[kind]["name"]))
            elif "emptyDir" in volume:
                os.chmod(folder, 0o777)
            else:
                raise ValueError(f"volume {volume['name']}: of a kind that is not played")
            if group is not None:
                for top, _, names in os.walk(folder):
                    for path in [top] + [os.path.join(top, name) for name in names]:
                        os.chown(path, -1, group)
                        os.chmod(path, os.stat(path).st_mode & 0o7777 | 0o40 | (0o2070 if os.path.isdir(path) else 0))

    def value(self, variable):
        source = variable.get("valueFrom")
        if not source:
            return variable.get("value", "")
        if "fieldRef" in source:
            return {"metadata.name": self.name, "metadata.namespace": self.namespace, "metadata.uid": self.meta["uid"],
                    "spec.nodeName": self.spec["nodeName"], "status.podIP": HOST, "status.hostIP": HOST}[source["fieldRef"]["fieldPath"]]
        if "secretKeyRef" in source:
            found = keys_of(self.namespace, "secrets", {}, source["secretKeyRef"]["name"])
            return found[source["secretKeyRef"]["key"]][0].decode()
        raise ValueError(f"variable {variable['name']}: of a kind that is not played")

    def command(self, container):
        """What makes the container's root and changes into it."""
        image = OPTIONS.images[container["image"]]
        root = os.path.join(self.folder, container["name"])
        lines = [f"mount -t tmpfs -o mode=755,size=64m tmpfs {root}", f"cd {root}"]
        for entry in sorted(os.listdir(image)):
            lines += [f"mkdir {entry} && mount --bind {image}/{entry} {entry}" if os.path.isdir(f"{image}/{entry}")
                      else f"touch {entry} && mount --bind {image}/{entry} {entry}"]
        lines += ["mkdir -p proc dev tmp sys", "mount -t proc proc proc", "mount --rbind /dev dev", "mount -t tmpfs tmpfs tmp"]
        for mount in container.get("volumeMounts", []):
            volume = os.path.join(self.folder, "volumes", mount["name"])
            target = mount["mountPath"].lstrip("/")
            if mount.get("subPath"):
                volume = os.path.join(volume, mount["subPath"])
            lines += [f"mkdir -p {target}" if os.path.isdir(volume) else f"mkdir -p $(dirname {target}) && touch {target}",
                      f"mount --bind {volume} {target}"]
        context = {**(self.spec.get("securityContext") or {}), **(container.get("securityContext") or {})}
        user, group = context.get("runAsUser", 0), context.get("runAsGroup", 0)
        if context.get("runAsNonRoot") and not user:
            raise ValueError("container has runAsNonRoot and image will run as root")
        groups = context.get("fsGroup")
        drop = [f"--userspec={user}:{group}"] + ([f"--groups={groups}"] if groups is not None else [])
        os.makedirs(root)
        script = "set -eu\n" + "\n".join(lines) + f'\nexec /usr/sbin/chroot {" ".join(drop)} . "$@"'
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "-",
                *(["/bin/sh", "-c", 'cd "$0" && exec "$@"', container["workingDir"]] if "workingDir" in container else []),
                *container.get("command", []), *container.get("args", [])]

    def start(self, container):
        environment = {"PATH": "/bin:/usr/bin", "HOSTNAME": self.name}
        for variable in container.get("env", []):
            environment[variable["name"]] = self.value(variable)
        command = self.command(container)
        with open(os.path.join(self.folder, container["name"] + ".log"), "ab") as log:
            return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    start_new_session=True)

    def run(self):
        """In a thread of the pool: until the container runs."""
        try:
            self.make_volumes()
            for container in self.spec.get("initContainers", []):
                code = self.start(container).wait(timeout=60)
                if code:
                    raise ValueError(f"init container {container['name']} ended with {code}")
            with self.lock:
                if self.ending:
                    return
                self.process = self.start(self.spec["containers"][0])
            self.report("Running", {"running": {"startedAt": now()}})
        except Exception as fault:  # pylint: disable=broad-except
            print(f"nodes: {self.name}: {fault!r}", flush=True)
            self.report("Failed", {"terminated": {"exitCode": 128, "reason": "StartError", "message": str(fault)[:200],
                                                  "startedAt": now(), "finishedAt": now()}})

    def report(self, phase, state):
        ready = "True" if phase == "Running" else "False"
        status = {"phase": phase, "startTime": self.started, "hostIP": HOST, "podIP": HOST, "conditions": [
            {"type": kind, "status": status, "lastTransitionTime": now()} for kind, status in (
                ("Initialized", "True"), ("Ready", ready), ("ContainersReady", ready), ("PodScheduled", "True"))],
            "containerStatuses": [{"name": self.spec["containers"][0]["name"], "image": self.spec["containers"][0]["image"],
                                   "imageID": "fake", "ready": phase == "Running", "restartCount": 0, "state": state}]}
        try:
            call("PATCH", self.path() + "/status", {"status": status}, "application/merge-patch+json")
        except Refused as fault:
            if fault.status != 404:
                print(f"nodes: {self.name}: {fault}", flush=True)

    def ended(self, code):
        code = 128 - code if code < 0 else code
        self.report("Failed" if code else "Succeeded", {"terminated": {
            "exitCode": code, "reason": "Error" if code else "Completed", "startedAt": self.started, "finishedAt": now()}})

    def remove(self):
        """Its deletion was asked for: SIGTERM, the grace, SIGKILL, and only then it is gone."""
        with self.lock:
            self.ending = True
        if self.process and self.process.poll() is None:
            inside = subprocess.run(["pgrep", "-P", str(self.process.pid)], stdout=subprocess.PIPE, check=False).stdout.split()
            for pid in inside:
                os.kill(int(pid), signal.SIGTERM)
            try:
                self.process.wait(timeout=self.meta.get("deletionGracePeriodSeconds", 30))
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        try:
            call("DELETE", self.path(), {"gracePeriodSeconds": 0, "preconditions": {"uid": self.meta["uid"]}})
        except Refused as fault:
            if fault.status not in (404, 409):
                print(f"nodes: {self.name}: {fault}", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)


class Nodes:
    def __init__(self):
        self.pods, self.removed, self.reported = {}, set(), set()
        self.pool = concurrent.futures.ThreadPoolExecutor(24)

    def changed(self, document):
        meta, uid = document["metadata"], document["metadata"]["uid"]
        if not document["spec"].get("nodeName", "").startswith("fake-node"):
            return
        if uid not in self.pods and not document.get("gone") and document["status"].get("phase") == "Pending":
            self.pods[uid] = Pod(document)
            if "deletionTimestamp" not in meta:
                self.pool.submit(self.pods[uid].run)
        pod = self.pods.get(uid)
        if pod and ("deletionTimestamp" in meta or document.get("gone")) and uid not in self.removed:
            pod.meta = meta
            self.removed.add(uid)
            threading.Thread(target=pod.remove, daemon=True).start()
        if document.get("gone"):
            self.pods.pop(uid, None)

    def reap(self):
        while True:
            for uid, pod in list(self.pods.items()):
                if pod.process and not pod.ending and uid not in self.reported and pod.process.poll() is not None:
                    self.reported.add(uid)
                    self.pool.submit(pod.ended, pod.process.returncode)
            time.sleep(0.2)

    def stop(self):
        for pod in list(self.pods.values()):
            if pod.process and pod.process.poll() is None:
                pod.process.kill()
                pod.process.wait()


def main():
    os.makedirs(OPTIONS.dir, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for number in range(OPTIONS.count):
        register(number)
    nodes = Nodes()
    for work in (keep_ready, nodes.reap):
        threading.Thread(target=work, daemon=True).start()
    try:
        while True:
            try:
                watch_pods(nodes.changed)
            except (OSError, http.client.HTTPException, Refused) as fault:
                print(f"nodes: {fault}", flush=True)
                time.sleep(1)
    finally:
        nodes.stop()
        os._exit(0)  # threads that wait for an answer wait no longer


main()
