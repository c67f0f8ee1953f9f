/* SPDX-License-Identifier: Apache-2.0 */
/* test_read.c - ls in pages, jobs and tasks with and without rows, outcomes. */
#include "fixture.h"

struct lines {
    int count;
    char text[2000]; /* "job.first+count:state " */
    int stop_after;
};

static bool add_line(void *arg, const struct ls_row *row)
{
    struct lines *lines = arg;
    size_t used = strlen(lines->text);

    if (row->count == 1 && row->task.attempt)
        snprintf(lines->text + used, sizeof lines->text - used, "%lld.%lld:%s ",
                 (long long)row->job.id, (long long)row->task.index,
                 task_state_name(row->task.state));
    else
        snprintf(lines->text + used, sizeof lines->text - used, "%lld[%lld+%lld]:%s ",
                 (long long)row->job.id, (long long)row->first, (long long)row->count,
                 task_state_name(row->task.state));
    return ++lines->count != lines->stop_after;
}

static const char *ls(struct fixture *f, struct ls_filter filter)
{
    static struct lines lines;

    lines = (struct lines){ 0 };
    if (!filter.limit)
        filter.limit = 100;
    assert_ok(f, store_ls(f->store, &filter, add_line, &lines, NULL, &f->err));
    return lines.text;
}

static void an_array_is_its_rows_and_one_line_for_the_rest(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit_array(f, "10-19", 10);

    assert_string_equal(ls(f, (struct ls_filter){ 0 }), "1[0+10]:pending ");
    ends(f, worker, lease(f, job, 10, worker), TASK_FAILED);
    lease(f, job, 11, worker);
    assert_string_equal(ls(f, (struct ls_filter){ 0 }), "1.11:leased 1[2+8]:pending ");
    assert_string_equal(ls(f, (struct ls_filter){ .all = true }),
                        "1.10:failed 1.11:leased 1[2+8]:pending ");
    assert_string_equal(ls(f, (struct ls_filter){ .states = 1u << TASK_FAILED }), "1.10:failed ");
    assert_string_equal(ls(f, (struct ls_filter){ .states = 1u << TASK_HELD }), "");
}

static void a_rest_with_holes_is_a_line_for_each_piece(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit_array(f, "0-18:2", 10);

    ends(f, worker, lease(f, job, 0, worker), TASK_SUCCEEDED);
    ends(f, worker, lease(f, job, 6, worker), TASK_SUCCEEDED);
    lease(f, job, 14, worker);
    lease(f, job, 18, worker);
    assert_string_equal(ls(f, (struct ls_filter){ 0 }),
                        "1.14:leased 1.18:leased 1[1+2]:pending 1[4+3]:pending 1[8+1]:pending ");
}

static void filters_pick(void **state)
{
    struct fixture *f = *state;
    struct new_job job = plain_job("align");
    const char *const projects[] = { "physics", NULL };

    submit(f, job);
    job.user = "bob";
    submit(f, job);
    job.project = "physics";
    job.name = "fit";
    submit(f, job);
    assert_string_equal(ls(f, (struct ls_filter){ .name = "fit" }), "3[0+1]:pending ");
    assert_string_equal(ls(f, (struct ls_filter){ .user = "ada" }), "1[0+1]:pending ");
    assert_string_equal(ls(f, (struct ls_filter){ .all = true, .user = "ada" }), "1[0+1]:pending ");
    assert_string_equal(ls(f, (struct ls_filter){ .user = "ada", .projects = projects }),
                        "1[0+1]:pending 3[0+1]:pending ");
    assert_string_equal(ls(f, (struct ls_filter){ .project = "genomics", .user = "bob" }),
                        "2[0+1]:pending ");
    assert_string_equal(ls(f, (struct ls_filter){ .job = 2 }), "2[0+1]:pending ");
    assert_string_equal(ls(f, (struct ls_filter){ .job = 99 }), "");
}

/* Page by page, by every size of page, the list is the same. */
static void pages_join_without_a_seam(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w");
    struct lines whole = { 0 };
    struct ls_filter filter = { .all = true, .limit = 1000 };

    for (int i = 0; i < 4; i++) {
        int64_t job = submit_array(f, "0-5", 6);

        submit(f, plain_job("plain"));
        for (int k = 0; k < i; k++)
            ends(f, worker, lease(f, job, k, worker), TASK_SUCCEEDED);
        if (i % 2)
            ends(f, worker, lease(f, job, 4, worker), TASK_SUCCEEDED);
    }
    assert_ok(f, store_ls(f->store, &filter, add_line, &whole, NULL, &f->err));
    for (filter.limit = 1; filter.limit <= whole.count + 1; filter.limit++) {
        own_buf struct buf cursor = BUF_INIT(0);
        struct lines lines = { 0 };

        do {
            own_str char *from = xstrdup(buf_text(&cursor));

            filter.cursor = from;
            assert_ok(f, store_ls(f->store, &filter, add_line, &lines, &cursor, &f->err));
            filter.cursor = NULL;
        } while (cursor.length);
        assert_string_equal(lines.text, whole.text);
    }
}

/* The lines of a list, the last one first. */
static void turn(const char *text, struct buf *out)
{
    own_str char *copy = xstrdup(text);
    size_t length = strlen(copy);

    while (length) {
        copy[--length] = '\0'; /* the blank that ends the last word */
        while (length && copy[length - 1] != ' ')
            length--;
        buf_printf(out, "%s ", copy + length);
    }
}

/* The same lines backwards, page by page; and from a place in one order on in the other. */
static void newest_first_is_the_list_backwards(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w");
    const char *const projects[] = { "genomics", NULL };

    for (int i = 0; i < 5; i++) {
        struct new_job job = plain_job("array");
        int64_t id;

        job.user = i % 2 ? "ada" : "bob";
        job.array = "0-5";
        job.tasks = 6;
        id = submit(f, job);
        for (int k = 0; k <= i; k++)
            ends(f, worker, lease(f, id, k, worker), TASK_SUCCEEDED);
        if (i < 3)
            lease(f, id, 4, worker);
    }
    for (int kind = 0; kind < 6; kind++) {
        struct ls_filter filter = { .all = kind % 2 == 0, .limit = 1000 };
        own_buf struct buf expected = BUF_INIT(0);
        struct lines whole = { 0 };

        filter.user = kind >= 2 ? "ada" : NULL;
        filter.projects = kind >= 4 ? projects : NULL;
        assert_ok(f, store_ls(f->store, &filter, add_line, &whole, NULL, &f->err));
        turn(whole.text, &expected);
        filter.newest_first = true;
        for (filter.limit = 1; filter.limit <= whole.count + 1; filter.limit++) {
            own_buf struct buf cursor = BUF_INIT(0);
            struct lines lines = { 0 };

            do {
                own_str char *from = xstrdup(buf_text(&cursor));

                filter.cursor = from;
                assert_ok(f, store_ls(f->store, &filter, add_line, &lines, &cursor, &f->err));
                filter.cursor = NULL;
            } while (cursor.length);
            assert_string_equal(lines.text, buf_text(&expected));
        }
    }
}

static void a_place_is_good_for_both_orders(void **state)
{
    struct fixture *f = *state;
    own_buf struct buf cursor = BUF_INIT(0);
    struct ls_filter filter = { .all = true, .limit = 2 };
    struct lines up = { 0 }, down = { 0 };

    for (int i = 0; i < 4; i++)
        submit(f, plain_job("plain"));
    assert_ok(f, store_ls(f->store, &filter, add_line, &up, &cursor, &f->err));
    filter.newest_first = true;
    filter.cursor = buf_text(&cursor);
    assert_ok(f, store_ls(f->store, &filter, add_line, &down, NULL, &f->err));
    assert_string_equal(up.text, "1[0+1]:pending 2[0+1]:pending ");
    assert_string_equal(down.text, "1[0+1]:pending ");
}

/* Hers and her projects', ended and not, are several lists that are read as one. */
static void merged_lists_are_in_order_and_without_twins(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w");
    const char *const users[] = { "ada", "bob", "eve" };
    const char *const areas[] = { "genomics", "physics", "climate" };
    const char *const projects[] = { "physics", "genomics", NULL };
    own_buf struct buf expected = BUF_INIT(0);

    for (int i = 0; i < 60; i++) {
        struct new_job job = plain_job("job");
        int user = i % 3, area = i / 3 % 3;
        bool is_over = i % 4 == 0;

        job.user = users[user];
        job.project = areas[area];
        job.id = submit(f, job);
        if (is_over)
            ends(f, worker, lease(f, job.id, 0, worker), TASK_SUCCEEDED);
        if (user != 0 && area == 2)
            continue; /* neither hers nor her projects' */
        buf_printf(&expected, is_over ? "%lld.0:succeeded " : "%lld[0+1]:pending ",
                   (long long)job.id);
    }
    for (int64_t limit = 1; limit < 70; limit += 7) {
        own_buf struct buf cursor = BUF_INIT(0);
        struct ls_filter filter = {
            .all = true, .limit = limit, .user = "ada", .projects = projects
        };
        struct lines lines = { 0 };

        do {
            own_str char *from = xstrdup(buf_text(&cursor));

            filter.cursor = from;
            assert_ok(f, store_ls(f->store, &filter, add_line, &lines, &cursor, &f->err));
        } while (cursor.length);
        assert_string_equal(lines.text, buf_text(&expected));
    }
}

static void a_caller_that_has_enough_can_go_on_from_there(void **state)
{
    struct fixture *f = *state;
    own_buf struct buf cursor = BUF_INIT(0);
    struct lines lines = { .stop_after = 2 };
    struct ls_filter filter = { .limit = 100 };

    for (int i = 0; i < 4; i++)
        submit(f, plain_job("plain"));
    assert_ok(f, store_ls(f->store, &filter, add_line, &lines, &cursor, &f->err));
    filter.cursor = buf_text(&cursor);
    assert_string_equal(ls(f, filter), "3[0+1]:pending 4[0+1]:pending ");
}

static void a_cursor_from_elsewhere_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *const bad[] = { "x", "1", "1.", ".1", "1.2.3", "-4.0", "99999999999999999999.0" };
    struct lines lines = { 0 };

    for (size_t i = 0; i < array_len(bad); i++) {
        struct ls_filter filter = { .limit = 1, .cursor = bad[i] };

        assert_fault(f, FAULT_INVALID,
                     store_ls(f->store, &filter, add_line, &lines, NULL, &f->err));
    }
}

static void a_task_without_a_row_is_what_its_job_says(void **state)
{
    struct fixture *f = *state;
    own_buf struct buf strings = BUF_INIT(0);
    int64_t job = submit_array(f, "1-1000000", 1000000);
    struct target whole = { job, -1 };
    struct task_row task;

    assert_int_equal(task_of(f, job, 700000).state, TASK_PENDING);
    assert_int_equal(store_cancel(f->store, whole, REASON_CANCELLED, "no longer needed", &f->err),
                     1000000);
    assert_int_equal(store_task(f->store, (struct target){ job, 700000 }, &task, &strings, &f->err),
                     0);
    assert_int_equal(task.state, TASK_CANCELLED);
    assert_int_equal(task.reason, REASON_CANCELLED);
    assert_string_equal(task.detail, "no longer needed");
    assert_true(task.finished_ms > 0);
    assert_int_equal(store_task(f->store, (struct target){ job, 0 }, &task, &strings, &f->err), 1);
    assert_int_equal(store_task(f->store, (struct target){ 99, 0 }, &task, &strings, &f->err), 1);
}

static void a_task_names_its_worker_and_site(void **state)
{
    struct fixture *f = *state;
    own_buf struct buf strings = BUF_INIT(0);
    int64_t worker = worker_ready(f, "w"), job = submit(f, plain_job("one"));
    struct job_detail detail;

    lease(f, job, 0, worker);
    assert_int_equal(store_job(f->store, job, &detail, &strings, &f->err), 0);
    assert_string_equal(detail.task.worker_name, "w-1");
    assert_string_equal(detail.task.site, "local");
    assert_string_equal(detail.job.name, "one");
    assert_int_equal(detail.counts[TASK_LEASED], 1);
    assert_int_equal(store_job(f->store, 99, &detail, &strings, &f->err), 1);
}

static void outcomes(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit_array(f, "0-1", 2);
    enum on_outcome outcome;

    ends(f, worker, lease(f, job, 0, worker), TASK_SUCCEEDED);
    assert_int_equal(store_outcome(f->store, (struct target){ job, -1 }, &outcome, &f->err), 1);
    assert_int_equal(store_outcome(f->store, (struct target){ job, 1 }, &outcome, &f->err), 1);
    assert_int_equal(store_outcome(f->store, (struct target){ job, 0 }, &outcome, &f->err), 0);
    assert_int_equal(outcome, ON_SUCCESS);
    ends(f, worker, lease(f, job, 1, worker), TASK_FAILED);
    assert_int_equal(store_outcome(f->store, (struct target){ job, -1 }, &outcome, &f->err), 0);
    assert_int_equal(outcome, ON_FAILURE);
    assert_int_equal(store_outcome(f->store, (struct target){ job, 7 }, &outcome, &f->err), 2);
    assert_int_equal(store_outcome(f->store, (struct target){ 99, -1 }, &outcome, &f->err), 2);
}

static bool count_attempt(void *arg, const struct attempt_row *row)
{
    (void)row;
    ++*(int *)arg;
    return true;
}

static void attempts_are_listed_by_task_job_and_worker(void **state)
{
    struct fixture *f = *state;
    own_buf struct buf strings = BUF_INIT(0);
    int64_t worker = worker_ready(f, "w"), job = submit_array(f, "0-1", 2), first;
    struct lease with_reason = {
        .job = job, .index = 1, .worker = worker, .decision = "{\"a\":1}"
    };
    struct attempt_row attempt;
    int count = 0;

    first = lease(f, job, 0, worker);
    tell(f, worker, report_of(first, TASK_PENDING));
    lease(f, job, 0, worker);
    assert_ok(f, store_lease(f->store, &with_reason, 1, &f->err));
    assert_ok(f,
              store_attempts(f->store, (struct target){ job, 0 }, count_attempt, &count, &f->err));
    assert_int_equal(count, 2);
    assert_ok(f,
              store_attempts(f->store, (struct target){ job, -1 }, count_attempt, &count, &f->err));
    assert_int_equal(count, 2 + 3);
    assert_ok(f, store_worker_attempts(f->store, worker, count_attempt, &count, &f->err));
    assert_int_equal(count, 2 + 3 + 2);
    assert_int_equal(store_attempt(f->store, with_reason.attempt, &attempt, &strings, &f->err), 0);
    assert_string_equal(attempt.decision, "{\"a\":1}");
    assert_string_equal(attempt.site, "local");
    assert_int_equal(attempt.number, 1);
    assert_int_equal(store_attempt(f->store, 99, &attempt, &strings, &f->err), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_up, fixture_down)
    const struct CMUnitTest tests[] = {
        TEST(an_array_is_its_rows_and_one_line_for_the_rest),
        TEST(a_rest_with_holes_is_a_line_for_each_piece),
        TEST(filters_pick),
        TEST(newest_first_is_the_list_backwards),
        TEST(a_place_is_good_for_both_orders),
        TEST(pages_join_without_a_seam),
        TEST(merged_lists_are_in_order_and_without_twins),
        TEST(a_caller_that_has_enough_can_go_on_from_there),
        TEST(a_cursor_from_elsewhere_is_refused),
        TEST(a_task_without_a_row_is_what_its_job_says),
        TEST(a_task_names_its_worker_and_site),
        TEST(outcomes),
        TEST(attempts_are_listed_by_task_job_and_worker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
