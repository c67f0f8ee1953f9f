# SPDX-License-Identifier: Apache-2.0
# receiver.py - a webhook receiver: keeps bodies whose signature is right in FOLDER/received, one a line.
#
# FOLDER/key is the secret.  FOLDER/port is written once it listens.  While FOLDER/refuse exists it answers
# 404 and keeps bodies in `refused`.
import hashlib
import hmac
import http.server
import os
import sys

folder = sys.argv[1]


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(os.path.join(folder, "key")) as file:
            key = file.read().strip().encode()
        stamp = self.headers["Spillway-Timestamp"].encode()
        good = "sha256=" + hmac.new(key, stamp + b"." + body, hashlib.sha256).hexdigest()
        refuse = os.path.exists(os.path.join(folder, "refuse"))
        right = hmac.compare_digest(good, self.headers["Spillway-Signature"])
        name = "refused" if refuse else "received" if right else "forged"
        with open(os.path.join(folder, name), "ab") as file:
            file.write(body + b"\n")
        self.send_response(404 if refuse else 204)
        self.end_headers()

    def log_message(self, *words):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
with open(os.path.join(folder, "port.new"), "w") as file:
    file.write(str(server.server_port))
os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
server.serve_forever()
