/* SPDX-License-Identifier: Apache-2.0 */
/* test_leave.c - workers that are there, but in a further tier, for GPUs, or for a later
 * alternative: who may take them. */
#include "world.h"

/* ---- a further tier -------------------------------------------------------------------------- */

/* Home is full; abroad two workers with four cpus each are up and idle. */
static const char *const warm =
    "site home max=1; shape home m cpus=4; worker 1 site=home used=4; run 1 n=4 ends=15m;"
    "site far tier=partner overflow=20m boot=2m max=2; shape far m cpus=4;"
    "worker 2 site=far; worker 3 site=far;";

static struct world *warm_world(int64_t home_ends_ms, const char *more)
{
    struct world *w = world_new(warm);

    world_add(w, more);
    w->runs[0].ends_ms = w->snap.now_ms + home_ends_ms;
    return w;
}

static void what_home_starts_soon_is_not_for_an_idle_worker_abroad(void **state)
{
    struct world *w = warm_world(15 * 60000, "class 1 n=4 run=1h");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 0), 0);
    assert_why(w, SCHED_WAIT, 1, 0, "overflow");
    assert_true(w->decisions.wake_ms <= w->snap.now_ms + 120000);
    world_free(w);
}

static void what_gains_enough_takes_it_at_once(void **state)
{
    struct world *w = warm_world(30 * 60000, "class 1 n=4 run=1h");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 2) + leased(w, 1, 3), 4);
    world_free(w);
}

static void what_is_late_at_home_is_not_waited_for_long(void **state)
{
    struct world *w = warm_world(-10 * 60000, "class 1 n=4 run=1h");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 0), 0);
    w->runs[0].ends_ms = w->snap.now_ms - 40 * 60000;
    decide(w);
    assert_int_equal(leased(w, 1, 2) + leased(w, 1, 3), 4);
    w->runs[0].latest_ms = w->snap.now_ms + 15 * 60000;
    decide(w);
    assert_int_equal(leased(w, 1, 0), 0);
    world_free(w);
}

static void only_those_that_gain_leave(void **state)
{
    /* Within 20 minutes home starts some eleven of them. */
    struct world *w = warm_world(60000, "class 1 n=14 run=10m");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 2) + leased(w, 1, 3), 3);
    world_free(w);
}

static void those_served_before_lie_before_it_at_home(void **state)
{
    struct world *w = warm_world(60000, "class 1 n=4 run=1h priority=5 tier=home;"
                                        "class 2 n=4 run=10m");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 0), 0);
    assert_int_equal(leased(w, 2, 2) + leased(w, 2, 3), 4);
    world_class(w, 1)->ready = 0;
    decide(w);
    assert_int_equal(leased(w, 2, 0), 0);
    world_free(w);
}

static void short_work_stays_at_home_also_ahead_of_the_slots(void **state)
{
    struct world *w = warm_world(1000, "class 1 n=200 run=100ms");

    (void)state;
    world_worker(w, 1)->free.cpus = 4;
    world_worker(w, 1)->leases = 0;
    w->snap.run_count = 0;
    decide(w);
    assert_true(leased(w, 1, 1) >= 4);
    assert_int_equal(leased(w, 1, 2) + leased(w, 1, 3), 0);
    world_free(w);
}

static void nothing_is_leased_ahead_behind_a_long_task(void **state)
{
    struct world *w = world_new("site a; shape a m cpus=2; worker 1 site=a used=2;"
                                "run 1 n=1 ends=5h; run 1 n=1 ends=1s; class 1 n=40 run=100ms");

    (void)state;
    decide(w);
    assert_in_range(leased(w, 1, 1), 1, 5);
    w->runs[1].ends_ms = w->snap.now_ms + 3600000;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 0);
    w->runs[1].ends_ms = w->snap.now_ms - 60000; /* it should have ended long ago */
    decide(w);
    assert_int_equal(leased(w, 1, 1), 0);
    world_free(w);
}

static void a_worker_that_home_could_start_soon_is_waited_for(void **state)
{
    struct world *w = world_new("site home max=2 boot=1m; shape home m cpus=4;"
                                "site far tier=partner overflow=20m; shape far m cpus=4;"
                                "worker 2 site=far; class 1 n=2 run=1h");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 0), 0);
    assert_int_equal(created(w, 1, "home"), 1);
    world_free(w);
    w = world_new("site home max=2 boot=30m; shape home m cpus=4;"
                  "site far tier=partner overflow=20m; shape far m cpus=4;"
                  "worker 2 site=far; class 1 n=2 run=1h");
    decide(w);
    assert_int_equal(leased(w, 1, 2), 2);
    assert_int_equal(created(w, 1, NULL), 0);
    world_free(w);
}

static void a_worker_that_home_would_not_start_is_not(void **state)
{
    /* Ten seconds of work are not worth a boot of five minutes. */
    struct world *w = world_new("site home max=2 boot=5m; shape home m cpus=4;"
                                "worker 1 site=home used=4; run 1 n=4 ends=60m;"
                                "site far tier=partner overflow=20m; shape far m cpus=4;"
                                "worker 2 site=far; class 1 n=1 run=10s");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 2), 1);
    world_free(w);
}

static void what_home_cannot_run_is_asked_nothing(void **state)
{
    struct world *w = warm_world(60000, "project abroad tier=partner sites=far;"
                                        "class 1 n=4 exclude=home run=1m;"
                                        "class 2 n=4 run=1m project=abroad user=v");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 2) + leased(w, 1, 3), 4);
    assert_int_equal(leased(w, 2, 2) + leased(w, 2, 3), 4);
    world_free(w);
}

static void a_preferred_site_is_asked_nothing(void **state)
{
    struct world *w = warm_world(60000, "class 1 n=4 run=10m prefer=far");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 2) + leased(w, 1, 3), 4);
    world_free(w);
}

static void a_deadline_leaves_at_once(void **state)
{
    struct world *w = warm_world(15 * 60000, "class 1 n=4 run=1h deadline=70m");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 2) + leased(w, 1, 3), 4);
    world_free(w);
}

static void greedy_takes_whatever_is_idle(void **state)
{
    struct world *w = warm_world(60000, "params overflow=greedy; class 1 n=4 run=10m");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 2) + leased(w, 1, 3), 4);
    world_free(w);
}

static void a_gang_leaves_when_it_gains(void **state)
{
    static const char *const text =
        "site home max=2; shape home m cpus=4; worker 1 site=home used=4; worker 2 site=home;"
        "run 1 n=4 ends=5m; site far tier=partner overflow=20m; shape far m cpus=4;"
        "worker 3 site=far; worker 4 site=far; class 1 cpus=4 nodes=2 run=1h";
    struct world *w = world_new(text);

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 0), 0);
    assert_why(w, SCHED_WAIT, 1, 0, "overflow");
    w->runs[0].ends_ms = w->snap.now_ms + 30 * 60000;
    decide(w);
    assert_int_equal(leased(w, 1, 3) + leased(w, 1, 4), 2);
    world_free(w);
}

static void one_that_starved_waits_for_home_if_home_is_soon(void **state)
{
    struct world *w = warm_world(15 * 60000, "class 1 cpus=4 age=10m run=1h");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 0), 0);
    assert_non_null(decided(w, SCHED_RESERVE, 1, 1));
    w->runs[0].ends_ms = w->snap.now_ms + 30 * 60000;
    decide(w);
    assert_int_equal(leased(w, 1, 2) + leased(w, 1, 3), 1);
    world_free(w);
}

/* ---- GPUs ------------------------------------------------------------------------------------ */

static void gpu_work_comes_first_where_the_gpus_are(void **state)
{
    struct world *w = world_new("site a; shape a g cpus=4 gpus=2; worker 1 site=a;"
                                "class 1 n=10 age=1h priority=9 run=1h; class 2 n=2 gpus=1 run=1h");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 2, 1), 2);
    assert_int_equal(leased(w, 1, 1), 2);
    world_free(w);
}

static void what_comes_free_beside_idle_gpus_is_kept_for_them(void **state)
{
    struct world *w = world_new("limit lic cap=1 used=1; site a; shape a g cpus=4 gpus=1;"
                                "worker 1 site=a used=3; class 1 n=5 run=1h;"
                                "class 2 cpus=2 gpus=1 run=1h");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 0);
    world_class(w, 2)->ready = 0;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 1);
    world_free(w);
    /* One that waits for something else holds nothing. */
    w = world_new("limit lic cap=1 used=1; site a; shape a g cpus=4 gpus=1;"
                  "worker 1 site=a used=3; class 1 n=5 run=1h;"
                  "class 2 cpus=2 gpus=1 run=1h limit=lic:1");
    decide(w);
    assert_int_equal(leased(w, 1, 1), 1);
    world_free(w);
}

static void quota_is_for_gpu_workers_first(void **state)
{
    struct world *w = world_new("site a tier=partner; shape a s cpus=4; shape a g cpus=4 gpus=1;"
                                "quota a cores limit=8; class 1 n=100 age=1h priority=9 run=1h;"
                                "class 2 n=1 gpus=1 run=1h");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 2, "a"), 1);
    assert_int_equal(created(w, 1, "a"), 1);
    world_free(w);
}

/* ---- alternatives ---------------------------------------------------------------------------- */

static const char *const two_ways = "site home max=1; shape home m cpus=4; worker 1 site=home;"
                                    "site far tier=partner max=1; shape far g cpus=4 gpus=1;";

static void an_earlier_alternative_that_can_be_started_is_waited_for(void **state)
{
    struct world *w = world_new(two_ways);

    (void)state;
    world_add(w, "class 1 n=1 gpus=1 run=1h ordered; or cpus=1");
    decide(w);
    assert_int_equal(leased(w, 1, 0), 0);
    assert_int_equal(created(w, 1, "far"), 1);
    assert_int_equal(decided(w, SCHED_CREATE, 1, 0)->option, 0);
    world_free(w);
}

static void what_no_earlier_alternative_has_room_for_takes_a_later_one(void **state)
{
    struct world *w = world_new(two_ways);

    (void)state;
    world_add(w, "worker 2 site=far used=4; run 2 n=1 ends=60m gpus=1;"
                 "class 1 n=1 gpus=1 run=1h ordered; or cpus=1");
    decide(w);
    assert_int_equal(leased(w, 1, 1), 1);
    world_free(w);
    /* One is for the worker that boots, the other for what is there. */
    w = world_new(two_ways);
    world_add(w, "worker 2 site=far state=booting; class 1 n=2 gpus=1 run=1h ordered; or cpus=1");
    decide(w);
    assert_int_equal(leased(w, 1, 1), 1);
    assert_int_equal(created(w, 1, NULL), 0);
    world_free(w);
}

static void nobody_waits_for_ever_for_an_earlier_one(void **state)
{
    struct world *w = world_new(two_ways);

    (void)state;
    world_add(w, "class 1 n=1 gpus=1 run=1h age=6m ordered; or cpus=1");
    decide(w);
    assert_int_equal(leased(w, 1, 1), 1);
    world_free(w);
}

static void a_worker_that_boots_for_one_alternative_serves_the_task(void **state)
{
    struct world *w = world_new("site a tier=partner; shape a s cpus=2; shape a g cpus=4 gpus=1;"
                                "class 1 n=1 cpus=2 run=1h; or gpus=1");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 1, "a"), 1);
    world_add(w, "worker 1 site=a shape=s state=booting");
    decide(w);
    assert_int_equal(created(w, 1, "a"), 0);
    assert_why(w, SCHED_WAIT, 1, 0, "coming");
    world_free(w);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_home_starts_soon_is_not_for_an_idle_worker_abroad),
        T(what_gains_enough_takes_it_at_once),
        T(what_is_late_at_home_is_not_waited_for_long),
        T(only_those_that_gain_leave),
        T(those_served_before_lie_before_it_at_home),
        T(short_work_stays_at_home_also_ahead_of_the_slots),
        T(nothing_is_leased_ahead_behind_a_long_task),
        T(a_worker_that_home_could_start_soon_is_waited_for),
        T(a_worker_that_home_would_not_start_is_not),
        T(what_home_cannot_run_is_asked_nothing),
        T(a_preferred_site_is_asked_nothing),
        T(a_deadline_leaves_at_once),
        T(greedy_takes_whatever_is_idle),
        T(a_gang_leaves_when_it_gains),
        T(one_that_starved_waits_for_home_if_home_is_soon),
        T(gpu_work_comes_first_where_the_gpus_are),
        T(what_comes_free_beside_idle_gpus_is_kept_for_them),
        T(quota_is_for_gpu_workers_first),
        T(an_earlier_alternative_that_can_be_started_is_waited_for),
        T(what_no_earlier_alternative_has_room_for_takes_a_later_one),
        T(nobody_waits_for_ever_for_an_earlier_one),
        T(a_worker_that_boots_for_one_alternative_serves_the_task),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
