/* SPDX-License-Identifier: Apache-2.0 */
/* test_decode.c - URLs, parameters, ids and ranges as strangers write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/decode.h"
#include "base/own.h"

static int decode(const char *text, char *out, size_t size)
{
    struct err err = ERR_INIT;
    int rc = url_decode(text, strlen(text), out, size, &err);

    if (rc < 0)
        assert_int_equal(err.fault, FAULT_INVALID);
    return rc;
}

static void percent_is_undone_strictly(void **state)
{
    static const char *const bad[] = { "%",    "%4",        "a%zz",     "%00", "a%00b",
                                       "%0a",  "%7f",       "%ff",      "%c3", "%c0%af",
                                       "%1b[", "%e2%80%ae", "%ed%a0%80" };
    char out[64];

    (void)state;
    assert_int_equal(decode("a%20b%2Fc%C3%A9+", out, sizeof out), 0);
    assert_string_equal(out, "a b/c\xc3\xa9+");
    assert_int_equal(decode("", out, sizeof out), 0);
    assert_string_equal(out, "");
    for (size_t i = 0; i < array_len(bad); i++)
        if (decode(bad[i], out, sizeof out) == 0)
            fail_msg("taken: %s", bad[i]);
}

static void what_is_too_long_is_refused(void **state)
{
    char out[4];

    (void)state;
    assert_int_equal(decode("abc", out, sizeof out), 0);
    assert_int_equal(decode("abcd", out, sizeof out), -1);
    assert_int_equal(decode("%61%62%63", out, sizeof out), 0);
    assert_string_equal(out, "abc");
}

static const char *const known[] = { "state", "limit", "all", NULL };

static void unknown_parameters_name_the_nearest(void **state)
{
    struct query query = { .count = 0 };
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(query_add(&query, known, "stat", "x", &err), -1);
    assert_non_null(strstr(err.text, "did you mean 'state'"));
    assert_int_equal(query_add(&query, NULL, "state", "x", &err), -1);
    assert_int_equal(query_add(&query, known, "limit", "5", &err), 0);
    assert_int_equal(query_add(&query, known, "limit", "6", &err), -1);
    assert_non_null(strstr(err.text, "twice"));
    assert_int_equal(query_add(&query, known, "all", NULL, &err), 0);
    query_free(&query);
}

static void values_are_typed(void **state)
{
    struct query query = { .count = 0 };
    struct err err = ERR_INIT;
    unsigned states = 0;
    bool all = false;
    int64_t limit = 7;

    (void)state;
    query_add(&query, known, "state", "running,failed", &err);
    query_add(&query, known, "limit", "12", &err);
    query_add(&query, known, "all", "1", &err);
    assert_int_equal(query_states(&query, "state", &states, &err), 0);
    assert_int_equal(states, 1u << TASK_RUNNING | 1u << TASK_FAILED);
    assert_int_equal(query_i64(&query, "limit", 1, 100, &limit, &err), 0);
    assert_int_equal(limit, 12);
    assert_int_equal(query_i64(&query, "limit", 1, 10, &limit, &err), -1);
    assert_int_equal(query_i64(&query, "offset", 1, 10, &limit, &err), 0);
    assert_int_equal(query_bool(&query, "all", &all, &err), 0);
    assert_true(all);
    assert_int_equal(query_bool(&query, "state", &all, &err), -1);
    query_free(&query);
}

static void a_wrong_state_names_the_nearest(void **state)
{
    static const char *const bad[] = { "runing", "running,", ",", "", "running,,held", "RUNNING" };
    unsigned states = 0;

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        struct query query = { .count = 0 };
        struct err err = ERR_INIT;

        query_add(&query, known, "state", bad[i], &err);
        if (query_states(&query, "state", &states, &err) == 0)
            fail_msg("taken: '%s'", bad[i]);
        query_free(&query);
    }
}

static void ids_are_numbers(void **state)
{
    static const char *const bad[] = { "",   "0",    "-1",  "+1",      "1.",
                                       ".1", "1.-1", "abc", "1x",      "1.2.3",
                                       " 1", "1 ",   "0x1", "1.[0-9]", "99999999999999999999" };
    struct err err = ERR_INIT;
    struct target target;

    (void)state;
    assert_int_equal(target_parse("1234", &target, &err), 0);
    assert_int_equal(target.job, 1234);
    assert_int_equal(target.index, -1);
    assert_int_equal(target_parse("1234.0", &target, &err), 0);
    assert_int_equal(target.index, 0);
    for (size_t i = 0; i < array_len(bad); i++) {
        if (target_parse(bad[i], &target, &err) == 0)
            fail_msg("taken: '%s'", bad[i]);
        assert_int_equal(err.fault, FAULT_NOT_FOUND);
    }
}

static void ranges_are_cut_to_what_is_there(void **state)
{
    static const struct {
        const char *text;
        int rc;
        int64_t first, length;
    } cases[] = { { "bytes=0-9", 0, 0, 10 },
                  { "bytes=5-", 0, 5, 95 },
                  { "bytes=-10", 0, 90, 10 },
                  { "bytes=-1000", 0, 0, 100 },
                  { "bytes=90-1000", 0, 90, 10 },
                  { "bytes=0-0", 0, 0, 1 },
                  { "bytes=100-", -1, 0, 0 },
                  { "bytes=-0", -1, 0, 0 },
                  { "bytes=200-300", -1, 0, 0 },
                  { "bytes=9-5", 1, 0, 0 },
                  { "bytes=0-1,5-6", 1, 0, 0 },
                  { "lines=1-2", 1, 0, 0 },
                  { "bytes=-", 1, 0, 0 },
                  { "bytes=", 1, 0, 0 },
                  { "bytes=a-b", 1, 0, 0 },
                  { "bytes=1-2-3", 1, 0, 0 },
                  { "bytes=99999999999999999999-", 1, 0, 0 } };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        int64_t first = 0, length = 0;
        struct err err = ERR_INIT;
        int rc = range_parse(cases[i].text, 100, &first, &length, &err);

        if (rc != cases[i].rc ||
            (rc == 0 && (first != cases[i].first || length != cases[i].length)))
            fail_msg("%s: rc %d, %lld+%lld", cases[i].text, rc, (long long)first,
                     (long long)length);
    }
}

static void depth_counts_brackets_outside_strings(void **state)
{
    (void)state;
    assert_int_equal(json_depth("{\"a\":[[1]]}", 11), 3);
    assert_int_equal(json_depth("\"[[[[\"", 6), 0);
    assert_int_equal(json_depth("[\"\\\"[\"]", 7), 1);
    assert_int_equal(json_depth("]]]][[", 6), 2);
    assert_int_equal(json_depth("[\"a\\", 4), 1);
    assert_int_equal(json_depth("", 0), 0);
}

static void keys_and_names(void **state)
{
    char key[258];

    (void)state;
    memset(key, 'k', sizeof key);
    key[256] = '\0';
    assert_false(key_is_fit(key));
    key[255] = '\0';
    assert_true(key_is_fit(key));
    assert_false(key_is_fit(""));
    assert_false(key_is_fit("a b"));
    assert_false(key_is_fit("a\xc3\xa9"));
    assert_true(name_is_fit("alice"));
    assert_false(name_is_fit("a,b"));
    assert_false(name_is_fit("a/b"));
    assert_false(name_is_fit("a\nb"));
    assert_false(name_is_fit(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent_is_undone_strictly),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(unknown_parameters_name_the_nearest),
        cmocka_unit_test(values_are_typed),
        cmocka_unit_test(a_wrong_state_names_the_nearest),
        cmocka_unit_test(ids_are_numbers),
        cmocka_unit_test(ranges_are_cut_to_what_is_there),
        cmocka_unit_test(depth_counts_brackets_outside_strings),
        cmocka_unit_test(keys_and_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
