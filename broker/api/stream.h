/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h - answers that grow: events as they happen, a log as it is written.
 *
 * A stream is asked for more when libmicrohttpd can send; while there is nothing its connection is
 * suspended and watched, so that it costs memory and no thread. */
#ifndef SPILLWAY_API_STREAM_H
#define SPILLWAY_API_STREAM_H

#include "api/request.h"

#define STREAMS_MOST      512 /* in all */
#define STREAMS_EACH_MOST 64  /* from one address, or of one user of the Unix socket */
#define STREAM_BEAT_MS    15000

enum stream_more { STREAM_MORE, STREAM_WAIT, STREAM_END };

struct stream {
    struct api *api;         /* outlives the request */
    struct request *request; /* not in `free`: it is gone by then */
    struct buf ready;        /* to be sent */
    size_t sent;             /* of it */
    int64_t log;             /* waits for the log of this attempt */
    int64_t wait_ms;         /* how long to wait at most */
    bool rung;               /* it waited, and that is over */
    bool gone;               /* its client hung up */
    /* Put more in `ready`; STREAM_WAIT when there is nothing now.  On libmicrohttpd's thread. */
    enum stream_more (*fill)(struct stream *stream);
    /* It waited for wait_ms: put in `ready` what keeps the connection alive.  NULL: nothing. */
    void (*beat)(struct stream *stream);
    void (*free)(struct stream *stream); /* of what holds it */
};

/* The reply is this stream, which is taken (also on a fault: too many). */
int stream_reply(struct request *request, struct stream *stream, const char *type, struct err *err);

#endif
