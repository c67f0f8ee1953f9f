/* SPDX-License-Identifier: Apache-2.0 */
/* test_json.c - tasks, jobs and problems as JSON text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/problem.h"
#include "api/task_json.h"
#include "base/json.h"

static json_t *parsed(struct buf *text)
{
    struct err err = ERR_INIT;
    json_t *value = json_parse(buf_text(text), text->length, &err);

    if (!value)
        fail_msg("%s: %s", err.text, buf_text(text));
    buf_free(text);
    return value;
}

static const char *text_of(const json_t *value, const char *key)
{
    const char *text = json_string_value(json_object_get(value, key));

    return text ? text : "(none)";
}

static struct ls_row plain_row(void)
{
    return (struct ls_row){ .job = { .id = 12,
                                     .name = "a\"b\n",
                                     .project = "p",
                                     .user = "u",
                                     .submitted_ms = 1000,
                                     .tasks = 1 },
                            .task = { .job = 12, .state = TASK_PENDING, .exit_code = -1 },
                            .count = 1 };
}

static void what_is_not_known_is_null(void **state)
{
    static const char *const keys[] = { "index",    "reason",      "detail",       "exit_code",
                                        "signal",   "site",        "worker",       "started",
                                        "finished", "cpu_seconds", "max_rss_bytes" };
    struct ls_row row = plain_row();
    struct buf out = BUF_INIT(0);
    own_json json_t *task = NULL;

    (void)state;
    task_put(&out, &row);
    task = parsed(&out);
    assert_string_equal(text_of(task, "id"), "12");
    assert_string_equal(text_of(task, "name"), "a\"b\n");
    assert_string_equal(text_of(task, "submitted"), "1970-01-01T00:00:01.000Z");
    for (size_t i = 0; i < array_len(keys); i++)
        if (!json_is_null(json_object_get(task, keys[i])))
            fail_msg("%s is not null", keys[i]);
}

static void an_ended_task_tells_all(void **state)
{
    struct ls_row row = plain_row();
    struct buf out = BUF_INIT(0);
    own_json json_t *task = NULL;

    (void)state;
    row.job.array = "0-9";
    row.task = (struct task_row){ .job = 12,
                                  .index = 7,
                                  .state = TASK_FAILED,
                                  .reason = REASON_USER_EXIT,
                                  .attempt = 99,
                                  .attempts = 2,
                                  .exit_code = 3,
                                  .site = "local",
                                  .worker_name = "w-1",
                                  .started_ms = 2000,
                                  .finished_ms = 3000,
                                  .cpu_ms = 1500,
                                  .max_rss = 4096,
                                  .user_retries = 1,
                                  .detail = "exit status 3" };
    task_put(&out, &row);
    task = parsed(&out);
    assert_string_equal(text_of(task, "id"), "12.7");
    assert_string_equal(text_of(task, "reason"), "user-exit");
    assert_int_equal(json_integer_value(json_object_get(task, "exit_code")), 3);
    assert_int_equal(json_integer_value(json_object_get(task, "attempt")), 2);
    assert_int_equal(json_integer_value(json_object_get(task, "index")), 7);
    assert_true(json_real_value(json_object_get(task, "cpu_seconds")) == 1.5);
    assert_int_equal(json_integer_value(json_object_get(task, "user_retries_used")), 1);
}

static const char *rest_id(const char *array, int64_t first, int64_t count)
{
    static struct buf out = BUF_INIT(0);
    struct job_row job = { .id = 5, .array = array };

    buf_clear(&out);
    rest_id_put(&out, &job, first, count);
    return buf_text(&out);
}

static void a_rest_is_named_by_its_indices(void **state)
{
    (void)state;
    assert_string_equal(rest_id("0-99", 0, 100), "5.[0-99]");
    assert_string_equal(rest_id("0-99", 7, 93), "5.[7-99]");
    assert_string_equal(rest_id("0-99", 99, 1), "5.[99]");
    assert_string_equal(rest_id("1-9:2", 1, 4), "5.[3-9:2]");
    assert_string_equal(rest_id("1-3,10,20-22", 2, 4), "5.[3,10,20-21]");
    assert_string_equal(rest_id("1,3,5,7,9,11,13,15,17,19", 0, 10), "5.[1,3,5,7,9,11,13,15,...]");
}

static void a_jobs_state_is_the_liveliest(void **state)
{
    int64_t counts[TASK_STATE_COUNT] = { [TASK_SUCCEEDED] = 5 };

    (void)state;
    assert_int_equal(job_state(counts), TASK_SUCCEEDED);
    counts[TASK_CANCELLED] = 1;
    assert_int_equal(job_state(counts), TASK_CANCELLED);
    counts[TASK_FAILED] = 1;
    assert_int_equal(job_state(counts), TASK_FAILED);
    counts[TASK_HELD] = 1;
    assert_int_equal(job_state(counts), TASK_HELD);
    counts[TASK_PENDING] = 1;
    assert_int_equal(job_state(counts), TASK_PENDING);
    counts[TASK_RUNNING] = 1;
    assert_int_equal(job_state(counts), TASK_RUNNING);
}

static void an_array_counts_its_tasks(void **state)
{
    struct job_detail detail = { .job = { .id = 5,
                                          .name = "n",
                                          .project = "p",
                                          .user = "u",
                                          .array = "0-9",
                                          .tasks = 10,
                                          .rest_state = TASK_PENDING },
                                 .counts = { [TASK_PENDING] = 7, [TASK_FAILED] = 3 } };
    struct buf out = BUF_INIT(0);
    own_json json_t *job = NULL;

    (void)state;
    job_put(&out, &detail);
    buf_putc(&out, '}');
    job = parsed(&out);
    assert_string_equal(text_of(job, "id"), "5");
    assert_string_equal(text_of(job, "state"), "pending");
    assert_int_equal(json_integer_value(json_object_get(job, "tasks")), 10);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(job, "counts"), "failed")),
                     3);
    assert_int_equal(json_object_size(json_object_get(job, "counts")), 2);
}

static void every_fault_has_a_status(void **state)
{
    (void)state;
    assert_int_equal(problem_status(FAULT_INVALID, true), 422);
    assert_int_equal(problem_status(FAULT_NOT_FOUND, true), 404);
    assert_int_equal(problem_status(FAULT_AUTH, false), 401);
    assert_int_equal(problem_status(FAULT_AUTH, true), 403);
    assert_int_equal(problem_status(FAULT_CONFLICT, true), 409);
    assert_int_equal(problem_status(FAULT_THROTTLED, true), 429);
    assert_int_equal(problem_status(FAULT_UNAVAILABLE, true), 503);
    assert_int_equal(problem_status(FAULT_TIMEOUT, true), 504);
    assert_int_equal(problem_status(FAULT_INTERNAL, true), 500);
    assert_int_equal(problem_status(FAULT_QUOTA, true), 500);
}

static void a_problem_is_json_whatever_the_words(void **state)
{
    struct err err = { .fault = FAULT_INVALID, .text = "bad \"\x1b[31m\xff\xfe\" byte" };
    own_json json_t *extra = json_pack("{s:s, s:[i]}", "field", "/jobs/0", "sites", 1);
    struct buf out = BUF_INIT(0);
    own_json json_t *problem = NULL;

    (void)state;
    problem_write(&out, &err, 422, extra);
    assert_null(strchr(buf_text(&out), '\x1b'));
    problem = parsed(&out);
    assert_string_equal(text_of(problem, "type"), "urn:spillway:fault:invalid");
    assert_string_equal(text_of(problem, "field"), "/jobs/0");
    assert_int_equal(json_integer_value(json_object_get(problem, "status")), 422);
    assert_int_equal(json_array_size(json_object_get(problem, "sites")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_known_is_null),
        cmocka_unit_test(an_ended_task_tells_all),
        cmocka_unit_test(a_rest_is_named_by_its_indices),
        cmocka_unit_test(a_jobs_state_is_the_liveliest),
        cmocka_unit_test(an_array_counts_its_tasks),
        cmocka_unit_test(every_fault_has_a_status),
        cmocka_unit_test(a_problem_is_json_whatever_the_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
