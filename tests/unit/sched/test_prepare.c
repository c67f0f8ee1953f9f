/* SPDX-License-Identifier: Apache-2.0 */
/* test_prepare.c - workers for tasks that are still to come. */
#include "world.h"

#define SITE "site a idle=1m boot=2m max=20; shape a m cpus=4;"

static void workers_are_made_so_long_ahead_and_not_before(void **state)
{
    struct world *w = world_new(SITE "class 1 coming=8 in=11m prepare=10m");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 0, "a"), 0);
    assert_int_equal(w->decisions.wake_ms, w->snap.now_ms + 60000);
    w->snap.now_ms += 60000;
    decide(w);
    assert_int_equal(created(w, 1, "a"), 2);
    assert_int_equal(leased(w, 1, 0), 0);
    assert_null(decided(w, SCHED_WAIT, 1, 0));
    world_free(w);
}

/* auto: 95 in 100 boots are done by then; the test world's take twice the mean at most. */
static void auto_goes_by_the_longest_boot_where_it_could_run(void **state)
{
    struct world *w =
        world_new("site a boot=2m; shape a m cpus=4; site b boot=9m; shape b m cpus=4;"
                  "site c boot=30m; shape c m cpus=1;"
                  "class 1 coming=1 in=1h cpus=4");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 0, NULL), 0);
    assert_int_equal(w->decisions.wake_ms, w->snap.now_ms + (60 - 18) * 60000);
    world_class(w, 1)->coming_ms = w->snap.now_ms + 18 * 60000;
    decide(w);
    assert_int_equal(created(w, 1, NULL), 1);
    world_free(w);
}

static void what_is_there_or_boots_is_counted(void **state)
{
    struct world *w = world_new(SITE "worker 1 site=a idle=10s; worker 2 site=a state=booting;"
                                     "class 1 coming=8 in=5m prepare=10m");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 0, "a"), 0);
    world_class(w, 1)->coming = 9;
    decide(w);
    assert_int_equal(created(w, 1, "a"), 1);
    world_free(w);
}

/* Short tasks could all run on one worker in the time until then; but that time is not theirs. */
static void room_before_then_is_no_room_at_the_time(void **state)
{
    struct world *w = world_new(SITE "worker 1 site=a idle=10s;"
                                     "class 1 coming=8 in=10m prepare=10m run=1s");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 1, "a"), 1);
    world_free(w);
}

static void two_that_come_together_do_not_count_on_the_same_worker(void **state)
{
    struct world *w = world_new(SITE "worker 1 site=a idle=10s;"
                                     "class 1 coming=3 in=5m prepare=10m; class 2 coming=1 in=5m "
                                     "prepare=10m user=b");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 0, "a"), 0);
    world_class(w, 2)->coming = 2;
    decide(w);
    assert_int_equal(created(w, 0, "a"), 1);
    world_free(w);
}

static void what_they_need_is_not_idled_away(void **state)
{
    struct world *w = world_new(SITE "worker 1 site=a idle=1h; worker 2 site=a idle=1h;"
                                     "worker 3 site=a idle=1h;"
                                     "class 1 coming=2 in=5m prepare=10m cpus=4");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 0, "a"), 0);
    assert_null(decided(w, SCHED_DESTROY, 0, 1));
    assert_null(decided(w, SCHED_DESTROY, 0, 2));
    assert_non_null(decided(w, SCHED_DESTROY, 0, 3));
    /* The time came and nothing else did: a little later they go. */
    w->snap.now_ms += 5 * 60000 + 59000;
    decide(w);
    assert_null(decided(w, SCHED_DESTROY, 0, 1));
    w->snap.now_ms += 1000;
    decide(w);
    assert_non_null(decided(w, SCHED_DESTROY, 0, 1));
    world_free(w);
}

static void one_that_boots_for_them_is_kept(void **state)
{
    struct world *w = world_new(SITE "worker 1 site=a state=booting created=1h;"
                                     "class 1 coming=1 in=5m prepare=10m");

    (void)state;
    decide(w);
    assert_null(decided(w, SCHED_DESTROY, 0, 1));
    world_class(w, 1)->coming = 0;
    decide(w);
    assert_non_null(decided(w, SCHED_DESTROY, 0, 1));
    world_free(w);
}

static void ready_work_takes_what_was_prepared(void **state)
{
    struct world *w = world_new(SITE "worker 1 site=a idle=10s;"
                                     "class 1 coming=4 in=5m prepare=10m; class 2 n=4 run=1h");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 2, 1), 4);
    world_free(w);
}

static void quota_and_rules_hold_for_them_too(void **state)
{
    struct world *w = world_new(SITE "quota a workers limit=1;"
                                     "class 1 coming=80 in=5m prepare=10m");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 1, "a"), 1);
    world_free(w);
    w = world_new("site a tier=partner; shape a m cpus=4; project p tier=home;"
                  "class 1 coming=8 in=1m prepare=10m");
    decide(w);
    assert_int_equal(created(w, 1, "a"), 0);
    world_free(w);
}

/* A credential that ends before they would: no worker is made there. */
static void a_site_whose_credential_ends_is_left_out(void **state)
{
    struct world *w = world_new("site a credential=6m boot=1m; shape a m cpus=4;"
                                "class 1 coming=1 in=5m prepare=10m run=10m high=10m");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 1, "a"), 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_are_made_so_long_ahead_and_not_before),
        cmocka_unit_test(auto_goes_by_the_longest_boot_where_it_could_run),
        cmocka_unit_test(what_is_there_or_boots_is_counted),
        cmocka_unit_test(room_before_then_is_no_room_at_the_time),
        cmocka_unit_test(two_that_come_together_do_not_count_on_the_same_worker),
        cmocka_unit_test(what_they_need_is_not_idled_away),
        cmocka_unit_test(one_that_boots_for_them_is_kept),
        cmocka_unit_test(ready_work_takes_what_was_prepared),
        cmocka_unit_test(quota_and_rules_hold_for_them_too),
        cmocka_unit_test(a_site_whose_credential_ends_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
