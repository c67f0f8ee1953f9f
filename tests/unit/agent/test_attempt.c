/* SPDX-License-Identifier: Apache-2.0 */
/* test_attempt.c - worker-agent/attempt.c: leases read, reports written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../worker-agent/attempt.h"
#include "base/json.h"
#include "base/own.h"

static struct attempt *lease(const char *members, struct err *err)
{
    own_str char *text = xasprintf("{\"attempt\":5%s%s}", *members ? "," : "", members);
    own_json json_t *value = json_parse(text, strlen(text), err);

    return value ? attempt_from_lease(NULL, value, err) : NULL;
}

static void what_makes_no_sense_is_named(void **state)
{
    static const struct {
        const char *members, *word;
    } bad[] = {
        { "", "argv" },
        { "\"argv\":[]", "argv" },
        { "\"argv\":\"ls\"", "argv" },
        { "\"argv\":[1]", "argv" },
        { "\"argv\":[\"\"]", "empty" },
        { "\"script\":7", "script" },
        { "\"argv\":[\"a\"],\"environment\":[\"A\"]", "environment" },
        { "\"argv\":[\"a\"],\"environment\":[\"=x\"]", "environment" },
        { "\"argv\":[\"a\"],\"environment\":{\"A\":\"b\"}", "environment" },
        { "\"argv\":[\"a\"],\"outputs\":[{}]", "outputs" },
        { "\"argv\":[\"a\"],\"inputs\":7", "inputs" },
        { "\"argv\":[\"a\"],\"cpus\":-1", "cpus" },
        { "\"argv\":[\"a\"],\"cpus\":1.5", "cpus" },
        { "\"argv\":[\"a\"],\"memory_bytes\":9223372036854775807", "memory_bytes" },
        { "\"argv\":[\"a\"],\"gpus\":65", "gpus" },
        { "\"argv\":[\"a\"],\"signal\":4711", "signal" },
        { "\"argv\":[\"a\"],\"container\":\"--privileged\"", "container" },
        { "\"argv\":[\"a\"],\"container\":\"\"", "container" },
        { "\"argv\":[\"a\"],\"rank\":0,\"nodes\":[]", "nodes" },
        { "\"argv\":[\"a\"],\"rank\":0,\"nodes\":[7]", "nodes/0" },
        { "\"argv\":[\"a\"],\"rank\":0,\"nodes\":[{\"host\":\"a b\",\"cpus\":1}]", "host" },
        { "\"argv\":[\"a\"],\"rank\":1,\"nodes\":[{\"host\":\"a\",\"cpus\":1}]", "rank" },
    };

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        struct err err = ERR_INIT;
        struct attempt *a = lease(bad[i].members, &err);

        if (a || !strstr(err.text, bad[i].word))
            fail_msg("%s: %s", bad[i].members, err.text);
    }
}

static void a_lease_is_taken_whole(void **state)
{
    struct err err = ERR_INIT;
    struct attempt *a =
        lease("\"task\":\"1.2\",\"argv\":[\"x\",\"\"],\"environment\":[\"A=\"],\"cpus\":3,"
              "\"memory_bytes\":9,\"gpus\":2,\"walltime_ms\":4,\"signal\":10,"
              "\"signal_before_ms\":1,\"grace_ms\":6,\"log_most\":7,\"output_most\":8,"
              "\"more\":null,\"container\":null",
              &err);

    (void)state;
    assert_non_null(a);
    assert_int_equal(a->id, 5);
    assert_string_equal(a->task, "1.2");
    assert_int_equal(a->need.cpus, 3);
    assert_int_equal(a->need.memory, 9);
    assert_int_equal(a->need.gpus, 2);
    assert_int_equal(a->walltime_ms, 4);
    assert_int_equal(a->early_signal, 10);
    assert_int_equal(a->grace_ms, 6);
    assert_int_equal(a->log_most, 7);
    assert_int_equal(a->output_most, 8);
    assert_null(a->container);
    attempt_free(a);
}

static void ids(void **state)
{
    static const char *const none[] = { "{}",
                                        "[]",
                                        "7",
                                        "{\"attempt\":0}",
                                        "{\"attempt\":-3}",
                                        "{\"attempt\":\"5\"}",
                                        "{\"attempt\":1.0}" };

    (void)state;
    for (size_t i = 0; i < array_len(none); i++) {
        own_json json_t *value = json_loads(none[i], JSON_DECODE_ANY, NULL);

        assert_int_equal(lease_id(value), 0);
    }
}

/* The broker's parser takes it, whatever a job made us say. */
static void reports_are_json(void **state)
{
    struct attempt *a = attempt_bare(NULL, 77);
    struct err err = ERR_INIT;
    own_str char *text = NULL;
    own_json json_t *report = NULL;

    (void)state;
    a->reason = REASON_USER_EXIT;
    a->exit_code = 3;
    a->detail = xstrdup("quote \" backslash \\ newline \n tab \t end");
    a->started_wall_ms = 1;
    a->finished_wall_ms = 2;
    text = attempt_report(a);
    report = json_parse(text, strlen(text), &err);
    assert_non_null(report);
    assert_string_equal(json_string_value(json_object_get(report, "detail")), a->detail);
    assert_string_equal(json_string_value(json_object_get(report, "reason")), "user-exit");
    assert_int_equal(json_integer_value(json_object_get(report, "exit_code")), 3);
    attempt_free(a);
}

static void one_that_did_not_exit_has_no_status(void **state)
{
    struct attempt *a = attempt_bare(NULL, 1);
    own_str char *text = NULL;

    (void)state;
    a->signal = 9;
    a->reason = REASON_SIGNAL;
    text = attempt_report(a);
    assert_null(strstr(text, "exit_code"));
    assert_non_null(strstr(text, "\"signal\":9"));
    assert_null(strstr(text, "started"));
    attempt_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_makes_no_sense_is_named),
        cmocka_unit_test(a_lease_is_taken_whole),
        cmocka_unit_test(ids),
        cmocka_unit_test(reports_are_json),
        cmocka_unit_test(one_that_did_not_exit_has_no_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
