/* SPDX-License-Identifier: Apache-2.0 */
/* err.c - typed faults with words. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static const char *const names[FAULT_COUNT] = {
    [FAULT_NONE] = "none",
    [FAULT_QUOTA] = "quota",
    [FAULT_NO_CAPACITY] = "no_capacity",
    [FAULT_AUTH] = "auth",
    [FAULT_NOT_FOUND] = "not_found",
    [FAULT_INVALID] = "invalid",
    [FAULT_THROTTLED] = "throttled",
    [FAULT_UNAVAILABLE] = "unavailable",
    [FAULT_TIMEOUT] = "timeout",
    [FAULT_CONFLICT] = "conflict",
    [FAULT_INTERNAL] = "internal",
};

const char *fault_name(enum fault fault)
{
    return (unsigned)fault < FAULT_COUNT ? names[fault] : "internal";
}

enum fault fault_find(const char *name)
{
    for (int i = 0; i < FAULT_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return (enum fault)i;
    return FAULT_COUNT;
}

/* `written` is what vsnprintf said of a buffer of `size` bytes. */
static void mark_cut(char *text, size_t size, int written)
{
    if (written < 0 || (size_t)written < size)
        return;
    text[size - 4] = '\0';
    utf8_trim_end(text);
    memcpy(text + strlen(text), "...", 4);
}

__attribute__((format(printf, 3, 0))) static int vset(struct err *err, enum fault fault,
                                                      const char *format, va_list args)
{
    if (!err)
        return -1;
    err->fault = fault;
    mark_cut(err->text, sizeof err->text, vsnprintf(err->text, sizeof err->text, format, args));
    return -1;
}

int err_set(struct err *err, enum fault fault, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vset(err, fault, format, args);
    va_end(args);
    return -1;
}

static enum fault fault_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return FAULT_NOT_FOUND;
    case EACCES:
    case EPERM:
        return FAULT_AUTH;
    case ETIMEDOUT:
        return FAULT_TIMEOUT;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
    case EISDIR:
        return FAULT_INVALID;
    case EEXIST:
        return FAULT_CONFLICT;
    default:
        return FAULT_UNAVAILABLE;
    }
}

int err_sys(struct err *err, const char *format, ...)
{
    int number = errno;
    char where[ERR_TEXT_BYTES / 2];
    va_list args;

    va_start(args, format);
    mark_cut(where, sizeof where, vsnprintf(where, sizeof where, format, args));
    va_end(args);
    return err_set(err, fault_of_errno(number), "%s: %s", where, strerror(number));
}

int err_wrap(struct err *err, const char *format, ...)
{
    char where[ERR_TEXT_BYTES / 2], what[ERR_TEXT_BYTES];
    va_list args;

    if (!err)
        return -1;
    va_start(args, format);
    mark_cut(where, sizeof where, vsnprintf(where, sizeof where, format, args));
    va_end(args);
    memcpy(what, err->text, sizeof what);
    return err_set(err, err->fault, "%s: %s", where, what);
}
