/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.h - where the broker is: SPILLWAY_URL, or the usual sockets.  Pure but for
 * endpoint_default. */
#ifndef SPILLWAY_CLI_ENDPOINT_H
#define SPILLWAY_CLI_ENDPOINT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"

struct endpoint {
    char *socket; /* path of the Unix socket; NULL: TCP */
    char *base;   /* "https://host:port", or "http://localhost" in front of paths over a socket */
    bool tls;
    bool guessed; /* nobody named it */
};

/* "unix:///run/x.sock", "https://host[:port]", "http://" for this machine only: a token must not
 * cross a network in clear text. */
int endpoint_parse(const char *url, struct endpoint *out, struct err *err);
/* The user's own daemon's socket, or the system's when that one is there and the user's is not. */
int endpoint_default(struct endpoint *out, struct err *err);
void endpoint_free(struct endpoint *endpoint);
#define own_endpoint own(endpoint_free)
/* As a person would write it: "unix:///…" or "https://…". */
void endpoint_put(const struct endpoint *endpoint, struct buf *out);

/* "sha256:HEX", "HEX", or with colons, as openssl prints fingerprints: to 64 lower-case hex digits.
 */
int pin_parse(const char *text, char out[65], struct err *err);

/* `text` percent-encoded as one part of a path or a query; slashes kept in path_escape. */
void query_escape(struct buf *out, const char *text);
void path_escape(struct buf *out, const char *text);
/* "?key=value" or "&key=value"; nothing when value is NULL. */
void query_add(struct buf *path, const char *key, const char *value);

#endif
