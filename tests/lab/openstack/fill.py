#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""fill.py DIR identity|cloud|lanes|ready|guests|heat|magnum - what the lab's cloud holds; every step can be repeated.

Three projects stand for three sites, each with a user, a password and an application credential of its own
and with another quota.  Their credentials are written to DIR/clouds.yaml and DIR/secure.yaml as users keep them.
Tests that run beside each other have lanes: the same once more, under the same names, in DIR/lane2 and so on.
"""
import json
import os
import sys
import time

import openstack

DIR, STEP = sys.argv[1], sys.argv[2]
AUTH = "http://127.0.0.1:5000/v3"
# instances, cores, MiB of memory, ports
LANES = 3
QUOTAS = {"site-a": (6, 12, 24576, 12), "site-b": (4, 20, 40960, 20), "site-c": (10, 3, 20480, 20)}
FLAVORS = (("m1.tiny", 512, 1, 1, {}), ("m1.small", 2048, 1, 10, {}), ("m1.medium", 4096, 2, 20, {}),
           ("g1.v100", 8192, 4, 20, {"resources:CUSTOM_GPU_V100": "1"}))


def connect(user, password, project):
    return openstack.connect(
        auth_url=AUTH, username=user, password=password, project_name=project, user_domain_name="Default",
        project_domain_name="Default", region_name="RegionOne", interface="public", identity_api_version="3")


cloud = connect("admin", "lab", "admin")


def write(name, text):
    path = os.path.join(DIR, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
    os.rename(path + ".new", path)


def add_service(kind, name, url):
    service = next(cloud.identity.services(type=kind), None) or cloud.identity.create_service(type=kind, name=name)
    for interface in "public", "internal":
        if not next(cloud.identity.endpoints(service_id=service.id, interface=interface), None):
            cloud.identity.create_endpoint(service_id=service.id, interface=interface, url=url,
                                           region_id="RegionOne")


def add_role(name):
    return cloud.identity.find_role(name) or cloud.identity.create_role(name=name)


def add_project(name):
    return cloud.identity.find_project(name) or cloud.identity.create_project(name=name, domain_id="default")


def add_user(name, password, project, *roles):
    user = cloud.identity.find_user(name) or cloud.identity.create_user(
        name=name, password=password, domain_id="default")
    for role in roles:
        cloud.identity.assign_project_role_to_user(project, user, add_role(role))


def application_credential(name, site):
    own = connect(name, site + "-secret", name)
    for old in own.identity.application_credentials(own.current_user_id):
        if old.name == "broker":
            own.identity.delete_application_credential(own.current_user_id, old)
    made = own.identity.create_application_credential(own.current_user_id, name="broker")
    return made.id, made.secret


def identity():
    service = add_project("service")
    for name in "glance", "placement", "nova", "neutron", "cinder":
        add_user(name, "lab", service, "admin", "service")
    add_service("image", "glance", "http://127.0.0.1:9292")
    add_service("placement", "placement", "http://127.0.0.1:8778")
    add_service("compute", "nova", "http://127.0.0.1:8774/v2.1")
    add_service("network", "neutron", "http://127.0.0.1:9696")
    add_service("volumev3", "cinderv3", "http://127.0.0.1:8776/v3/%(project_id)s")
    add_sites("", "")


def add_sites(suffix, folder):
    """Projects and users with this suffix to their names, and their credentials in that folder."""
    domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
    clouds = {"admin": {"region_name": "RegionOne", "auth": {
        "auth_url": AUTH, "username": "admin", "password": "lab", "project_name": "admin" + suffix, **domains}}}
    secure = {}
    for site in QUOTAS:
        name = site + suffix
        add_user(name, site + "-secret", add_project(name), "member", "reader")
        clouds[site] = {"region_name": "RegionOne", "auth": {
            "auth_url": AUTH, "username": name, "project_name": name, **domains}}
        secure[site] = {"auth": {"password": site + "-secret"}}
        key, secret = application_credential(name, site)
        clouds[site + "-app"] = {"region_name": "RegionOne", "auth_type": "v3applicationcredential",
                                 "auth": {"auth_url": AUTH, "application_credential_id": key}}
        secure[site + "-app"] = {"auth": {"application_credential_secret": secret}}
    write(folder + "clouds.yaml", json.dumps({"clouds": clouds}, indent=2) + "\n")  # JSON is YAML
    write(folder + "secure.yaml", json.dumps({"clouds": secure}, indent=2) + "\n")


def set_quotas(suffix):
    for site, (instances, cores, memory, ports) in QUOTAS.items():
        project = add_project(site + suffix).id
        cloud.compute.put(f"/os-quota-sets/{project}", json={"quota_set": {
            "instances": instances, "cores": cores, "ram": memory}})
        cloud.network.put(f"/quotas/{project}", json={"quota": {"port": ports}})
        cloud.block_storage.put(f"/os-quota-sets/{project}", json={"quota_set": {"volumes": 4, "gigabytes": 100}})


def lanes():
    for lane in range(2, LANES + 1):
        admin = add_project(f"admin-{lane}")
        cloud.identity.assign_project_role_to_user(admin, cloud.identity.find_user("admin"), add_role("admin"))
        add_sites(f"-{lane}", f"lane{lane}/")
        set_quotas(f"-{lane}")


def wait_for(what, test, seconds=120):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            sys.exit(f"fill.py: {what}: not so after {seconds} s")
        time.sleep(0.5)


def ready():
    for host in "fake-1", "qemu-1":
        wait_for(f"nova-compute of {host} is up", lambda: any(
            s.host == host and s.state == "up" for s in cloud.compute.services(binary="nova-compute")))
    wait_for("cinder-volume is up", lambda: any(
        s["binary"] == "cinder-volume" and s["state"] == "up"
        for s in cloud.block_storage.get("/os-services").json()["services"]))


def add_zone(name, host):
    wait_for(f"the hypervisor of {host}", lambda: any(
        h.service_details["host"] == host for h in cloud.compute.hypervisors(details=True)))
    zone = cloud.compute.find_aggregate(name) or cloud.compute.create_aggregate(name=name, availability_zone=name)
    if host not in (zone.hosts or []):
        cloud.compute.add_host_to_aggregate(zone, host)


def gpus_are_counted():
    for provider in cloud.placement.get("/resource_providers").json()["resource_providers"]:
        url = f"/resource_providers/{provider['uuid']}/inventories"
        if "CUSTOM_GPU_V100" in cloud.placement.get(url).json()["inventories"]:
            return True
    return False


def fill_cloud():
    for name, memory, cores, disk, extra in FLAVORS:
        if not cloud.compute.find_flavor(name):
            flavor = cloud.compute.create_flavor(name=name, ram=memory, vcpus=cores, disk=disk)
            if extra:
                cloud.compute.create_flavor_extra_specs(flavor, extra)
    set_quotas("")
    if not next((t for t in cloud.block_storage.types() if t.name == "fake"), None):
        cloud.block_storage.create_type(name="fake")
    if not cloud.image.find_image("debian-12"):
        write("fake.img", "not a disk\n" * 100)
        cloud.create_image("debian-12", filename=os.path.join(DIR, "fake.img"), disk_format="raw",
                           container_format="bare", visibility="public", wait=True)
    network = cloud.network.find_network("labnet") or cloud.network.create_network(
        name="labnet", is_shared=True, provider_network_type="flat", provider_physical_network="labnet")
    if not cloud.network.find_subnet("labnet"):
        cloud.network.create_subnet(name="labnet", network_id=network.id, cidr="10.77.0.0/24", ip_version=4,
                                    is_dhcp_enabled=False)
    outside = cloud.network.find_network("outside") or cloud.network.create_network(
        name="outside", is_router_external=True, provider_network_type="local")
    if not cloud.network.find_subnet("outside"):
        cloud.network.create_subnet(name="outside", network_id=outside.id, cidr="203.0.113.0/24", ip_version=4,
                                    is_dhcp_enabled=False)
    router = cloud.network.find_router("labnet") or cloud.network.create_router(
        name="labnet", external_gateway_info={"network_id": outside.id})
    inside = cloud.network.find_subnet("labnet").id
    if not next(cloud.network.ports(device_id=router.id, network_id=network.id), None):
        cloud.network.add_interface_to_router(router, subnet_id=inside)
    ready()
    add_zone("fake", "fake-1")
    add_zone("qemu", "qemu-1")
    wait_for("the GPUs are counted", gpus_are_counted)


def upload(name, path, form, container, **properties):
    return cloud.image.find_image(name) or cloud.create_image(
        name, filename=path, disk_format=form, container_format=container, visibility="public", wait=True,
        **properties)


def guests():
    """The image of real guests: no boot loader in it, its kernel comes through Glance too."""
    folder = os.environ["LAB_GUEST"]
    kernel = upload("guest-kernel", folder + "/vmlinuz", "aki", "aki")
    initrd = upload("guest-initrd", folder + "/initrd.img", "ari", "ari")
    upload("debian-guest", folder + "/root.qcow2", "qcow2", "bare", kernel_id=kernel.id, ramdisk_id=initrd.id,
           os_command_line="root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off tsc=reliable no_timer_check "
           "quiet", min_disk=1, hw_cdrom_bus="scsi", hw_scsi_model="virtio-scsi", hw_rng_model="virtio")


def add_domain(name, admin):
    domain = cloud.identity.find_domain(name) or cloud.identity.create_domain(name=name)
    user = (next(cloud.identity.users(domain_id=domain.id, name=admin), None) or
            cloud.identity.create_user(name=admin, password="lab", domain_id=domain.id))
    cloud.identity.assign_domain_role_to_user(domain, user, add_role("admin"))


def add_extra(name, kind, url):
    add_user(name, "lab", add_project("service"), "admin", "service")
    add_service(kind, name, url)
    add_domain(name, name + "_domain_admin")


def heat():
    add_extra("heat", "orchestration", "http://127.0.0.1:8004/v1/%(tenant_id)s")
    for role in "heat_stack_owner", "heat_stack_user":
        add_role(role)


def magnum():
    add_extra("magnum", "container-infra", "http://127.0.0.1:9511/v1")


{"identity": identity, "cloud": fill_cloud, "lanes": lanes, "ready": ready, "guests": guests,
 "heat": heat, "magnum": magnum}[STEP]()
