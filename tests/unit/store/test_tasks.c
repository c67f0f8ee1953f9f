/* SPDX-License-Identifier: Apache-2.0 */
/* test_tasks.c - how tasks get rows, move, and end their job. */
#include "fixture.h"

static void a_plain_job_runs_and_ends(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w");
    int64_t job = submit(f, plain_job("one"));
    int64_t attempt = lease(f, job, 0, worker);
    struct report report;

    assert_true(attempt > 0);
    assert_int_equal(f->seen.task.state, TASK_LEASED);
    assert_int_equal(f->seen.job.next_position, 1);
    assert_int_equal(lease(f, job, 0, worker), 0); /* no longer pending */

    report = tell(f, worker, report_of(attempt, TASK_RUNNING));
    assert_false(report.settled);
    assert_int_equal(job_of(f, job).running, 1);
    report = ends(f, worker, attempt, TASK_SUCCEEDED);
    assert_true(report.settled);
    assert_false(report.stale);

    assert_int_equal(task_of(f, job, 0).state, TASK_SUCCEEDED);
    assert_int_equal(job_of(f, job).succeeded, 1);
    assert_true(job_of(f, job).finished_ms > 0);
    assert_true(f->seen.job.finished_ms > 0);
}

static void a_final_report_counts_once(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w");
    int64_t job = submit(f, plain_job("one"));
    int64_t attempt = lease(f, job, 0, worker);
    size_t seen;

    ends(f, worker, attempt, TASK_SUCCEEDED);
    seen = f->seen.count;
    struct report again = ends(f, worker, attempt, TASK_FAILED);
    assert_true(again.settled && again.stale);
    assert_int_equal(f->seen.count, seen);
    assert_int_equal(task_of(f, job, 0).state, TASK_SUCCEEDED);
    assert_int_equal(job_of(f, job).done, 1);
}

static void an_attempt_of_another_worker_is_stale(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), other = worker_ready(f, "v");
    int64_t job = submit(f, plain_job("one"));
    int64_t attempt = lease(f, job, 0, worker);
    struct report report = ends(f, other, attempt, TASK_SUCCEEDED);

    assert_true(report.stale);
    assert_int_equal(task_of(f, job, 0).state, TASK_LEASED);
    assert_true(ends(f, worker, 987654, TASK_SUCCEEDED).stale);
}

static void an_array_gets_rows_as_its_tasks_are_leased(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w");
    int64_t job = submit_array(f, "10-1000009:10", 100000);

    assert_true(lease(f, job, 30, worker) > 0); /* ahead of the rest's begin */
    assert_int_equal(job_of(f, job).next_position, 0);
    assert_true(lease(f, job, 10, worker) > 0);
    assert_int_equal(job_of(f, job).next_position, 1);
    assert_true(lease(f, job, 20, worker) > 0); /* joins up with the one ahead */
    assert_int_equal(job_of(f, job).next_position, 3);
    assert_int_equal(lease(f, job, 25, worker), 0); /* no such index */
    assert_int_equal(job_of(f, job).leased, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_plain_job_runs_and_ends, fixture_up, fixture_down),
        cmocka_unit_test_setup_teardown(a_final_report_counts_once, fixture_up, fixture_down),
        cmocka_unit_test_setup_teardown(an_attempt_of_another_worker_is_stale, fixture_up,
                                        fixture_down),
        cmocka_unit_test_setup_teardown(an_array_gets_rows_as_its_tasks_are_leased, fixture_up,
                                        fixture_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
