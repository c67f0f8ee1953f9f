/* SPDX-License-Identifier: Apache-2.0 */
/* test_notices.c - broker/store/notices.c: who is told of what, once, and what becomes of it. */
#include "fixture.h"

#include "store/notices.h"
#include "store/schedules.h"

struct last {
    size_t count;
    int64_t id;
    enum notice_kind kind;
    enum notice_state state;
    int tries;
    char target[64], event[1024];
};

static bool keep_last(void *arg, const struct notice_row *row)
{
    struct last *last = arg;

    last->count++;
    last->id = row->id;
    last->kind = row->kind;
    last->state = row->state;
    last->tries = row->tries;
    snprintf(last->target, sizeof last->target, "%s", row->target);
    snprintf(last->event, sizeof last->event, "%s", row->event);
    return true;
}

static struct last all(struct fixture *f)
{
    struct last last = { 0 };

    while (store_notices_settle(f->store, &f->err) > 0)
        ;
    assert_ok(f, store_notices(f->store, 0, keep_last, &last, &f->err));
    return last;
}

static size_t due(struct fixture *f, int64_t now_ms)
{
    struct last last = { 0 };

    assert_ok(f, store_notices_due(f->store, now_ms, 100, keep_last, &last, &f->err));
    return last.count;
}

static int64_t submit_told(struct fixture *f, const char *notify)
{
    struct new_job job = plain_job("nightly");

    job.notify = notify;
    return submit(f, job);
}

static void end_job(struct fixture *f, int64_t job, enum task_state state)
{
    int64_t worker = worker_ready(f, "w");

    ends(f, worker, lease(f, job, 0, worker), state);
}

static void a_failure_is_told_once_to_all(void **state)
{
    struct fixture *f = *state;
    int64_t job = submit_told(f, "{\"webhook\":[\"https://a\",\"https://b\"],\"mail\":\"ada@x\"}");
    struct last last;

    assert_int_equal(all(f).count, 0);
    end_job(f, job, TASK_FAILED);
    last = all(f);
    assert_int_equal(last.count, 3);
    assert_int_equal(last.kind, NOTICE_MAIL);
    assert_string_equal(last.target, "ada@x");
    assert_non_null(strstr(last.event, "\"event\":\"failed\""));
    assert_non_null(strstr(last.event, "\"name\":\"nightly\""));
    assert_non_null(strstr(last.event, "\"schedule\":null"));
    fixture_again(f);
    assert_int_equal(all(f).count, 3);
}

static void only_what_was_asked_for_is_told(void **state)
{
    struct fixture *f = *state;
    struct last last;

    end_job(f, submit_told(f, "{\"mail\":\"a@x\"}"), TASK_SUCCEEDED);
    assert_int_equal(all(f).count, 0);
    end_job(f, submit_told(f, "{\"on\":\"succeeded\",\"mail\":\"a@x\"}"), TASK_FAILED);
    assert_int_equal(all(f).count, 0);
    end_job(f, submit_told(f, "{\"on\":[\"started\",\"succeeded\"],\"mail\":\"a@x\"}"),
            TASK_SUCCEEDED);
    last = all(f);
    assert_int_equal(last.count, 2);
    assert_non_null(strstr(last.event, "\"event\":\"succeeded\""));
    end_job(f, submit_told(f, NULL), TASK_FAILED);
    assert_int_equal(all(f).count, 2);
}

static void a_start_is_told_before_the_end(void **state)
{
    struct fixture *f = *state;
    int64_t job = submit_told(f, "{\"on\":[\"started\"],\"mail\":\"a@x\"}");
    int64_t worker = worker_ready(f, "w"), attempt;

    attempt = lease(f, job, 0, worker);
    assert_int_equal(all(f).count, 1);
    assert_int_equal(all(f).count, 1);
    ends(f, worker, attempt, TASK_SUCCEEDED);
    assert_int_equal(all(f).count, 1);
}

static void note(struct fixture *f, int64_t id, enum notice_state to, int64_t due_ms)
{
    struct notice_result result = { .id = id, .state = to, .due_ms = due_ms, .error = "no" };

    assert_ok(f, store_notices_note(f->store, &result, 1, &f->err));
}

static void tries_end_in_death_and_replay(void **state)
{
    struct fixture *f = *state;
    struct last last;

    end_job(f, submit_told(f, "{\"mail\":\"a@x\"}"), TASK_FAILED);
    last = all(f);
    assert_int_equal(due(f, INT64_MAX), 1);
    note(f, last.id, NOTICE_PENDING, INT64_MAX - 1);
    assert_int_equal(due(f, 0), 0);
    assert_int_equal(all(f).tries, 1);
    assert_int_equal(store_notice_replay(f->store, last.id, &f->err), 1); /* not dead */
    note(f, last.id, NOTICE_DEAD, 0);
    assert_int_equal(all(f).state, NOTICE_DEAD);
    assert_int_equal(due(f, INT64_MAX), 0);
    assert_int_equal(store_notice_replay(f->store, last.id, &f->err), 0);
    assert_int_equal(due(f, INT64_MAX), 1);
    note(f, last.id, NOTICE_DONE, 0);
    assert_int_equal(all(f).state, NOTICE_DONE);
    note(f, last.id, NOTICE_DEAD, 0); /* too late: it was delivered */
    assert_int_equal(all(f).state, NOTICE_DONE);
    assert_ok(f, store_notices_prune(f->store, INT64_MAX, 0, &f->err));
    assert_int_equal(all(f).count, 0);
}

static int64_t fire(struct fixture *f, int64_t id, int64_t instant)
{
    struct new_job job = plain_job("nightly");
    struct firing firing = { .schedule = id,
                             .version = 1,
                             .instant = instant,
                             .mark_utc = instant,
                             .jobs = &job,
                             .job_count = 1 };

    assert_ok(f, store_fire(f->store, &firing, 1, &f->err));
    return job.id;
}

static void run(struct fixture *f, int64_t id, int64_t instant, enum task_state state)
{
    struct ended_run *runs = NULL;
    size_t count = 0;

    end_job(f, fire(f, id, instant), state);
    assert_ok(f, store_firings_settle(f->store, 1, &runs, &count, &f->err));
    assert_int_equal(count, 1);
    free(runs);
}

static void a_schedule_tells_of_failure_and_recovery(void **state)
{
    struct fixture *f = *state;
    struct schedule_put put = { .name = "nightly",
                                .project = "genomics",
                                .user = "ada",
                                .rule = "{}",
                                .spec = "{}",
                                .notify = "{\"mail\":\"a@x\"}" };
    struct last last;

    assert_ok(f, store_schedule_put(f->store, &put, 1, &f->err));
    run(f, put.id, 1000, TASK_SUCCEEDED);
    assert_int_equal(all(f).count, 0);
    run(f, put.id, 2000, TASK_FAILED);
    run(f, put.id, 3000, TASK_FAILED);
    last = all(f);
    assert_int_equal(last.count, 2);
    assert_non_null(strstr(last.event, "\"failures_in_a_row\":2"));
    assert_non_null(strstr(last.event, "\"schedule\":\"nightly\""));
    run(f, put.id, 4000, TASK_SUCCEEDED);
    last = all(f);
    assert_int_equal(last.count, 3);
    assert_non_null(strstr(last.event, "\"event\":\"recovered\""));
    run(f, put.id, 5000, TASK_SUCCEEDED);
    assert_int_equal(all(f).count, 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_up, fixture_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failure_is_told_once_to_all),
        TEST(only_what_was_asked_for_is_told),
        TEST(a_start_is_told_before_the_end),
        TEST(tries_end_in_death_and_replay),
        TEST(a_schedule_tells_of_failure_and_recovery),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
