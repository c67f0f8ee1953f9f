/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - one HTTP request on its way through the API.
 *
 * A handler runs once the body is here, on libmicrohttpd's thread or (ROUTE_POOL, ROUTE_SLOW) on
 * one of ours.  It fills the reply and returns 0, returns -1 with `err`, or returns REQUEST_LATER
 * after it has seen to it that request_done() is called, from any thread.  A request that waits
 * holds no thread. */
#ifndef SPILLWAY_API_REQUEST_H
#define SPILLWAY_API_REQUEST_H

#include <jansson.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/auth.h"
#include "api/decode.h"
#include "api/router.h"
#include "api/watch.h"
#include "base/buf.h"
#include "base/list.h"
#include "broker.h"

#define REQUEST_LATER       1
#define REPLY_HEADERS_MOST  6
#define REQUEST_PARAMS_MOST 3

struct api;
struct peer;

struct reply {
    unsigned status;
    const char *type; /* Content-Type; NULL: application/json */
    struct buf body;
    struct MHD_Response *response; /* instead of `body`: a file or a stream */
    struct {
        const char *name;
        char value[80];
    } headers[REPLY_HEADERS_MOST];
    size_t header_count;
    bool hang_up; /* close without an answer: the client is gone */
};

struct request {
    struct api *api;
    struct broker *broker;
    struct MHD_Connection *connection;
    struct peer *peer;
    const struct route *route;
    struct caller *caller;
    char *path; /* decoded; holds the params */
    const char *params[REQUEST_PARAMS_MOST];
    struct query query;
    bool head;      /* HEAD: no body is sent */
    int64_t length; /* Content-Length; -1: chunked or none */
    size_t body_most;
    uint64_t received;
    struct buf piece; /* of the body, on its way to the route's sink on a thread of the pool */
    struct buf body;
    struct reply reply;
    bool refused; /* the reply is there before the body was; the rest is read and dropped */
    bool started, queued;
    atomic_bool parked; /* the connection is suspended */
    int64_t began_us;
    unsigned fault_status;  /* of the fault to come, when not the one that its kind has */
    unsigned retry_s;       /* Retry-After of a 429 or 503, when not the usual one */
    json_t *extra;          /* members of the problem document: field, errors, sites */
    struct watched watched; /* while it waits for something that may never come */
    /* Fills the reply once request_done() said that all went well, back on libmicrohttpd's thread:
     * keeps the store's writer from such work. */
    handler *finish;
    /* The handler's own, freed with the request. */
    void *state;
    void (*free_state)(void *state);
};

/* NULL: no Authorization was sent.  "": one, but not as a bearer token. */
const char *request_bearer(struct request *request);

/* ---- replies */

/* The reply is `value`, which is taken. */
int reply_json(struct request *request, unsigned status, json_t *value);
/* The reply is what was put in reply.body. */
int reply_body(struct request *request, unsigned status, const char *type);
void reply_header(struct request *request, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A response of libmicrohttpd's making: a file, a stream.  Taken. */
int reply_response(struct request *request, unsigned status, const char *type,
                   struct MHD_Response *response);

/* ---- lists in pages: rows in the order of a number, which is the cursor */

struct page {
    struct request *request;
    int64_t limit, most; /* rows, unless and as far as `limit` of the query says otherwise */
    int64_t after;       /* `cursor` of the query */
    int64_t last, count; /* so far */
    bool more;
};
/* Reads the query, whose cursor is `least` at least, and begins the reply: {"LIST":[. */
int page_begin(struct page *page, const char *list, int64_t least, struct err *err);
/* Whether this row is still of the page. */
bool page_takes(struct page *page, int64_t number);
int page_end(const struct page *page);

/* ---- faults */

/* The request is not even well-formed: 400 rather than 422. */
int request_bad(struct request *request, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Names the field at fault, a JSON pointer or the name of a query parameter. */
void request_field(struct request *request, const char *field);
/* The faults of a description, as problem_errors() lists them; the first names the field.  Takes
 * `errors`. */
void request_errors(struct request *request, json_t *errors);
/* A member of the problem document; `value` is taken. */
void request_extra(struct request *request, const char *key, json_t *value);

/* ---- the body as JSON */

/* An object, or an empty one when there is no body.  Bounded in depth.  NULL: a fault. */
json_t *request_json(struct request *request, struct err *err);

/* ---- waiting */

/* Suspend the connection; to be called before whoever will call request_done() can know of it, and
 * only on libmicrohttpd's thread. */
void request_park(struct request *request);
/* The reply is there (rc 0) or a fault (rc -1): go on.  The request may be gone when this returns.
 */
void request_done(struct request *request, int rc, const struct err *err);
/* Go on with a suspended connection; false when it was not suspended. */
bool request_resume(struct request *request);

/* ---- what the caller may see */

bool caller_sees(const struct caller *caller, const char *user, const char *project);
/* 404 unless the job exists and the caller may see it. */
int request_job(struct request *request, int64_t job, struct job_detail *out, struct buf *strings,
                struct err *err);
/* The {id} of the route, checked as above; `detail` may be NULL. */
int request_target(struct request *request, struct target *out, struct job_detail *detail,
                   struct buf *strings, struct err *err);

#endif
