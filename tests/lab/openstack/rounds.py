#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""rounds.py --seed S --rounds N [--cards C] [--beside B] >figures.json - jobs pass while all goes wrong, then count.

Each round submits a small array job, under an idempotency key, and plays C (two) cards of a deck that the seed
shuffles: faults of the API, by proxy.py between the broker and the real services, and real trouble.  In every
other round or so the broker is killed (SIGKILL) besides, once or twice, at moments drawn from the seed.  A
round ends when all its tasks have; up to B (one) go on beside each other, as does what outlasts its round (a
service is away for a minute).

    500 503 429 401 reset lost late half    as in proxy.py, at calls that the card draws
    error       a server of ours goes to ERROR        mute        new guests do not boot for 50 s
    deleted     a server is deleted behind our back   password    the site's password is changed, then told
    quota       the project's quota falls to nothing for 10 s
    nova        nova-api is away for a minute         keystone    and so is Keystone

Uses $STATE, $T, $LAB and $PATH of the test that calls it.  What was decided is told on standard error, the
figures are printed at the end, after the broker had 240 s to remove all that it made.
"""
import argparse
import collections
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import openstack

import proxy
from lane import SITES, name_of, projects

HERE = os.path.dirname(os.path.realpath(__file__))
STATE, T, LAB = os.environ["STATE"], os.environ["T"], os.environ["LAB"]
CONF = os.path.join(T, "rounds.yaml")
TASKS = 3
AWAY_SECONDS = 60  # of a service
ROUND_LIMIT = 420
# Where the cards of the proxy strike: service, method, path.
CALLS = (("keystone", "POST", "/auth/tokens"), ("nova", "GET", "/servers"), ("nova", "POST", "/servers$"),
         ("nova", "DELETE", "/servers"), ("nova", "GET", "/limits"), ("neutron", "GET", "/ports"),
         ("neutron", "POST", "/ports"), ("neutron", "DELETE", "/ports"), ("neutron", "", "/security-groups"),
         ("glance", "GET", "/images"), ("nova", "", ""), ("neutron", "", ""), ("neutron", "", "/floatingips"),
         ("cinder", "POST", "/volumes"), ("cinder", "GET", "/volumes"), ("cinder", "DELETE", "/volumes"),
         ("cinder", "", ""))
# A lost answer, or a late one, hurts most where something is made.
MAKING = (("nova", "POST", "/servers$"), ("neutron", "POST", "/ports"), ("neutron", "POST", "/security-groups"),
          ("neutron", "POST", "/floatingips"), ("cinder", "POST", "/volumes"))

cloud = openstack.connect(cloud="admin")
began = time.monotonic()


def say(words):
    print(f"# {time.monotonic() - began:6.1f} {words}", file=sys.stderr, flush=True)


# ---- the broker ----------------------------------------------------------------------------------------

class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(os.path.join(STATE, "spillway.sock"))


def call(method, path, body=None, headers=None):
    connection = Connection("spillway")
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def call_until_answered(*args, limit=120):
    """Repeats what was not answered: the broker may just have been killed."""
    end = time.monotonic() + limit
    while True:
        try:
            status, body = call(*args)
            if status < 500:
                return status, body
        except (OSError, ValueError, http.client.HTTPException) as error:
            status, body = 0, str(error)
        if time.monotonic() > end:
            sys.exit(f"rounds: no answer to {args[:2]}: {status} {body}")
        time.sleep(0.05)


class Broker:
    def __init__(self):
        self.log = open(os.path.join(T, "broker.log"), "ab")  # pylint: disable=consider-using-with
        self.kills = 0
        self.start()

    def start(self):
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["spillwayd", "--state", STATE, "--config", CONF], stdout=self.log, stderr=self.log,
            env={**os.environ, "OS_CLIENT_CONFIG_FILE": T + "/clouds.yaml",
                 "OS_CLIENT_SECURE_FILE": T + "/secure.yaml"})
        end = time.monotonic() + 60
        while True:
            try:
                if call("GET", "/readyz")[0] == 200:
                    return
            except (OSError, ValueError, http.client.HTTPException):
                pass
            if self.process.poll() is not None:
                sys.exit(f"rounds: the broker ended with {self.process.returncode} at start")
            if time.monotonic() > end:
                sys.exit("rounds: the broker did not become ready")
            time.sleep(0.02)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.kills += 1
        self.start()

    def stop(self):
        self.process.terminate()
        status = self.process.wait(60)
        if status:
            sys.exit(f"rounds: the broker ended with {status}")

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


def write_conf():
    with open(CONF, "w", encoding="utf-8") as file:
        file.write('broker: {listen: "127.0.0.1:7455", url: "https://127.0.0.1:7455", log: debug'
                   ", lease: {ttl: 10s, heartbeat: 1s}}\nsites:\n")
        for site in SITES:
            file.write(f"  - {{name: {site}, type: openstack, cloud: {site}, network: labnet, probe: 3s, reconcile: 5s"
                       ", calls: {per_second: 50, burst: 50}, idle: 2s, boot_deadline: 45s, flavors: [m1.tiny]\n"
                       "     , scratch: {size: 1GiB, type: fake}, floating_network: outside}\n")


def wait_for_sites():
    end = time.monotonic() + 120
    while True:
        _, body = call_until_answered("GET", "/v1/sites")
        if all(site["health"] == "up" for site in body["sites"]):
            return
        if time.monotonic() > end:
            sys.exit(f"rounds: not all sites are up: {body}")
        time.sleep(0.2)


def submit(number, seconds):
    job = {"name": f"round{number}", "array": f"1-{TASKS}", "resources": {"cpus": 1, "memory": "256MiB"},
           "script": f"#!/bin/sh\necho $SPILLWAY_TASK_ID >>{T}/ran/{number}\nsleep {seconds}\n"}
    status, body = call_until_answered(
        "POST", "/v1/jobs", json.dumps({"jobs": [job], "anyway": True}),
        {"Content-Type": "application/json", "Idempotency-Key": f"round-{number}"})
    if status not in (200, 201):
        sys.exit(f"rounds: the job was refused: {status} {body}")
    return body["jobs"][0]["id"]


def ended(job):
    _, body = call_until_answered("GET", f"/v1/jobs/{job}")
    counts = (body.get("task") or body).get("counts") or {}
    return all(state in ("succeeded", "failed", "cancelled") for state, count in counts.items() if count)


# ---- trouble -------------------------------------------------------------------------------------------

class Trouble:
    def __init__(self, chance):
        self.chance, self.broker = chance, None
        self.projects = {site: project for project, site in projects(cloud).items() if site in SITES}
        users = {u.name: u.id for u in cloud.identity.users()}
        self.users = {site: users[name_of(site)] for site in SITES}
        self.quotas = {site: cloud.compute.get(f"/os-quota-sets/{project}").json()["quota_set"]["instances"]
                       for site, project in self.projects.items()}
        self.played, self.lasting, self.changes = collections.Counter(), {}, 0
        self.own_passwords()  # whatever a run that was interrupted left

    def tell(self):
        proxy.clouds(T, self.passwords)

    def later(self, name, seconds, function):
        self.lasting[name] = threading.Timer(seconds, function)
        self.lasting[name].start()

    def over(self):
        """All that outlasts its round has ended."""
        for timer in self.lasting.values():
            timer.join()

    def play(self, card):
        self.played[card] += 1
        if card in proxy.KINDS:
            calls = MAKING if card == "lost" or (card == "late" and self.chance.random() < 0.5) else CALLS
            service, method, path = self.chance.choice(calls)
            count = 1 if card in ("late", "lost") else self.chance.randint(1, 4)
            say(f"{card} x {count} at {service} {method or 'any'} {path}")
            proxy.faults.add(card, service, method, path, count)
        else:
            getattr(self, card)()

    def some_server(self):
        end = time.monotonic() + 15
        while time.monotonic() < end:
            try:
                found = [s for s in cloud.compute.get("/servers/detail?all_tenants=1").json()["servers"]
                         if "spillway-broker" in s["metadata"]]
            except Exception:  # pylint: disable=broad-except
                found = []  # Nova may be away
            if found:
                return self.chance.choice(sorted(found, key=lambda s: s["name"]))
            time.sleep(0.3)
        return None

    def meddle(self, words, function):
        server = self.some_server()
        say(f"{words} {server['name'] if server else 'nothing: there is no server'}")
        if server:
            function(server["id"])

    def error(self):
        self.meddle("to ERROR:", lambda number: cloud.compute.post(
            f"/servers/{number}/action", json={"os-resetState": {"state": "error"}}))

    def deleted(self):
        self.meddle("deleted:", lambda number: cloud.compute.delete(f"/servers/{number}"))

    def mute(self):
        say("new guests do not boot")
        path = os.path.join(T, "guests", "mute")
        with open(path, "w", encoding="utf-8"):
            pass
        self.later("mute", 50, lambda: os.path.exists(path) and os.unlink(path))

    def set_password(self, site):
        self.changes += 1
        words = f"{site}-secret-{self.changes}"
        cloud.identity.patch(f"/users/{self.users[site]}", json={"user": {"password": words}})
        self.passwords[site] = words

    def password(self):
        self.wait_for("keystone")
        site = self.chance.choice(SITES)
        say(f"the password of {site} is changed")
        self.set_password(site)
        time.sleep(self.chance.uniform(2, 8))
        self.tell()
        self.broker.reload()

    def set_quota(self, site, instances):
        for _ in range(200):
            try:
                answer = cloud.compute.put(f"/os-quota-sets/{self.projects[site]}",
                                           json={"quota_set": {"instances": instances, "force": True}})
                if answer.status_code == 200:
                    return
            except Exception:  # pylint: disable=broad-except
                pass
            time.sleep(1)

    def quota(self):
        site = self.chance.choice(SITES)
        say(f"the quota of {site} falls to nothing")
        self.set_quota(site, 0)
        self.later("quota " + site, 10, lambda: self.set_quota(site, self.quotas[site]))

    def wait_for(self, service):
        if service in self.lasting:
            self.lasting[service].join()

    def away(self, service, name):
        self.wait_for(service)
        say(f"{name} goes away")
        subprocess.check_call([os.path.join(HERE, "lab"), "down", LAB, name])
        self.later(service, AWAY_SECONDS, lambda: subprocess.check_call([os.path.join(HERE, "lab"), "up", LAB, name]))

    def nova(self):
        self.away("nova", "nova-api")

    def keystone(self):
        self.away("keystone", "keystone")

    def restore(self):
        """As fill.py left it, for the tests that come after."""
        self.over()
        for site in SITES:
            self.set_quota(site, self.quotas[site])
        self.own_passwords()
        self.broker.reload()

    def own_passwords(self):
        self.passwords = {site: site + "-secret" for site in SITES}
        for site in SITES:
            cloud.identity.patch(f"/users/{self.users[site]}", json={"user": {"password": self.passwords[site]}})
        self.tell()


Round = collections.namedtuple("Round", "number job at")
CARDS = (*proxy.KINDS, "error", "mute", "deleted", "password", "quota", "nova", "keystone")


def begin_round(number, cards, chance, trouble, broker):
    at = time.monotonic()
    kills = [chance.uniform(0, 12) for _ in range(chance.choice((0, 0, 1, 2)))]
    say(f"round {number}: {' '.join(cards)}{' and kills' if kills else ''}")
    job = submit(number, chance.randint(1, 8))
    for card in cards:
        trouble.play(card)
    for moment in sorted(kills):
        time.sleep(max(0, at + moment - time.monotonic()))
        say("the broker is killed")
        broker.kill()
    return Round(number, job, at)


def wait_for_rounds(rounds, count):
    """Until so many of them are left open; the others' durations."""
    times = []
    while len(rounds) > count:
        for one in list(rounds):
            took, late = time.monotonic() - one.at, time.monotonic() - one.at >= ROUND_LIMIT
            if late:
                say(f"round {one.number} is not over: {call_until_answered('GET', f'/v1/jobs/{one.job}')[1]}")
            if late or ended(one.job):
                rounds.remove(one)
                times.append(took)
                say(f"round {one.number} took {took:.1f} s")
        time.sleep(0.2)
    return times


def deal(chance):
    while True:
        deck = list(CARDS)
        chance.shuffle(deck)
        yield from deck


# ---- counting ------------------------------------------------------------------------------------------

def count_ends():
    """How often each task ended, by the broker's own history."""
    ends, after = collections.Counter(), 0
    while True:
        _, page = call_until_answered("GET", f"/v1/events?after={after}&limit=1000")
        events = page["events"]
        if not events:
            return ends
        for event in events:
            after = event["id"]
            if event["kind"] == "task.ended":
                ends[event["task"]] += 1


def what_is_left(seconds):
    command = ["/usr/bin/python3", os.path.join(HERE, "cloud.py"), "wait-none", str(seconds)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout.splitlines()


def judge(jobs):
    states, twice, attempts = collections.Counter(), 0, collections.Counter()
    for name in (f"{job}.{index}" for job in jobs for index in range(1, TASKS + 1)):
        _, task = call_until_answered("GET", f"/v1/jobs/{name}")
        _, body = call_until_answered("GET", f"/v1/jobs/{name}/attempts")
        good = sum(a["state"] == "succeeded" for a in body["attempts"])
        attempts.update(a["state"] for a in body["attempts"])
        states[task["state"]] += 1
        twice += good > 1
        if task["state"] != "succeeded" or good != 1:
            say(f"{name}: {task} {body}")
    return states, twice, attempts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--cards", type=int, default=2)
    parser.add_argument("--beside", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    os.makedirs(os.path.join(T, "ran"), exist_ok=True)
    proxy.start()
    write_conf()
    trouble, cards, jobs, times, going = Trouble(chance), deal(random.Random(f"cards {options.seed}")), [], [], []
    broker = trouble.broker = Broker()
    wait_for_sites()
    try:
        for number in range(1, options.rounds + 1):
            times += wait_for_rounds(going, options.beside - 1)
            going.append(begin_round(number, [next(cards) for _ in range(options.cards)], chance, trouble, broker))
            jobs.append(going[-1].job)
        times += wait_for_rounds(going, 0)
    finally:
        proxy.faults.clear()
        trouble.restore()
    left = what_is_left(240)
    states, twice, attempts = judge(jobs)
    ends = count_ends()
    broker.stop()
    print(json.dumps({
        "left": left, "rounds": len(jobs), "kills": broker.kills, "tasks": TASKS * len(jobs), "states": states,
        "ended_once": sum(ends[f"{job}.{index}"] == 1 for job in jobs for index in range(1, TASKS + 1)),
        "succeeded_twice": twice, "attempts": attempts, "cards": trouble.played, "spoiled": proxy.faults.spoiled,
        "seconds": round(time.monotonic() - began), "slowest_round": round(max(times)),
        "requests": sum(proxy.faults.seen.values())}, default=dict))


main()
