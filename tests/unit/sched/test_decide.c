/* SPDX-License-Identifier: Apache-2.0 */
/* test_decide.c - a newcomer's broker: one machine; and the plain cases of a few sites. */
#include "world.h"

static void an_empty_world_decides_nothing(void **state)
{
    struct world *w = world_new("");

    (void)state;
    decide(w);
    assert_int_equal(w->decisions.count, 0);
    assert_true(w->decisions.wake_ms == INT64_MAX);
    world_free(w);
}

static void the_first_job_starts_the_machines_worker(void **state)
{
    struct world *w = world_new("site here local shared; shape here machine cpus=2; class 1 n=10");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 1, "here"), 1);
    assert_int_equal(leased(w, 1, 0), 0);
    assert_why(w, SCHED_WAIT, 1, 0, "coming");
    assert_int_equal(decided(w, SCHED_CREATE, 1, 0)->project, -1);
    world_free(w);
}

static void while_it_boots_no_second_one_is_asked_for(void **state)
{
    struct world *w = world_new("site here local; shape here machine cpus=2;"
                                "worker 1 site=here state=intent created=1s; class 1 n=10");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 0, NULL), 0);
    assert_int_equal(leased(w, 1, 0), 0);
    world_free(w);
}

static void nor_when_it_is_late_where_boots_take_no_time(void **state)
{
    struct world *w = world_new("site a boot=800ms; shape a m cpus=1; class 1 run=1s;"
                                "worker 1 site=a state=booting created=5s");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 0, NULL), 0);
    world_free(w);
}

/* Twenty long tasks and a short one, each of which will start at once on one of the workers that boot. */
static void nor_where_more_workers_boot_than_tasks_wait(void **state)
{
    struct world *w =
        world_new("site a boot=2m; shape a m cpus=1; class 1 n=20 run=10m; class 2 n=1 run=2m");
    char line[64];

    (void)state;
    for (int i = 1; i <= 21; i++) {
        snprintf(line, sizeof line, "worker %d site=a state=booting", i);
        world_add(w, line);
    }
    decide(w);
    assert_int_equal(created(w, 0, NULL), 0);
    world_class(w, 2)->ready = 2;
    decide(w);
    assert_int_equal(created(w, 0, NULL), 1);
    world_free(w);
}

static void tasks_pack_on_the_cpus(void **state)
{
    struct world *w = world_new("site here local; shape here machine cpus=8;"
                                "worker 1 site=here; class 1 n=20 cpus=3; class 2 n=20 age=0s");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 2);
    assert_int_equal(leased(w, 2, 1), 2);
    world_free(w);
}

static void memory_that_is_not_asked_for_does_not_count(void **state)
{
    struct world *w = world_new("site here local; shape here machine cpus=8 memory=8GiB;"
                                "worker 1 site=here; class 1 n=20; class 2 n=20 memory=3GiB");

    (void)state;
    world_class(w, 1)->ready = 0;
    decide(w);
    assert_int_equal(leased(w, 2, 1), 2);
    world_class(w, 1)->ready = 20;
    world_class(w, 2)->ready = 0;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 8);
    world_free(w);
}

static void short_tasks_are_leased_ahead_once_their_length_is_known(void **state)
{
    struct world *w = world_new("site here local; shape here machine cpus=2;"
                                "worker 1 site=here; class 1 n=20000");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 2);
    world_class(w, 1)->run_ms = world_class(w, 1)->run_high_ms = 2;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 2 + 2 * 250);
    world_class(w, 1)->run_ms = 1;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 2 + 2 * 256);
    world_worker(w, 1)->free.cpus = -510;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 2);
    assert_why(w, SCHED_LEASE, 1, 1, "ahead");
    world_free(w);
}

static void nothing_is_leased_ahead_of_others_who_wait_for_a_slot(void **state)
{
    struct world *w =
        world_new("site here local; shape here machine cpus=2;"
                  "worker 1 site=here used=2; class 1 n=1000 run=2ms user=a running=2;"
                  "class 2 n=5 run=1h user=b");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 0, 0), 0);
    world_free(w);
}

static void what_cannot_run_here_keeps_nobody_from_leasing_ahead(void **state)
{
    struct world *w =
        world_new("site here local; shape here machine cpus=2; limit db cap=1 used=1;"
                  "worker 1 site=here used=2; class 1 n=1000 run=2ms user=a running=2;"
                  "class 2 n=5 cpus=64 run=1h user=b; class 3 limit=db:1 user=c");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 500);
    world_free(w);
}

static void a_full_machine_is_busy_and_says_so(void **state)
{
    struct world *w = world_new("site here local; shape here machine cpus=2;"
                                "worker 1 site=here used=2; class 1 n=3 running=2");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 0), 0);
    assert_why(w, SCHED_WAIT, 1, 0, "busy");
    world_free(w);
}

static void what_no_site_can_run_is_told(void **state)
{
    struct world *w = world_new("site here local; shape here machine cpus=2; class 1 gpus=1");

    (void)state;
    decide(w);
    assert_why(w, SCHED_WAIT, 1, 0, "no-site");
    world_free(w);
}

static void quota_bounds_what_is_created(void **state)
{
    struct world *w = world_new(
        "site a tier=partner; shape a m cpus=4 ; quota a workers limit=10 ours=2 others=3;"
        "quota a cores limit=40 ours=8 others=12 reserved=4; class 1 n=1000 run=1h");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 1, "a"), 4);
    world_free(w);
}

static void gpus_are_asked_where_they_are(void **state)
{
    struct world *w = world_new("site a; shape a m cpus=8; quota a gpus:V100 limit=0;"
                                "site b tier=partner overflow=1h; shape b m cpus=8 ;"
                                "shape b g cpus=8 gpus=1 model=V100 gpumem=16GiB;"
                                "quota b gpus:V100 limit=2;"
                                "class 1 n=3 gpus=1 model=A100,V100 gpumem=16GiB run=1h");

    (void)state;
    decide(w);
    assert_int_equal(created(w, 1, "b"), 2);
    assert_int_equal(decided(w, SCHED_CREATE, 1, 0)->shape, 1);
    world_free(w);
}

static void a_worker_serves_its_own_project_alone(void **state)
{
    struct world *w = world_new("site a tier=partner; shape a m cpus=4;"
                                "worker 1 site=a project=p; class 1 n=2 project=q; class 2 n=1");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 1, 1), 0);
    assert_int_equal(leased(w, 2, 1), 1);
    assert_int_equal(created(w, 1, "a"), 1);
    world_free(w);
}

static void idle_workers_go_after_their_time(void **state)
{
    struct world *w = world_new("site a idle=5m; shape a m cpus=4; worker 1 site=a idle=4m;"
                                "worker 2 site=a idle=6m; worker 3 site=a idle=6m keep;"
                                "worker 4 site=a used=1");

    (void)state;
    decide(w);
    assert_null(decided(w, SCHED_DESTROY, 0, 1));
    assert_why(w, SCHED_DESTROY, 0, 2, "idle");
    assert_null(decided(w, SCHED_DESTROY, 0, 3));
    assert_null(decided(w, SCHED_DESTROY, 0, 4));
    assert_true(w->decisions.wake_ms == w->snap.now_ms + 60000);
    world_free(w);
}

static void a_draining_site_gets_nothing_and_gives_up_its_workers(void **state)
{
    struct world *w = world_new("site a mode=draining; shape a m cpus=4; worker 1 site=a;"
                                "worker 2 site=a used=1; worker 3 site=a state=draining used=1;"
                                "worker 4 site=a state=draining; class 1 n=10");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 0, 0) + created(w, 0, NULL), 0);
    assert_why(w, SCHED_DESTROY, 0, 1, "draining");
    assert_why(w, SCHED_DRAIN, 0, 2, "draining");
    assert_null(decided(w, SCHED_DESTROY, 0, 3));
    assert_why(w, SCHED_DESTROY, 0, 4, "draining");
    assert_why(w, SCHED_WAIT, 1, 0, "site-down");
    world_free(w);
}

static void silent_workers_and_those_that_go_take_nothing(void **state)
{
    struct world *w = world_new("site a max=3; shape a m cpus=4; worker 1 site=a state=silent;"
                                "worker 2 site=a state=destroying; worker 3 site=a state=draining "
                                "used=1; class 1 n=10");

    (void)state;
    decide(w);
    assert_int_equal(leased(w, 0, 0) + created(w, 0, NULL), 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_world_decides_nothing),
        cmocka_unit_test(the_first_job_starts_the_machines_worker),
        cmocka_unit_test(while_it_boots_no_second_one_is_asked_for),
        cmocka_unit_test(nor_when_it_is_late_where_boots_take_no_time),
        cmocka_unit_test(nor_where_more_workers_boot_than_tasks_wait),
        cmocka_unit_test(tasks_pack_on_the_cpus),
        cmocka_unit_test(memory_that_is_not_asked_for_does_not_count),
        cmocka_unit_test(short_tasks_are_leased_ahead_once_their_length_is_known),
        cmocka_unit_test(nothing_is_leased_ahead_of_others_who_wait_for_a_slot),
        cmocka_unit_test(what_cannot_run_here_keeps_nobody_from_leasing_ahead),
        cmocka_unit_test(a_full_machine_is_busy_and_says_so),
        cmocka_unit_test(what_no_site_can_run_is_told),
        cmocka_unit_test(quota_bounds_what_is_created),
        cmocka_unit_test(gpus_are_asked_where_they_are),
        cmocka_unit_test(a_worker_serves_its_own_project_alone),
        cmocka_unit_test(idle_workers_go_after_their_time),
        cmocka_unit_test(a_draining_site_gets_nothing_and_gives_up_its_workers),
        cmocka_unit_test(silent_workers_and_those_that_go_take_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
