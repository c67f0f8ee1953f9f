/* SPDX-License-Identifier: Apache-2.0 */
/* tzrule.c - the footer of a TZif file: a POSIX TZ string (with the hours of RFC 8536, 3.3.1) that
 * says how the years beyond the file's last transition go on.
 *
 * The rule is written out for one cycle of the calendar (400 years); zone.c maps what is later into
 * it.  That costs 8 KiB a zone and leaves one kind of lookup for past and future. */
#include <ctype.h>
#include <string.h>

#include "base/own.h"
#include "cron/civil.h"
#include "cron/tzif.h"

enum rule_kind { RULE_MONTH, RULE_JULIAN, RULE_DAY };

struct rule_day {
    enum rule_kind kind;
    int month, week, day;
    int32_t time; /* seconds of the wall clock before the change; may be negative or above a day */
};

struct rule {
    char std[TZ_RULE_NAME], dst[TZ_RULE_NAME]; /* dst "": none */
    int32_t std_offset, dst_offset;
    struct rule_day to_dst, to_std;
};

/* "CET" or "<+0330>". */
static const char *scan_name(const char *s, char *out)
{
    bool quoted = *s == '<';
    size_t length = 0;

    s += quoted;
    while (isalpha((unsigned char)s[length]) ||
           (quoted && (isdigit((unsigned char)s[length]) || s[length] == '+' || s[length] == '-')))
        length++;
    if (length < 3 || length >= TZ_RULE_NAME || (quoted && s[length] != '>'))
        return NULL;
    memcpy(out, s, length);
    out[length] = '\0';
    return s + length + quoted;
}

static const char *scan_number(const char *s, int least, int most, int *out)
{
    int value = 0, count = 0;

    for (; isdigit((unsigned char)*s) && count < 4; s++, count++)
        value = value * 10 + (*s - '0');
    *out = value;
    return count && value >= least && value <= most ? s : NULL;
}

/* "[+-]hh[:mm[:ss]]" */
static const char *scan_hms(const char *s, int most_hours, int32_t *out)
{
    int part[3] = { 0, 0, 0 };
    bool negative = *s == '-';

    if (*s == '+' || *s == '-')
        s++;
    for (int i = 0; i < 3; i++) {
        if (!(s = scan_number(s, 0, i ? 59 : most_hours, &part[i])))
            return NULL;
        if (i == 2 || *s != ':')
            break;
        s++;
    }
    *out = part[0] * 3600 + part[1] * 60 + part[2];
    *out = negative ? -*out : *out;
    return s;
}

/* ",M3.5.0/2", ",J60", ",59" */
static const char *scan_day(const char *s, struct rule_day *out)
{
    if (*s++ != ',')
        return NULL;
    out->time = 2 * 3600;
    if (*s == 'M') {
        out->kind = RULE_MONTH;
        if (!(s = scan_number(s + 1, 1, 12, &out->month)) || *s != '.' ||
            !(s = scan_number(s + 1, 1, 5, &out->week)) || *s != '.')
            return NULL;
        s = scan_number(s + 1, 0, 6, &out->day);
    } else if (*s == 'J') {
        out->kind = RULE_JULIAN;
        s = scan_number(s + 1, 1, 365, &out->day);
    } else {
        out->kind = RULE_DAY;
        s = scan_number(s, 0, 365, &out->day);
    }
    if (s && *s == '/')
        s = scan_hms(s + 1, 167, &out->time);
    return s;
}

static bool scan_rule(const char *s, struct rule *out)
{
    int32_t west;

    if (!(s = scan_name(s, out->std)) || !(s = scan_hms(s, 24, &west)))
        return false;
    out->std_offset = -west;
    if (!*s)
        return true;
    if (!(s = scan_name(s, out->dst)))
        return false;
    out->dst_offset = out->std_offset + 3600;
    if (*s && *s != ',') {
        if (!(s = scan_hms(s, 24, &west)))
            return false;
        out->dst_offset = -west;
    }
    return (s = scan_day(s, &out->to_dst)) && (s = scan_day(s, &out->to_std)) && !*s;
}

/* Local seconds of the change in `year`. */
static int64_t rule_local(const struct rule_day *rule, int64_t year)
{
    int64_t days = civil_days(year, 1, 1);

    if (rule->kind == RULE_DAY) {
        days += rule->day;
    } else if (rule->kind == RULE_JULIAN) { /* 29 February is never counted */
        days += rule->day - 1 + (rule->day >= 60 && civil_month_days(year, 2) == 29);
    } else {
        int64_t first = civil_days(year, rule->month, 1);
        int day = (rule->day - civil_weekday(first) + 7) % 7 + (rule->week - 1) * 7;

        if (day >= civil_month_days(year, rule->month))
            day -= 7;
        days = first + day;
    }
    return days * DAY_S + rule->time;
}

static uint16_t add_type(struct zone *zone, int32_t offset, bool dst, const char *name)
{
    struct tz_type *type = &zone->types[zone->type_count];

    type->offset = offset;
    type->dst = dst;
    type->name = (uint16_t)zone->name_bytes;
    zone->names = xrealloc(zone->names, zone->name_bytes + strlen(name) + 1);
    memcpy(zone->names + zone->name_bytes, name, strlen(name) + 1);
    zone->name_bytes += strlen(name) + 1;
    return (uint16_t)zone->type_count++;
}

/* Two changes may fall on one instant where daylight saving lasts all year
 * ("EST5EDT4,0/0,J365/25"): the later year's has the last word. */
static void push_ordered(struct zone *zone, int64_t after, int64_t at, uint16_t kind)
{
    if (at <= after)
        return;
    while (zone->count && zone->times[zone->count - 1] >= at &&
           zone->times[zone->count - 1] > after)
        zone->count--;
    tz_push(zone, at, kind);
}

int tz_rule_apply(struct zone *zone, const char *footer, struct err *err)
{
    struct rule rule = { 0 };
    int64_t last = zone->count ? zone->times[zone->count - 1] : ZONE_PAST;
    struct civil civil = { .year = 1970 };
    uint16_t std, dst;

    if (!*footer)
        return 0;
    if (!scan_rule(footer, &rule))
        return err_set(err, FAULT_INVALID, "footer '%.60s' is not a TZ rule", footer);
    if (!*rule.dst)
        return 0; /* as after the last transition (RFC 8536, 3.3: the two agree) */
    if (zone->count)
        civil_of(last, &civil);
    std = add_type(zone, rule.std_offset, false, rule.std);
    dst = add_type(zone, rule.dst_offset, true, rule.dst);
    for (int64_t year = civil.year - 1; year <= civil.year + CYCLE_YEARS + 2; year++) {
        int64_t on = rule_local(&rule.to_dst, year) - rule.std_offset;
        int64_t off = rule_local(&rule.to_std, year) - rule.dst_offset;

        push_ordered(zone, last, on < off ? on : off, on < off ? dst : std);
        push_ordered(zone, last, on < off ? off : on, on < off ? std : dst);
    }
    zone->cycle_end = civil_days(civil.year + CYCLE_YEARS + 2, 1, 1) * DAY_S;
    return 0;
}
