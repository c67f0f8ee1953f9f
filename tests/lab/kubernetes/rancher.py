#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""rancher.py PORT TOKEN-FILE - a stand-in for Rancher's proxy, for what a lab cannot start.

Serves https://10.99.0.1:PORT/k8s/clusters/c-lab/..., as Rancher does, and passes it on to the API server with the
token in TOKEN-FILE.  What asks must bear the token `kubeconfig-lab:secret`, which the API server does not know;
all else gets 401, and other paths get 404.
"""
import sys

import proxy

PREFIX = "/k8s/clusters/c-lab"
TOKEN = "kubeconfig-lab:secret"
with open(sys.argv[2], encoding="utf-8") as token_file:
    UPSTREAM_TOKEN = token_file.read().strip()


class Handler(proxy.Handler):
    def route(self, body):
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, "must authenticate")
        if not self.path.startswith(PREFIX + "/"):
            return self.answer(404, "no such page")
        return self.path[len(PREFIX):], f"Bearer {UPSTREAM_TOKEN}"


proxy.serve(int(sys.argv[1]), Handler)
