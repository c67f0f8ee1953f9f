/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - bump allocation in a chain of blocks. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)16384)

struct arena_block {
    struct arena_block *next;
    size_t room, used;
    max_align_t data[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t align = sizeof(max_align_t);
    struct arena_block *block = arena->head;
    void *p;

    size = (size + align - 1) / align * align;
    if (!block || block->room - block->used < size) {
        size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;

        block = xmalloc(sizeof *block + room);
        block->room = room;
        block->used = 0;
        block->next = arena->head;
        arena->head = block;
    }
    p = (char *)block->data + block->used;
    block->used += size;
    return memset(p, 0, size);
}

char *arena_strdup(struct arena *arena, const char *text)
{
    size_t length = strlen(text) + 1;

    return memcpy(arena_alloc(arena, length), text, length);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    int length;
    char *text;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        abort();
    text = arena_alloc(arena, (size_t)length + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

void arena_clear(struct arena *arena)
{
    struct arena_block *keep = arena->head;

    if (!keep)
        return;
    arena->head = keep->next;
    arena_free(arena);
    keep->next = NULL;
    keep->used = 0;
    arena->head = keep;
}

void arena_free(struct arena *arena)
{
    while (arena->head) {
        struct arena_block *block = arena->head;

        arena->head = block->next;
        free(block);
    }
}
