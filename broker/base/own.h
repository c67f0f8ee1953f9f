/* SPDX-License-Identifier: Apache-2.0 */
/* own.h - locals that own what they hold, freed on every return.
 *
 * `own_str char *name = ...;`  A value is handed on with take_ptr(). */
#ifndef SPILLWAY_OWN_H
#define SPILLWAY_OWN_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define own(function) __attribute__((cleanup(function)))

static inline void own_free_(void *slot)
{
    free(*(void **)slot);
}
static inline void own_fclose_(FILE **slot)
{
    if (*slot)
        fclose(*slot);
}
static inline void own_close_(const int *slot)
{
    if (*slot >= 0)
        close(*slot);
}

#define own_str  own(own_free_)
#define own_mem  own(own_free_)
#define own_file own(own_fclose_)
#define own_fd   own(own_close_)

/* The pointer, leaving NULL behind. */
#define take_ptr(slot)                    \
    __extension__({                       \
        __typeof__(slot) taken_ = (slot); \
        (slot) = NULL;                    \
        taken_;                           \
    })
static inline int take_fd(int *slot)
{
    int fd = *slot;

    *slot = -1;
    return fd;
}

/* Memory that runs out ends the process: a crash is a normal event, half an answer is not. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t length);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define array_len(a) (sizeof(a) / sizeof((a)[0]))

#endif
