/* SPDX-License-Identifier: Apache-2.0 */
/* test_plan.c - broker/cron/plan.c: what is due, missed and skipped, with the clock as an argument.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/own.h"
#include "cron/civil.h"
#include "cron/plan.h"

/* A schedule, its zone, and where it stands. */
struct world {
    struct plan plan;
    struct zone *zone;
    struct cron_mark mark;
    struct plan_due due;
    int64_t fired[20000];
    size_t fired_count;
};

static int64_t at(const char *text)
{
    int64_t local = 0;

    assert_int_equal(civil_parse(text, &local, NULL), 0);
    return local;
}

static void begin(struct world *w, const char *text, const char *from)
{
    struct err err = ERR_INIT;
    own_json json_t *schedule = json_parse(text, strlen(text), &err);

    memset(w, 0, sizeof *w);
    if (!schedule || plan_parse(schedule, cron_seed("nightly"), &w->plan, &err) < 0 ||
        zone_load(plan_zone(schedule), &w->zone, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    w->mark = (struct cron_mark){ at(from), CRON_NEVER };
}

/* The store's part: a unique key on the instant. */
static bool fire(struct world *w, int64_t instant)
{
    for (size_t i = 0; i < w->fired_count; i++)
        if (w->fired[i] == instant)
            return false;
    assert_true(w->fired_count < array_len(w->fired));
    w->fired[w->fired_count++] = instant;
    return true;
}

/* Returns how many fired now. */
static size_t tick_s(struct world *w, int64_t now)
{
    size_t fired = 0;

    free(w->due.fire);
    plan_due(&w->plan, w->zone, w->mark, now, &w->due);
    w->mark = w->due.mark;
    for (size_t i = 0; i < w->due.count; i++)
        fired += fire(w, w->due.fire[i].utc);
    return fired;
}

static size_t tick(struct world *w, const char *now)
{
    return tick_s(w, at(now));
}

static void end(struct world *w)
{
    free(w->due.fire);
    zone_free(w->zone);
}

static void fires_when_due_and_once(void **state)
{
    struct world w;

    (void)state;
    begin(&w, "{\"cron\": \"0 3 * * *\", \"timezone\": \"Europe/Paris\"}", "2026-11-24T00:00");
    assert_int_equal(w.plan.overlap, OVERLAP_SKIP);
    assert_int_equal(w.plan.catch_up, CATCH_UP_LATEST);
    assert_int_equal(tick(&w, "2026-11-24T01:59:59"), 0);
    assert_int_equal(w.due.next.utc, at("2026-11-24T02:00"));
    assert_int_equal(tick(&w, "2026-11-24T02:00"), 1);
    assert_int_equal(tick(&w, "2026-11-24T02:00"), 0);
    assert_int_equal(tick(&w, "2026-11-24T23:00"), 0);
    assert_int_equal(w.due.next.utc, at("2026-11-25T02:00"));
    end(&w);
}

static void catch_up_latest_fires_the_last_missed(void **state)
{
    struct world w;

    (void)state;
    begin(&w, "{\"cron\": \"0 3 * * *\"}", "2026-11-01T12:00");
    assert_int_equal(tick(&w, "2026-11-10T12:00"), 1);
    assert_int_equal(w.fired[0], at("2026-11-10T03:00"));
    assert_int_equal(w.due.missed, 8);
    assert_int_equal(w.due.missed_first, at("2026-11-02T03:00"));
    assert_int_equal(w.due.missed_last, at("2026-11-09T03:00"));
    /* One that is on time is the latest. */
    assert_int_equal(tick(&w, "2026-11-13T03:00:20"), 1);
    assert_int_equal(w.fired[1], at("2026-11-13T03:00"));
    assert_int_equal(w.due.missed, 2);
    end(&w);
}

static void catch_up_none_fires_only_on_time(void **state)
{
    struct world w;

    (void)state;
    begin(&w, "{\"cron\": \"0 3 * * *\", \"catch_up\": \"none\"}", "2026-11-01T12:00");
    assert_int_equal(tick(&w, "2026-11-02T03:01:00"), 1);
    assert_int_equal(tick(&w, "2026-11-03T03:01:01"), 0);
    assert_int_equal(w.due.missed, 1);
    assert_int_equal(tick(&w, "2026-11-08T03:00"), 1);
    assert_int_equal(w.due.missed, 4);
    end(&w);
}

static void catch_up_all_is_bounded(void **state)
{
    struct world w;

    (void)state;
    begin(&w, "{\"cron\": \"0 3 * * *\", \"catch_up\": \"all\", \"catch_up_most\": 5}",
          "2026-11-01T12:00");
    assert_int_equal(tick(&w, "2026-11-04T12:00"), 3);
    assert_int_equal(w.due.missed, 0);
    assert_int_equal(tick(&w, "2026-11-14T12:00"), 5);
    assert_int_equal(w.due.missed, 5);
    assert_int_equal(w.due.fire[0].utc, at("2026-11-10T03:00"));
    assert_int_equal(w.due.fire[4].utc, at("2026-11-14T03:00"));
    end(&w);
}

/* A line that fires each second and a broker that was down for a year: no year-long loop. */
static void a_long_outage_costs_little(void **state)
{
    struct world w;

    (void)state;
    begin(&w, "{\"cron\": \"* * * * * *\", \"catch_up\": \"all\", \"catch_up_most\": 1000}",
          "2025-11-24T00:00");
    assert_int_equal(tick(&w, "2026-11-24T00:00"), 1000 + PLAN_LATE_S + 1);
    assert_true(w.due.missed_more);
    assert_int_equal(w.due.mark.utc, at("2026-11-24T00:00"));
    assert_int_equal(w.due.fire[0].utc, at("2026-11-24T00:00") - 1000 - PLAN_LATE_S);
    end(&w);
    begin(&w, "{\"every\": \"1s\"}", "1990-11-24T00:00");
    assert_int_equal(tick(&w, "2026-11-24T00:00"), PLAN_LATE_S + 1);
    end(&w);
}

static void a_slow_tick_loses_nothing_on_time(void **state)
{
    struct world w;

    (void)state;
    begin(&w, "{\"cron\": \"*/10 * * * * *\"}", "2026-11-24T00:00");
    assert_int_equal(tick(&w, "2026-11-24T00:00:35"), 3);
    assert_int_equal(w.due.missed, 0);
    end(&w);
}

static void start_and_end_bound_it(void **state)
{
    struct world w;

    (void)state;
    begin(&w,
          "{\"cron\": \"0 3 * * *\", \"start\": \"2026-11-24T03:00:00Z\", \"end\": "
          "\"2026-11-26T03:00:00Z\", \"catch_up\": \"all\"}",
          "2026-11-01T00:00");
    assert_int_equal(tick(&w, "2026-11-24T02:59"), 0);
    assert_int_equal(w.due.next.utc, at("2026-11-24T03:00"));
    assert_int_equal(tick(&w, "2026-12-24T00:00"), 3);
    assert_true(w.due.ended);
    end(&w);
}

static void once_at_an_instant(void **state)
{
    struct world w;

    (void)state;
    begin(&w, "{\"at\": \"2026-12-01T08:00:00+01:00\"}", "2026-11-24T00:00");
    assert_int_equal(tick(&w, "2026-12-01T06:59:59"), 0);
    assert_int_equal(tick(&w, "2026-12-01T07:00"), 1);
    assert_true(w.due.ended);
    assert_int_equal(tick(&w, "2027-12-01T07:00"), 0);
    end(&w);
}

static void jitter_spreads_and_stays(void **state)
{
    struct world w;
    int64_t instant, starts[50], different = 0;

    (void)state;
    begin(&w, "{\"cron\": \"0 3 * * *\", \"jitter\": \"10m\"}", "2026-11-24T00:00");
    for (int i = 0; i < 50; i++) {
        instant = at("2026-11-24T03:00") + i * DAY_S;
        starts[i] = plan_start(&w.plan, instant) - instant;
        assert_in_range(starts[i], 0, 600);
        assert_int_equal(plan_start(&w.plan, instant) - instant, starts[i]);
        different += i > 0 && starts[i] != starts[i - 1];
    }
    assert_true(different > 40);
    instant = at("2026-11-24T03:00");
    assert_int_equal(tick_s(&w, plan_start(&w.plan, instant) - 1), 0);
    assert_int_equal(tick_s(&w, plan_start(&w.plan, instant)), 1);
    assert_int_equal(w.fired[0], instant); /* the key is the instant, not the start */
    end(&w);
}

static void a_clock_set_back_fires_nothing_twice(void **state)
{
    struct world w;

    (void)state;
    begin(&w, "{\"cron\": \"*/10 * * * *\"}", "2026-11-24T00:00");
    assert_int_equal(tick(&w, "2026-11-24T00:10"), 1);
    assert_int_equal(tick(&w, "2026-11-24T00:20"), 1);
    assert_int_equal(tick(&w, "2026-11-24T00:05"), 0); /* back */
    assert_true(w.due.clock_back);
    assert_int_equal(tick(&w, "2026-11-24T00:10"), 0);
    assert_false(w.due.clock_back);
    assert_int_equal(tick(&w, "2026-11-24T00:20"), 0);
    assert_int_equal(tick(&w, "2026-11-24T00:30"), 1);
    end(&w);
}

/* Set forward by a week and back: what the jump passed over comes, when its time really comes. */
static void a_clock_set_forward_and_back_loses_nothing(void **state)
{
    struct world w;

    (void)state;
    begin(&w, "{\"cron\": \"0 3 * * *\"}", "2026-11-24T00:00");
    assert_int_equal(tick(&w, "2026-12-01T00:00"), 1); /* the 30th, early */
    assert_int_equal(tick(&w, "2026-11-24T00:01"), 0);
    for (int day = 24; day <= 29; day++) {
        char now[CIVIL_BYTES];

        snprintf(now, sizeof now, "2026-11-%02dT03:00", day);
        assert_int_equal(tick(&w, now), 1);
    }
    assert_int_equal(tick(&w, "2026-11-30T03:00"), 0);
    assert_int_equal(tick(&w, "2026-12-01T03:00"), 1);
    end(&w);
}

static void changed_rules_of_a_zone_fire_nothing_twice(void **state)
{
    struct world w;
    struct zone *moved = NULL;

    (void)state;
    begin(&w, "{\"cron\": \"0 3 * * *\", \"timezone\": \"Etc/GMT-3\"}", "2026-11-24T00:00");
    assert_int_equal(zone_load("Etc/GMT-2", &moved, NULL), 0);
    assert_int_equal(tick(&w, "2026-11-25T00:00"), 1);
    zone_free(w.zone);
    w.zone = moved; /* the day's 03:00 is now an hour later */
    assert_int_equal(tick(&w, "2026-11-25T01:00"), 0);
    assert_int_equal(w.due.next.utc, at("2026-11-26T01:00"));
    end(&w);
}

/* Random ticks, the clock stepping now and then: at the end each instant has fired once, none that
 * never came, and with catch_up: all none is missing. */
static void random_clocks_fire_each_instant_once(void **state)
{
    struct world w;
    uint64_t random = 11;
    int64_t now = at("2026-10-20T00:00"), first = now, furthest = now;
    struct cron_mark mark = { now, CRON_NEVER };
    struct cron_time next;
    size_t wanted = 0;

    (void)state;
    begin(&w,
          "{\"cron\": \"30 1-3 * * *\", \"timezone\": \"Europe/Paris\", \"catch_up\": \"all\", "
          "\"catch_up_most\": 1000}",
          "2026-10-20T00:00");
    while (now < first + 60 * DAY_S) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        now += (int64_t)(random >> 33) % 7200;
        if (random >> 60 == 0)
            now -= (int64_t)((random >> 20) % 57600);
        tick_s(&w, now);
        furthest = now > furthest ? now : furthest;
    }
    while (cron_next(&w.plan.cron, w.zone, mark, &next) == 0 && next.utc <= furthest) {
        assert_false(fire(&w, next.utc));
        mark = (struct cron_mark){ next.utc, next.local };
        wanted++;
    }
    assert_int_equal(w.fired_count, wanted);
    end(&w);
}

static void overlap_decides(void **state)
{
    struct plan plan = { .overlap = OVERLAP_SKIP };

    (void)state;
    assert_int_equal(plan_overlap(&plan, 0, 0), PLAN_FIRE);
    assert_int_equal(plan_overlap(&plan, 1, 0), PLAN_SKIP);
    plan.overlap = OVERLAP_ALLOW;
    assert_int_equal(plan_overlap(&plan, 5, 0), PLAN_FIRE);
    plan.overlap = OVERLAP_REPLACE;
    assert_int_equal(plan_overlap(&plan, 0, 0), PLAN_FIRE);
    assert_int_equal(plan_overlap(&plan, 1, 1), PLAN_REPLACE);
    plan.overlap = OVERLAP_QUEUE;
    assert_int_equal(plan_overlap(&plan, 1, 0), PLAN_BEHIND);
    assert_int_equal(plan_overlap(&plan, PLAN_QUEUE_MOST + 1, PLAN_QUEUE_MOST), PLAN_SKIP);
}

static void faults_begin_with_the_key(void **state)
{
    static const struct {
        const char *schedule, *words;
    } wrong[] = {
        { "{}", "write one of cron, every, at" },
        { "[]", "must be a mapping" },
        { "{\"cron\": \"0 3 * * *\", \"every\": \"1h\"}", "write one of" },
        { "{\"cron\": \"0 25 * * *\"}", "cron: hour: '25' is not between 0 and 23" },
        { "{\"cron\": 5}", "cron" },
        { "{\"every\": \"90\"}", "every: '90' has no unit" },
        { "{\"every\": \"1500ms\"}", "every: give it in whole seconds" },
        { "{\"at\": \"tomorrow\"}", "at: 'tomorrow' is not a time" },
        { "{\"every\": \"1h\", \"overlap\": \"maybe\"}", "overlap: unknown word 'maybe'" },
        { "{\"every\": \"1h\", \"catch_up_most\": 5000}", "catch_up_most" },
        { "{\"every\": \"1h\", \"start\": \"2026-11-24T00:00:00Z\", \"end\": "
          "\"2026-11-23T00:00:00Z\"}",
          "end: lies before start" },
    };

    (void)state;
    for (size_t i = 0; i < array_len(wrong); i++) {
        struct err err = ERR_INIT;
        own_json json_t *schedule = json_parse(wrong[i].schedule, strlen(wrong[i].schedule), &err);
        struct plan plan;

        assert_non_null(schedule);
        if (plan_parse(schedule, 0, &plan, &err) == 0)
            fail_msg("%s was taken", wrong[i].schedule);
        if (!strstr(err.text, wrong[i].words))
            fail_msg("%s: %s", wrong[i].schedule, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_when_due_and_once),
        cmocka_unit_test(catch_up_latest_fires_the_last_missed),
        cmocka_unit_test(catch_up_none_fires_only_on_time),
        cmocka_unit_test(catch_up_all_is_bounded),
        cmocka_unit_test(a_long_outage_costs_little),
        cmocka_unit_test(a_slow_tick_loses_nothing_on_time),
        cmocka_unit_test(start_and_end_bound_it),
        cmocka_unit_test(once_at_an_instant),
        cmocka_unit_test(jitter_spreads_and_stays),
        cmocka_unit_test(a_clock_set_back_fires_nothing_twice),
        cmocka_unit_test(a_clock_set_forward_and_back_loses_nothing),
        cmocka_unit_test(changed_rules_of_a_zone_fire_nothing_twice),
        cmocka_unit_test(random_clocks_fire_each_instant_once),
        cmocka_unit_test(overlap_decides),
        cmocka_unit_test(faults_begin_with_the_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
