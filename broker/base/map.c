/* SPDX-License-Identifier: Apache-2.0 */
/* map.c - linear probing, removal by shifting back (no tombstones, so a long life does not slow
 * it). */
#include "base/map.h"

#include <string.h>

#include "base/own.h"

uint64_t hash_u64(uint64_t key)
{
    /* The finalizer of MurmurHash3: every input bit reaches every output bit. */
    key ^= key >> 33;
    key *= 0xff51afd7ed558ccdULL;
    key ^= key >> 33;
    key *= 0xc4ceb9fe1a85ec53ULL;
    return key ^ key >> 33;
}

uint64_t hash_bytes(const void *data, size_t length)
{
    const unsigned char *s = data;
    uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a, 64 bits */

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ s[i]) * 0x100000001b3ULL;
    return hash_u64(hash);
}

static const char *as_text(uint64_t key)
{
    return (const char *)(uintptr_t)key;
}

static uint64_t hash_of(const struct map *map, uint64_t key)
{
    return map->strings ? hash_bytes(as_text(key), strlen(as_text(key))) : hash_u64(key);
}

static bool same(const struct map *map, uint64_t a, uint64_t b)
{
    return a == b || (map->strings && strcmp(as_text(a), as_text(b)) == 0);
}

/* The slot that holds `key`, or the free one where it belongs. */
static struct map_slot *find(const struct map *map, uint64_t key)
{
    size_t mask = map->room - 1, i = hash_of(map, key) & mask;

    while (map->slots[i].value && !same(map, map->slots[i].key, key))
        i = (i + 1) & mask;
    return &map->slots[i];
}

static void grow(struct map *map)
{
    struct map old = *map;

    map->room = old.room ? old.room * 2 : 16;
    map->slots = xcalloc(map->room, sizeof *map->slots);
    for (size_t i = 0; i < old.room; i++)
        if (old.slots[i].value)
            *find(map, old.slots[i].key) = old.slots[i];
    free(old.slots);
}

static void *put(struct map *map, uint64_t key, void *value)
{
    struct map_slot *slot;
    void *before;

    if ((map->count + 1) * 4 > map->room * 3)
        grow(map);
    slot = find(map, key);
    before = slot->value;
    map->count += !before;
    *slot = (struct map_slot){ .key = key, .value = value };
    return before;
}

static void *del(struct map *map, uint64_t key)
{
    struct map_slot *slot;
    size_t mask = map->room - 1, hole, i;
    void *before;

    if (!map->room || !(slot = find(map, key))->value)
        return NULL;
    before = slot->value;
    map->count--;
    hole = i = (size_t)(slot - map->slots);
    for (;;) {
        size_t home;

        i = (i + 1) & mask;
        if (!map->slots[i].value)
            break;
        home = hash_of(map, map->slots[i].key) & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        map->slots[hole] = map->slots[i];
        hole = i;
    }
    map->slots[hole].value = NULL;
    return before;
}

static uint64_t text_key(const char *key)
{
    return (uint64_t)(uintptr_t)key;
}

void *map_get(const struct map *map, uint64_t key)
{
    return map->room ? find(map, key)->value : NULL;
}

void *map_get_str(const struct map *map, const char *key)
{
    return map_get(map, text_key(key));
}

void *map_put(struct map *map, uint64_t key, void *value)
{
    return put(map, key, value);
}

void *map_put_str(struct map *map, const char *key, void *value)
{
    return put(map, text_key(key), value);
}

void *map_del(struct map *map, uint64_t key)
{
    return del(map, key);
}

void *map_del_str(struct map *map, const char *key)
{
    return del(map, text_key(key));
}

void *map_next(const struct map *map, size_t *at)
{
    while (*at < map->room) {
        void *value = map->slots[(*at)++].value;

        if (value)
            return value;
    }
    return NULL;
}

void map_fini(struct map *map)
{
    free(map->slots);
    map->slots = NULL;
    map->room = map->count = 0;
}
