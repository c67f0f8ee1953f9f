#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""slow.py CERT KEY FILE GO - serve FILE by https at a port of localhost, which is printed.

Of each answer the first half comes at once, the other when the file GO is there.
"""
import http.server
import os
import ssl
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(sys.argv[3], "rb") as file:
            body = file.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2])
        self.wfile.flush()
        while not os.path.exists(sys.argv[4]):
            time.sleep(0.1)
        self.wfile.write(body[len(body) // 2:])


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
