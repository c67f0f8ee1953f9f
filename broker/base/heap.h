/* SPDX-License-Identifier: Apache-2.0 */
/* heap.h - a priority queue of things that hold their own place in it, smallest key first.
 *
 * Equal keys come out in no order.  A thing may be in as many heaps as it has items.  One thread at
 * a time. */
#ifndef SPILLWAY_HEAP_H
#define SPILLWAY_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_item {
    int64_t key;
    size_t place; /* 1-based; 0: in no heap, so that zeroed memory is right */
};
struct heap {
    struct heap_item **items;
    size_t count, room;
};

#define HEAP_INIT                            \
    {                                        \
        .items = NULL, .count = 0, .room = 0 \
    }
#define heap_owner(item, type, member) ((type *)(void *)((char *)(item)-offsetof(type, member)))

void heap_fini(struct heap *heap); /* the items are the caller's */
/* Put in, or move to a new key when it is in already. */
void heap_put(struct heap *heap, struct heap_item *item, int64_t key);
/* Harmless when it is in none. */
void heap_del(struct heap *heap, struct heap_item *item);
struct heap_item *heap_first(const struct heap *heap); /* NULL: empty */
static inline bool heap_has(const struct heap_item *item)
{
    return item->place != 0;
}

#endif
