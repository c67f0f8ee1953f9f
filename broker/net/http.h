/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - calls to one site's HTTP APIs.
 *
 * A pool keeps connections alive, has many calls in flight at once, paces them by a token bucket
 * and stays away while a Retry-After lasts.  It knows nothing of what is asked.  One thread at a
 * time; redirects are not followed, so that a token goes nowhere but where it was meant for. */
#ifndef SPILLWAY_NET_HTTP_H
#define SPILLWAY_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct http_pool;

struct http_options {
    bool insecure;           /* the other side's certificate is not checked */
    const char *cacert;      /* PEM; NULL: the system's authorities */
    const char *cert, *key;  /* PEM, to show our own; NULL: none */
    const char *server_name; /* whom the other side's certificate names; NULL: the URL's host */
    const char *proxy;       /* URL; NULL: by the environment */
    double calls_per_second; /* 0: not paced */
    int burst;
};

struct http_request {
    const char *method, *url;
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
    const char *body;           /* NULL: none */
    size_t length;
    const char *want_header; /* of the answer; NULL: none */
    size_t answer_most;      /* bytes; a longer answer is a fault */
    /* Sent once: on a connection that was used before, libcurl itself would send it again when no
     * answer comes, for that is how an idle connection ends; but it is also how an answer is lost. */
    bool once;
};

struct http_answer {
    long status;
    struct buf body;
    char *header;           /* what want_header named; NULL: it was not there */
    int64_t retry_after_ms; /* 0: not said */
    bool maybe_done;        /* after a fault: the request may have been carried out */
};
void http_answer_free(struct http_answer *answer);
#define own_http_answer own(http_answer_free)

int http_pool_new(const struct http_options *options, struct http_pool **out, struct err *err);
void http_pool_free(struct http_pool *pool);
/* The same as cacert, cert and key, but their contents; NULL: as the options say. */
void http_pool_identity(struct http_pool *pool, const char *cacert, const char *cert,
                        const char *key);

/* One call.  0: it was answered, whatever the status.  -1: FAULT_TIMEOUT, FAULT_UNAVAILABLE,
 * FAULT_THROTTLED (a Retry-After lasts beyond the deadline) or FAULT_INVALID (too long an answer).
 */
int http_call(struct http_pool *pool, const struct http_request *request, int64_t deadline_mono_ms,
              struct http_answer *answer, struct err *err);
/* Many at once, each with its own outcome in errs[i] (FAULT_NONE: it was answered). */
void http_calls(struct http_pool *pool, const struct http_request *requests, size_t count,
                int64_t deadline_mono_ms, struct http_answer *answers, struct err *errs);
/* Whatever is under way in this process ends by then, with FAULT_UNAVAILABLE, and nothing new begins
 * after it; 0: no longer so.  Any thread. */
void http_end_by(int64_t mono_ms);
/* A pause before another try.  False: it would be too late then, or is. */
bool http_pause(int64_t ms, int64_t deadline_mono_ms);
/* Requests sent since the pool was made. */
int64_t http_sent(const struct http_pool *pool);

#endif
