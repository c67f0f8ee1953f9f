/* SPDX-License-Identifier: Apache-2.0 */
/* tzif.h - what a zone is made of; between zone.c (questions), tzif.c (file) and tzrule.c (footer).
 */
#ifndef SPILLWAY_TZIF_H
#define SPILLWAY_TZIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cron/zone.h"

#define TZ_OFFSET_LEAST (-89999) /* RFC 8536, 3.2: above -25h, below 26h */
#define TZ_OFFSET_MOST  93599
#define TZ_NAMES_MOST   4096
#define TZ_FOOTER_MOST  128
#define TZ_TIMES_MOST   8192
#define TZ_RULE_NAME    32 /* bytes of one abbreviation in a footer */

struct tz_type {
    int32_t offset;
    bool dst;
    uint16_t name; /* where in `names` */
};

struct zone {
    char name[ZONE_NAME_MOST + 1];
    int64_t *times; /* ascending; at times[i] the clock changes to types[kinds[i]] */
    uint16_t *kinds;
    size_t count, room;
    struct tz_type *types; /* two spare for the footer */
    size_t type_count;
    uint16_t first; /* the type before the first change */
    char *names;
    size_t name_bytes;
    int64_t stamp;     /* of the file it was read from; 0: of none */
    int64_t cycle_end; /* from here on all repeats what was CYCLE_S before; ZONE_FUTURE: no */
};

void tz_push(struct zone *zone, int64_t at, uint16_t kind);
/* Extend `zone` by the footer's rule ("CET-1CEST,M3.5.0,M10.5.0/3"). */
int tz_rule_apply(struct zone *zone, const char *footer, struct err *err);

#endif
