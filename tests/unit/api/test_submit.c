/* SPDX-License-Identifier: Apache-2.0 */
/* test_submit.c - bodies of POST /v1/jobs: checked whole, nothing taken when anything is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/submit.h"
#include "base/json.h"
#include "base/own.h"

static const char CONF[] = "broker: {defaults: {project: lab}}\n"
                           "users: {bob: {project: genomics, role: operator}}\n"
                           "projects:\n"
                           "  closed: {users: [carol]}\n"
                           "sites: []\n";

struct world {
    struct policy *policy;
    struct caller *caller;
    struct submit submit;
    json_t *errors;
    struct err err;
};

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof *w);
    struct broker_conf conf = { .file = NULL };

    if (broker_conf_parse(CONF, strlen(CONF), "test.yaml", &conf, &w->err) < 0) {
        print_error("%s\n", w->err.text);
        return -1;
    }
    w->policy = policy_new(&conf);
    broker_conf_free(&conf);
    w->caller = caller_new(ROLE_USER, "alice", "");
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    submit_free(&w->submit);
    json_decref(w->errors);
    policy_unref(w->policy);
    caller_unref(w->caller);
    free(w);
    return 0;
}

static int take(struct world *w, const char *body)
{
    json_t *root = json_parse(body, strlen(body), &w->err);

    assert_non_null(root);
    submit_free(&w->submit);
    json_decref(w->errors);
    w->errors = NULL;
    w->err = (struct err)ERR_INIT;
    return submit_read(root, w->policy, w->caller, &w->submit, &w->errors, &w->err);
}

static const char *error_at(const struct world *w, size_t i, const char *key)
{
    const char *text = json_string_value(json_object_get(json_array_get(w->errors, i), key));

    return text ? text : "(none)";
}

static void rows_are_filled(void **state)
{
    struct world *w = *state;
    const struct new_job *row;

    assert_int_equal(take(w, "{\"jobs\":[{\"command\":[\"true\"],\"array\":\"0-9%3\",\"hold\":true,"
                             "\"priority\":5},{\"name\":\"b\",\"command\":[\"x\"]}]}"),
                     0);
    assert_int_equal(w->submit.submission.count, 2);
    row = &w->submit.rows[0];
    assert_string_equal(row->name, "true");
    assert_string_equal(row->user, "alice");
    assert_string_equal(row->project, "lab");
    assert_string_equal(row->array, "0-9");
    assert_int_equal(row->tasks, 10);
    assert_int_equal(row->array_parallel, 3);
    assert_true(row->hold);
    assert_int_equal(row->priority, 5);
    assert_non_null(strstr(row->spec, "\"array\":\"0-9%3\""));
    assert_null(w->submit.rows[1].array);
    assert_int_equal(w->submit.rows[1].tasks, 1);
}

static void equal_requirements_are_one_class(void **state)
{
    struct world *w = *state;

    assert_int_equal(take(w,
                          "{\"jobs\":[{\"command\":[\"a\"]},{\"command\":[\"b\"],\"name\":\"n\"},"
                          "{\"command\":[\"a\"],\"resources\":{\"cpus\":2}}]}"),
                     0);
    assert_string_equal(w->submit.rows[0].class_key, w->submit.rows[1].class_key);
    assert_string_not_equal(w->submit.rows[0].class_key, w->submit.rows[2].class_key);
}

static void faults_name_their_job(void **state)
{
    struct world *w = *state;

    assert_int_equal(take(w, "{\"jobs\":[{\"command\":[\"a\"]},{\"command\":[\"b\"],"
                             "\"resources\":{\"memroy\":\"8GiB\"}}]}"),
                     -1);
    assert_int_equal(w->err.fault, FAULT_INVALID);
    assert_int_equal(json_array_size(w->errors), 1);
    assert_string_equal(error_at(w, 0, "pointer"), "/jobs/1/resources/memroy");
    assert_non_null(strstr(error_at(w, 0, "suggestion"), "memory"));
}

static void the_frame_is_checked(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"jobs\":[]}",
        "{\"jobs\":{}}",
        "{\"jobs\":\"x\"}",
        "{\"jobs\":null}",
        "{\"jobs\":[{\"command\":[\"a\"]}],\"dry-run\":true}",
        "{\"jobs\":[{\"command\":[\"a\"]}],\"dry_run\":1}",
        "{\"jobs\":[{\"command\":[\"a\"]}],\"anyway\":\"yes\"}",
        "{\"job\":[{\"command\":[\"a\"]}]}",
        "{\"jobs\":[null]}",
        "{\"jobs\":[[]]}",
        "{\"jobs\":[7]}",
        "{\"jobs\":[{}]}",
        "{\"jobs\":[{\"command\":\"a\\u0000b\"}]}",
    };
    struct world *w = *state;

    for (size_t i = 0; i < array_len(bad); i++) {
        json_t *root = json_loads(bad[i], 0, NULL);

        if (!root)
            continue; /* refused as JSON already */
        json_decref(root);
        if (take(w, bad[i]) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(w->err.fault, FAULT_INVALID);
    }
}

static void too_many_jobs_are_refused(void **state)
{
    own_buf struct buf body = BUF_INIT(0);
    struct world *w = *state;

    buf_puts(&body, "{\"jobs\":[{}");
    for (int i = 0; i < SUBMIT_JOBS_MOST; i++)
        buf_puts(&body, ",{}");
    buf_puts(&body, "]}");
    assert_int_equal(take(w, buf_text(&body)), -1);
    assert_non_null(strstr(w->err.text, "at most"));
}

static void faults_told_are_bounded(void **state)
{
    own_buf struct buf body = BUF_INIT(0);
    struct world *w = *state;

    buf_puts(&body, "{\"jobs\":[{}");
    for (int i = 0; i < 5000; i++)
        buf_puts(&body, ",{}");
    buf_puts(&body, "]}");
    assert_int_equal(take(w, buf_text(&body)), -1);
    assert_true(json_array_size(w->errors) <= SUBMIT_ERRORS_MOST + PROBLEMS_MOST);
}

static void files_must_have_been_uploaded(void **state)
{
    struct world *w = *state;
    char body[400];

    assert_int_equal(take(w, "{\"jobs\":[{\"command\":[\"a\"],\"inputs\":[\"data.csv\"]}]}"), -1);
    assert_string_equal(error_at(w, 0, "pointer"), "/jobs/0/inputs/0");
    snprintf(
        body, sizeof body,
        "{\"jobs\":[{\"command\":[\"a\"],\"inputs\":[{\"from\":\"data.csv\",\"to\":\"data.csv\","
        "\"sha256\":\"%064d\"},{\"from\":\"https://x.example/y\",\"to\":\"y\"}]}]}",
        0);
    assert_int_equal(take(w, body), 0);
    assert_non_null(w->submit.rows[0].blobs[0]);
    assert_null(w->submit.rows[0].blobs[1]);
}

static void projects_are_for_their_users(void **state)
{
    static const char closed[] = "{\"jobs\":[{\"command\":[\"a\"],\"project\":\"closed\"}]}";
    struct world *w = *state;

    assert_int_equal(take(w, closed), -1);
    assert_string_equal(error_at(w, 0, "pointer"), "/jobs/0/project");
    caller_unref(w->caller);
    w->caller = caller_new(ROLE_USER, "carol", "");
    assert_int_equal(take(w, closed), 0);
    caller_unref(w->caller);
    w->caller = caller_new(ROLE_USER, "bob", "");
    assert_int_equal(take(w, "{\"jobs\":[{\"command\":[\"a\"]}]}"), 0);
    assert_string_equal(w->submit.rows[0].project, "genomics");
    caller_unref(w->caller);
    w->caller = caller_new(ROLE_USER, "eve", "physics,maths");
    assert_int_equal(take(w, "{\"jobs\":[{\"command\":[\"a\"]}]}"), 0);
    assert_string_equal(w->submit.rows[0].project, "physics");
    assert_int_equal(take(w, "{\"jobs\":[{\"command\":[\"a\"],\"project\":\"lab\"}]}"), -1);
}

static void roles_come_from_the_configuration(void **state)
{
    struct world *w = *state;

    assert_int_equal(policy_role(w->policy, "bob"), ROLE_OPERATOR);
    assert_int_equal(policy_role(w->policy, "alice"), ROLE_USER);
}

static void verdicts_are_kept_for_a_while(void **state)
{
    struct verdicts *verdicts = verdicts_new();
    char key[32];

    (void)state;
    assert_false(verdicts_fits(verdicts, "a"));
    verdicts_add(verdicts, "a");
    verdicts_add(verdicts, "a");
    assert_true(verdicts_fits(verdicts, "a"));
    assert_false(verdicts_fits(verdicts, "b"));
    for (int i = 0; i < 10000; i++) { /* bounded */
        snprintf(key, sizeof key, "k%d", i);
        verdicts_add(verdicts, key);
    }
    assert_true(verdicts_fits(verdicts, key));
    verdicts_free(verdicts);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_are_filled),
        TEST(equal_requirements_are_one_class),
        TEST(faults_name_their_job),
        TEST(the_frame_is_checked),
        TEST(too_many_jobs_are_refused),
        TEST(faults_told_are_bounded),
        TEST(files_must_have_been_uploaded),
        TEST(projects_are_for_their_users),
        TEST(roles_come_from_the_configuration),
        TEST(verdicts_are_kept_for_a_while),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
