/* SPDX-License-Identifier: Apache-2.0 */
/* test_oracle.c - broker/cron/ against brute force: every minute of ten years, zone by zone.
 *
 * The oracle shares no code with what it judges.  It asks libc what the wall clock shows at each
 * minute, keeps a random line as numbers (the text is written from them, not read back), tests each
 * day and minute by the words of docs/schedules.md, and marks the minutes that fire.  cron_next()
 * must then walk through exactly those.
 *
 * CRON_FULL=1 runs all: 12 zones, 2,000 lines, ten years; minutes of time.  Without it, fewer lines
 * and the years around the odd events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/own.h"
#include "cron/civil.h"
#include "cron/expr.h"

#define LINES_ALL  2000
#define LINES_SOME 60
#define YEARS      10
#define DAYS_MOST  (YEARS * 366 + 4)
#define PARTS_MOST 3
#define FIELDS     5

static const char *const zones[] = {
    "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "Europe/Paris",
    "America/New_York",    "America/Sao_Paulo", "Asia/Tehran",  "America/St_Johns",
    "Antarctica/Troll",    "Africa/Cairo",      "Asia/Kolkata", "UTC",
};

/* ---- random numbers -------------------------------------------------------------------------- */

static uint64_t seed_now;

static int below(int n)
{
    seed_now = seed_now * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int)((seed_now >> 33) % (uint64_t)n);
}

static int between(int low, int high)
{
    return low + below(high - low + 1);
}

/* ---- lines as numbers ------------------------------------------------------------------------ */

enum part_kind {
    STAR,
    STAR_STEP,
    VALUE,
    RANGE,
    RANGE_STEP,
    LAST,
    LAST_BUT,
    WORKDAY,
    LAST_WORKDAY,
    NTH,
    NTH_LAST
};

struct part {
    enum part_kind kind;
    int a, b, step;
};

struct line {
    struct part parts[FIELDS][PARTS_MOST];
    int counts[FIELDS];
    char text[256];
};

static const int least[FIELDS] = { 0, 0, 1, 1, 0 }, most[FIELDS] = { 59, 23, 31, 12, 6 };

static struct part random_part(int field)
{
    struct part p = { .kind = (enum part_kind)below(5), .a = between(least[field], most[field]) };

    if (field == 2 && below(4) == 0)
        p.kind = (enum part_kind)between(LAST, LAST_WORKDAY);
    if (field == 4 && below(4) == 0)
        p.kind = (enum part_kind)between(NTH, NTH_LAST);
    p.b = between(p.a, most[field]);
    p.step = between(1, most[field] / 2);
    if (p.kind == LAST_BUT)
        p.a = between(1, 27);
    if (p.kind == NTH)
        p.b = between(1, 5);
    return p;
}

static void put_value(struct buf *out, int field, int value)
{
    static const char *const months[] = { "jan", "Feb", "MAR", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec" };
    static const char *const weekdays[] = { "sun", "Mon", "TUE", "wed", "thu", "fri", "sat" };

    if (field == 3 && below(2))
        buf_puts(out, months[value - 1]);
    else if (field == 4 && below(2))
        buf_puts(out, weekdays[value]);
    else
        buf_printf(out, "%d", value);
}

static void put_part(struct buf *out, int field, const struct part *p)
{
    switch (p->kind) {
    case STAR:
    case STAR_STEP:
        buf_puts(out, "*");
        break;
    case VALUE:
        put_value(out, field, p->a);
        break;
    case RANGE:
    case RANGE_STEP:
        put_value(out, field, p->a);
        buf_puts(out, "-");
        put_value(out, field, p->b);
        break;
    case LAST:
        buf_puts(out, "L");
        break;
    case LAST_BUT:
        buf_printf(out, "L-%d", p->a);
        break;
    case WORKDAY:
        buf_printf(out, "%dW", p->a);
        break;
    case LAST_WORKDAY:
        buf_puts(out, "LW");
        break;
    case NTH:
        put_value(out, field, p->a);
        buf_printf(out, "#%d", p->b);
        break;
    case NTH_LAST:
        put_value(out, field, p->a);
        buf_puts(out, "L");
        break;
    }
    if (p->kind == STAR_STEP || p->kind == RANGE_STEP)
        buf_printf(out, "/%d", p->step);
}

static void random_line(struct line *line)
{
    own_buf struct buf text = BUF_INIT(sizeof line->text - 1);

    for (int field = 0; field < FIELDS; field++) {
        /* One part mostly: lists of three leave little out, and starred ones are as good as '*'. */
        line->counts[field] = below(3) ? 1 : between(1, PARTS_MOST);
        if (field)
            buf_puts(&text, " ");
        for (int i = 0; i < line->counts[field]; i++) {
            line->parts[field][i] = random_part(field);
            if (i)
                buf_puts(&text, ",");
            put_part(&text, field, &line->parts[field][i]);
        }
    }
    snprintf(line->text, sizeof line->text, "%s", buf_text(&text));
}

/* ---- what a line means, in plain words ------------------------------------------------------- */

static bool starred(const struct line *line, int field)
{
    for (int i = 0; i < line->counts[field]; i++)
        if (line->parts[field][i].kind <= STAR_STEP)
            return true;
    return false;
}

static bool number_fits(const struct line *line, int field, int value)
{
    for (int i = 0; i < line->counts[field]; i++) {
        const struct part *p = &line->parts[field][i];

        if (p->kind == STAR || (p->kind == STAR_STEP && (value - least[field]) % p->step == 0) ||
            (p->kind == VALUE && value == p->a) ||
            (p->kind == RANGE && value >= p->a && value <= p->b) ||
            (p->kind == RANGE_STEP && value >= p->a && value <= p->b &&
             (value - p->a) % p->step == 0))
            return true;
    }
    return false;
}

static int month_length(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return month == 2 && (year % 400 == 0 || (year % 4 == 0 && year % 100 != 0)) ? 29
                                                                                 : days[month - 1];
}

struct date {
    int year, month, day, weekday;
};

static bool is_workday(const struct date *date, int day)
{
    int weekday = (date->weekday + (day - date->day) + 70) % 7;

    return day >= 1 && day <= month_length(date->year, date->month) && weekday != 0 && weekday != 6;
}

/* Nearest to `day` within the month: try the day, the one before, the one after, and so on. Between
 * Saturday and Sunday's neighbours the distance decides. */
static int workday_near(const struct date *date, int day)
{
    for (int distance = 0; distance < 4; distance++) {
        if (is_workday(date, day - distance))
            return day - distance;
        if (is_workday(date, day + distance))
            return day + distance;
    }
    return 0;
}

static bool special_day_fits(const struct line *line, const struct date *d)
{
    int length = month_length(d->year, d->month), last = length;

    while (!is_workday(d, last))
        last--;
    for (int i = 0; i < line->counts[2]; i++) {
        const struct part *p = &line->parts[2][i];

        if ((p->kind == LAST && d->day == length) ||
            (p->kind == LAST_BUT && d->day == length - p->a) ||
            (p->kind == WORKDAY && p->a <= length && d->day == workday_near(d, p->a)) ||
            (p->kind == LAST_WORKDAY && d->day == last))
            return true;
    }
    return false;
}

static bool special_weekday_fits(const struct line *line, const struct date *d)
{
    for (int i = 0; i < line->counts[4]; i++) {
        const struct part *p = &line->parts[4][i];

        if (d->weekday == p->a &&
            ((p->kind == NTH && (d->day + 6) / 7 == p->b) ||
             (p->kind == NTH_LAST && d->day + 7 > month_length(d->year, d->month))))
            return true;
    }
    return false;
}

static bool date_fits(const struct line *line, const struct date *d)
{
    bool day = number_fits(line, 2, d->day) || special_day_fits(line, d);
    bool weekday = number_fits(line, 4, d->weekday) || special_weekday_fits(line, d);

    if (!number_fits(line, 3, d->month))
        return false;
    return starred(line, 2) || starred(line, 4) ? day && weekday : day || weekday;
}

/* ---- a zone's minutes, by libc --------------------------------------------------------------- */

struct sky {
    const char *name;
    struct zone *zone;
    int64_t first;       /* UTC, in minutes since 1970 */
    int32_t count;       /* of UTC minutes */
    int64_t local_first; /* a day's begin */
    int32_t local_count;
    int32_t *local_of;  /* [UTC minute]: local minute */
    int32_t *utc_of;    /* [local minute]: the first UTC minute that shows it, or -1 */
    struct date *dates; /* [local day] */
};

static void sky_fill(struct sky *sky)
{
    setenv("TZ", sky->name, 1);
    tzset();
    for (int32_t i = 0; i < sky->count; i++) {
        time_t utc = (time_t)(sky->first + i) * 60;
        struct tm tm;
        int32_t local, day;

        localtime_r(&utc, &tm);
        local = (int32_t)((utc + tm.tm_gmtoff) / 60 - sky->local_first);
        day = local / 1440;
        sky->local_of[i] = local;
        if (sky->utc_of[local] < 0)
            sky->utc_of[local] = i;
        sky->dates[day] = (struct date){ tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_wday };
    }
    unsetenv("TZ");
    tzset();
}

/* A day that the zone never had, such as Samoa's: libc showed us none of its minutes. */
static void sky_fill_dates(struct sky *sky)
{
    for (int32_t day = 1; day < sky->local_count / 1440; day++) {
        struct date *d = &sky->dates[day], *before = d - 1;

        if (d->year || !before->year)
            continue;
        *d = *before;
        d->weekday = (d->weekday + 1) % 7;
        if (++d->day > month_length(d->year, d->month)) {
            d->day = 1;
            d->year += d->month == 12;
            d->month = d->month % 12 + 1;
        }
    }
}

static void sky_open(struct sky *sky, const char *name, int year, int years)
{
    struct err err = ERR_INIT;

    memset(sky, 0, sizeof *sky);
    sky->name = name;
    if (zone_load(name, &sky->zone, &err) < 0)
        fail_msg("%s", err.text);
    sky->first = civil_days(year, 1, 1) * 1440;
    sky->count = (int32_t)(civil_days(year + years, 1, 1) * 1440 - sky->first);
    sky->local_first = sky->first - 2 * 1440;
    sky->local_count = sky->count + 4 * 1440;
    sky->local_of = xcalloc((size_t)sky->count, sizeof *sky->local_of);
    sky->utc_of = xmalloc((size_t)sky->local_count * sizeof *sky->utc_of);
    memset(sky->utc_of, 0xff, (size_t)sky->local_count * sizeof *sky->utc_of);
    sky->dates = xcalloc((size_t)sky->local_count / 1440 + 1, sizeof *sky->dates);
    sky_fill(sky);
    sky_fill_dates(sky);
}

static void sky_close(struct sky *sky)
{
    zone_free(sky->zone);
    free(sky->local_of);
    free(sky->utc_of);
    free(sky->dates);
}

/* ---- the oracle ------------------------------------------------------------------------------ */

/* '*' in minute or hour: every real minute whose reading fits. */
static void mark_real_time(const struct sky *sky, const bool *day, const bool *clock,
                           uint8_t *fires)
{
    for (int32_t i = 0; i < sky->count; i++) {
        int32_t local = sky->local_of[i];

        fires[i] = day[local / 1440] && clock[local % 1440];
    }
}

/* Every reading that fits: at the first minute that shows it, or else at the first after the gap.
 */
static void mark_on_clock(const struct sky *sky, const bool *day, const bool *clock, uint8_t *fires)
{
    int32_t begin = sky->local_of[0], last = sky->local_of[sky->count - 1];

    memset(fires, 0, (size_t)sky->count);
    for (int32_t local = begin; local <= last; local++) {
        int32_t shown = local;

        if (local % 1440 == 0 && !day[local / 1440]) {
            local += 1439;
            continue;
        }
        if (!day[local / 1440] || !clock[local % 1440])
            continue;
        while (shown <= last && sky->utc_of[shown] < 0)
            shown++;
        if (shown <= last)
            fires[sky->utc_of[shown]] = 1;
    }
}

static void oracle(const struct sky *sky, const struct line *line, uint8_t *fires)
{
    static bool day[DAYS_MOST + 8], clock[1440];

    for (int32_t i = 0; i < sky->local_count / 1440; i++)
        day[i] = sky->dates[i].year && date_fits(line, &sky->dates[i]);
    for (int i = 0; i < 1440; i++)
        clock[i] = number_fits(line, 1, i / 60) && number_fits(line, 0, i % 60);
    if (starred(line, 0) || starred(line, 1))
        mark_real_time(sky, day, clock, fires);
    else
        mark_on_clock(sky, day, clock, fires);
}

static void differs(const struct sky *sky, const struct line *line, int64_t minute, bool oracles)
{
    char text[CIVIL_BYTES];

    fail_msg("'%s' in %s: %s at %s, the other not", line->text, sky->name,
             oracles ? "the oracle fires" : "cron_next() fires",
             civil_format(minute * 60, CIVIL_UTC, text, sizeof text));
}

/* Returns how many firings were compared. */
static int64_t compare(const struct sky *sky, const struct line *line, const struct cron *cron,
                       const uint8_t *fires)
{
    /* Readings before the first minute are not in the oracle's sight. */
    struct cron_mark mark = { (sky->first + 1440) * 60 - 1, CRON_NEVER };
    struct cron_time next;
    int64_t count = 0;
    int32_t at = 1440;

    for (;;) {
        const uint8_t *found = memchr(fires + at, 1, (size_t)(sky->count - 1440 - at));
        int64_t wanted = found ? sky->first + (found - fires) : INT64_MAX, got = INT64_MAX;

        if (cron_next(cron, sky->zone, mark, &next) == 0)
            got = next.utc / 60;
        if (got >= sky->first + sky->count - 1440)
            got = INT64_MAX;
        if (got != wanted || (found && next.utc % 60))
            differs(sky, line, wanted < got ? wanted : got, wanted < got);
        if (!found)
            return count;
        mark = (struct cron_mark){ next.utc, next.local };
        at = (int32_t)(found - fires) + 1;
        count++;
    }
}

/* Lines that never fire must be refused, all others taken. */
static bool parse_line(const struct line *line, struct cron *cron)
{
    struct err err = ERR_INIT;

    if (cron_parse(line->text, 0, cron, &err) == 0)
        return true;
    if (!strstr(err.text, "never fires"))
        fail_msg("'%s': %s", line->text, err.text);
    return false;
}

static void sweep(int zone_count, int lines, int year, int years)
{
    int64_t firings = 0, refused = 0;

    for (int z = 0; z < zone_count; z++) {
        struct sky sky;
        uint8_t *fires;

        sky_open(&sky, zones[z], year, years);
        fires = xcalloc((size_t)sky.count, 1);
        seed_now = 2026;
        for (int i = 0; i < lines; i++) {
            struct line line;
            struct cron cron;

            random_line(&line);
            oracle(&sky, &line, fires);
            if (parse_line(&line, &cron))
                firings += compare(&sky, &line, &cron, fires);
            else if (memchr(fires, 1, (size_t)sky.count))
                fail_msg("'%s' was refused, but fires", line.text);
            else
                refused++;
        }
        free(fires);
        sky_close(&sky);
    }
    print_message("# %d zones, %d lines, %d years from %d: %lld firings equal, %lld refused\n",
                  zone_count, lines, years, year, (long long)firings, (long long)refused);
}

static bool full(void)
{
    return getenv("CRON_FULL") != NULL;
}

/* Samoa's lost day (2011), Lord Howe's half hours, Morocco's changes around Ramadan, Egypt's four
 * changes in 2010 and 2014. */
static void the_past_agrees(void **state)
{
    (void)state;
    if (full())
        sweep((int)array_len(zones), LINES_ALL, 2008, YEARS);
    else
        sweep((int)array_len(zones), LINES_SOME, 2010, 2);
}

/* Partly from the files' transitions, partly from their footers. */
static void the_future_agrees(void **state)
{
    (void)state;
    if (full())
        sweep((int)array_len(zones), LINES_ALL, 2032, YEARS);
    else
        sweep((int)array_len(zones), LINES_SOME, 2037, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_past_agrees),
        cmocka_unit_test(the_future_agrees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
