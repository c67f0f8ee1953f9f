#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""newer.py PORT VERSION FILE - a stand-in for what a newer API server and its controllers do differently.

Serves https://10.99.0.1:PORT and passes all on to the lab's own API server, with the credential of who asks, but

 - it says that it is VERSION ("1.32");
 - a pod that is deleted is seen to end, with its finalizer, before it is gone (1.27), and said to be a
   DisruptionTarget while it ends when it bears the annotation lab/evicted (1.26);
 - a Job says FailureTarget before Failed, and SuccessCriteriaMet before Complete (1.31).

Bodies that are sent to it go to FILE, one a line, in front of each the path and a tab.
"""
import copy
import json
import sys
import threading
import time

import proxy

VERSION = sys.argv[2]
BODIES = open(sys.argv[3], "a", encoding="utf-8")  # pylint: disable=consider-using-with
lock = threading.Lock()
FIRST = {"Failed": "FailureTarget", "Complete": "SuccessCriteriaMet"}


def pod_before(event):
    """A pod that is gone ended before."""
    pod = event["object"]
    if event["type"] != "DELETED" or pod["status"]["phase"] not in ("Pending", "Running"):
        return []
    ended = copy.deepcopy(pod)
    ended["metadata"]["finalizers"] = ["batch.kubernetes.io/job-tracking"]
    ended["metadata"].setdefault("deletionTimestamp", pod["metadata"]["creationTimestamp"])
    ended["status"]["phase"] = "Failed"
    for status in ended["status"].get("containerStatuses", []):
        status["state"] = {"terminated": {"exitCode": 143, "reason": "Error"}}
    return [{"type": "MODIFIED", "object": ended}]


def target(event):
    """The condition of a pod that its cluster takes."""
    pod = event["object"]
    if "lab/evicted" in pod["metadata"].get("annotations", {}):
        pod["status"].setdefault("conditions", []).append(
            {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
             "message": "Eviction API: evicting"})


def job_before(event):
    """A Job whose end is certain is seen so before it has ended."""
    before = copy.deepcopy(event)
    ends = [each for each in before["object"]["status"].get("conditions", []) if each["type"] in FIRST]
    for each in ends:
        each["type"] = FIRST[each["type"]]
    event["object"]["status"].setdefault("conditions", []).extend(copy.deepcopy(ends))
    return [{**before, "type": "MODIFIED"}] if ends else []


class Handler(proxy.Handler):
    def route(self, body):
        if self.path == "/version":
            major, minor = VERSION.split(".")
            return self.answer(200, json.dumps({"major": major, "minor": minor, "gitVersion": f"v{VERSION}.0"}),
                               "application/json")
        if body:
            with lock:
                print(self.path, json.dumps(json.loads(body)), sep="\t", file=BODIES, flush=True)
        return self.path, self.headers.get("Authorization", "")

    def change(self, line):
        event = json.loads(line)
        before = []
        if event["object"].get("kind") == "Pod":
            target(event)
            before = pod_before(event)
        elif event["object"].get("kind") == "Job":
            before = job_before(event)
        for each in before:
            yield json.dumps(each).encode() + b"\n"
            time.sleep(2)  # as controllers take their time; another thread serves each watch
        yield json.dumps(event).encode() + b"\n"


proxy.serve(int(sys.argv[1]), Handler)
