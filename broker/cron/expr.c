/* SPDX-License-Identifier: Apache-2.0 */
/* expr.c - when a parsed recurrence fires next.
 *
 * The search goes by months: a month's days are worked out as one word of bits, a day's times are
 * found by the lowest bit set at or above a value.  A calendar repeats after 400 years, which
 * bounds the search; that a line fires at all was made sure of when it was parsed (line.c). */
#include "cron/expr.h"

#include "cron/civil.h"
#include "cron/line.h"

/* The lowest bit of `bits` at or above `from`, or -1. */
static int bit_from(uint64_t bits, int from)
{
    bits = from > 63 ? 0 : bits >> from << from;
    return bits ? __builtin_ctzll(bits) : -1;
}

/* The first second of a day at or after `from` that fits; -1: none. */
static int64_t clock_from(const struct cron *cron, int64_t from)
{
    int hour = (int)(from / 3600), minute = (int)(from / 60 % 60), second = (int)(from % 60);
    int h, m, s;

    for (h = bit_from(cron->hours, hour); h >= 0; h = bit_from(cron->hours, h + 1)) {
        for (m = bit_from(cron->minutes, h > hour ? 0 : minute); m >= 0;
             m = bit_from(cron->minutes, m + 1)) {
            s = bit_from(cron->seconds, h > hour || m > minute ? 0 : second);
            if (s >= 0)
                return h * 3600 + m * 60 + s;
        }
    }
    return -1;
}

/* The workday nearest to `day` within a month of `length` days that begins on weekday `first`. */
static int nearest_workday(int day, int length, int first)
{
    int weekday = (first + day - 1) % 7;

    if (weekday == 6)
        return day > 1 ? day - 1 : day + 2;
    if (weekday == 0)
        return day < length ? day + 1 : day - 2;
    return day;
}

static int last_workday(int length, int first)
{
    int weekday = (first + length - 1) % 7;

    return length - (weekday == 6 ? 1 : weekday == 0 ? 2 : 0);
}

static uint32_t days_by_date(const struct cron *cron, int length, int first)
{
    uint32_t bits = cron->days;

    for (int n = bit_from(cron->last_days, 0); n >= 0; n = bit_from(cron->last_days, n + 1))
        if (n < length)
            bits |= UINT32_C(1) << (length - n);
    for (int d = bit_from(cron->workdays, 1); d >= 0 && d <= length;
         d = bit_from(cron->workdays, d + 1))
        bits |= UINT32_C(1) << nearest_workday(d, length, first);
    if (cron->workdays & 1)
        bits |= UINT32_C(1) << last_workday(length, first);
    return bits;
}

static uint32_t days_by_weekday(const struct cron *cron, int length, int first)
{
    uint32_t bits = 0;

    for (int weekday = 0; weekday < 7; weekday++) {
        int begin = 1 + (weekday - first + 7) % 7;
        uint8_t mark = (uint8_t)(1u << weekday);

        if (cron->weekdays & mark)
            bits |= UINT32_C(0x10204081) << begin; /* every seventh bit */
        for (int n = 1; n <= 5 && begin + 7 * (n - 1) <= length; n++)
            if (cron->nth_weekdays[n] & mark)
                bits |= UINT32_C(1) << (begin + 7 * (n - 1));
        if (cron->nth_weekdays[0] & mark)
            bits |= UINT32_C(1) << (begin + (length - begin) / 7 * 7);
    }
    return bits;
}

uint32_t cron_month_days(const struct cron *cron, int length, int first_weekday)
{
    uint32_t date = days_by_date(cron, length, first_weekday);
    uint32_t weekday = days_by_weekday(cron, length, first_weekday);
    uint32_t both = cron->day_starred || cron->weekday_starred ? date & weekday : date | weekday;

    return both & (uint32_t)((UINT64_C(2) << length) - 2);
}

static uint32_t month_days(const struct cron *cron, int64_t year, int month)
{
    if (!(cron->months >> month & 1))
        return 0;
    return cron_month_days(cron, civil_month_days(year, month),
                           civil_weekday(civil_days(year, month, 1)));
}

/* The first reading of a wall clock at or after `from` that fits; ZONE_FUTURE: none for 400 years.
 */
static int64_t reading_from(const struct cron *cron, int64_t from)
{
    struct civil c;
    int64_t clock;
    int day;

    civil_of(from, &c);
    clock = clock_from(cron, c.hour * 3600 + c.minute * 60 + c.second);
    if (clock >= 0 && month_days(cron, c.year, c.month) >> c.day & 1)
        return civil_days(c.year, c.month, c.day) * DAY_S + clock;
    for (int left = CYCLE_YEARS * 12 + 1; left > 0; left--) {
        day = bit_from(month_days(cron, c.year, c.month), c.day + 1);
        if (day > 0)
            return civil_days(c.year, c.month, day) * DAY_S + clock_from(cron, 0);
        c.day = 0;
        c.month = c.month % 12 + 1;
        c.year += c.month == 1;
    }
    return ZONE_FUTURE;
}

static int next_on_clock(const struct cron *cron, const struct zone *zone, struct cron_mark after,
                         struct cron_time *out)
{
    int64_t shown = zone_shown(zone, after.utc);
    int64_t local = reading_from(cron, (after.local > shown ? after.local : shown) + 1);

    if (local > CIVIL_LAST_S)
        return 1;
    out->local = local;
    out->utc = zone_reach(zone, local, &out->fit);
    return 0;
}

/* Span by span; the reading found is kept while the clock goes on from one span to the next, so
 * that a rare line is not searched again for each. */
static int next_in_real_time(const struct cron *cron, const struct zone *zone, int64_t after,
                             struct cron_time *out)
{
    struct zone_span span = { .end = after + 1 };
    int64_t from = ZONE_FUTURE, local = ZONE_PAST;

    while (span.end <= after + CYCLE_S && span.end <= CIVIL_LAST_S) {
        int64_t utc = span.end, start;

        zone_span(zone, utc, &span);
        start = utc + span.offset;
        if (start < from || start > local)
            local = reading_from(cron, start);
        from = start;
        if (local - span.offset < span.end) {
            if (local > CIVIL_LAST_S)
                return 1;
            *out = (struct cron_time){ local - span.offset, local, ZONE_ONCE };
            return 0;
        }
    }
    return 1;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int next_of_interval(const struct cron *cron, const struct zone *zone, int64_t after,
                            struct cron_time *out)
{
    int64_t utc = cron->anchor;

    if (cron->kind == CRON_EVERY)
        utc += (floor_div(after - cron->anchor, cron->every_s) + 1) * cron->every_s;
    if (utc <= after || utc > CIVIL_LAST_S)
        return 1;
    *out = (struct cron_time){ utc, zone_local(zone, utc), ZONE_ONCE };
    return 0;
}

int cron_next(const struct cron *cron, const struct zone *zone, struct cron_mark after,
              struct cron_time *out)
{
    if (after.utc < CIVIL_FIRST_S)
        after.utc = CIVIL_FIRST_S;
    if (after.utc >= CIVIL_LAST_S)
        return 1;
    if (cron->kind != CRON_FIELDS)
        return next_of_interval(cron, zone, after.utc, out);
    if (cron->real_time)
        return next_in_real_time(cron, zone, after.utc, out);
    return next_on_clock(cron, zone, after, out);
}

/* "Does anything fire in (begin, until]?" turns from yes to no once as `begin` grows. */
int cron_last(const struct cron *cron, const struct zone *zone, struct cron_mark after,
              int64_t until, struct cron_time *out)
{
    struct cron_time next;
    int64_t low = after.utc > CIVIL_FIRST_S ? after.utc : CIVIL_FIRST_S, high = until;

    if (cron_next(cron, zone, after, &next) || next.utc > until)
        return 1;
    *out = next;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        struct cron_mark mark = { middle, after.local };

        if (cron_next(cron, zone, mark, &next) == 0 && next.utc <= until) {
            *out = next;
            low = next.utc;
        } else {
            high = middle;
        }
    }
    return 0;
}
