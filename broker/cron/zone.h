/* SPDX-License-Identifier: Apache-2.0 */
/* zone.h - IANA time zones: UTC to wall clock and back, with its gaps and repeats.
 *
 * A zone is read once from its TZif file (RFC 8536, versions 1 to 4; beyond the last transition the
 * footer's rule holds, for ever) and never changes: any number of threads may ask it, and neither
 * TZ nor tzset() plays a part.  Times are whole seconds since 1970; "local" ones as in civil.h.
 *
 * Where wall clock and time disagree, two questions have one answer each:
 *   zone_reach()  the first instant at which the clock shows `local` or has passed it.  A time that
 *                 is skipped is reached at the first instant after the gap, one that is shown twice
 *                 at the first of both.
 *   zone_shown()  the furthest the clock had gone by `utc`.  While an hour is repeated this stays
 *                 ahead of what the clock shows. */
#ifndef SPILLWAY_ZONE_H
#define SPILLWAY_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

#define ZONE_FILE_MOST (256 * 1024) /* the largest of tzdata has 3.5 KiB */
#define ZONE_NAME_MOST 64

struct zone;

/* By name, from TZDIR or /usr/share/zoneinfo.  "UTC" needs no file.  FAULT_NOT_FOUND names the
 * nearest zone that there is. */
int zone_load(const char *name, struct zone **out, struct err *err);
/* From the bytes of a TZif file; pure. */
int zone_parse(const char *name, const void *data, size_t length, struct zone **out,
               struct err *err);
/* Whether the file that it was read from has changed or gone. */
bool zone_is_stale(const struct zone *zone);
void zone_free(struct zone *zone);
const char *zone_name(const struct zone *zone);

static inline void zone_free_(struct zone **slot)
{
    zone_free(*slot);
}
#define own_zone own(zone_free_)

/* The stretch of time around an instant in which the offset stays the same: [begin, end). */
struct zone_span {
    int64_t begin, end; /* ZONE_PAST, ZONE_FUTURE: open */
    int32_t offset;     /* wall clock minus UTC */
    bool dst;
    const char *abbreviation; /* "CEST"; lives as long as the zone */
};
#define ZONE_PAST   (-(INT64_C(1) << 59))
#define ZONE_FUTURE (INT64_C(1) << 59)
void zone_span(const struct zone *zone, int64_t utc, struct zone_span *out);
int64_t zone_local(const struct zone *zone, int64_t utc);

enum zone_fit { ZONE_ONCE, ZONE_SKIPPED, ZONE_TWICE };
int64_t zone_reach(const struct zone *zone, int64_t local, enum zone_fit *fit);
int64_t zone_shown(const struct zone *zone, int64_t utc);

#endif
