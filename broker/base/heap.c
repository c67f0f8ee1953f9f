/* SPDX-License-Identifier: Apache-2.0 */
/* heap.c - a binary heap. */
#include "base/heap.h"

#include "base/own.h"

static void set(struct heap *heap, size_t place, struct heap_item *item)
{
    heap->items[place - 1] = item;
    item->place = place;
}

static void up(struct heap *heap, struct heap_item *item)
{
    size_t place = item->place;

    while (place > 1 && heap->items[place / 2 - 1]->key > item->key) {
        set(heap, place, heap->items[place / 2 - 1]);
        place /= 2;
    }
    set(heap, place, item);
}

static void down(struct heap *heap, struct heap_item *item)
{
    size_t place = item->place;

    for (;;) {
        size_t child = place * 2;

        if (child > heap->count)
            break;
        if (child < heap->count && heap->items[child]->key < heap->items[child - 1]->key)
            child++;
        if (heap->items[child - 1]->key >= item->key)
            break;
        set(heap, place, heap->items[child - 1]);
        place = child;
    }
    set(heap, place, item);
}

void heap_put(struct heap *heap, struct heap_item *item, int64_t key)
{
    item->key = key;
    if (!item->place) {
        if (heap->count == heap->room) {
            heap->room = heap->room ? heap->room * 2 : 16;
            heap->items = xrealloc(heap->items, heap->room * sizeof(struct heap_item *));
        }
        set(heap, ++heap->count, item);
    }
    up(heap, item);
    down(heap, item);
}

void heap_del(struct heap *heap, struct heap_item *item)
{
    struct heap_item *last;

    if (!item->place)
        return;
    last = heap->items[--heap->count];
    if (last != item) {
        set(heap, item->place, last);
        up(heap, last);
        down(heap, last);
    }
    item->place = 0;
}

struct heap_item *heap_first(const struct heap *heap)
{
    return heap->count ? heap->items[0] : NULL;
}

void heap_fini(struct heap *heap)
{
    free(heap->items);
    heap->items = NULL;
    heap->count = heap->room = 0;
}
