#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""rancher.py PORT TOKEN-FILE - a stand-in for Rancher's proxy, for what a lab cannot start.

Serves https://10.99.0.1:PORT/k8s/clusters/c-lab/..., as Rancher does, and passes it on to the API server with the
token in TOKEN-FILE.  What asks must bear the token `kubeconfig-lab:secret`, which the API server does not know;
all else gets 401, and other paths get 404.  Answers are passed on as they come, watches too.  Prints one line a
request: method, path, status.
"""
import http.client
import http.server
import os
import ssl
import sys

PKI = os.path.join(os.environ["LAB_DIR"], "pki")
PREFIX = "/k8s/clusters/c-lab"
TOKEN = "kubeconfig-lab:secret"
trust = ssl.create_default_context(cafile=f"{PKI}/ca.crt")
with open(sys.argv[2], encoding="utf-8") as token_file:
    UPSTREAM_TOKEN = token_file.read().strip()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def say(self, status):
        print(self.command, self.path, status, flush=True)

    def refuse(self, status, words):
        body = words.encode()
        self.say(status)
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.refuse(401, "must authenticate")
        if not self.path.startswith(PREFIX + "/"):
            return self.refuse(404, "no such page")
        headers = {name: self.headers[name] for name in ("Content-Type", "Accept") if name in self.headers}
        headers["Authorization"] = f"Bearer {UPSTREAM_TOKEN}"
        upstream = http.client.HTTPSConnection("10.99.0.1", context=trust, timeout=600)
        try:
            upstream.request(self.command, self.path[len(PREFIX):], body, headers)
            self.pass_on(upstream.getresponse())
        except OSError:
            self.refuse(502, "the cluster agent is not connected")
        finally:
            upstream.close()
        return None

    def pass_on(self, answer):
        self.say(answer.status)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while chunk := answer.read1(65536):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # who asked went away


server = Server(("10.99.0.1", int(sys.argv[1])), Handler)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(f"{PKI}/apiserver.crt", f"{PKI}/apiserver.key")
server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
