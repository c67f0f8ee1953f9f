/* SPDX-License-Identifier: Apache-2.0 */
/* test_expr.c - broker/cron/line.c and expr.c: single lines and what follows from them.  The sweep
 * over zones and years is in test_oracle.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/own.h"
#include "cron/civil.h"
#include "cron/expr.h"

static int64_t at(const char *text)
{
    int64_t local = 0;

    assert_int_equal(civil_parse(text, &local, NULL), 0);
    return local;
}

/* `wanted`: UTC times parted by blanks, those that come after `from`. */
static void fires_at(const char *zone_name, const char *line, const char *from, const char *wanted)
{
    own_zone struct zone *zone = NULL;
    own_str char *copy = xstrdup(wanted);
    char *rest = NULL, text[CIVIL_BYTES];
    struct err err = ERR_INIT;
    struct cron_mark mark = { at(from), CRON_NEVER };
    struct cron cron;

    if (zone_load(zone_name, &zone, &err) < 0 || cron_parse(line, 7, &cron, &err) < 0)
        fail_msg("%s: %s", line, err.text);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        struct cron_time next;

        if (cron_next(&cron, zone, mark, &next))
            fail_msg("'%s' in %s: nothing after %s, wanted %s", line, zone_name, from, word);
        if (next.utc != at(word))
            fail_msg("'%s' in %s: %s, wanted %s", line, zone_name,
                     civil_format(next.utc, CIVIL_UTC, text, sizeof text), word);
        mark = (struct cron_mark){ next.utc, next.local };
    }
}

static void plain_lines(void **state)
{
    (void)state;
    fires_at("UTC", "0 3 * * *", "2026-01-01T02:59:59", "2026-01-01T03:00 2026-01-02T03:00");
    fires_at("UTC", "0 3 * * *", "2026-01-01T03:00", "2026-01-02T03:00");
    fires_at("UTC", "*/20 * * * *", "2026-01-01",
             "2026-01-01T00:20 2026-01-01T00:40 2026-01-01T01:00");
    fires_at(
        "UTC", "5-10/2,30 8,20 * * *", "2026-01-01",
        "2026-01-01T08:05 2026-01-01T08:07 2026-01-01T08:09 2026-01-01T08:30 2026-01-01T20:05");
    fires_at("UTC", "0 0 1 JAN-mar *", "2026-01-15", "2026-02-01 2026-03-01 2027-01-01");
    fires_at("UTC", "0 0 29 2 *", "2096-03-01", "2104-02-29 2108-02-29");
    fires_at("UTC", "30 4 * * fri-sun", "2026-11-24",
             "2026-11-27T04:30 2026-11-28T04:30 2026-11-29T04:30");
    fires_at("UTC", "0 0 * * 7", "2026-11-24", "2026-11-29 2026-12-06");
    fires_at("UTC", "0 0 * * 5-7", "2026-11-24", "2026-11-27 2026-11-28 2026-11-29 2026-12-04");
    fires_at("UTC", "15,45 30 6 * * *", "2026-11-24",
             "2026-11-24T06:30:15 2026-11-24T06:30:45 2026-11-25T06:30:15");
    fires_at("UTC", "*/30 * * * * *", "2026-11-24", "2026-11-24T00:00:30 2026-11-24T00:01:00");
    fires_at("UTC", " @monthly ", "2026-11-24", "2026-12-01");
    fires_at("UTC", "0 0 * December Monday,FRIDAY", "2026-12-01", "2026-12-04 2026-12-07");
    fires_at("UTC", "@weekly", "2026-11-24", "2026-11-29");
    fires_at("UTC", "@yearly", "2026-11-24", "2027-01-01");
    fires_at("UTC", "@hourly", "2026-11-24", "2026-11-24T01:00");
    fires_at("UTC", "@Daily", "2026-11-24", "2026-11-25");
}

static void day_and_weekday_combine_as_in_vixie_cron(void **state)
{
    (void)state;
    /* neither starred: either */
    fires_at("UTC", "0 0 13 * fri", "2026-11-01",
             "2026-11-06 2026-11-13 2026-11-20 2026-11-27 2026-12-04 2026-12-11 2026-12-13");
    /* one starred, also by a step: both */
    fires_at("UTC", "0 0 */2 * fri", "2026-11-01", "2026-11-13 2026-11-27 2026-12-11");
    fires_at("UTC", "0 0 13 * */5", "2026-11-01", "2026-11-13 2026-12-13");
    fires_at("UTC", "0 0 ? * fri", "2026-11-01", "2026-11-06");
}

static void last_days_and_workdays(void **state)
{
    (void)state;
    fires_at("UTC", "0 0 L * *", "2028-01-01", "2028-01-31 2028-02-29 2028-03-31");
    fires_at("UTC", "0 0 L-2 2 *", "2028-01-01", "2028-02-27 2029-02-26");
    fires_at("UTC", "0 0 L-30 * *", "2026-01-15", "2026-03-01 2026-05-01");
    fires_at("UTC", "0 0 LW * *", "2026-01-01",
             "2026-01-30 2026-02-27 2026-03-31 2026-04-30 2026-05-29");
    fires_at("UTC", "0 0 1W * *", "2026-07-15", "2026-08-03 2026-09-01 2026-10-01 2026-11-02");
    fires_at("UTC", "0 0 15W * *", "2026-02-01", "2026-02-16 2026-03-16 2026-04-15 2026-05-15");
    fires_at("UTC", "0 0 31W * *", "2026-01-01", "2026-01-30 2026-03-31 2026-05-29");
    fires_at("UTC", "0 0 * * friL", "2026-11-01", "2026-11-27 2026-12-25");
    fires_at("UTC", "0 0 * * L5", "2026-11-01", "2026-11-27 2026-12-25");
    fires_at("UTC", "5/20 * * * *", "2026-11-24",
             "2026-11-24T00:05 2026-11-24T00:25 2026-11-24T00:45 2026-11-24T01:05");
    fires_at("UTC", "0 0 * * 5/1", "2026-11-24", "2026-11-27 2026-11-28 2026-11-29 2026-12-04");
    fires_at("UTC", "0 0 * * 5l", "2026-11-01", "2026-11-27 2026-12-25");
    fires_at("UTC", "0 0 * * mon#1", "2026-11-01", "2026-11-02 2026-12-07");
    fires_at("UTC", "0 0 * * 0#5", "2026-11-01", "2026-11-29 2027-01-31");
    fires_at("UTC", "0 0 1,L * mon#2", "2026-11-01", "2026-11-09 2026-11-30 2026-12-01 2026-12-14");
}

static void daylight_saving_in_paris(void **state)
{
    (void)state;
    /* 02:00-03:00 does not exist on 29 March */
    fires_at("Europe/Paris", "30 2 * * *", "2026-03-28",
             "2026-03-28T01:30 2026-03-29T01:00 2026-03-30T00:30");
    fires_at("Europe/Paris", "15,45 2,3 * * *", "2026-03-29",
             "2026-03-29T01:00 2026-03-29T01:15 2026-03-29T01:45");
    fires_at("Europe/Paris", "0 2,3 * * *", "2026-03-29", "2026-03-29T01:00 2026-03-30T00:00");
    fires_at("Europe/Paris", "0 * * * *", "2026-03-28T23:30",
             "2026-03-29T00:00 2026-03-29T01:00 2026-03-29T02:00");
    /* 02:00-03:00 comes twice on 25 October */
    fires_at("Europe/Paris", "30 2 * * *", "2026-10-24T12:00", "2026-10-25T00:30 2026-10-26T01:30");
    fires_at("Europe/Paris", "15,45 2 * * *", "2026-10-24T12:00",
             "2026-10-25T00:15 2026-10-25T00:45 2026-10-26T01:15");
    fires_at("Europe/Paris", "0 * * * *", "2026-10-24T23:30",
             "2026-10-25T00:00 2026-10-25T01:00 2026-10-25T02:00");
    fires_at(
        "Europe/Paris", "*/30 2 * * *", "2026-10-24T12:00",
        "2026-10-25T00:00 2026-10-25T00:30 2026-10-25T01:00 2026-10-25T01:30 2026-10-26T01:00");
    fires_at("Europe/Paris", "*/30 2 * * *", "2026-03-28T12:00", "2026-03-30T00:00");
}

static void other_zones(void **state)
{
    (void)state;
    fires_at("Pacific/Apia", "0 12 * * *", "2011-12-29",
             "2011-12-29T22:00 2011-12-30T10:00 2011-12-30T22:00");
    fires_at("Australia/Lord_Howe", "15 2 * * *", "2026-10-03",
             "2026-10-03T15:30 2026-10-04T15:15");
    fires_at("Africa/Casablanca", "30 2 * * *", "2026-02-14",
             "2026-02-14T01:30 2026-02-15T01:30 2026-02-16T02:30");
}

static void hashed_values_spread_and_stay(void **state)
{
    uint64_t minutes = 0;
    struct cron cron, again;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char name[16];

        snprintf(name, sizeof name, "job-%d", i);
        assert_int_equal(cron_parse("H H(1-5) H * *", cron_seed(name), &cron, NULL), 0);
        assert_int_equal(__builtin_popcountll(cron.minutes), 1);
        assert_int_equal(cron.hours & ~UINT32_C(0x3e), 0);
        assert_int_equal(cron.days & UINT32_C(0xe0000001), 0);
        assert_false(cron.real_time);
        minutes |= cron.minutes;
    }
    assert_int_equal(minutes, (UINT64_C(1) << 60) - 1); /* no minute left out by a thousand names */
    assert_int_equal(cron_parse("H/15 * * * *", cron_seed("a"), &cron, NULL), 0);
    assert_int_equal(__builtin_popcountll(cron.minutes), 4);
    assert_true(cron.real_time);
    /* Part of the contract: these never change. */
    assert_int_equal(cron_parse("H H * * *", cron_seed("nightly"), &cron, NULL), 0);
    assert_int_equal(cron_parse("H H * * *", cron_seed("nightly"), &again, NULL), 0);
    assert_memory_equal(&cron, &again, sizeof cron);
}

static void faults_name_the_field_and_what_is_right(void **state)
{
    static const struct {
        const char *line, *words;
    } wrong[] = {
        { "", "0 fields; write five" },
        { "* * * *", "4 fields" },
        { "* * * * * * *", "7 fields" },
        { "61 * * * *", "minute: '61' is not between 0 and 59" },
        { "* 24 * * *", "hour: '24'" },
        { "* * 0 * *", "day: '0'" },
        { "* * * 13 *", "month: '13'" },
        { "* * * * 8", "weekday: '8'" },
        { "60 * * * * *", "second: '60'" },
        { "* * * * mno", "did you mean 'mon'" },
        { "* * * * mondai", "did you mean 'mon'" },
        { "* * * * mond", "did you mean 'mon'" },
        { "* * * januar *", "did you mean 'jan'" },
        { "* * * foo *", "neither a number from 1 to 12 nor a name" },
        { "x * * * *", "minute: 'x' is not a number from 0 to 59" },
        { "-5 * * * *", "minute: '' is not" },
        { "5- * * * *", "minute: '' is not" },
        { "* 22-2 * * *", "write it as two ranges, '22-23,0-2'" },
        { "*/0 * * * *", "step 0 is not between 1 and 59" },
        { "*/90 * * * *", "every:" },
        { "* * * * L8", "weekday: '8'" },
        { "*/x * * * *", "step 'x' is not a number" },
        { "1,,2 * * * *", "empty part" },
        { "1, * * * *", "empty part" },
        { "* * 30 2 *", "never fires" },
        { "* * 31 2,4,6,9,11 *", "never fires" },
        { "* * L-29 2 *", "never fires" },
        { "* * 31W 4 *", "never fires" },
        { "* * L-31 * *", "L-1 to L-30" },
        { "* * L-x * *", "L-1 to L-30" },
        { "* * * * L", "friL" },
        { "* * * * mon#6", "1 to 5" },
        { "* * 0W * *", "day: '0'" },
        { "H(5 * * * *", "H(a-b)" },
        { "H(5-90) * * * *", "'90' is not between" },
        { "@dayly", "did you mean '@daily'" },
        { "@reboot", "unknown nickname" },
        { "99999999999999999999 * * * *", "'99999999999999999999' is not between 0 and 59" },
        { "*/99999999999 * * * *", "is not between 1 and 59" },
    };

    (void)state;
    for (size_t i = 0; i < array_len(wrong); i++) {
        struct err err = ERR_INIT;
        struct cron cron;

        if (cron_parse(wrong[i].line, 0, &cron, &err) == 0)
            fail_msg("'%s' was taken", wrong[i].line);
        assert_int_equal(err.fault, FAULT_INVALID);
        if (!strstr(err.text, wrong[i].words))
            fail_msg("'%s': %s", wrong[i].line, err.text);
    }
}

static void a_changed_zone_fires_no_time_twice(void **state)
{
    own_zone struct zone *before = NULL, *after = NULL;
    struct cron_time first, second;
    struct cron_mark mark = { 0, CRON_NEVER };
    struct cron cron;

    (void)state;
    mark.utc = at("2026-11-24");
    assert_int_equal(zone_load("Etc/GMT-2", &before, NULL), 0);
    assert_int_equal(zone_load("Etc/GMT-1", &after, NULL), 0);
    assert_int_equal(cron_parse("0 3 * * *", 0, &cron, NULL), 0);
    assert_int_equal(cron_next(&cron, before, mark, &first), 0);
    assert_int_equal(first.utc, at("2026-11-24T01:00"));
    /* The day's 03:00 is now at 02:00 UTC, but was run. */
    mark = (struct cron_mark){ first.utc, first.local };
    assert_int_equal(cron_next(&cron, after, mark, &second), 0);
    assert_int_equal(second.utc, at("2026-11-25T02:00"));
}

static void intervals_and_single_instants(void **state)
{
    own_zone struct zone *zone = NULL;
    struct cron cron = { .kind = CRON_EVERY,
                         .every_s = 6 * 3600,
                         .anchor = at("2026-11-24T01:00") };
    struct cron_mark mark = { at("2026-11-20T00:59:59"), CRON_NEVER };
    struct cron_time next;

    (void)state;
    assert_int_equal(zone_load("UTC", &zone, NULL), 0);
    assert_int_equal(cron_next(&cron, zone, mark, &next), 0);
    assert_int_equal(next.utc, at("2026-11-20T01:00"));
    mark.utc = at("2026-11-30T01:00");
    assert_int_equal(cron_next(&cron, zone, mark, &next), 0);
    assert_int_equal(next.utc, at("2026-11-30T07:00"));
    cron.kind = CRON_AT;
    assert_int_equal(cron_next(&cron, zone, mark, &next), 1);
    mark.utc = at("2026-11-24");
    assert_int_equal(cron_next(&cron, zone, mark, &next), 0);
    assert_int_equal(next.utc, cron.anchor);
}

static void the_search_ends(void **state)
{
    own_zone struct zone *zone = NULL;
    struct cron_mark mark = { 0, CRON_NEVER };
    struct cron_time next;
    struct cron cron;

    (void)state;
    assert_int_equal(zone_load("Europe/Paris", &zone, NULL), 0);
    /* In the skipped hour of each year, followed in real time: never shown. */
    assert_int_equal(cron_parse("* 2 * 3 sunL", 0, &cron, NULL), 0);
    mark.utc = at("2027-01-01");
    assert_int_equal(cron_next(&cron, zone, mark, &next), 1);
    assert_int_equal(cron_parse("0 0 * * *", 0, &cron, NULL), 0);
    mark.utc = at("9999-12-31T23:30");
    assert_int_equal(cron_next(&cron, zone, mark, &next), 1);
    mark.utc = INT64_MAX;
    assert_int_equal(cron_next(&cron, zone, mark, &next), 1);
    mark.utc = INT64_MIN;
    assert_int_equal(cron_next(&cron, zone, mark, &next), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lines),
        cmocka_unit_test(day_and_weekday_combine_as_in_vixie_cron),
        cmocka_unit_test(last_days_and_workdays),
        cmocka_unit_test(daylight_saving_in_paris),
        cmocka_unit_test(other_zones),
        cmocka_unit_test(hashed_values_spread_and_stay),
        cmocka_unit_test(faults_name_the_field_and_what_is_right),
        cmocka_unit_test(a_changed_zone_fires_no_time_twice),
        cmocka_unit_test(intervals_and_single_instants),
        cmocka_unit_test(the_search_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
