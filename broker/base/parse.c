/* SPDX-License-Identifier: Apache-2.0 */
/* parse.c - text to values and back. */
#include "base/parse.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int parse_i64(const char *text, int64_t least, int64_t most, int64_t *out, struct err *err)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (!(is_digit(text[0]) || (text[0] == '-' && is_digit(text[1]))) || *end)
        return err_set(err, FAULT_INVALID, "'%.40s' is not a whole number", text);
    if (errno || value < least || value > most)
        return err_set(err, FAULT_INVALID, "%.40s is not between %lld and %lld", text,
                       (long long)least, (long long)most);
    *out = value;
    return 0;
}

/* Decimal digits with at most one point; strtod would follow the locale and take "inf" and hex. */
static const char *scan_decimal(const char *text, double *out)
{
    double value = 0, scale = 1;
    const char *s = text;

    while (is_digit(*s))
        value = value * 10 + (*s++ - '0');
    if (s == text)
        return NULL;
    if (*s == '.' && is_digit(s[1]))
        for (s++; is_digit(*s); s++) {
            scale /= 10;
            value += (*s - '0') * scale;
        }
    *out = value;
    return s;
}

int parse_double(const char *text, double least, double most, double *out, struct err *err)
{
    bool negative = text[0] == '-';
    double value = 0;
    const char *end = scan_decimal(text + negative, &value);

    if (!end || *end)
        return err_set(err, FAULT_INVALID, "'%.40s' is not a decimal number", text);
    value = negative ? -value : value;
    if (value < least || value > most)
        return err_set(err, FAULT_INVALID, "%.40s is not between %g and %g", text, least, most);
    *out = value;
    return 0;
}

static const struct {
    const char *name;
    double factor;
} byte_units[] = {
    { "B", 1 },
    { "KiB", 1024.0 },
    { "MiB", 1048576.0 },
    { "GiB", 1073741824.0 },
    { "TiB", 1099511627776.0 },
    { "PiB", 1125899906842624.0 },
    { "kB", 1e3 },
    { "KB", 1e3 },
    { "MB", 1e6 },
    { "GB", 1e9 },
    { "TB", 1e12 },
    { "PB", 1e15 },
};

int parse_bytes(const char *text, int64_t *out, struct err *err)
{
    double value = 0;
    const char *unit = scan_decimal(text, &value);

    if (!unit)
        return err_set(err, FAULT_INVALID, "'%.40s' is not a size; write it as 512MiB or 8GiB",
                       text);
    while (*unit == ' ')
        unit++;
    if (!*unit)
        return err_set(err, FAULT_INVALID, "'%.40s' has no unit; write %.20sMiB or %.20sGiB", text,
                       text, text);
    for (size_t i = 0; i < array_len(byte_units); i++) {
        if (strcmp(byte_units[i].name, unit) != 0)
            continue;
        value *= byte_units[i].factor;
        if (value > 9e18)
            return err_set(err, FAULT_INVALID, "%.40s is too large", text);
        *out = (int64_t)(value + 0.5);
        return 0;
    }
    return err_set(err, FAULT_INVALID,
                   "unknown unit '%.20s' in '%.40s'; use B, KiB, MiB, GiB, TiB, kB, MB, GB or TB",
                   unit, text);
}

static const struct {
    const char *name;
    int64_t ms;
} span_units[] = {
    { "ms", 1 },      { "s", 1000 },     { "m", 60000 },
    { "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 },
};

#define SPAN_MOST_MS (INT64_C(100) * 366 * 86400000) /* a century: what is longer is a mistake */

static int64_t span_unit(const char *unit, size_t length)
{
    for (size_t i = 0; i < array_len(span_units); i++)
        if (strlen(span_units[i].name) == length && memcmp(span_units[i].name, unit, length) == 0)
            return span_units[i].ms;
    return 0;
}

/* "1h30m": every part has a unit, each smaller than the one before. */
static bool scan_units(const char *s, int64_t *out)
{
    int64_t total = 0, before = INT64_MAX;

    while (*s) {
        double value = 0;
        size_t length;
        int64_t unit;

        if (!(s = scan_decimal(s, &value)))
            return false;
        length = strspn(s, "mshdw");
        unit = span_unit(s, length);
        if (unit == 0 || unit >= before || value * (double)unit > (double)SPAN_MOST_MS)
            return false;
        total += (int64_t)(value * (double)unit + 0.5);
        before = unit;
        s += length;
    }
    *out = total;
    return total <= SPAN_MOST_MS;
}

/* Slurm's "MM:SS", "HH:MM:SS", "D-HH", "D-HH:MM", "D-HH:MM:SS" (sbatch(1), --time). */
static bool scan_colons(const char *s, int64_t *out)
{
    int64_t parts[3] = { 0, 0, 0 }, days = 0, seconds;
    const char *dash = strchr(s, '-');
    int count = 0;

    if (dash) {
        char *end;

        if (!is_digit(*s))
            return false;
        days = strtoll(s, &end, 10);
        if (end != dash || days > 36600)
            return false;
        s = dash + 1;
    }
    for (;; s++) {
        char *end;

        if (!is_digit(*s) || count == 3)
            return false;
        parts[count++] = strtoll(s, &end, 10);
        if (parts[count - 1] > 1000000000)
            return false;
        s = end;
        if (!*s)
            break;
        if (*s != ':')
            return false;
    }
    if (dash || count == 3)
        seconds = parts[0] * 3600 + parts[1] * 60 + parts[2];
    else
        seconds = parts[0] * 60 + parts[1];
    *out = (days * 86400 + seconds) * 1000;
    return count > 1 || dash;
}

int parse_span(const char *text, int64_t *out_ms, struct err *err)
{
    int64_t ms = 0;

    if (*text && (strpbrk(text, ":-") ? scan_colons(text, &ms) : scan_units(text, &ms)) &&
        ms <= SPAN_MOST_MS) {
        *out_ms = ms;
        return 0;
    }
    if (*text && strspn(text, "0123456789") == strlen(text))
        return err_set(err, FAULT_INVALID, "'%.40s' has no unit; write %.20ss, %.20sm or %.20sh",
                       text, text, text, text);
    return err_set(err, FAULT_INVALID,
                   "'%.40s' is not a length of time; write it as 90s, 10m, 2h, 1d or 1h30m", text);
}

static bool two_digits(const char *s, int least, int most, int *out)
{
    if (!is_digit(s[0]) || !is_digit(s[1]))
        return false;
    *out = (s[0] - '0') * 10 + (s[1] - '0');
    return *out >= least && *out <= most;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; a year starts in March, so that the
 * leap day is its last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

static bool scan_time(const char *s, int64_t *out)
{
    int century, year, month, day, hour, minute, second, zone_hour = 0, zone_minute = 0, ms = 0;
    int64_t value;

    if (strlen(s) < 20 || !two_digits(s, 0, 99, &century) || !two_digits(s + 2, 0, 99, &year) ||
        s[4] != '-' || !two_digits(s + 5, 1, 12, &month) || s[7] != '-')
        return false;
    year += century * 100;
    if (!two_digits(s + 8, 1, days_in(year, month), &day) || !strchr("Tt ", s[10]) ||
        !two_digits(s + 11, 0, 23, &hour) || s[13] != ':' || !two_digits(s + 14, 0, 59, &minute) ||
        s[16] != ':' || !two_digits(s + 17, 0, 60, &second))
        return false;
    s += 19;
    if (*s == '.') {
        int scale = 100;

        if (!is_digit(*++s))
            return false;
        for (; is_digit(*s); s++, scale /= 10)
            ms += (*s - '0') * scale;
    }
    value = ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    if (*s == 'Z' || *s == 'z') {
        s++;
    } else if (*s == '+' || *s == '-') {
        int sign = *s == '-' ? 1 : -1;

        if (!two_digits(s + 1, 0, 23, &zone_hour) || s[3] != ':' ||
            !two_digits(s + 4, 0, 59, &zone_minute))
            return false;
        value += sign * (zone_hour * 3600 + zone_minute * 60);
        s += 6;
    } else {
        return false;
    }
    *out = value * 1000 + ms;
    return !*s;
}

int parse_time(const char *text, int64_t *out_ms, struct err *err)
{
    int64_t ms;

    if (!scan_time(text, &ms))
        return err_set(err, FAULT_INVALID,
                       "'%.40s' is not a time; write it as 2026-12-01T08:00:00+01:00 (RFC 3339, "
                       "with its zone)",
                       text);
    *out_ms = ms;
    return 0;
}

const char *format_bytes(int64_t bytes, char *out, size_t size)
{
    static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    size_t unit = 0;

    while (bytes && bytes % 1024 == 0 && unit + 1 < array_len(names)) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, size, "%lld%s", (long long)bytes, names[unit]);
    return out;
}

const char *format_span(int64_t ms, char *out, size_t size)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };
    int at = 0;

    out[0] = '\0';
    if (ms < 0) {
        at = snprintf(out, size, "-");
        ms = -ms;
    }
    if (ms == 0)
        snprintf(out + at, size - (size_t)at, "0s");
    for (size_t i = 0; ms > 0 && i < array_len(units); i++) {
        if (ms < units[i].ms || (size_t)at >= size)
            continue;
        at += snprintf(out + at, size - (size_t)at, "%lld%s", (long long)(ms / units[i].ms),
                       units[i].name);
        ms %= units[i].ms;
    }
    return out;
}

const char *format_time(int64_t ms, char *out, size_t size)
{
    int64_t days = ms / 86400000, rest = ms % 86400000;
    int64_t era, of_era, year_of_era, of_year, m, year;

    if (rest < 0) {
        rest += 86400000;
        days--;
    }
    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    of_era = days - era * 146097;
    year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    m = (5 * of_year + 2) / 153;
    year = year_of_era + era * 400 + (m >= 10);
    snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)year,
             (int)(m < 10 ? m + 3 : m - 9), (int)(of_year - (153 * m + 2) / 5 + 1),
             (int)(rest / 3600000), (int)(rest / 60000 % 60), (int)(rest / 1000 % 60),
             (int)(rest % 1000));
    return out;
}

#define WORD_MOST 40

/* Edits that turn a into b, a swap of neighbours counted as one (optimal string alignment). */
static size_t edits(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b), rows[3][WORD_MOST + 1];
    size_t *two_back = rows[0], *back = rows[1], *now = rows[2];

    if (la > WORD_MOST || lb > WORD_MOST)
        return SIZE_MAX;
    for (size_t j = 0; j <= lb; j++)
        back[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t *spare = two_back;

        now[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = back[j - 1] + (a[i - 1] != b[j - 1]);

            best = back[j] + 1 < best ? back[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two_back[j - 2] + 1 < best)
                best = two_back[j - 2] + 1;
            now[j] = best;
        }
        two_back = back;
        back = now;
        now = spare;
    }
    return back[lb];
}

const char *nearest_word(const char *word, const char *const *names)
{
    size_t best = SIZE_MAX, length = strlen(word);
    const char *found = NULL;

    for (; *names; names++) {
        size_t distance = edits(word, *names);

        /* "mem" is meant for "memory" although three edits away. */
        if (length >= 3 && strncmp(word, *names, length) == 0)
            distance = 1;
        if (distance < best) {
            best = distance;
            found = *names;
        }
    }
    return best <= 1 + length / 4 ? found : NULL;
}
