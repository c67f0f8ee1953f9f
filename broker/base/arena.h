/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - memory that is given back all at once: one decision, one request, one arena. */
#ifndef SPILLWAY_ARENA_H
#define SPILLWAY_ARENA_H

#include <stddef.h>

#include "base/own.h"

struct arena_block;
struct arena {
    struct arena_block *head;
};

#define ARENA_INIT   \
    {                \
        .head = NULL \
    }

void *arena_alloc(struct arena *arena, size_t size); /* zeroed, aligned for anything */
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void arena_clear(struct arena *arena); /* keeps one block for the next round */
void arena_free(struct arena *arena);
#define own_arena own(arena_free)

#endif
