#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fake_broker.py - a scripted broker for the agent's tests.

A stand-in: it speaks the protocol of include/spillway/wire.h well enough to show what a real broker
cannot be made to show (lost and late answers, truncated JSON, refusals, a wrong certificate).  That a
real broker and a real agent understand each other is for the other end-to-end tests.

    fake_broker.py DIR [--tcp] [--tls CERT KEY]

It listens on DIR/sock (or a free port, written to DIR/port) and is driven by files:
    DIR/leases/*.json   a lease, or a list of leases; handed out once each
    DIR/cancel/ID       cancel the attempt ID; the content is the reason
    DIR/drain, DIR/exit say so in the next answers
    DIR/blobs/SHA256    inputs
    DIR/faults/NAME     a fault, while the file is there (its content: how many times, default always):
        refuse    answer 503          cut       half of an answer, then close
        garbage   200 with no JSON    lost      take the call in, close without an answer
        slow      answer after 2 s    unknown   answer 401
        unsettled never settle        resend    send every lease again with each answer
        upload503 uploads: 503        upload422 a finished output: 422
        gone      close before reading anything
    and tells in files:
        DIR/joined          facts as JSON
        DIR/reports.jsonl   each report taken in, one a line
        DIR/syncs.jsonl     each sync's own fields
        DIR/logs/ID.stdout  DIR/outputs/ID/PATH
"""
import base64
import hashlib
import json
import os
import socket
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler


class State:
    def __init__(self, root):
        self.root = root
        self.lock = threading.Condition()
        self.seq = 0
        self.items = []  # (seq, kind, value), not acknowledged
        self.settled = []
        self.seen = set()
        self.epoch = "epoch-%d" % time.time_ns()
        self.nonce = None
        self.all_leases = []
        for name in ("leases", "cancel", "blobs", "faults", "logs", "outputs"):
            os.makedirs(os.path.join(root, name), exist_ok=True)

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def fault(self, name):
        path = self.path("faults", name)
        with self.lock:
            try:
                with open(path) as file:
                    text = file.read().strip()
            except OSError:
                return False
            if text.isdigit():
                left = int(text) - 1
                if left <= 0:
                    os.unlink(path)
                else:
                    with open(path, "w") as file:
                        file.write(str(left))
            return True

    def note(self, name, value):
        with open(self.path(name), "a") as file:
            file.write(json.dumps(value) + "\n")

    def scan(self):
        """Take in new leases and cancels; called with the lock held."""
        for name in sorted(os.listdir(self.path("leases"))):
            if name in self.seen or not name.endswith(".json"):
                continue
            self.seen.add(name)
            with open(self.path("leases", name)) as file:
                value = json.load(file)
            leases = value if isinstance(value, list) else [value]
            for start in range(0, len(leases), 1000):
                self.seq += 1
                for lease in leases[start:start + 1000]:
                    self.items.append((self.seq, "leases", lease))
                    self.all_leases.append(lease)
        for name in sorted(os.listdir(self.path("cancel"))):
            key = "cancel/" + name
            if key in self.seen:
                continue
            with open(self.path("cancel", name)) as file:
                text = file.read()
            if not text:  # made, but not written yet
                continue
            self.seen.add(key)
            reason = text.strip() or "cancelled"
            self.seq += 1
            self.items.append((self.seq, "cancel", {"attempt": int(name), "reason": reason}))

    def sync(self, body):
        wait = time.monotonic() + min(body.get("wait_ms", 0), 60000) / 1000
        self.note("syncs.jsonl", {k: v for k, v in body.items() if k != "reports"})
        with self.lock:
            if body.get("epoch") == self.epoch:
                self.items = [i for i in self.items if i[0] > body.get("ack", 0)]
            for report in body.get("reports", []):
                self.note("reports.jsonl", report)
                if report["state"] in ("finished", "returned") and not os.path.exists(self.path("faults", "unsettled")):
                    self.settled.append(report["attempt"])
                    self.lock.notify_all()
            while True:
                self.scan()
                fresh = self.items and self.items[-1][0] > body.get("ack", 0)
                if fresh or self.settled or time.monotonic() >= wait or body.get("epoch") != self.epoch:
                    break
                if os.path.exists(self.path("drain")) or os.path.exists(self.path("exit")):
                    break
                self.lock.wait(0.02)
            taken, top, seq = self.items, 0, body.get("ack", 0)
            answer = {"epoch": self.epoch}
            for number, kind, value in taken:
                if top >= 1000 and number != seq:
                    break
                answer.setdefault(kind, []).append(value)
                top += 1
                seq = number
            answer["seq"] = max(seq, 0)
            if self.settled:
                answer["settled"], self.settled = self.settled, []
            if os.path.exists(self.path("faults", "resend")):
                self.seq += 1
                answer["seq"], answer["leases"] = self.seq, self.all_leases[-1000:]
            for word in ("drain", "exit"):
                if os.path.exists(self.path(word)):
                    answer[word] = True
            if answer.get("drain"):
                time.sleep(0.02)
            return answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "agent"

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, status, value=b"", headers=()):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers:
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def drop(self):
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def do_POST(self):
        state = self.server.state
        body = json.loads(self.body() or b"{}")
        if state.fault("gone"):
            return self.drop()
        if state.fault("refuse"):
            return self.reply(503, {"detail": "refused by the test"}, [("Retry-After", "0")])
        if state.fault("unknown"):
            return self.reply(401, {"detail": "no such session"})
        if self.path == "/v1/agent/join":
            return self.join(state, body)
        if self.path != "/v1/agent/sync":
            return self.reply(404)
        if self.headers.get("Authorization") != "Bearer session-of-test":
            return self.reply(401)
        answer = json.dumps(state.sync(body)).encode()
        if state.fault("slow"):
            time.sleep(2)
        if state.fault("lost"):
            return self.drop()
        if state.fault("garbage"):
            return self.reply(200, b'{"epoch": "x", "leases": [')
        if state.fault("cut"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer[:len(answer) // 2])
            return self.drop()
        return self.reply(200, answer)

    def join(self, state, body):
        if body.get("token") != "join-token":
            return self.reply(401, {"detail": "no such token"})
        if state.nonce not in (None, body["nonce"]):
            return self.reply(401, {"detail": "the token was used"})
        state.nonce = body["nonce"]
        with open(state.path("joined"), "w") as file:
            json.dump(body, file)
        if state.fault("lostjoin"):
            return self.drop()
        return self.reply(200, {"session": "session-of-test", "epoch": state.epoch, "heartbeat_ms": 2000,
                                "lease_ttl_ms": 60000, "orphan_ms": int(os.environ.get("ORPHAN_MS", "600000"))})

    def do_HEAD(self):
        path = self.target()
        if path is None:
            return self.reply(404)
        size = os.path.getsize(path) if os.path.exists(path) else 0
        return self.reply(200, b"", [("Upload-Offset", str(size))])

    def target(self):
        parts = urllib.parse.unquote(self.path.split("?")[0]).split("/")
        if len(parts) < 6 or parts[2] != "attempts" or ".." in parts:
            return None
        if parts[4] == "log":
            return self.server.state.path("logs", parts[3] + "." + parts[5])
        return self.server.state.path("outputs", parts[3], *parts[5:])

    def do_PUT(self):
        state, data, path = self.server.state, self.body(), self.target()
        query = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
        if state.fault("upload503"):
            return self.reply(503, {}, [("Retry-After", "0")])
        if state.fault("uploadlost"):
            return self.drop()
        if path is None:
            return self.reply(404)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        have = os.path.getsize(path) if os.path.exists(path) else 0
        if int(query["offset"]) != have:
            return self.reply(409, {"size": have})
        with open(path, "ab") as file:
            file.write(data)
        have += len(data)
        if "sha256" not in query or have < int(query["size"]):
            return self.reply(200, {"size": have})
        with open(path, "rb") as file:
            good = hashlib.sha256(file.read()).hexdigest() == query["sha256"]
        if not good or state.fault("upload422"):
            os.unlink(path)
            return self.reply(422, {"detail": "hash or size differ"})
        return self.reply(201, {"size": have})

    def do_GET(self):
        state = self.server.state
        if self.path.startswith("/redirect/"):
            return self.reply(302, b"", [("Location", self.path[len("/redirect"):])])
        name = self.path.split("/")[-1]
        path = state.path("blobs", name)
        if not self.path.startswith("/v1/blobs/") or not os.path.exists(path):
            return self.reply(404, {"detail": "no such blob"})
        with open(path, "rb") as file:
            data = file.read()
        start, status, headers = 0, 200, []
        if self.headers.get("Range"):
            start = int(self.headers["Range"].split("=")[1].rstrip("-"))
            status = 206
            headers = [("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data)))]
        state.note("gets.jsonl", {"blob": name, "from": start})
        if state.fault("cutblob"):
            self.send_response(status)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start:start + (len(data) - start) // 2])
            self.wfile.flush()
            return self.drop()
        return self.reply(status, data[start:], headers)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 32

    def handle_error(self, request, client_address):
        pass


class UnixServer(Server):
    address_family = socket.AF_UNIX


def main():
    args = sys.argv[1:]
    state = State(args[0])
    if "--tcp" in args or "--tls" in args:
        server = Server(("127.0.0.1", int(os.environ.get("PORT", "0"))), Handler)
        if "--tls" in args:
            at = args.index("--tls")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(args[at + 1], args[at + 2])
            server.socket = context.wrap_socket(server.socket, server_side=True)
        with open(state.path("port.new"), "w") as file:
            file.write(str(server.server_address[1]))
        os.rename(state.path("port.new"), state.path("port"))
    else:
        path = state.path("sock")
        if os.path.exists(path):
            os.unlink(path)
        server = UnixServer(path, Handler)
    server.state = state
    server.serve_forever()


if __name__ == "__main__":
    main()
