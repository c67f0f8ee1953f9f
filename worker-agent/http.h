/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - an HTTP/1.1 client for one server, with a few connections that are kept alive.
 *
 * A request belongs to the caller and is given back by its `done`, which is never called from
 * within http_send.  All that goes through here may be repeated without harm (the protocol sees to
 * it), so a request that died with a connection that had been idle is sent once more. */
#ifndef AGENT_HTTP_H
#define AGENT_HTTP_H

#include "base/buf.h"
#include "transport.h"

struct http;

struct http_request {
    /* what to ask; the caller's, until done */
    const char *method;
    char *target;
    const char *token; /* NULL: no Authorization */
    const char *type;  /* of the body; NULL: none */
    struct buf body;   /* sent when body_fd < 0 */
    int body_fd;       /* else body_length bytes of it from body_at on */
    int64_t body_at, body_length;
    int64_t range_from; /* > 0: Range */
    int64_t whole_ms;   /* for all of it; 0: no limit */
    int64_t idle_ms;    /* without a byte moving */
    size_t answer_most;
    /* A piece of the body of a 200 or 206; -1 ends the request with `err`.  NULL: gathered in
     * `answer`. */
    int (*piece)(struct http_request *request, const char *data, size_t length);
    void (*done)(struct http_request *request);

    /* what came back */
    int status; /* 0: nothing, and `err` says why */
    struct err err;
    struct buf answer;
    int64_t offset;   /* of Upload-Offset or Content-Range; -1: none */
    int64_t retry_ms; /* of Retry-After; 0: none */
    char location[2048];

    /* http.c's */
    struct list node;
    struct http_conn *conn;
    bool repeated;
};

struct http *http_new(struct loop *loop, struct resolver *resolver, const struct server *server,
                      int connections_most);
/* Requests not done are dropped without a word. */
void http_free(struct http *http);
void http_request_init(struct http_request *request, const char *method, char *target);
/* The request's own memory; it must not be under way. */
void http_request_fini(struct http_request *request);
void http_send(struct http *http, struct http_request *request);
/* It will not be done; harmless on one that is not under way. */
void http_cancel(struct http_request *request);

#endif
