#!/usr/bin/python3 -SE
# SPDX-License-Identifier: Apache-2.0
"""bad_requests - what no good client sends, as raw bytes over the Unix socket of $STATE.

    bad_requests cases     one line a case: "ok NAME" or "not ok NAME: what came instead"
    bad_requests slow      clients that send a byte now and then; others are served meanwhile

After every case the broker must still answer a good request.
"""
import json
import os
import socket
import sys
import time

SOCKET = os.path.join(os.environ["STATE"], "spillway.sock")
GOOD = b'{"jobs":[{"command":["true"]}]}'


def connect(timeout=60):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(timeout)
    client.connect(SOCKET)
    return client


def read_all(client):
    data = b""
    try:
        while True:
            piece = client.recv(65536)
            if not piece:
                return data
            data += piece
    except (ConnectionError, socket.timeout):
        return data


def send(raw, half=False):
    """The status of the answer; 0: the connection was closed without one."""
    client = connect()
    try:
        client.sendall(raw)
        if half:
            client.shutdown(socket.SHUT_WR)
    except ConnectionError:
        pass
    answer = read_all(client)
    client.close()
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0, answer


def post(body, path=b"/v1/jobs", length=None, extra=b"", method=b"POST"):
    length = len(body) if length is None else length
    return (method + b" " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n"
            % length + extra + b"\r\n" + body)


def get(path, extra=b""):
    return b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + extra + b"\r\n"


def chunked(pieces, path=b"/v1/jobs"):
    body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces)
    return (b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            + body + b"0\r\n\r\n")


def job(**keys):
    return json.dumps({"jobs": [keys]}).encode()


REFUSED = (400, 404, 405, 413, 414, 422, 431, 501, 505, 0)
BAD, INVALID = (400,), (422,)

BODIES = [  # JSON that is none, or the wrong kind: 400
    ("an empty text", b" ", BAD), ("half an object", b'{"jobs":[', BAD), ("text behind", GOOD + b"x", BAD),
    ("two documents", GOOD + GOOD, BAD), ("a list", b"[]", BAD), ("a string", b'"jobs"', BAD),
    ("a number", b"7", BAD), ("null", b"null", BAD), ("a NUL", b'{"jobs":\0[]}', BAD),
    ("an escaped NUL", b'{"jobs":[{"name":"a\\u0000b"}]}', BAD), ("a byte that is no UTF-8", b'{"jobs":[{"name":"\xff"}]}', BAD),
    ("an overlong form", b'{"jobs":[{"name":"\xc0\xaf"}]}', BAD), ("a lone surrogate", b'{"jobs":[{"name":"\\ud800"}]}', BAD),
    ("a surrogate in bytes", b'{"jobs":[{"name":"\xed\xa0\x80"}]}', BAD), ("a key twice", b'{"jobs":[],"jobs":[]}', BAD),
    ("a byte order mark", b"\xef\xbb\xbf" + GOOD, BAD), ("UTF-16", GOOD.decode().encode("utf-16"), BAD),
    ("single quotes", b"{'jobs':[]}", BAD), ("a comment", b"/* */" + GOOD, BAD), ("a trailing comma", b'{"jobs":[],}', BAD),
    ("NaN", b'{"jobs":[{"priority":NaN}]}', BAD), ("a huge number", b'{"jobs":[{"priority":' + b"9" * 400 + b"}]}", BAD),
    ("100,000 brackets", b"[" * 100000, BAD), ("100,000 objects deep", b'{"a":' * 100000, BAD),
    ("deep inside a job", b'{"jobs":[{"environment":' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}]}", BAD),
    ("YAML", b"jobs:\n- command: [true]\n", BAD), ("XML", b"<jobs/>", BAD), ("a form", b"jobs=1&name=2", BAD),
    ("random bytes", bytes((i * 167 + 13) % 256 for i in range(5000)), BAD),
]

DESCRIPTIONS = [  # well-formed, but no submission: 422
    ("no jobs", b"{}", INVALID), ("jobs that are no list", b'{"jobs":{}}', INVALID), ("an empty list", b'{"jobs":[]}', INVALID),
    ("a job that is null", b'{"jobs":[null]}', INVALID), ("a job that is a list", b'{"jobs":[[]]}', INVALID),
    ("an unknown member", b'{"jobs":[{"command":["true"]}],"force":true}', INVALID),
    ("dry_run as text", b'{"jobs":[{"command":["true"]}],"dry_run":"yes"}', INVALID),
    ("nothing to run", job(name="x"), INVALID), ("both command and script", job(command=["a"], script="b"), INVALID),
    ("an unknown key", job(command=["true"], comand=1), INVALID), ("a command of numbers", job(command=[{}]), INVALID),
    ("an empty command", job(command=[]), INVALID), ("a name with a newline", job(command=["true"], name="a\nb"), INVALID),
    ("a name with an escape", job(command=["true"], name="\x1b[2Ja"), INVALID), ("a name too long", job(command=["true"], name="n" * 1000), INVALID),
    ("minus one CPU", job(command=["true"], resources={"cpus": -1}), INVALID),
    ("memory without a unit", job(command=["true"], resources={"memory": "lots"}), INVALID),
    ("an array that is huge", job(command=["true"], array="0-99999999999"), INVALID),
    ("an array backwards", job(command=["true"], array="9-0"), INVALID), ("an array twice", job(command=["true"], array="1,1"), INVALID),
    ("an input that climbs out", job(command=["true"], inputs=[{"from": "a", "to": "../../etc/passwd", "sha256": "0" * 64}]), INVALID),
    ("an absolute input", job(command=["true"], inputs=[{"from": "a", "to": "/etc/passwd", "sha256": "0" * 64}]), INVALID),
    ("an output that climbs out", job(command=["true"], outputs=["../*"]), INVALID),
    ("an input that was never sent", job(command=["true"], inputs=[{"from": "a", "to": "a", "sha256": "0" * 64}]), INVALID),
    ("a file that was not uploaded", job(command=["true"], inputs=["data.csv"]), INVALID),
    ("a dependency on nothing", job(command=["true"], after=[{"job": 999999}]), INVALID),
    ("a dependency on itself", b'{"jobs":[{"name":"a","command":["true"],"after":[{"job":"a"}]}]}', INVALID),
    ("a cycle", b'{"jobs":[{"name":"a","command":["true"],"after":[{"job":"b"}]},{"name":"b","command":["true"],"after":[{"job":"a"}]}]}', INVALID),
    ("a bad second job", b'{"jobs":[{"command":["true"]},{"comand":["true"]}]}', INVALID),
    ("10,001 jobs", b'{"jobs":[' + b",".join([b"{}"] * 10001) + b"]}", INVALID),
]

FRAMES = [  # what is wrong with the request around it
    ("a body larger than it may be", post(b"x", length=1 << 40), (413,)), ("a body larger than it says", post(GOOD + b"GARBAGE", length=5), BAD),
    ("chunks beyond the limit", chunked([b" " * 65536] * 20, b"/v1/tokens"), (413,)), ("a chunk with a bad size", b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", REFUSED),
    ("a negative length", post(GOOD, length=-5), REFUSED), ("a length of words", b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", REFUSED),
    ("two lengths", post(GOOD, extra=b"Content-Length: 3\r\n"), BAD),
    ("no version", b"GET /v1/jobs\r\n\r\n", REFUSED + (200,)), ("HTTP/9.9", b"GET /v1/jobs HTTP/9.9\r\nHost: x\r\n\r\n", REFUSED + (200,)),
    ("another protocol", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100 + b"\r\n\r\n", REFUSED), ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", REFUSED),
    ("an unknown method", b"BREW /v1/jobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", (405,)), ("DELETE of a list", post(b"", method=b"DELETE"), (405,)),
    ("a body where none belongs", post(b"{}", method=b"GET"), (413,)),
    ("a header too long", get(b"/healthz", b"X: " + b"a" * 200000 + b"\r\n"), REFUSED), ("10,000 headers", get(b"/healthz", b"X: y\r\n" * 10000), REFUSED),
    ("a path too long", get(b"/v1/jobs/" + b"a" * 100000), REFUSED), ("a query too long", get(b"/v1/jobs?name=" + b"a" * 3000), BAD),
    ("1,000 parameters", get(b"/v1/jobs?" + b"&".join(b"limit=%d" % i for i in range(1000))), REFUSED), ("an unknown parameter", get(b"/v1/jobs?stat=held"), BAD),
    ("a NUL in the path", get(b"/v1/jobs/1%00"), BAD), ("a bare NUL in the path", get(b"/v1/jobs/7777\x002"), REFUSED),
    ("half a percent", get(b"/v1/jobs/%4"), BAD), ("a newline in the path", get(b"/v1/jobs/1%0a2"), BAD), ("bad UTF-8 in the path", get(b"/v1/jobs/%ff"), BAD),
    ("a path that climbs", get(b"/v1/../../etc/passwd"), (404,)), ("an encoded climb", get(b"/v1/jobs/1/outputs/%2e%2e/%2e%2e/etc/passwd"), BAD),
    ("an absolute output", get(b"/v1/jobs/1/outputs//etc/passwd"), BAD), ("an id of words", get(b"/v1/jobs/abc"), (404,)), ("an id too large", get(b"/v1/jobs/99999999999999999999"), (404,)),
    ("an idempotency key with spaces", post(GOOD, extra=b"Idempotency-Key: a b\r\n"), BAD), ("an idempotency key too long", post(GOOD, extra=b"Idempotency-Key: " + b"k" * 300 + b"\r\n"), BAD),
    ("a token that is none", get(b"/v1/jobs", b"Authorization: Bearer x\r\n"), (401,)), ("another scheme", get(b"/v1/jobs", b"Authorization: Basic YTpi\r\n"), (401,)),
    ("a token of 60,000 bytes", get(b"/v1/jobs", b"Authorization: Bearer " + b"t" * 60000 + b"\r\n"), REFUSED + (401,)),
    ("a bad Last-Event-ID", get(b"/v1/events?follow=1", b"Last-Event-ID: -1\r\n"), BAD), ("a hash that is none", get(b"/v1/blobs/../../spillway.db"), (404,)),
    ("an agent without a session", post(b"{}", b"/v1/agent/sync"), (401,)), ("a join without a worker", post(b"{}", b"/v1/agent/join"), INVALID),
    ("a join of a stranger", post(b'{"worker":"x","token":"y"}', b"/v1/agent/join"), (401,)), ("a join of numbers", post(b'{"worker":1,"token":2}', b"/v1/agent/join"), INVALID),
    ("a smuggled request", post(b"0\r\n\r\nGET /v1/tokens HTTP/1.1\r\nHost: x\r\n\r\n", extra=b"Transfer-Encoding: chunked\r\n"), BAD),
]


def alive():
    return send(get(b"/healthz"))[0] == 200


def check(name, raw, wanted, half=False):
    status, answer = send(raw, half)
    head, _, body = answer.partition(b"\r\n\r\n")
    fault = ""
    if status not in wanted:
        fault = "status %d, not %s: %r" % (status, "/".join(map(str, wanted)), answer[:300])
    elif status >= 400 and b"problem+json" in head:
        try:
            if not json.loads(body)["detail"]:
                fault = "a problem without words"
        except (ValueError, KeyError):
            fault = "a problem that is no JSON: %r" % body[:200]
    if not fault and not alive():
        fault = "the broker does not answer any more"
    print("not ok %s: %s" % (name, fault) if fault else "ok %s" % name, flush=True)


def cases():
    for name, body, wanted in BODIES + DESCRIPTIONS:
        check(name, post(body), wanted)
    for name, raw, wanted in FRAMES:
        check(name, raw, wanted)
    whole = post(GOOD)
    for cut in (1, 10, len(whole) - len(GOOD) - 2, len(whole) - len(GOOD), len(whole) - 1):
        check("cut off after %d bytes" % cut, whole[:cut], REFUSED, half=True)


def slow():
    """Heads and bodies that come a byte at a time, 150 at once, next to good requests."""
    head = b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * 100000
    body = post(b"", length=60000) + b" " * 60000
    clients = [(connect(), head if i % 2 else body) for i in range(150)]
    at, began, worst, left = 0, time.monotonic(), 0.0, dict(enumerate(clients))
    while left and time.monotonic() - began < float(sys.argv[2]):
        at += 1
        for key, (client, data) in list(left.items()):
            try:
                client.send(data[at - 1:at])
                client.setblocking(False)
                try:
                    gone = client.recv(4096) == b""
                except BlockingIOError:
                    gone = False
                client.setblocking(True)
                if gone:
                    raise ConnectionError
            except OSError:
                del left[key]
        asked = time.monotonic()
        if not alive():
            print("not ok others are served meanwhile")
            return
        worst = max(worst, time.monotonic() - asked)
        time.sleep(0.2)
    print("ok others are served meanwhile")
    print("ok slow clients are put out" if not left else "not ok %d slow clients are still there" % len(left))


{"cases": cases, "slow": slow}[sys.argv[1]]()
