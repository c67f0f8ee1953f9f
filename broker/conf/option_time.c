/* SPDX-License-Identifier: Apache-2.0 */
/* option_time.c - a point in time as people type it, in local time where no zone is given. */
#include <ctype.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "base/parse.h"
#include "conf/options.h"

#define DAY_MS INT64_C(86400000)

static const struct {
    const char *name;
    int64_t ms;
} units[] = {
    { "second", 1000 },     { "seconds", 1000 },     { "minute", 60000 }, { "minutes", 60000 },
    { "hour", 3600000 },    { "hours", 3600000 },    { "day", DAY_MS },   { "days", DAY_MS },
    { "week", 7 * DAY_MS }, { "weeks", 7 * DAY_MS },
};

/* "2h", "90" (seconds), "3hours". */
static bool relative(const char *text, int64_t *out)
{
    int64_t count = 0;
    size_t digits = strspn(text, "0123456789");

    if (!strpbrk(text, ":-") && parse_span(text, out, NULL) == 0)
        return true;
    if (digits == 0 || digits > 9)
        return false;
    for (size_t i = 0; i < digits; i++)
        count = count * 10 + (text[i] - '0');
    *out = count * 1000;
    if (!text[digits])
        return true;
    for (size_t i = 0; i < array_len(units); i++)
        if (strcmp(units[i].name, text + digits) == 0) {
            *out = count * units[i].ms;
            return true;
        }
    return false;
}

static bool digits(const char *s, int count, int *out)
{
    for (*out = 0; count; count--, s++) {
        if (!isdigit((unsigned char)*s))
            return false;
        *out = *out * 10 + (*s - '0');
    }
    return true;
}

/* "16:00", "16:00:30" */
static bool clock_time(const char *s, struct tm *tm)
{
    tm->tm_sec = 0;
    if (!digits(s, 2, &tm->tm_hour) || s[2] != ':' || !digits(s + 3, 2, &tm->tm_min) ||
        tm->tm_hour > 23 || tm->tm_min > 59)
        return false;
    if (!s[5])
        return true;
    return s[5] == ':' && digits(s + 6, 2, &tm->tm_sec) && tm->tm_sec < 60 && !s[8];
}

/* "2026-12-01", "2026-12-01T08:00[:00]" */
static bool date_time(const char *s, struct tm *tm)
{
    if (!digits(s, 4, &tm->tm_year) || s[4] != '-' || !digits(s + 5, 2, &tm->tm_mon) ||
        s[7] != '-' || !digits(s + 8, 2, &tm->tm_mday))
        return false;
    if (tm->tm_year < 1970 || tm->tm_mon < 1 || tm->tm_mon > 12 || tm->tm_mday < 1 ||
        tm->tm_mday > 31)
        return false;
    tm->tm_year -= 1900;
    tm->tm_mon -= 1;
    tm->tm_hour = tm->tm_min = tm->tm_sec = 0;
    return !s[10] || (s[10] == 'T' && clock_time(s + 11, tm));
}

static bool word(const char *text, struct tm *tm)
{
    static const struct {
        const char *name;
        int hour, days;
    } words[] = {
        { "today", 0, 0 }, { "tomorrow", 0, 1 }, { "midnight", 0, 0 },
        { "noon", 12, 0 }, { "teatime", 16, 0 }, { "fika", 15, 0 },
    };

    for (size_t i = 0; i < array_len(words); i++) {
        if (strcmp(words[i].name, text) != 0)
            continue;
        tm->tm_hour = words[i].hour;
        tm->tm_mday += words[i].days;
        tm->tm_min = tm->tm_sec = 0;
        return true;
    }
    return false;
}

/* Local forms; a time of the day that has passed is tomorrow's. */
static bool local(const char *text, int64_t now_ms, int64_t *out)
{
    time_t now = (time_t)(now_ms / 1000), when;
    struct tm tm;
    bool dated;

    if (!localtime_r(&now, &tm))
        return false;
    if (!isdigit((unsigned char)text[0])) {
        dated = strcmp(text, "today") == 0 || strcmp(text, "tomorrow") == 0;
        if (!word(text, &tm))
            return false;
    } else {
        dated = strchr(text, '-') != NULL;
        if (!(dated ? date_time(text, &tm) : clock_time(text, &tm)))
            return false;
    }
    tm.tm_isdst = -1;
    when = mktime(&tm);
    if (!dated && when <= now) {
        tm.tm_mday++;
        tm.tm_isdst = -1;
        when = mktime(&tm);
    }
    *out = (int64_t)when * 1000;
    return when != (time_t)-1;
}

int job_option_time(const char *text, int64_t now_ms, int64_t *out_ms, struct err *err)
{
    int64_t span;

    if (parse_time(text, out_ms, NULL) == 0)
        return 0;
    if (strcmp(text, "now") == 0) {
        *out_ms = now_ms;
        return 0;
    }
    if (strncmp(text, "now+", 4) == 0
            ? relative(text + 4, &span)
            : !strpbrk(text, ":-") && parse_span(text, &span, NULL) == 0) {
        *out_ms = now_ms + span;
        return 0;
    }
    if (local(text, now_ms, out_ms))
        return 0;
    return err_set(
        err, FAULT_INVALID,
        "'%.40s' is not a time; write it as 2026-12-01T08:00:00+01:00, 2026-12-01T08:00, "
        "16:00, tomorrow or now+2h",
        text);
}
