/* SPDX-License-Identifier: Apache-2.0 */
/* test_place.c - who comes first, and where: shares, reservations, overflow, alternatives, gangs.
 */
#include "world.h"

/* ---- shares ---------------------------------------------------------------------------------- */

static void two_users_who_start_equal_are_served_in_turn(void **state)
{
    struct world *w = world_new("site a; shape a m cpus=10; worker 1 site=a;"
                                "class 1 n=100000 user=big run=1h; class 2 n=5 user=small run=1h "
                                "age=0s");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 0), 5);
    assert_int_equal(leased(w, 2, 0), 5);
    world_free(w);
}

static void weights_divide_what_there_is(void **state)
{
    struct world *w = world_new("site a shared; shape a m cpus=40; worker 1 site=a;"
                                "project x weight=3; project y weight=1;"
                                "class 1 n=100 project=x run=1h; class 2 n=100 project=y run=1h");

    (void)state;
    decide(w);
    assert_in_range(leased(w, 1, 0), 29, 31);
    assert_int_equal(leased(w, 1, 0) + leased(w, 2, 0), 40);
    world_free(w);
}

static void what_was_used_before_counts(void **state)
{
    struct world *w = world_new("site a shared; shape a m cpus=10; worker 1 site=a;"
                                "project x usage=1000; project y usage=0;"
                                "class 1 n=100 project=x run=1h; class 2 n=100 project=y run=1h");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 2, 0), 10);
    world_free(w);
}

static void the_dominant_resource_is_what_is_shared(void **state)
{
    /* x asks for memory, y for cpus: each gets the like share of what it needs most. */
    struct world *w = world_new("site a shared; shape a m cpus=90 memory=180GiB; worker 1 site=a;"
                                "class 1 n=100 project=x cpus=10 memory=40GiB run=1h;"
                                "class 2 n=100 project=y cpus=30 memory=10GiB run=1h");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 0), 3);
    assert_int_equal(leased(w, 2, 0), 2);
    world_free(w);
}

static void priority_then_age_order_one_users_work(void **state)
{
    struct world *w = world_new("site a; shape a m cpus=4; worker 1 site=a; class 1 n=3 age=1h;"
                                "class 2 n=3 age=1m priority=5; class 3 n=3 age=2h");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 2, 0), 3);
    assert_int_equal(leased(w, 3, 0), 1);
    assert_int_equal(leased(w, 1, 0), 0);
    world_free(w);
}

static void work_whose_deadline_is_near_goes_first(void **state)
{
    struct world *w = world_new("site a; shape a m cpus=1; worker 1 site=a; class 1 age=1h run=10m;"
                                "class 2 age=1m run=10m deadline=15m");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 2, 0), 1);
    world_free(w);
}

/* ---- reservations ---------------------------------------------------------------------------- */

static const char *const crowded = "site a max=1; shape a m cpus=8; worker 1 site=a used=6;"
                                   "run 1 cpus=2 latest=10m; run 1 cpus=4 latest=60m;"
                                   "class 1 cpus=4 age=10m run=1h wall=2h;";

static void a_wide_job_is_given_the_room_that_comes_free_first(void **state)
{
    struct world *w = world_new(crowded);
    const struct sched_decision *d;

    (void)state;
    decide(w);
    d = decided(w, SCHED_RESERVE, 1, 1);
    assert_non_null(d);
    assert_true(d->figures.start_ms == w->snap.now_ms + 600000);
    world_free(w);
}

static void nothing_is_reserved_on_a_worker_that_will_be_gone(void **state)
{
    struct world *w = world_new(crowded);

    (void)state;
    world_worker(w, 1)->expires_ms = w->snap.now_ms + 100 * 60000;
    decide(w);
    assert_null(decided(w, SCHED_RESERVE, 1, 1));
    world_worker(w, 1)->expires_ms = w->snap.now_ms + 140 * 60000;
    decide(w);
    assert_non_null(decided(w, SCHED_RESERVE, 1, 1));
    world_free(w);
}

static void what_is_back_in_time_may_go_behind_it(void **state)
{
    struct world *w = world_new(crowded);

    (void)state;
    world_add(w, "class 2 n=5 cpus=1 age=0s wall=9m; class 3 n=5 age=0s wall=11m");
    decide(w);
    assert_int_equal(leased(w, 2, 1), 2);
    assert_int_equal(leased(w, 3, 1), 0);
    assert_why(w, SCHED_LEASE, 2, 1, "backfill");
    world_class(w, 2)->ready = 0;
    decide(w);
    assert_int_equal(leased(w, 3, 1), 0);
    world_free(w);
}

static void what_the_reservation_leaves_over_may_be_used(void **state)
{
    /* At 10m there are 4 cpus free and the wide one wants 3: one is over. */
    struct world *w = world_new(crowded);

    (void)state;
    ((struct sched_option *)(uintptr_t)world_class(w, 1)->options)->need.cpus = 3;
    world_add(w, "class 3 n=5 age=0s wall=11m");
    decide(w);
    assert_int_equal(leased(w, 3, 1), 1);
    world_free(w);
}

static void unknown_run_times_do_not_pass_a_reservation(void **state)
{
    struct world *w = world_new(crowded);

    (void)state;
    world_add(w, "class 2 n=5 age=0s");
    decide(w);
    assert_int_equal(leased(w, 2, 1), 0);
    world_free(w);
}

static void before_its_time_a_wide_job_holds_nothing(void **state)
{
    struct world *w = world_new(crowded);

    (void)state;
    world_class(w, 1)->oldest_ms = w->snap.now_ms - 60000;
    world_add(w, "class 2 n=5 age=0s");
    decide(w);
    assert_null(decided(w, SCHED_RESERVE, 0, 0));
    assert_int_equal(leased(w, 2, 1), 2);
    assert_true(w->decisions.wake_ms <= w->snap.now_ms + 240000);
    world_free(w);
}

static void a_class_that_is_being_served_asks_for_none(void **state)
{
    struct world *w = world_new(crowded);

    (void)state;
    world_class(w, 1)->served_ms = w->snap.now_ms - 1000;
    decide(w);
    assert_null(decided(w, SCHED_RESERVE, 0, 0));
    world_free(w);
}

static void a_class_that_can_run_nowhere_does_not_stand_before_others(void **state)
{
    struct world *w = world_new("limit db cap=1 used=1");

    (void)state;
    world_add(w, crowded);
    world_add(w, "class 8 cpus=64 age=3h; class 9 n=2 limit=db:1 age=2h; class 2 n=5 age=0s");
    decide(w);
    assert_non_null(decided(w, SCHED_RESERVE, 1, 1));
    assert_int_equal(leased(w, 2, 1), 0);
    world_free(w);
}

static void quota_is_drained_for_what_no_worker_can_hold(void **state)
{
    struct world *w =
        world_new("site a tier=partner; shape a s cpus=2; shape a l cpus=8; quota a cores limit=10 "
                  "ours=8; worker 1 site=a used=2; worker 2 site=a used=2; worker 3 site=a used=2;"
                  "worker 4 site=a used=0; run 1 ends=50m; run 2 ends=10m; run 3 ends=20m;"
                  "class 1 cpus=8 age=10m run=1h; class 2 n=9 age=0s run=1h");

    (void)state;
    decide(w);
    assert_why(w, SCHED_DESTROY, 1, 4, "reclaim");
    assert_why(w, SCHED_DRAIN, 1, 2, "reclaim");
    assert_why(w, SCHED_DRAIN, 1, 3, "reclaim");
    assert_null(decided(w, SCHED_DRAIN, 0, 1));
    assert_int_equal(created(w, 2, "a"), 0);
    /* Those that go already are counted: no more is drained. */
    world_worker(w, 2)->state = world_worker(w, 3)->state = WORKER_DRAINING;
    world_worker(w, 4)->state = WORKER_DESTROYING;
    decide(w);
    assert_null(decided(w, SCHED_DRAIN, 0, 0));
    assert_non_null(decided(w, SCHED_RESERVE, 1, 0));
    world_free(w);
}

/* Another project's work needs no hour to have what nobody uses. */
static void an_idle_worker_gives_way_to_work_that_it_cannot_take(void **state)
{
    struct world *w = world_new("site a tier=partner idle=10m; shape a s cpus=2; quota a cores "
                                "limit=6 ours=6; worker 1 site=a project=p idle=20s;"
                                "worker 2 site=a project=p idle=9s; worker 3 site=a project=p "
                                "idle=2s; class 1 cpus=2 project=q age=0s run=1h");

    (void)state;
    decide(w);
    assert_why(w, SCHED_DESTROY, 1, 1, "reclaim");
    assert_null(decided(w, SCHED_DESTROY, 0, 2)); /* one is enough */
    assert_null(decided(w, SCHED_DESTROY, 0, 3));
    world_worker(w, 1)->state = WORKER_DESTROYING;
    decide(w);
    assert_null(decided(w, SCHED_DESTROY, 0, 0));
    world_free(w);
    /* For a moment its own project has it; then it is asked again. */
    w = world_new("site a tier=partner idle=10m; shape a s cpus=2; quota a cores limit=2 ours=2;"
                  "worker 1 site=a project=p idle=2s; class 1 cpus=2 project=q age=0s run=1h");
    decide(w);
    assert_null(decided(w, SCHED_DESTROY, 0, 0));
    assert_true(w->decisions.wake_ms == w->snap.now_ms + 3000);
    /* Work that has workers of its own to wait for takes nobody's. */
    world_worker(w, 1)->idle_ms -= 60000;
    world_class(w, 1)->running = 1;
    decide(w);
    assert_null(decided(w, SCHED_DESTROY, 0, 0));
    world_free(w);
}

static void first_come_first_served_without_backfill_stops_behind_the_head(void **state)
{
    struct world *w = world_new("params order=age reserve=0s reservations=1 nobackfill");

    (void)state;
    world_add(w, crowded);
    world_add(w, "class 2 n=5 age=0s wall=1m");
    decide(w);
    assert_int_equal(leased(w, 2, 0), 0);
    world_free(w);
}

/* ---- overflow -------------------------------------------------------------------------------- */

static const char *const full_home =
    "site home max=1; shape home m cpus=4; worker 1 site=home used=4;"
    "run 1 n=4 ends=30m;"
    "site far tier=partner overflow=20m boot=2m; shape far m cpus=4;";

static void work_that_home_starts_soon_stays(void **state)
{
    struct world *w = world_new(full_home);

    (void)state;
    w->runs[0].ends_ms = w->snap.now_ms + 15 * 60000;
    world_add(w, "class 1 n=4 run=1h");
    decide(w);
    assert_int_equal(created(w, 0, NULL), 0);
    assert_why(w, SCHED_WAIT, 1, 0, "overflow");
    world_free(w);
}

static void work_that_gains_enough_moves(void **state)
{
    struct world *w = world_new(full_home);

    (void)state;
    world_add(w, "class 1 n=4 run=1h");
    decide(w);
    assert_int_equal(created(w, 1, "far"), 1);
    assert_true(decided(w, SCHED_CREATE, 1, 0)->figures.home_start_ms ==
                w->snap.now_ms + 30 * 60000);
    world_free(w);
}

static void only_the_part_that_gains_moves(void **state)
{
    /* Within 22 minutes home starts 8 of them. */
    struct world *w = world_new(full_home);

    (void)state;
    w->runs[0].ends_ms = w->snap.now_ms + 60000;
    world_add(w, "class 1 n=16 run=20m");
    decide(w);
    assert_int_equal(created(w, 1, "far"), 2);
    world_free(w);
}

static void home_only_and_greedy_are_policies(void **state)
{
    struct world *w = world_new("params overflow=greedy");

    (void)state;
    world_add(w, full_home);
    w->runs[0].ends_ms = w->snap.now_ms + 15 * 60000;
    world_add(w, "class 1 n=4 run=1h");
    decide(w);
    assert_int_equal(created(w, 1, "far"), 1);
    world_free(w);
    w = world_new("params overflow=never");
    world_add(w, full_home);
    world_add(w, "class 1 n=4 run=10h");
    decide(w);
    assert_int_equal(created(w, 0, NULL), 0);
    world_free(w);
}

static void a_deadline_moves_what_would_miss_it(void **state)
{
    struct world *w = world_new(full_home);

    (void)state;
    w->runs[0].ends_ms = w->snap.now_ms + 15 * 60000;
    world_add(w, "class 1 n=4 run=1h deadline=70m");
    decide(w);
    assert_int_equal(created(w, 1, "far"), 1);
    world_free(w);
}

static void what_home_lacks_goes_at_once(void **state)
{
    struct world *w = world_new(full_home);

    (void)state;
    world_add(w, "shape far g cpus=8 gpus=1 model=V100; class 1 gpus=1 run=1m");
    decide(w);
    assert_int_equal(created(w, 1, "far"), 1);
    world_free(w);
}

static void a_worker_is_not_started_for_less_work_than_its_boot(void **state)
{
    struct world *w = world_new("site a tier=partner boot=10m; shape a m cpus=4;"
                                "worker 1 site=a used=4; run 1 n=4 ends=60m; class 1 n=6 run=1m");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 0, NULL), 0);
    world_class(w, 1)->ready = 60;
    decide(w);
    assert_int_equal(created(w, 1, "a"), 1);
    world_class(w, 1)->ready = 160;
    decide(w);
    assert_int_equal(created(w, 1, "a"), 4);
    world_free(w);
}

/* ---- where ----------------------------------------------------------------------------------- */

static void preferred_sites_come_first_and_those_that_failed_last(void **state)
{
    struct world *w = world_new("site a; shape a m cpus=4; site b tier=partner; shape b m cpus=4;"
                                "worker 1 site=a; worker 2 site=b; class 1 n=1 prefer=b;"
                                "class 2 n=1 avoid=a; class 3 n=1");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 2), 1);
    assert_int_equal(leased(w, 2, 2), 1);
    assert_int_equal(leased(w, 3, 1), 1);
    world_free(w);
}

static void cost_takes_the_cheap_site_and_time_the_quick_one(void **state)
{
    struct world *w =
        world_new("site a tier=commercial boot=1m; shape a m cpus=4 price=2;"
                  "site b tier=commercial boot=20m; shape b m cpus=4 price=1;"
                  "class 1 n=4 run=1h objective=cost; class 2 n=4 run=1h objective=time user=v");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 1, "b"), 1);
    assert_int_equal(created(w, 2, "a"), 1);
    world_free(w);
}

static void the_cheapest_shape_that_suits_them_together_is_taken(void **state)
{
    struct world *w =
        world_new("site a tier=partner; shape a s cpus=2 price=0.10; shape a l cpus=16 "
                  "price=0.40; class 1 n=16 run=1h objective=cost");

    (void)state;
    decide(w);
    assert_int_equal(decided(w, SCHED_CREATE, 1, 0)->shape, 1);
    assert_int_equal(created(w, 1, "a"), 1);
    world_class(w, 1)->ready = 1;
    decide(w);
    assert_int_equal(decided(w, SCHED_CREATE, 1, 0)->shape, 0);
    world_free(w);
}

static void work_without_gpus_leaves_the_gpus_alone(void **state)
{
    struct world *w = world_new("site a; shape a g cpus=4 gpus=1 model=V100; shape a m cpus=4;"
                                "worker 1 site=a shape=g; worker 2 site=a shape=m; class 1 n=4;"
                                "class 2 gpus=1");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 2), 4);
    assert_int_equal(leased(w, 2, 1), 1);
    world_free(w);
}

static void a_probe_goes_out_alone(void **state)
{
    struct world *w = world_new("site a tier=partner; shape a m cpus=4 closed=0s; class 1 n=100 "
                                "run=1h");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 1, "a"), 1);
    world_free(w);
    w = world_new("site a tier=partner; shape a m cpus=4 closed=5m; class 1 n=100 run=1h");
    decide(w);
    assert_int_equal(created(w, 1, "a"), 0);
    assert_why(w, SCHED_WAIT, 1, 0, "site-down");
    assert_true(w->decisions.wake_ms == w->snap.now_ms + 299000 ||
                w->decisions.wake_ms == w->snap.now_ms + 300000);
    world_free(w);
}

static void nothing_is_placed_that_outlives_a_credential(void **state)
{
    struct world *w = world_new("site a tier=partner credential=1h boot=5m; shape a m cpus=4;"
                                "worker 1 site=a; class 1 wall=2h; class 2 wall=50m");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 0) + created(w, 1, NULL), 0);
    assert_int_equal(leased(w, 2, 1), 1);
    world_free(w);
}

static void a_container_worker_serves_its_class_alone(void **state)
{
    struct world *w = world_new("site k tier=partner bound; shape k m cpus=4; worker 1 site=k;"
                                "class 1 n=2 container=python run=1h; class 2 n=1 run=1h");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 0), 0);
    assert_int_equal(leased(w, 2, 1), 1);
    assert_int_equal(created(w, 1, "k"), 1);
    assert_int_equal(decided(w, SCHED_CREATE, 1, 0)->class_id, 1);
    world_free(w);
}

/* ---- alternatives, open amounts, gangs ------------------------------------------------------- */

static void an_alternative_that_fits_now_is_taken(void **state)
{
    struct world *w = world_new("site a; shape a m cpus=4; worker 1 site=a; class 1 n=1 gpus=1;"
                                "or cpus=4");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 1);
    assert_int_equal(decided(w, SCHED_LEASE, 1, 1)->option, 1);
    world_free(w);
}

static void ordered_alternatives_keep_their_order(void **state)
{
    static const char *const text =
        "site a; shape a m cpus=4; site b tier=partner; shape b m cpus=8;"
        "worker 1 site=a; worker 2 site=b;";
    struct world *w = world_new(text);

    (void)state;
    world_add(w, "class 1 n=1 cpus=8 ordered; or cpus=4");
    decide(w);
    assert_int_equal(leased(w, 1, 2), 1);
    world_free(w);
    w = world_new(text);
    world_add(w, "class 1 n=1 cpus=8; or cpus=4");
    decide(w);
    assert_int_equal(leased(w, 1, 1), 1);
    world_free(w);
}

static void an_open_amount_shares_what_is_left(void **state)
{
    struct world *w = world_new("site a; shape a m cpus=16; worker 1 site=a; class 1 n=1 cpus=4+");

    (void)state;
    decide(w);
    assert_int_equal(decided(w, SCHED_LEASE, 1, 1)->grant.cpus, 16);
    world_class(w, 1)->ready = 3;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 3);
    assert_int_equal(decided(w, SCHED_LEASE, 1, 1)->grant.cpus, 5);
    world_class(w, 1)->ready = 100;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 4);
    world_free(w);
}

static void a_gang_starts_whole_or_not_at_all(void **state)
{
    struct world *w = world_new("site a tier=partner max=3; shape a m cpus=4; worker 1 site=a;"
                                "worker 2 site=a; class 1 nodes=3 cpus=4 run=1h");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 0), 0);
    assert_int_equal(created(w, 1, "a"), 1);
    world_add(w, "worker 3 site=a");
    decide(w);
    assert_int_equal(leased(w, 1, 0), 3);
    assert_int_equal(decided(w, SCHED_LEASE, 1, 2)->rank, 1);
    world_free(w);
}

static void a_gang_that_no_site_can_hold_takes_nothing(void **state)
{
    struct world *w = world_new("site a tier=partner; shape a m cpus=4; quota a workers limit=2;"
                                "site b tier=partner; shape b m cpus=4; quota b workers limit=2;"
                                "class 1 nodes=3 cpus=4 run=1h");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 0, NULL), 0);
    world_free(w);
}

/* ---- ceilings -------------------------------------------------------------------------------- */

static void named_limits_bound_leases_and_workers(void **state)
{
    struct world *w = world_new("limit db cap=5 used=2; site a tier=partner; shape a m cpus=1;"
                                "worker 1 site=a; class 1 n=100 run=1h limit=db:1");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 1);
    assert_int_equal(created(w, 1, "a"), 2);
    world_free(w);
}

static void money_bounds_workers(void **state)
{
    /* An hour's work on a worker that boots a minute and idles five costs 2.20. */
    struct world *w = world_new("site a tier=commercial boot=1m idle=5m; shape a m cpus=1 price=2;"
                                "project p money=20 spent=8 committed=5; class 1 n=100 wall=1h");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 1, "a"), 3);
    world_free(w);
}

static void a_price_that_is_not_known_passes_no_ceiling(void **state)
{
    struct world *w = world_new("site a tier=commercial; shape a m cpus=1; project p money=20;"
                                "class 1 wall=1h");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 1, "a"), 0);
    assert_why(w, SCHED_WAIT, 1, 0, "money");
    world_free(w);
}

static void rules_of_a_project_hold_outside_home(void **state)
{
    struct world *w = world_new("project p max=3 has=2; site home max=1; shape home m cpus=1;"
                                "site b tier=partner; shape b m cpus=1; class 1 n=100 run=1h");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 1, "home"), 1);
    assert_int_equal(created(w, 1, "b"), 1);
    world_free(w);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(two_users_who_start_equal_are_served_in_turn),
        T(weights_divide_what_there_is),
        T(what_was_used_before_counts),
        T(the_dominant_resource_is_what_is_shared),
        T(priority_then_age_order_one_users_work),
        T(work_whose_deadline_is_near_goes_first),
        T(a_wide_job_is_given_the_room_that_comes_free_first),
        T(nothing_is_reserved_on_a_worker_that_will_be_gone),
        T(what_is_back_in_time_may_go_behind_it),
        T(what_the_reservation_leaves_over_may_be_used),
        T(unknown_run_times_do_not_pass_a_reservation),
        T(before_its_time_a_wide_job_holds_nothing),
        T(a_class_that_is_being_served_asks_for_none),
        T(a_class_that_can_run_nowhere_does_not_stand_before_others),
        T(quota_is_drained_for_what_no_worker_can_hold),
        T(an_idle_worker_gives_way_to_work_that_it_cannot_take),
        T(first_come_first_served_without_backfill_stops_behind_the_head),
        T(work_that_home_starts_soon_stays),
        T(work_that_gains_enough_moves),
        T(only_the_part_that_gains_moves),
        T(home_only_and_greedy_are_policies),
        T(a_deadline_moves_what_would_miss_it),
        T(what_home_lacks_goes_at_once),
        T(a_worker_is_not_started_for_less_work_than_its_boot),
        T(preferred_sites_come_first_and_those_that_failed_last),
        T(cost_takes_the_cheap_site_and_time_the_quick_one),
        T(the_cheapest_shape_that_suits_them_together_is_taken),
        T(work_without_gpus_leaves_the_gpus_alone),
        T(a_probe_goes_out_alone),
        T(nothing_is_placed_that_outlives_a_credential),
        T(a_container_worker_serves_its_class_alone),
        T(an_alternative_that_fits_now_is_taken),
        T(ordered_alternatives_keep_their_order),
        T(an_open_amount_shares_what_is_left),
        T(a_gang_starts_whole_or_not_at_all),
        T(a_gang_that_no_site_can_hold_takes_nothing),
        T(named_limits_bound_leases_and_workers),
        T(money_bounds_workers),
        T(a_price_that_is_not_known_passes_no_ceiling),
        T(rules_of_a_project_hold_outside_home),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
