# SPDX-License-Identifier: Apache-2.0
"""lane.py - which projects of the lab's cloud a test has: those that its clouds.yaml leads to.

Tests run beside each other, each in a lane of its own: projects that stand for site-a, site-b, site-c and the
administrator's, under these names in every lane's clouds.yaml.
"""
import openstack

SITES = ("site-a", "site-b", "site-c")


def name_of(site):
    """Of its project, and of its user."""
    return openstack.config.OpenStackConfig().get_one(cloud=site).config["auth"]["project_name"]


def projects(cloud):
    """{project id: site}"""
    names = {name_of(site): site for site in (*SITES, "admin")}
    return {p.id: names[p.name] for p in cloud.identity.projects() if p.name in names}


class Servers:
    """Those that run, of all projects, each with what it was when first seen.

    Nova asks Neutron several things for each answer with details, so that a test which looks every half second asks
    for those once."""

    def __init__(self, cloud):
        self.cloud, self.known = cloud, {}

    def active(self):
        """{id: details}"""
        answer = self.cloud.compute.get("/servers?all_tenants=1&status=ACTIVE")
        answer.raise_for_status()
        numbers = [server["id"] for server in answer.json()["servers"]]
        for number in numbers:
            if number not in self.known:
                self.known[number] = self.look(number)
        return {number: self.known[number] for number in numbers if self.known[number]}

    def look(self, number):
        """None: it is gone."""
        answer = self.cloud.compute.get(f"/servers/{number}", microversion="2.79")
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()["server"]
