/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c - growing bytes. */
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

void buf_free(struct buf *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->length = buf->room = 0;
    buf->failed = false;
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    buf->failed = false;
    if (buf->data)
        buf->data[0] = '\0';
}

int buf_reserve(struct buf *buf, size_t more)
{
    size_t cap = buf->cap ? buf->cap : BUF_CAP_DEFAULT, room = buf->room ? buf->room : 64;

    if (more > cap || buf->length > cap - more) {
        buf->failed = true;
        return -1;
    }
    if (buf->length + more + 1 <= buf->room)
        return 0;
    while (room < buf->length + more + 1)
        room *= 2;
    buf->data = xrealloc(buf->data, room);
    buf->room = room;
    return 0;
}

int buf_put(struct buf *buf, const void *data, size_t length)
{
    if (buf_reserve(buf, length) < 0)
        return -1;
    if (length)
        memcpy(buf->data + buf->length, data, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
    return 0;
}

int buf_puts(struct buf *buf, const char *text)
{
    return buf_put(buf, text, strlen(text));
}

int buf_putc(struct buf *buf, char c)
{
    return buf_put(buf, &c, 1);
}

int buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    va_list again;
    int length;

    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0 || buf_reserve(buf, (size_t)length) < 0)
        return -1;
    vsnprintf(buf->data + buf->length, (size_t)length + 1, format, args);
    buf->length += (size_t)length;
    return 0;
}

int buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    int rc;

    va_start(args, format);
    rc = buf_vprintf(buf, format, args);
    va_end(args);
    return rc;
}

void buf_drop_front(struct buf *buf, size_t count)
{
    if (count == 0)
        return;
    memmove(buf->data, buf->data + count, buf->length - count);
    buf->length -= count;
    buf->data[buf->length] = '\0';
}

char *buf_take(struct buf *buf)
{
    char *text = buf->data ? buf->data : xstrdup("");

    buf->data = NULL;
    buf->length = buf->room = 0;
    return text;
}

const char *buf_text(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

int buf_put_json(struct buf *buf, const char *text)
{
    const char *plain = text;
    int rc = buf_putc(buf, '"');

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        rc |= buf_put(buf, plain, (size_t)(text - plain));
        if (c < 0x20)
            rc |= buf_printf(buf, "\\u%04x", c);
        else
            rc |= buf_printf(buf, "\\%c", c);
        plain = text + 1;
    }
    rc |= buf_put(buf, plain, (size_t)(text - plain));
    return rc | buf_putc(buf, '"');
}

int buf_put_base64(struct buf *buf, const void *data, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = data;
    char *out;

    if (length > BUF_CAP_DEFAULT || buf_reserve(buf, (length + 2) / 3 * 4) < 0)
        return -1;
    out = buf->data + buf->length;
    for (size_t i = 0; i < length; i += 3) {
        unsigned second = i + 1 < length ? in[i + 1] : 0, third = i + 2 < length ? in[i + 2] : 0;

        *out++ = digits[in[i] >> 2];
        *out++ = digits[(in[i] & 3) << 4 | second >> 4];
        *out++ = i + 1 < length ? digits[(second & 15) << 2 | third >> 6] : '=';
        *out++ = i + 2 < length ? digits[third & 63] : '=';
    }
    *out = '\0';
    buf->length = (size_t)(out - buf->data);
    return 0;
}

static int digit64(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int buf_put_unbase64(struct buf *buf, const char *text, size_t length)
{
    if (length % 4 || buf_reserve(buf, length / 4 * 3) < 0)
        return -1;
    for (size_t i = 0; i < length; i += 4) {
        int last = i + 4 == length;
        int pad = last && text[i + 3] == '=' ? 1 + (text[i + 2] == '=') : 0;
        int a = digit64(text[i]), b = digit64(text[i + 1]);
        int c = pad > 1 ? 0 : digit64(text[i + 2]), d = pad > 0 ? 0 : digit64(text[i + 3]);
        unsigned char bytes[3];

        if (a < 0 || b < 0 || c < 0 || d < 0)
            return -1;
        bytes[0] = (unsigned char)(a << 2 | b >> 4);
        bytes[1] = (unsigned char)(b << 4 | c >> 2);
        bytes[2] = (unsigned char)(c << 6 | d);
        buf_put(buf, bytes, 3 - (size_t)pad);
    }
    return 0;
}

int buf_put_hex(struct buf *buf, const void *data, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = data;
    int rc = 0;

    for (size_t i = 0; i < length; i++) {
        char pair[2] = { digits[in[i] >> 4], digits[in[i] & 15] };

        rc |= buf_put(buf, pair, 2);
    }
    return rc;
}

int buf_read_fd(struct buf *buf, int fd, struct err *err)
{
    for (;;) {
        ssize_t got;

        if (buf_reserve(buf, 16384) < 0 && (buf->failed = false, buf_reserve(buf, 1) < 0))
            return err_set(err, FAULT_INVALID, "larger than the limit of %zu bytes", buf->cap);
        got = read(fd, buf->data + buf->length, buf->room - buf->length - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "read");
        if (got == 0)
            break;
        buf->length += (size_t)got;
    }
    buf->data[buf->length] = '\0';
    if (buf->cap && buf->length > buf->cap)
        return err_set(err, FAULT_INVALID, "larger than the limit of %zu bytes", buf->cap);
    return 0;
}

int buf_read_file(struct buf *buf, const char *path, struct err *err)
{
    own_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_sys(err, "open %s", path);
    if (buf_read_fd(buf, fd, err) < 0)
        return err_wrap(err, "%s", path);
    return 0;
}
