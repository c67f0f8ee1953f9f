/* SPDX-License-Identifier: Apache-2.0 */
/* own.c - allocation that cannot fail. */
#include "base/own.h"

#include <stdarg.h>
#include <string.h>

static void *must(void *p)
{
    if (!p) {
        static const char text[] = "spillway: out of memory\n";

        (void)!write(2, text, sizeof text - 1);
        abort();
    }
    return p;
}

void *xmalloc(size_t size)
{
    return must(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return must(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *old, size_t size)
{
    return must(realloc(old, size ? size : 1));
}

char *xstrdup(const char *text)
{
    return must(strdup(text));
}

char *xstrndup(const char *text, size_t length)
{
    return must(strndup(text, length));
}

char *xasprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    return must(text);
}
