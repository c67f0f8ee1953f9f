#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nodes.py CLOUD - says for the nodes of Magnum's clusters that they are set up.

The lab's servers are empty: nothing in them tells Heat that a deployment is done.  This does, by Heat's own API, for
each deployment that waits, until it is ended.  All else of a cluster is made by Magnum and Heat.
"""
import sys
import time

import openstack

KINDS = ("OS::Heat::SoftwareDeployment", "OS::Heat::StructuredDeployment", "OS::Heat::SoftwareDeploymentGroup")

cloud = openstack.connect(cloud=sys.argv[1])


def waiting():
    for stack in cloud.orchestration.get("/stacks").json()["stacks"]:
        path = f"/stacks/{stack['stack_name']}/{stack['id']}/resources?nested_depth=5"
        for resource in cloud.orchestration.get(path).json().get("resources", ()):
            if resource["resource_type"] in KINDS and resource["resource_status"].endswith("_IN_PROGRESS"):
                home = next(link["href"] for link in resource["links"] if link["rel"] == "stack")
                yield f"/stacks/{'/'.join(home.split('/')[-2:])}/resources/{resource['resource_name']}/signal"


while True:
    for path in waiting():
        answer = cloud.orchestration.post(path, json={"deploy_status_code": 0})
        print(path, answer.status_code, flush=True)
    time.sleep(1)
