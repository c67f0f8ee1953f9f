/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - words as small numbers, so that a pass over a snapshot compares integers.
 *
 * Images, GPU models and jurisdictions are interned once by whoever builds snapshots.  Number 0 is
 * the absent word.  Numbers are dense and never reused. */
#ifndef SPILLWAY_SCHED_NAMES_H
#define SPILLWAY_SCHED_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/map.h"

struct names {
    struct map numbers; /* text -> its number as a pointer */
    char **texts;
    size_t count, room;
};

#define NAMES_INIT                                                    \
    {                                                                 \
        .numbers = MAP_INIT_STR, .texts = NULL, .count = 0, .room = 0 \
    }

void names_free(struct names *names);
/* The number of `text`, given out at first sight; 0 for NULL and "". */
uint32_t names_number(struct names *names, const char *text);
/* The number it has, or 0. */
uint32_t names_find(const struct names *names, const char *text);
/* "" for 0 and for numbers never given out. */
const char *names_text(const struct names *names, uint32_t number);

#endif
