/* SPDX-License-Identifier: Apache-2.0 */
/* router.h - the table of routes: who may call what, with how large a body.  Pure. */
#ifndef SPILLWAY_API_ROUTER_H
#define SPILLWAY_API_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct request;

enum access {
    ACCESS_PUBLIC, /* anyone who can reach the socket */
    ACCESS_USER,
    ACCESS_OPERATOR,
    ACCESS_ADMIN,
    ACCESS_AGENT /* a worker's session, nobody else */
};

enum route_flags {
    ROUTE_POOL = 1, /* reads the database or waits for a commit: not on a thread of libmicrohttpd */
    ROUTE_SLOW = 2, /* waits for a site or a disk: seconds to minutes */
    ROUTE_EARLY = 4,  /* answers before the broker is ready */
    ROUTE_SUBMIT = 8, /* in place when the body is small */
};

typedef int handler(struct request *request, struct err *err);
/* A piece of the body as it arrives.  First called without one (NULL, 0), once the head is here:
 * what can be refused is refused then, before a large body is sent for nothing. */
typedef int body_sink(struct request *request, const void *data, size_t length, struct err *err);

struct route {
    const char *method;  /* a GET answers HEAD too, unless there is a route for it */
    const char *pattern; /* "/v1/jobs/{id}/cancel"; a last "{path*}" takes the rest */
    enum access access;
    unsigned flags;
    size_t body_most; /* bytes; 0: no body */
    handler *handle;
    body_sink *sink;          /* NULL: the body is gathered first */
    const char *const *query; /* parameters it knows, NULL-terminated; NULL: none */
};

/* All of them, ended by one without a method. */
extern const struct route api_routes[];

#define ROUTE_PARAM_BYTES 1100 /* a path of 1024 bytes, an id */

struct route_params {
    size_t count;
    const char *at[3]; /* into the path, not yet decoded */
    size_t length[3];
};

enum route_found { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };

/* `path` is as it came, percent-encoded.  On ROUTE_NO_METHOD `allow` lists what there is. */
enum route_found route_find(const struct route *routes, const char *method, const char *path,
                            const struct route **out, struct route_params *params, char *allow,
                            size_t allow_size);

#endif
