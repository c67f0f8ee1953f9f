/* SPDX-License-Identifier: Apache-2.0 */
/* sse.c - framing of Server-Sent Events. */
#include "cli/sse.h"

#include <string.h>

void sse_event_free(struct sse_event *event)
{
    buf_free(&event->id);
    buf_free(&event->kind);
    buf_free(&event->data);
}

/* One "field: value" line without its end. */
static void take_line(struct sse_event *out, const char *line, size_t length)
{
    const char *colon = memchr(line, ':', length);
    size_t name = colon ? (size_t)(colon - line) : length;
    const char *value = colon ? colon + 1 : line + length;
    size_t rest = length - (size_t)(value - line);

    if (rest && *value == ' ') {
        value++;
        rest--;
    }
    if (name == 4 && memcmp(line, "data", 4) == 0) {
        if (out->data.length)
            buf_putc(&out->data, '\n');
        buf_put(&out->data, value, rest);
    } else if (name == 5 && memcmp(line, "event", 5) == 0) {
        buf_clear(&out->kind);
        buf_put(&out->kind, value, rest);
    } else if (name == 2 && memcmp(line, "id", 2) == 0 && !memchr(value, '\0', rest)) {
        buf_clear(&out->id);
        buf_put(&out->id, value, rest);
    }
}

/* Where the block at the front ends, behind its empty line; 0: not yet. */
static size_t block_end(const struct buf *stream)
{
    const char *data = stream->data;
    size_t start = 0;

    for (size_t i = 0; i < stream->length; i++) {
        if (data[i] != '\n')
            continue;
        if (i == start || (i == start + 1 && data[start] == '\r'))
            return i + 1;
        start = i + 1;
    }
    return 0;
}

static void take_block(struct sse_event *out, const char *data, size_t length)
{
    buf_clear(&out->kind);
    buf_clear(&out->data);
    for (size_t at = 0; at < length;) {
        const char *end = memchr(data + at, '\n', length - at);
        size_t next = end ? (size_t)(end - data) + 1 : length;
        size_t line = (end ? (size_t)(end - data) : length) - at;

        if (line && data[at + line - 1] == '\r')
            line--;
        if (line && data[at] != ':')
            take_line(out, data + at, line);
        at = next;
    }
}

bool sse_next(struct buf *stream, struct sse_event *out)
{
    size_t end;

    while ((end = block_end(stream))) {
        take_block(out, stream->data, end);
        buf_drop_front(stream, end);
        if (out->data.length)
            return true;
    }
    return false;
}
