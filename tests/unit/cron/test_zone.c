/* SPDX-License-Identifier: Apache-2.0 */
/* test_zone.c - broker/cron/zone.c, tzif.c and tzrule.c against libc's own reading of the same
 * files, and against files made to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/own.h"
#include "cron/civil.h"
#include "cron/zone.h"

static const char *const zones[] = {
    "UTC",          "Europe/Paris",         "America/New_York",  "Australia/Lord_Howe",
    "Pacific/Apia", "Africa/Casablanca",    "Europe/Dublin",     "America/Sao_Paulo",
    "Asia/Kolkata", "America/St_Johns",     "Antarctica/Troll",  "Africa/Cairo",
    "Asia/Tehran",  "Pacific/Kwajalein",    "America/Anchorage", "Asia/Manila",
    "Asia/Gaza",    "America/Scoresbysund", "Etc/GMT+5",         "America/Nuuk",
};

static struct zone *load(const char *name)
{
    struct err err = ERR_INIT;
    struct zone *zone = NULL;

    if (zone_load(name, &zone, &err) < 0)
        fail_msg("%s", err.text);
    return zone;
}

static int64_t at(const char *text)
{
    int64_t local = 0;

    assert_int_equal(civil_parse(text, &local, NULL), 0);
    return local;
}

/* libc's answer is the reference: same file, other code. */
static void offsets_are_those_of_libc(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_len(zones); i++) {
        own_zone struct zone *zone = load(zones[i]);
        uint64_t random = 7;

        setenv("TZ", zones[i], 1);
        tzset();
        for (int n = 0; n < 20000; n++) {
            struct tm tm;
            struct zone_span span;
            time_t utc;

            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            /* 1850 to 2600: beyond the files' ends, and beyond one cycle */
            utc = (time_t)(-3786825600LL + (int64_t)((random >> 20) % 23667552000ULL));
            localtime_r(&utc, &tm);
            zone_span(zone, utc, &span);
            if (span.offset != tm.tm_gmtoff || span.dst != (tm.tm_isdst > 0) ||
                strcmp(span.abbreviation, tm.tm_zone) != 0)
                fail_msg("%s at %lld: %d %s, libc says %ld %s", zones[i], (long long)utc,
                         span.offset, span.abbreviation, tm.tm_gmtoff, tm.tm_zone);
            assert_true(span.begin <= utc && utc < span.end);
        }
    }
    unsetenv("TZ");
    tzset();
}

static void spans_join_and_differ(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_len(zones); i++) {
        own_zone struct zone *zone = load(zones[i]);
        struct zone_span span = { .end = at("1900-01-01") };
        int count = 0;

        while (span.end < at("2999-01-01")) {
            int64_t utc = span.end;

            zone_span(zone, utc, &span);
            assert_true(span.begin == utc || count == 0);
            assert_true(span.end > utc);
            count++;
        }
    }
}

static void a_skipped_time_is_reached_after_the_gap(void **state)
{
    own_zone struct zone *zone = load("Europe/Paris");
    enum zone_fit fit;

    (void)state;
    assert_int_equal(zone_reach(zone, at("2026-03-29T02:30"), &fit), at("2026-03-29T01:00"));
    assert_int_equal(fit, ZONE_SKIPPED);
    assert_int_equal(zone_reach(zone, at("2026-03-29T03:00"), &fit), at("2026-03-29T01:00"));
    assert_int_equal(fit, ZONE_ONCE);
    assert_int_equal(zone_reach(zone, at("2026-03-29T01:59:59"), &fit), at("2026-03-29T00:59:59"));
    assert_int_equal(fit, ZONE_ONCE);
}

static void a_repeated_time_is_reached_first(void **state)
{
    own_zone struct zone *zone = load("Europe/Paris");
    enum zone_fit fit;

    (void)state;
    assert_int_equal(zone_reach(zone, at("2026-10-25T02:30"), &fit), at("2026-10-25T00:30"));
    assert_int_equal(fit, ZONE_TWICE);
    assert_int_equal(zone_reach(zone, at("2026-10-25T03:00"), &fit), at("2026-10-25T02:00"));
    assert_int_equal(fit, ZONE_ONCE);
    /* In the repeated hour the clock had gone to 02:59:59 already. */
    assert_int_equal(zone_shown(zone, at("2026-10-25T01:10")), at("2026-10-25T02:59:59"));
    assert_int_equal(zone_shown(zone, at("2026-10-25T02:10")), at("2026-10-25T03:10"));
}

static void samoa_lost_a_day(void **state)
{
    own_zone struct zone *zone = load("Pacific/Apia");
    enum zone_fit fit;

    (void)state;
    assert_int_equal(zone_reach(zone, at("2011-12-30T12:00"), &fit), at("2011-12-30T10:00"));
    assert_int_equal(fit, ZONE_SKIPPED);
    assert_int_equal(zone_local(zone, at("2011-12-30T10:00")), at("2011-12-31T00:00"));
}

static void lord_howe_moves_half_an_hour(void **state)
{
    own_zone struct zone *zone = load("Australia/Lord_Howe");
    enum zone_fit fit;

    (void)state;
    assert_int_equal(zone_reach(zone, at("2026-10-04T02:15"), &fit), at("2026-10-03T15:30"));
    assert_int_equal(fit, ZONE_SKIPPED);
    assert_int_equal(zone_reach(zone, at("2026-04-05T01:45"), &fit), at("2026-04-04T14:45"));
    assert_int_equal(fit, ZONE_TWICE);
}

/* reach() and shown() by their definitions, minute by minute around each change of ten years. */
static void reach_and_shown_keep_their_definitions(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_len(zones); i++) {
        own_zone struct zone *zone = load(zones[i]);
        struct zone_span span = { .end = at("2005-01-01") };

        while (span.end < at("2015-01-01")) {
            int64_t begin = span.end - 30 * 3600, most;

            most = zone_shown(zone, begin);
            for (int64_t utc = begin; utc < begin + 60 * 3600; utc += 60) {
                int64_t local = zone_local(zone, utc);

                if (local > most) {
                    for (int64_t l = most + 60 - most % 60; l <= local; l += 60)
                        assert_int_equal(zone_reach(zone, l, NULL), utc);
                    most = local;
                }
                assert_int_equal(zone_shown(zone, utc) / 60, most / 60);
                most = zone_shown(zone, utc);
            }
            zone_span(zone, span.end, &span);
        }
    }
}

static void unknown_zones_are_named_with_their_neighbour(void **state)
{
    static const struct {
        const char *name, *words;
    } wrong[] = {
        { "Europe/Pariss", "'Europe/Paris'" },
        { "Paris", "'Europe/Paris'" },
        { "../../etc/passwd", "is not a time zone" },
        { "/etc/localtime", "is not a time zone" },
        { "", "is not a time zone" },
        { "Europe/", "is not a time zone" },
        { "Europe", "unknown time zone" },
        { "Mars/Olympus_Mons", "unknown time zone" },
        { "tzdata.zi", "is not a time zone" },
    };

    (void)state;
    for (size_t i = 0; i < array_len(wrong); i++) {
        struct err err = ERR_INIT;
        struct zone *zone = NULL;

        assert_int_equal(zone_load(wrong[i].name, &zone, &err), -1);
        assert_null(zone);
        if (!strstr(err.text, wrong[i].words))
            fail_msg("'%s': %s", wrong[i].name, err.text);
    }
}

/* A TZif file of version 3 with no transitions and the given footer. */
static void put_file(struct buf *out, const char *footer)
{
    static const char head[44] = { 'T', 'Z', 'i', 'f', '3', [39] = 1, [43] = 4 };
    static const char body[] = { 0, 0, 0, 0, 0, 0, 'S', 'T', 'D', 0 };

    for (int i = 0; i < 2; i++) {
        buf_put(out, head, sizeof head);
        buf_put(out, body, sizeof body);
    }
    buf_printf(out, "\n%s\n", footer);
}

static struct zone *from_footer(const char *footer, struct err *err)
{
    own_buf struct buf file = BUF_INIT(ZONE_FILE_MOST);
    struct zone *zone = NULL;

    put_file(&file, footer);
    return zone_parse("test", file.data, file.length, &zone, err) < 0 ? NULL : zone;
}

static void footers_of_every_form_hold(void **state)
{
    static const struct {
        const char *footer, *utc;
        int32_t offset;
    } cases[] = {
        { "CET-1CEST,M3.5.0,M10.5.0/3", "2100-03-28T00:59:59", 3600 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", "2100-03-28T01:00:00", 7200 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", "3026-07-01", 7200 },
        { "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2030-03-31T00:59:59", -7200 },
        { "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2030-03-31T01:00:00", -3600 },
        { "EST5EDT4,0/0,J365/25", "2030-12-31T23:00:00", -14400 },
        { "EST5EDT4,0/0,J365/25", "2031-01-01T05:00:00", -14400 },
        { "AAA0BBB,J60/0,J300/0", "2028-02-29T12:00", 0 },
        { "AAA0BBB,J60/0,J300/0", "2028-03-01T00:00", 3600 },
        { "AAA0BBB,59/0,300/0", "2028-02-29T00:00", 3600 },
        { "IST-2IDT,M3.4.4/26,M10.5.0", "2030-03-29T00:00", 10800 },
    };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        struct err err = ERR_INIT;
        own_zone struct zone *zone = from_footer(cases[i].footer, &err);
        struct zone_span span;

        if (!zone)
            fail_msg("%s: %s", cases[i].footer, err.text);
        zone_span(zone, at(cases[i].utc), &span);
        if (span.offset != cases[i].offset)
            fail_msg("%s at %s: %d", cases[i].footer, cases[i].utc, span.offset);
    }
}

static void malformed_files_are_refused(void **state)
{
    static const char *const footers[] = {
        "CET",
        "CET-1CEST",
        "C-1",
        "CET-1CEST,M13.1.0,M10.5.0",
        "<CET-1",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-25",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M3.5.0,M10.5.0/168",
        "CET-1 ",
    };
    own_buf struct buf file = BUF_INIT(ZONE_FILE_MOST);

    (void)state;
    for (size_t i = 0; i < array_len(footers); i++) {
        struct err err = ERR_INIT;

        if (from_footer(footers[i], &err))
            fail_msg("'%s' was taken", footers[i]);
        assert_non_null(strstr(err.text, "not a TZ rule"));
    }
    put_file(&file, "CET-1CEST,M3.5.0,M10.5.0/3");
    for (size_t cut = 0; cut < file.length; cut++) { /* every prefix is too short */
        struct zone *zone = NULL;

        assert_int_equal(zone_parse("test", file.data, cut, &zone, NULL), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_those_of_libc),
        cmocka_unit_test(spans_join_and_differ),
        cmocka_unit_test(a_skipped_time_is_reached_after_the_gap),
        cmocka_unit_test(a_repeated_time_is_reached_first),
        cmocka_unit_test(samoa_lost_a_day),
        cmocka_unit_test(lord_howe_moves_half_an_hour),
        cmocka_unit_test(reach_and_shown_keep_their_definitions),
        cmocka_unit_test(unknown_zones_are_named_with_their_neighbour),
        cmocka_unit_test(footers_of_every_form_hold),
        cmocka_unit_test(malformed_files_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
