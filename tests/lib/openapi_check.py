#!/usr/bin/python3 -E
# SPDX-License-Identifier: Apache-2.0
"""openapi_check - one request, and whether its answer is what the daemon's own description says.

    openapi_check METHOD PATH TEMPLATE [BODY]     prints "ok", or what is wrong
"""
import http.client
import json
import os
import socket
import sys

import jsonschema


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(os.path.join(os.environ["STATE"], "spillway.sock"))


def call(method, path, body=None):
    connection = Connection("spillway")
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type"), answer.read()


def resolve(document, value):
    while "$ref" in value:
        at = document
        for part in value["$ref"][2:].split("/"):
            at = at[part]
        value = at
    return value


def main():
    method, path, template = sys.argv[1:4]
    body = sys.argv[4] if len(sys.argv) > 4 and sys.argv[4] else None
    document = json.loads(call("GET", "/v1/openapi.json")[2])
    status, kind, text = call(method, path, body)
    responses = document["paths"][template][method.lower()]["responses"]
    response = resolve(document, responses.get(str(status), responses["default"] if status >= 400 else {}))
    content = response.get("content", {})
    if kind not in content:
        return "status %d with %s is not described: %r" % (status, kind, text[:300])
    schema = dict(content[kind]["schema"])
    schema["components"] = document["components"]
    try:
        jsonschema.Draft202012Validator(schema).validate(json.loads(text))
    except jsonschema.ValidationError as error:
        return "status %d: %s at %s" % (status, error.message[:300], list(error.absolute_path))
    return "ok"


print(main())
