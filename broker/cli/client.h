/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - the broker's HTTP API from the other side, on libcurl.
 *
 * One connection, kept open.  Each call has a deadline.  What is safe to repeat is repeated when an
 * answer is lost (a broker that restarts), and "try later" answers are obeyed; both within bounds,
 * with back-off and jitter.  A problem document becomes the fault and the words of `err`. One
 * thread. */
#ifndef SPILLWAY_CLI_CLIENT_H
#define SPILLWAY_CLI_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "cli/endpoint.h"

#define CLIENT_TIMEOUT_MS 75000               /* longer than the broker itself waits for a site */
#define CLIENT_BODY_MOST  (256 * 1024 * 1024) /* of an answer kept in memory */

struct client;

struct client_options {
    const char *token;  /* NULL: none */
    const char *cacert; /* NULL: the system's */
    const char *pin;    /* of the broker's certificate, instead of a CA; NULL: none */
};

/* Takes `endpoint`.  No network yet. */
int client_open(struct endpoint *endpoint, const struct client_options *options,
                struct client **out, struct err *err);
void client_free(struct client *client);
const struct endpoint *client_endpoint(const struct client *client);
/* Whether the last call failed because nothing answered. */
bool client_unreachable(const struct client *client);
/* How long a call may wait for a broker that was there and went away, or that says "later": a
 * minute, unless a command that waits by nature says otherwise.  A broker that was never there is
 * told at once. */
void client_set_patience(struct client *client, int64_t ms);

/* Bytes of a successful answer as they come; false stops the call. */
typedef bool client_sink(void *arg, const char *data, size_t length);

struct call {
    const char *method; /* NULL: GET */
    const char *path;   /* "/v1/…", encoded, with its query */
    const void *body;
    size_t body_length;
    const char *type; /* of the body; NULL: application/json */
    const char *key;  /* Idempotency-Key, or NULL */
    int64_t from;     /* Range: bytes=FROM-; 0: all */
    int64_t timeout_ms;
    client_sink *sink; /* NULL: the body is kept in the reply */
    void *arg;
    bool repeats;   /* safe to repeat although it is a POST without a key */
    bool wants_404; /* 404 is an answer: 1 is returned and err left alone */
};

struct reply {
    long status;
    struct buf body;
    json_t *problem;                                          /* of an error, or NULL */
    int64_t upload_offset, log_size, log_cut, attempt, nodes; /* headers; -1: absent */
};
#define REPLY_INIT                                                                              \
    {                                                                                           \
        .body = BUF_INIT(CLIENT_BODY_MOST), .upload_offset = -1, .log_size = -1, .log_cut = -1, \
        .attempt = -1                                                                           \
    }
void reply_free(struct reply *reply);
#define own_reply own(reply_free)

/* 0: answered 2xx.  1: 404, where call->wants_404.  -1: a fault; *out holds status and problem. */
int client_call(struct client *client, const struct call *call, struct reply *out, struct err *err);
/* The body as JSON. */
int client_json(struct client *client, const struct call *call, json_t **out, struct err *err);

/* ---- answers that go on: logs and events -------------------------------------------------------
 */

/* Several may be open; streams_pump() drives them all.  A stream is opened again by its owner, at
 * the place it has come to: only he knows it. */
struct stream;
enum stream_end {
    STREAM_OPEN,   /* more may come */
    STREAM_ENDED,  /* the broker said so */
    STREAM_BROKEN, /* connection lost, or never made: open it again */
    STREAM_REFUSED /* an error answer: see stream_fault() */
};
/* `last_id`: Last-Event-ID, or NULL.  `sse`: asks for text/event-stream. */
struct stream *stream_open(struct client *client, const char *path, bool sse, const char *last_id);
void stream_close(struct stream *stream);
static inline void stream_close_(struct stream **slot)
{
    stream_close(*slot);
}
#define own_stream own(stream_close_)
enum stream_end stream_state(const struct stream *stream);
/* Whether headers of a 2xx answer have come. */
bool stream_connected(const struct stream *stream);
/* What came and was not yet taken away (buf_drop_front). */
struct buf *stream_data(struct stream *stream);
/* A header's number; -1: absent. */
int64_t stream_header(struct stream *stream, const char *name);
/* The words of a broken or refused stream. */
void stream_fault(struct stream *stream, struct err *err);
/* Wait until something came or ended, or for `wait_ms`. */
void streams_pump(struct client *client, int64_t wait_ms);

#endif
