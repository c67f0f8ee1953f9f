# SPDX-License-Identifier: Apache-2.0
"""proxy.py - what the stand-ins between the broker and the API server share.

A stand-in says by route() what becomes of a request; answers are passed on as they come, watches line by line
through change().  Prints one line a request: method, path, status.
"""
import http.client
import http.server
import os
import ssl

HOST = "10.99.0.1"
PKI = os.path.join(os.environ["LAB_DIR"], "pki")
trust = ssl.create_default_context(cafile=f"{PKI}/ca.crt")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def route(self, body):
        """The path to ask for and the Authorization to show; or answer(...), which is None."""
        raise NotImplementedError

    def change(self, line):
        """The lines of a watch that stand for this one."""
        return [line]

    def say(self, status):
        print(self.command, self.path, status, flush=True)

    def answer(self, status, words, kind="text/plain"):
        body = words.encode()
        self.say(status)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        found = self.route(body)
        if found is None:
            return
        headers = {name: self.headers[name] for name in ("Content-Type", "Accept") if name in self.headers}
        headers["Authorization"] = found[1]
        upstream = http.client.HTTPSConnection(HOST, context=trust, timeout=600)
        try:
            upstream.request(self.command, found[0], body, headers)
            self.pass_on(upstream.getresponse())
        except OSError:
            self.answer(502, "the cluster agent is not connected")
        finally:
            upstream.close()

    def send(self, chunk):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.flush()

    def pass_on(self, answer):
        self.say(answer.status)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if "watch=1" in self.path and answer.status == 200:
            for line in iter(answer.readline, b""):
                for changed in self.change(line):
                    self.send(changed)
        else:
            while chunk := answer.read1(65536):
                self.send(chunk)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # who asked went away


def serve(port, handler):
    server = Server((HOST, port), handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{PKI}/apiserver.crt", f"{PKI}/apiserver.key")
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()
