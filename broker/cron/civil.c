/* SPDX-License-Identifier: Apache-2.0 */
/* civil.c - arithmetic of dates.  Years are taken to start in March: the leap day is then the last
 * day of one, and the month's first day a linear formula. */
#include "cron/civil.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int civil_month_days(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

int64_t civil_days(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int civil_weekday(int64_t days)
{
    return (int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

int64_t civil_seconds(const struct civil *civil)
{
    return civil_days(civil->year, civil->month, civil->day) * DAY_S + civil->hour * 3600 +
           civil->minute * 60 + civil->second;
}

void civil_of(int64_t seconds, struct civil *out)
{
    int64_t rest = (seconds % DAY_S + DAY_S) % DAY_S, days = (seconds - rest) / DAY_S;
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100), m = (5 * of_year + 2) / 153;

    out->day = (int)(of_year - (153 * m + 2) / 5 + 1);
    out->month = (int)(m < 10 ? m + 3 : m - 9);
    out->year = year + era * 400 + (m >= 10);
    out->hour = (int)(rest / 3600);
    out->minute = (int)(rest / 60 % 60);
    out->second = (int)(rest % 60);
    out->weekday = civil_weekday(days);
}

/* Exactly `count` digits; returns what follows, or NULL. */
static const char *digits(const char *s, int count, int least, int most, int *out)
{
    int value = 0;

    for (int i = 0; i < count; i++, s++) {
        if (*s < '0' || *s > '9')
            return NULL;
        value = value * 10 + (*s - '0');
    }
    *out = value;
    return value >= least && value <= most ? s : NULL;
}

static bool scan_date(const char **s, struct civil *out)
{
    int year = 0;
    const char *at = digits(*s, 4, 0, 9999, &year);

    out->year = year;
    if (!at || *at != '-' || !(at = digits(at + 1, 2, 1, 12, &out->month)) || *at != '-' ||
        !(at = digits(at + 1, 2, 1, civil_month_days(year, out->month), &out->day)))
        return false;
    *s = at;
    return true;
}

static bool scan_clock(const char *s, struct civil *out)
{
    if (!(s = digits(s, 2, 0, 23, &out->hour)) || *s != ':' ||
        !(s = digits(s + 1, 2, 0, 59, &out->minute)))
        return false;
    if (*s == ':' && !(s = digits(s + 1, 2, 0, 59, &out->second)))
        return false;
    return !*s;
}

int civil_parse(const char *text, int64_t *out, struct err *err)
{
    struct civil civil = { 0 };
    const char *s = text;

    if (!scan_date(&s, &civil) || (*s && *s != 'T' && *s != 't' && *s != ' ') ||
        (*s && !scan_clock(s + 1, &civil)))
        return err_set(err, FAULT_INVALID,
                       "'%.40s' is not a time; write it as 2026-12-01T08:00, or with its offset as "
                       "2026-12-01T08:00:00+01:00",
                       text);
    *out = civil_seconds(&civil);
    return 0;
}

const char *civil_format(int64_t local, int32_t offset, char *out, size_t size)
{
    struct civil c;
    char zone[16] = "";
    int64_t part = offset < 0 ? -(int64_t)offset : offset;

    civil_of(local, &c);
    if (offset == CIVIL_UTC)
        snprintf(zone, sizeof zone, "Z");
    else if (offset != CIVIL_BARE)
        /* RFC 3339 has no seconds here: offsets with seconds ended in 1972. */
        snprintf(zone, sizeof zone, "%c%02d:%02d", offset < 0 ? '-' : '+', (int)(part / 3600) % 100,
                 (int)(part / 60 % 60));
    snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d%s", (int)c.year, c.month, c.day, c.hour,
             c.minute, c.second, zone);
    return out;
}
