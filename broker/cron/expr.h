/* SPDX-License-Identifier: Apache-2.0 */
/* expr.h - when something recurs: cron lines, fixed intervals, one instant.  Pure.
 *
 * What is accepted and what it means is written for users in docs/schedules.md; in short:
 *   five fields (minute hour day month weekday), or six with seconds first, or @hourly ... @yearly;
 *   names, ranges, steps, lists; L and L-n, W and LW in the day, L and # behind a weekday;
 *   H, a value that depends on the seed alone, H(a-b), H/n;
 *   day and weekday as in Vixie cron: both must fit when one begins with '*', either otherwise.
 *
 * Daylight saving.  A line whose hours and minutes are named says what a wall clock shows: it fires
 * when the clock first reaches that time (zone_reach).  With '*' or a step of it in minute or hour
 * it follows real time: it fires whenever the clock shows a time that fits, twice in a repeated
 * hour, never in a skipped one. */
#ifndef SPILLWAY_CRON_EXPR_H
#define SPILLWAY_CRON_EXPR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cron/zone.h"

#define CRON_TEXT_MOST 512
#define CRON_NEVER     ZONE_PAST

enum cron_kind { CRON_FIELDS, CRON_EVERY, CRON_AT };

struct cron {
    enum cron_kind kind;
    /* CRON_FIELDS: a bit for each value */
    uint64_t seconds, minutes;
    uint32_t hours, days;
    uint16_t months;
    uint8_t weekdays; /* bit 0: Sunday */
    bool day_starred, weekday_starred;
    bool real_time;          /* '*' or a step of it in minute or hour */
    uint32_t last_days;      /* bit n: n days before the month's last */
    uint32_t workdays;       /* bit d: the workday nearest to day d; bit 0: the last one */
    uint8_t nth_weekdays[6]; /* [n]: weekdays wanted as the month's n-th; [0]: as its last */
    /* CRON_EVERY: anchor + k * every_s, for all whole k.  CRON_AT: once, at the anchor. */
    int64_t every_s, anchor;
};

/* A cron line.  A line that can never fire ("0 0 30 2 *") is a fault, as is what is out of range;
 * the words name the field.  Same seed, same H, on every machine and in every version. */
int cron_parse(const char *text, uint64_t seed, struct cron *out, struct err *err);
uint64_t cron_seed(const char *text);

struct cron_time {
    int64_t utc;
    int64_t local;     /* the wall clock's time that the line asks for */
    enum zone_fit fit; /* ZONE_SKIPPED: `utc` is the first instant after the gap */
};

/* Where to go on: after the instant `utc` and, for lines that name a wall clock's time, after the
 * time `local` (CRON_NEVER: not known).  With both, a zone whose rules were changed in between does
 * not fire the same time again. */
struct cron_mark {
    int64_t utc, local;
};

/* The first firing after `after`.  1: none up to the year 9999 or for 400 years.  Costs
 * microseconds, however rare the line. */
int cron_next(const struct cron *cron, const struct zone *zone, struct cron_mark after,
              struct cron_time *out);
/* The last firing after `after` and at or before `until`; 1: none.  Some forty times the cost. */
int cron_last(const struct cron *cron, const struct zone *zone, struct cron_mark after,
              int64_t until, struct cron_time *out);

#endif
