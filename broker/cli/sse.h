/* SPDX-License-Identifier: Apache-2.0 */
/* sse.h - Server-Sent Events, as the HTML standard frames them, out of a buffer that grows.  Pure.
 */
#ifndef SPILLWAY_CLI_SSE_H
#define SPILLWAY_CLI_SSE_H

#include <stdbool.h>

#include "base/buf.h"

struct sse_event {
    struct buf id, kind, data;
};
#define SSE_EVENT_INIT                                                            \
    {                                                                             \
        .id = BUF_INIT(256), .kind = BUF_INIT(256), .data = BUF_INIT(1024 * 1024) \
    }
void sse_event_free(struct sse_event *event);
#define own_sse_event own(sse_event_free)

/* The next whole event from the front of `stream`, which it leaves.  False: none is whole yet.
 * Comments and events without data are passed over; an id stays until another comes, as the
 * standard has it. */
bool sse_next(struct buf *stream, struct sse_event *out);

#endif
