#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""proxy.py DIR - stands before the lab's services and spoils what it is told to spoil.

Everything is passed on to the real services but for what a fault asks.  A client is pointed here by the
endpoint overrides of a clouds.yaml that is written to DIR, with its secure.yaml.  Port 15999 takes orders:

    GET /spoil?kind=KIND&service=nova&method=POST&path=/servers&count=1
    GET /count                how many requests passed, by service, method and path, as JSON
    GET /log                  the last requests, one a line: milliseconds, service, method, path
    GET /left                 how many faults are still to come

KIND is a status (500, 503, 401; 429 comes with a Retry-After of 2 s), which is answered without asking the service;
`reset`: the connection is cut before the request is passed on; `lost`: passed on, but the answer is never
seen; `late`: the answer comes 30 s late; `half`: half of the answer's JSON.  `path` is a regular expression.
"""
import collections
import http.client
import http.server
import json
import os
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse

from lane import name_of

SERVICES = {"keystone": 5000, "nova": 8774, "neutron": 9696, "glance": 9292, "cinder": 8776}
SHIFT = 10000  # keystone is met at 15000
LATE_SECONDS = 30
STATUSES = {"500": "Internal Server Error", "503": "Service Unavailable", "429": "Too Many Requests",
            "401": "Unauthorized"}
KINDS = (*STATUSES, "reset", "lost", "late", "half")


class Faults:
    """What is still to be spoiled, and what went by."""

    def __init__(self):
        self.lock, self.waiting = threading.Lock(), []
        self.seen, self.spoiled = collections.Counter(), collections.Counter()
        self.log = collections.deque(maxlen=20000)

    def add(self, kind, service="", method="", path="", count=1):
        with self.lock:
            self.waiting.append({"kind": kind, "service": service, "method": method, "path": re.compile(path),
                                 "left": int(count)})

    def clear(self):
        with self.lock:
            self.waiting = []

    def left(self):
        with self.lock:
            return sum(fault["left"] for fault in self.waiting)

    def take(self, service, method, path):
        """The fault that this request meets, or None."""
        with self.lock:
            self.log.append(f"{int(time.time() * 1000)} {service} {method} {path}")
            self.seen[f"{service} {method} {re.sub('[0-9a-f]{8}-?[0-9a-f-]{20,}', 'ID', path.split('?')[0])}"] += 1
            for fault in self.waiting:
                if fault["service"] in ("", service) and fault["method"] in ("", method) and fault["path"].search(path):
                    fault["left"] -= 1
                    if fault["left"] == 0:
                        self.waiting.remove(fault)
                    self.spoiled[fault["kind"]] += 1
                    return fault["kind"]
        return None


faults = Faults()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def cut(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def answer(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "keep-alive"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pass_on(self, port, body):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "accept-encoding")}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def handle_any(self):
        service = self.server.service
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = faults.take(service, self.command, self.path)
        if kind == "reset":
            return self.cut()
        if kind in STATUSES:
            retry = [("Retry-After", "2")] if kind == "429" else []
            return self.answer(int(kind), [("Content-Type", "application/json"), *retry],
                               json.dumps({"error": {"message": f"{STATUSES[kind]} (the lab's proxy)"}}).encode())
        try:
            status, headers, text = self.pass_on(SERVICES[service], body)
        except (OSError, http.client.HTTPException):
            return self.cut()  # as it is without us when nobody listens
        if kind == "lost":
            return self.cut()
        if kind == "late":
            time.sleep(LATE_SECONDS)
        if kind == "half":
            text = text[:len(text) // 2]
        return self.answer(status, headers, text)

    def handle_one(self):
        try:
            self.handle_any()
        except OSError:
            self.close_connection = True  # who asked went away

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = handle_one


class Orders(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/spoil":
            faults.add(**dict(urllib.parse.parse_qsl(url.query)))
        answers = {"/count": lambda: json.dumps(faults.seen, indent=1), "/left": lambda: str(faults.left()),
                   "/log": lambda: "\n".join(faults.log),
                   "/spoil": lambda: "noted"}
        body = (answers.get(url.path, lambda: "?")() + "\n").encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 64
    service = ""

    def handle_error(self, *_):
        pass


def start():
    """All of them, in threads of this process."""
    for service, port in SERVICES.items():
        server = Server(("127.0.0.1", port + SHIFT), Handler)
        server.service = service
        threading.Thread(target=server.serve_forever, daemon=True).start()


def write_private(path, what):
    with open(path + ".new", "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        json.dump(what, file, indent=1)
    os.rename(path + ".new", path)


def clouds(folder, passwords):
    """A clouds.yaml whose entries come here, and a secure.yaml with the passwords: {site: password}."""
    overrides = {f"{name}_endpoint_override": f"http://127.0.0.1:{SERVICES[service] + SHIFT}{suffix}"
                 for name, service, suffix in (("compute", "nova", "/v2.1"), ("network", "neutron", ""),
                                               ("image", "glance", ""), ("block_storage", "cinder", "/v3"))}
    entries = {site: {**overrides, "region_name": "RegionOne", "auth": {
        "auth_url": f"http://127.0.0.1:{SERVICES['keystone'] + SHIFT}/v3", "username": name_of(site),
        "project_name": name_of(site), "user_domain_name": "Default", "project_domain_name": "Default"}}
        for site in passwords}
    write_private(os.path.join(folder, "clouds.yaml"), {"clouds": entries})
    write_private(os.path.join(folder, "secure.yaml"),
                  {"clouds": {site: {"auth": {"password": words}} for site, words in passwords.items()}})


def main():
    clouds(sys.argv[1], {site: site + "-secret" for site in ("site-a", "site-b", "site-c")})
    start()
    Server(("127.0.0.1", 15999), Orders).serve_forever()


if __name__ == "__main__":
    main()
