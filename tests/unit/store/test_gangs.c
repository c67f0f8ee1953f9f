/* SPDX-License-Identifier: Apache-2.0 */
/* test_gangs.c - tasks on several workers: leased all or none, ended together. */
#include "fixture.h"

struct gang {
    int64_t job;
    int64_t workers[3];
    struct lease leases[3];
};

static void gang_lease(struct fixture *f, struct gang *gang)
{
    for (int i = 0; i < 3; i++)
        gang->leases[i] = (struct lease){
            .job = gang->job, .worker = gang->workers[i], .nodes = 3, .rank = i, .hosts = "[]"
        };
    assert_ok(f, store_lease(f->store, gang->leases, 3, &f->err));
}

static struct gang gang_up(struct fixture *f)
{
    struct gang gang = { .job = submit(f, plain_job("gang")) };
    static const char *const stems[] = { "u", "v", "w" };

    for (int i = 0; i < 3; i++)
        gang.workers[i] = worker_ready(f, stems[i]);
    gang_lease(f, &gang);
    assert_true(gang.leases[0].attempt > 0);
    return gang;
}

static struct report node_ends(struct fixture *f, const struct gang *gang, int node,
                               enum task_state state)
{
    return ends(f, gang->workers[node], gang->leases[node].attempt, state);
}

static void is_whole(struct fixture *f)
{
    own_buf struct buf report = BUF_INIT(0);

    assert_ok(f, store_check(f->store, &report, &f->err));
    assert_string_equal(buf_text(&report), "");
}

static void all_succeed(void **state)
{
    struct fixture *f = *state;
    struct gang gang = gang_up(f);
    struct task_row task = task_of(f, gang.job, 0);

    assert_int_equal(task.state, TASK_LEASED);
    assert_int_equal(task.attempt, gang.leases[0].attempt);
    assert_int_equal(task.attempts, 1);
    tell(f, gang.workers[2], report_of(gang.leases[2].attempt, TASK_RUNNING));
    assert_int_equal(task_of(f, gang.job, 0).state, TASK_RUNNING);
    assert_true(node_ends(f, &gang, 0, TASK_SUCCEEDED).settled);
    is_whole(f);
    node_ends(f, &gang, 2, TASK_SUCCEEDED);
    assert_int_equal(task_of(f, gang.job, 0).state, TASK_RUNNING);
    node_ends(f, &gang, 1, TASK_SUCCEEDED);
    assert_int_equal(task_of(f, gang.job, 0).state, TASK_SUCCEEDED);
    assert_int_equal(task_of(f, gang.job, 0).exit_code, 0);
    assert_true(node_ends(f, &gang, 1, TASK_FAILED).stale);
    is_whole(f);
}

static void one_worker_that_takes_nothing_keeps_all_from_starting(void **state)
{
    struct fixture *f = *state;
    struct gang gang = { .job = submit(f, plain_job("gang")) };

    gang.workers[0] = worker_ready(f, "u");
    gang.workers[1] = worker_ready(f, "v");
    gang.workers[2] = worker_ready(f, "w");
    assert_ok(f, store_worker_set(f->store, gang.workers[2], WORKER_DRAINING, REASON_NONE, NULL,
                                  &f->err));
    gang_lease(f, &gang);
    for (int i = 0; i < 3; i++)
        assert_int_equal(gang.leases[i].attempt, 0);
    assert_int_equal(task_of(f, gang.job, 0).state, TASK_PENDING);
    assert_int_equal(task_of(f, gang.job, 0).attempts, 0);
    gang.workers[2] = worker_ready(f, "x");
    gang_lease(f, &gang);
    assert_true(gang.leases[2].attempt > 0);
    is_whole(f);
}

static void the_first_failure_says_how_it_ended(void **state)
{
    struct fixture *f = *state;
    struct gang gang = gang_up(f);
    struct report report;

    report = report_of(gang.leases[1].attempt, TASK_FAILED);
    report.reason = REASON_MEMORY;
    report.detail = "used more memory than it asked for";
    tell(f, gang.workers[1], report);
    assert_int_equal(task_of(f, gang.job, 0).state, TASK_LEASED); /* until the others have ended */
    report = report_of(gang.leases[0].attempt, TASK_CANCELLED);
    report.reason = REASON_CANCELLED;
    tell(f, gang.workers[0], report);
    node_ends(f, &gang, 2, TASK_SUCCEEDED);
    assert_int_equal(task_of(f, gang.job, 0).state, TASK_FAILED);
    assert_int_equal(task_of(f, gang.job, 0).reason, REASON_MEMORY);
    is_whole(f);
}

static void again(void *arg, const struct task_row *task, const char *spec, struct report *report)
{
    (void)arg;
    (void)task;
    (void)spec;
    report->next = TASK_PENDING;
    report->budget = BLAME_INFRA;
}

static void a_lost_worker_is_one_fault_of_the_infrastructure(void **state)
{
    struct fixture *f = *state;
    struct gang gang = gang_up(f);
    struct gang second = gang;
    struct report report = report_of(gang.leases[0].attempt, TASK_CANCELLED);

    assert_ok(
        f, store_worker_lost(f->store, gang.workers[1], REASON_LOST, "gone", again, NULL, &f->err));
    report.reason = REASON_CANCELLED;
    assert_ok(f, store_report(f->store, gang.workers[0], &report, 1, again, NULL, &f->err));
    assert_int_equal(task_of(f, gang.job, 0).state, TASK_LEASED);
    report.attempt = gang.leases[2].attempt;
    assert_ok(f, store_report(f->store, gang.workers[2], &report, 1, again, NULL, &f->err));
    assert_int_equal(task_of(f, gang.job, 0).state, TASK_PENDING);
    assert_int_equal(task_of(f, gang.job, 0).infra_retries, 1);

    gang_lease(f, &second); /* the record knows the worker of rank 1 still */
    assert_int_equal(task_of(f, gang.job, 0).attempts, 2);
    assert_true(node_ends(f, &gang, 0, TASK_SUCCEEDED).stale); /* of the first attempt */
    is_whole(f);
}

static void what_is_given_back_starts_again_at_no_cost(void **state)
{
    struct fixture *f = *state;
    struct gang gang = gang_up(f);
    struct report report = report_of(gang.leases[2].attempt, TASK_PENDING);

    tell(f, gang.workers[2], report);
    for (int i = 0; i < 2; i++) {
        report = report_of(gang.leases[i].attempt, TASK_CANCELLED);
        report.reason = REASON_CANCELLED;
        tell(f, gang.workers[i], report);
    }
    assert_int_equal(task_of(f, gang.job, 0).state, TASK_PENDING);
    assert_int_equal(task_of(f, gang.job, 0).infra_retries, 0);
    is_whole(f);
}

static void silence_of_one_node_is_the_tasks(void **state)
{
    struct fixture *f = *state;
    struct gang gang = gang_up(f);

    tell(f, gang.workers[0], report_of(gang.leases[0].attempt, TASK_RUNNING));
    assert_ok(f, store_worker_silent(f->store, gang.workers[2], true, &f->err));
    assert_int_equal(task_of(f, gang.job, 0).state, TASK_UNREACHABLE);
    assert_ok(f, store_worker_silent(f->store, gang.workers[2], false, &f->err));
    assert_int_equal(task_of(f, gang.job, 0).state, TASK_RUNNING);
}

static bool add_path(void *arg, const struct output_row *row)
{
    buf_printf(arg, "%s ", row->path);
    return true;
}

static void outputs_bear_their_nodes_name(void **state)
{
    struct fixture *f = *state;
    struct gang gang = gang_up(f);
    own_buf struct buf paths = BUF_INIT(0);
    char owner[40], sha256[SHA256_HEX];
    struct output_row output = { .path = "out.txt", .sha256 = sha256, .size = 2 };

    sha256_hex_of("ok", 2, sha256);
    for (int i = 0; i < 3; i++) {
        struct upload upload = { .owner = owner, .sha256 = sha256, .size = 2 };
        struct report report = report_of(gang.leases[i].attempt, TASK_SUCCEEDED);
        int64_t at = 0;

        snprintf(owner, sizeof owner, "attempt:%lld", (long long)gang.leases[i].attempt);
        assert_ok(f, store_upload_put(f->store, &upload, &at, "ok", 2, &f->err));
        assert_ok(f, store_upload_finish(f->store, &upload, &f->err));
        report.outputs = &output;
        report.output_count = 1;
        report.exit_code = 0;
        tell(f, gang.workers[i], report);
    }
    assert_int_equal(task_of(f, gang.job, 0).state, TASK_SUCCEEDED);
    assert_ok(f, store_outputs(f->store, gang.leases[0].attempt, add_path, &paths, &f->err));
    assert_string_equal(buf_text(&paths), "node-0/out.txt node-1/out.txt node-2/out.txt ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_up, fixture_down)
    const struct CMUnitTest tests[] = {
        TEST(all_succeed),
        TEST(one_worker_that_takes_nothing_keeps_all_from_starting),
        TEST(the_first_failure_says_how_it_ended),
        TEST(a_lost_worker_is_one_fault_of_the_infrastructure),
        TEST(what_is_given_back_starts_again_at_no_cost),
        TEST(silence_of_one_node_is_the_tasks),
        TEST(outputs_bear_their_nodes_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
