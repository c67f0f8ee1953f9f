/* SPDX-License-Identifier: Apache-2.0 */
/* civil.h - days, months and years of the proleptic Gregorian calendar; no zone, no leap second.
 *
 * A wall clock's reading is held as "local seconds": the seconds since 1970-01-01T00:00:00 that a
 * UTC clock showing the same digits would count. */
#ifndef SPILLWAY_CIVIL_H
#define SPILLWAY_CIVIL_H

#include <stdint.h>

#include "base/err.h"

#define DAY_S         INT64_C(86400)
#define CYCLE_YEARS   400 /* after which the calendar repeats, weekdays included */
#define CYCLE_S       (INT64_C(146097) * DAY_S)
#define CIVIL_FIRST_S INT64_C(-62167219200) /* 0000-01-01T00:00:00 */
#define CIVIL_LAST_S  INT64_C(253402300799) /* 9999-12-31T23:59:59 */

struct civil {
    int64_t year;
    int month, day; /* from 1 */
    int hour, minute, second;
    int weekday; /* 0: Sunday */
};

int civil_month_days(int64_t year, int month);
int64_t civil_days(int64_t year, int month, int day); /* since 1970-01-01 */
int civil_weekday(int64_t days);
int64_t civil_seconds(const struct civil *civil);
void civil_of(int64_t seconds, struct civil *out);

/* "2026-03-29T03:00:00", "2026-03-29 03:00" or "2026-03-29": a wall clock's reading, without zone.
 */
int civil_parse(const char *text, int64_t *out, struct err *err);
/* "2026-03-29T03:00:00" and, unless `offset` is CIVIL_BARE, "+02:00" or "Z" behind it. */
const char *civil_format(int64_t local, int32_t offset, char *out, size_t size);
#define CIVIL_BARE  INT32_MAX
#define CIVIL_UTC   INT32_MIN /* written as "Z" */
#define CIVIL_BYTES 40

#endif
