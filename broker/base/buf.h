/* SPDX-License-Identifier: Apache-2.0 */
/* buf.h - bytes that grow up to a cap.
 *
 * `data` is NUL-terminated once anything was added (the NUL is not counted).  Past the cap nothing
 * is added and -1 returned (buf_put and friends) with FAULT_INVALID where an err is given; the
 * caller reports it, never cuts in silence.  A zero cap means BUF_CAP_DEFAULT. */
#ifndef SPILLWAY_BUF_H
#define SPILLWAY_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/own.h"

#define BUF_CAP_DEFAULT ((size_t)1 << 30)

struct buf {
    char *data;
    size_t length;
    size_t room; /* allocated */
    size_t cap;
    bool failed; /* something was not added for the cap; stays so until buf_clear() */
};

#define BUF_INIT(most)                                      \
    {                                                       \
        .data = NULL, .length = 0, .room = 0, .cap = (most) \
    }

void buf_free(struct buf *buf);
#define own_buf own(buf_free)

void buf_clear(struct buf *buf); /* keeps the memory */
int buf_put(struct buf *buf, const void *data, size_t length);
int buf_puts(struct buf *buf, const char *text);
int buf_putc(struct buf *buf, char c);
int buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* At least `more` bytes of room behind `length`; the caller writes there and adds to `length`. */
int buf_reserve(struct buf *buf, size_t more);
void buf_drop_front(struct buf *buf, size_t count);
/* The text, owned by the caller; "" rather than NULL. */
char *buf_take(struct buf *buf);
/* The text, still owned by the buffer; "" rather than NULL. */
const char *buf_text(const struct buf *buf);
/* A JSON string literal, quotes included. */
int buf_put_json(struct buf *buf, const char *text);
/* base64 (RFC 4648, padded). */
int buf_put_base64(struct buf *buf, const void *data, size_t length);
int buf_put_unbase64(struct buf *buf, const char *text, size_t length);
int buf_put_hex(struct buf *buf, const void *data, size_t length);

/* All of a file; FAULT_INVALID past the cap. */
int buf_read_file(struct buf *buf, const char *path, struct err *err);
int buf_read_fd(struct buf *buf, int fd, struct err *err);

#endif
