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

/* ---- what follows an end */

/* Two tries for the user's faults, any number for ours. */
static void judge_twice(void *arg, const struct task_row *task, const char *spec,
                        struct report *report)
{
    (void)spec;
    report->budget = reason_blame(report->reason);
    report->next =
        report->budget == BLAME_INFRA || task->user_retries < 1 ? TASK_PENDING : report->state;
    report->not_before_ms = *(const int64_t *)arg;
}

static struct report fails(struct fixture *f, int64_t worker, int64_t attempt, int64_t not_before)
{
    struct report report = report_of(attempt, TASK_FAILED);

    report.reason = REASON_USER_EXIT;
    report.exit_code = 9;
    report.detail = "exit status 9";
    assert_ok(f, store_report(f->store, worker, &report, 1, judge_twice, &not_before, &f->err));
    return report;
}

static void a_retry_uses_the_budget_and_waits(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit(f, plain_job("one"));

    fails(f, worker, lease(f, job, 0, worker), INT64_MAX / 4);
    assert_int_equal(task_of(f, job, 0).state, TASK_PENDING);
    assert_int_equal(task_of(f, job, 0).reason, REASON_BACKOFF);
    assert_int_equal(task_of(f, job, 0).user_retries, 1);
    assert_int_equal(f->seen.task.not_before_ms, INT64_MAX / 4);
    fails(f, worker, lease(f, job, 0, worker), 0);
    assert_int_equal(task_of(f, job, 0).state, TASK_FAILED);
    assert_int_equal(task_of(f, job, 0).reason, REASON_USER_EXIT);
    assert_int_equal(task_of(f, job, 0).exit_code, 9);
    assert_int_equal(task_of(f, job, 0).attempts, 2);
    assert_int_equal(job_of(f, job).failed, 1);
}

static void a_lost_worker_costs_the_user_nothing(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), other = worker_ready(f, "v");
    int64_t job = submit_array(f, "0-1", 2), first, never = 0;

    first = lease(f, job, 0, worker);
    lease(f, job, 1, worker);
    tell(f, worker, report_of(first, TASK_RUNNING));
    assert_ok(f, store_worker_lost(f->store, worker, REASON_LOST, "no word for an hour",
                                   judge_twice, &never, &f->err));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(task_of(f, job, i).state, TASK_PENDING);
        assert_int_equal(task_of(f, job, i).infra_retries, 1);
        assert_int_equal(task_of(f, job, i).user_retries, 0);
    }
    assert_int_equal(job_of(f, job).leased + job_of(f, job).running, 0);
    assert_true(ends(f, worker, first, TASK_SUCCEEDED).stale); /* it comes back too late */
    assert_true(lease(f, job, 0, other) > 0);
}

static void what_is_given_back_is_charged_to_nobody(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit(f, plain_job("one"));
    struct report report = tell(f, worker, report_of(lease(f, job, 0, worker), TASK_PENDING));
    struct task_row task = task_of(f, job, 0);

    assert_true(report.settled && !report.stale);
    assert_int_equal(task.state, TASK_PENDING);
    assert_int_equal(task.user_retries + task.infra_retries + task.preempt_retries, 0);
}

/* ---- silence */

static void silence_hides_what_a_task_does_and_no_more(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit_array(f, "0-2", 3), attempts[3];

    for (int i = 0; i < 3; i++)
        attempts[i] = lease(f, job, i, worker);
    tell(f, worker, report_of(attempts[1], TASK_RUNNING));
    tell(f, worker, report_of(attempts[2], TASK_COMPLETING));
    assert_ok(f, store_worker_silent(f->store, worker, true, &f->err));
    for (int i = 0; i < 3; i++)
        assert_int_equal(task_of(f, job, i).state, TASK_UNREACHABLE);
    assert_int_equal(job_of(f, job).running, 3);
    assert_int_equal(lease(f, job, 0, worker), 0);
    /* a report that was overtaken does not bring a task back to where it was before */
    tell(f, worker, report_of(attempts[2], TASK_RUNNING));
    assert_int_equal(task_of(f, job, 2).state, TASK_UNREACHABLE);
    assert_ok(f, store_worker_silent(f->store, worker, false, &f->err));
    assert_int_equal(task_of(f, job, 0).state, TASK_LEASED);
    assert_int_equal(task_of(f, job, 1).state, TASK_RUNNING);
    assert_int_equal(task_of(f, job, 2).state, TASK_COMPLETING);
}

/* ---- cancel, hold, release, retry */

static int64_t cancel(struct fixture *f, int64_t job, int64_t index, enum reason reason)
{
    return store_cancel(f->store, (struct target){ job, index }, reason, "enough", &f->err);
}

static void what_runs_is_asked_to_end(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit_array(f, "0-9", 10);
    int64_t first = lease(f, job, 0, worker), second = lease(f, job, 1, worker);

    assert_int_equal(cancel(f, job, -1, REASON_DEADLINE), 10);
    assert_true(task_of(f, job, 0).cancel_asked);
    assert_int_equal(job_of(f, job).cancelled, 8);
    assert_int_equal(job_of(f, job).rest_state, TASK_CANCELLED);
    assert_int_equal(cancel(f, job, -1, REASON_DEADLINE), 0);
    ends(f, worker, first, TASK_FAILED);
    assert_int_equal(task_of(f, job, 0).state, TASK_CANCELLED);
    assert_int_equal(task_of(f, job, 0).reason, REASON_DEADLINE);
    ends(f, worker, second, TASK_SUCCEEDED); /* it was done before the word came */
    assert_int_equal(task_of(f, job, 1).state, TASK_SUCCEEDED);
    assert_true(job_of(f, job).finished_ms > 0);
}

static void a_cancelled_task_of_a_lost_worker_is_cancelled(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit(f, plain_job("one")), never = 0;

    lease(f, job, 0, worker);
    assert_int_equal(cancel(f, job, 0, REASON_CANCELLED), 1);
    assert_ok(f,
              store_worker_lost(f->store, worker, REASON_LOST, NULL, judge_twice, &never, &f->err));
    assert_int_equal(task_of(f, job, 0).state, TASK_CANCELLED);
    assert_int_equal(task_of(f, job, 0).reason, REASON_CANCELLED);
}

static void a_dependency_that_cannot_come_true_fails_what_waits(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit_array(f, "0-9", 10);

    lease(f, job, 0, worker);
    assert_int_equal(cancel(f, job, 5, REASON_DEPENDENCY), 1);
    assert_int_equal(task_of(f, job, 5).state, TASK_FAILED);
    assert_int_equal(job_of(f, job).next_position, 1); /* the one ahead moves nothing */
    assert_int_equal(cancel(f, job, -1, REASON_NO_SITE), 8);
    assert_int_equal(task_of(f, job, 9).reason, REASON_NO_SITE);
    assert_int_equal(task_of(f, job, 0).state, TASK_LEASED); /* what runs goes on */
    assert_int_equal(job_of(f, job).failed, 9);
}

static void an_array_is_held_and_released_at_once(void **state)
{
    struct fixture *f = *state;
    struct target whole = { submit_array(f, "0-999999", 1000000), -1 };
    struct target one = { whole.job, 0 };
    int64_t worker = worker_ready(f, "w");
    size_t seen = f->seen.tasks;

    assert_int_equal(store_hold(f->store, whole, &f->err), 1000000);
    assert_int_equal(lease(f, whole.job, 0, worker), 0);
    assert_int_equal(store_release(f->store, one, &f->err), 1);
    assert_true(lease(f, whole.job, 0, worker) > 0);
    assert_int_equal(store_release(f->store, whole, &f->err), 999999);
    assert_int_equal(store_release(f->store, whole, &f->err), 0);
    assert_true(f->seen.tasks - seen < 5);
    assert_int_equal(job_of(f, whole.job).rest_state, TASK_PENDING);
}

static void retry_brings_back_what_did_not_succeed(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit_array(f, "0-9", 10);
    size_t dependencies = f->seen.dependencies;

    ends(f, worker, lease(f, job, 0, worker), TASK_SUCCEEDED);
    fails(f, worker, lease(f, job, 1, worker), 0);
    fails(f, worker, lease(f, job, 1, worker), 0);
    cancel(f, job, -1, REASON_CANCELLED);
    assert_true(job_of(f, job).finished_ms > 0);
    assert_int_equal(store_retry(f->store, (struct target){ job, -1 }, &f->err), 9);
    assert_int_equal(job_of(f, job).finished_ms, 0);
    assert_int_equal(job_of(f, job).done, 1);
    assert_int_equal(task_of(f, job, 1).user_retries, 0);
    assert_int_equal(task_of(f, job, 1).state, TASK_PENDING);
    assert_int_equal(task_of(f, job, 9).state, TASK_PENDING);
    assert_int_equal(f->seen.job.finished_ms, 0);
    assert_int_equal(f->seen.dependencies, dependencies);
    assert_int_equal(store_retry(f->store, (struct target){ job, 0 }, &f->err), 0);
}

static void more_failures_than_a_slice_are_retried(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit_array(f, "0-11999", 12000);
    struct lease leases[1000];
    struct report reports[1000];

    for (int from = 0; from < 12000; from += 1000) {
        for (int i = 0; i < 1000; i++)
            leases[i] = (struct lease){ .job = job, .index = from + i, .worker = worker };
        assert_ok(f, store_lease(f->store, leases, 1000, &f->err));
        for (int i = 0; i < 1000; i++)
            reports[i] = report_of(leases[i].attempt, TASK_FAILED);
        assert_ok(f, store_report(f->store, worker, reports, 1000, NULL, NULL, &f->err));
    }
    assert_int_equal(job_of(f, job).failed, 12000);
    assert_int_equal(store_retry(f->store, (struct target){ job, -1 }, &f->err), 12000);
    assert_int_equal(job_of(f, job).done, 0);
}

static void what_does_not_exist_is_not_found(void **state)
{
    struct fixture *f = *state;
    int64_t job = submit_array(f, "0-9", 10);

    assert_fault(f, FAULT_NOT_FOUND, (int)cancel(f, 99, -1, REASON_CANCELLED));
    assert_fault(f, FAULT_NOT_FOUND, (int)cancel(f, job, 10, REASON_CANCELLED));
    assert_fault(f, FAULT_NOT_FOUND, (int)store_hold(f->store, (struct target){ 0, -1 }, &f->err));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_up, fixture_down)
    const struct CMUnitTest tests[] = {
        TEST(a_plain_job_runs_and_ends),
        TEST(a_final_report_counts_once),
        TEST(an_attempt_of_another_worker_is_stale),
        TEST(an_array_gets_rows_as_its_tasks_are_leased),
        TEST(a_retry_uses_the_budget_and_waits),
        TEST(a_lost_worker_costs_the_user_nothing),
        TEST(what_is_given_back_is_charged_to_nobody),
        TEST(silence_hides_what_a_task_does_and_no_more),
        TEST(what_runs_is_asked_to_end),
        TEST(a_cancelled_task_of_a_lost_worker_is_cancelled),
        TEST(a_dependency_that_cannot_come_true_fails_what_waits),
        TEST(an_array_is_held_and_released_at_once),
        TEST(retry_brings_back_what_did_not_succeed),
        TEST(more_failures_than_a_slice_are_retried),
        TEST(what_does_not_exist_is_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
