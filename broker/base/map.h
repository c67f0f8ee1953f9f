/* SPDX-License-Identifier: Apache-2.0 */
/* map.h - a hash map from 64-bit integers, or from strings, to pointers.
 *
 * Open addressing; one pointer's worth of key and one of value a slot.  Keys of a string map are
 * borrowed: they live in the value, as a rule.  NULL is not a value.  One thread at a time. */
#ifndef SPILLWAY_MAP_H
#define SPILLWAY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
    uint64_t key; /* the integer, or the address of the string */
    void *value;  /* NULL: free */
};

struct map {
    struct map_slot *slots;
    size_t room; /* a power of two, or 0 */
    size_t count;
    bool strings;
};

#define MAP_INIT                                               \
    {                                                          \
        .slots = NULL, .room = 0, .count = 0, .strings = false \
    }
#define MAP_INIT_STR                                          \
    {                                                         \
        .slots = NULL, .room = 0, .count = 0, .strings = true \
    }

void map_fini(struct map *map); /* the values are the caller's */
void *map_get(const struct map *map, uint64_t key);
void *map_get_str(const struct map *map, const char *key);
/* Store; returns the value that was there before, or NULL. */
void *map_put(struct map *map, uint64_t key, void *value);
void *map_put_str(struct map *map, const char *key, void *value);
/* Remove; returns what was there, or NULL. */
void *map_del(struct map *map, uint64_t key);
void *map_del_str(struct map *map, const char *key);

/* for (size_t i = 0; (value = map_next(&map, &i)); )   No insertion or removal inside. */
void *map_next(const struct map *map, size_t *at);

uint64_t hash_bytes(const void *data, size_t length);
uint64_t hash_u64(uint64_t key);

#endif
