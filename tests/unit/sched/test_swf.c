/* SPDX-License-Identifier: Apache-2.0 */
/* test_swf.c - traces as they are found: headers, unknown values, slips. */
#include "base/own.h"
#include "random.h"
#include "sched/swf.h"
#include "world.h"

static void parse(const char *text, struct swf_trace *out)
{
    swf_parse(text, strlen(text), out);
}

static void all_eighteen_fields_are_read(void **state)
{
    struct swf_trace trace;

    (void)state;
    parse("; UnixStartTime: 1000\n;  MaxProcs:  240 \n"
          "1 0 5 100 4 -1 2048 8 200 1024 1 7 3 1 1 1 -1 -1\n"
          "2 10 5 100 4 -1 -1 -1 -1 -1 1 7 4 1 1 1 1 30\n",
          &trace);
    assert_int_equal(trace.count, 2);
    assert_int_equal(trace.malformed, 0);
    assert_true(trace.start_ms == 1000000);
    assert_int_equal(trace.max_procs, 240);
    assert_string_equal(swf_header(&trace, "MaxProcs"), "240");
    assert_null(swf_header(&trace, "MaxNodes"));
    assert_int_equal(trace.jobs[0].cpus, 8);
    assert_true(trace.jobs[0].walltime_ms == 200000);
    assert_true(trace.jobs[0].memory == 8 * 1024 * 1024);
    assert_int_equal(trace.jobs[1].cpus, 4);
    assert_int_equal(trace.jobs[1].walltime_ms, 0);
    assert_int_equal(trace.jobs[1].memory, 0);
    assert_int_equal(trace.jobs[1].after, 0);
    assert_int_equal(trace.jobs[1].think_ms, 30000);
    assert_int_equal(trace.users, 1);
    assert_int_equal(trace.projects, 2);
    assert_true(trace.project_ids[1] == 4);
    swf_free(&trace);
}

static void slips_are_reported_and_skipped(void **state)
{
    struct swf_trace trace;

    (void)state;
    parse("1 0 5 100 4 -1 -1 4 200 -1 1 7 3 1 1 1 -1\n"
          "x 0 5 100 4 -1 -1 4 200 -1 1 7 3 1 1 1 -1 -1\n"
          "1 0 5 100 4 -1 -1 4 200 -1 1 7 3 1 1 1 -1 -1 9\n"
          "2 -5 5 100 4 -1 -1 4 200 -1 1 7 3 1 1 1 -1 -1\n"
          "3 0 5 100 -1 -1 -1 -1 200 -1 1 7 3 1 1 1 -1 -1\n"
          "\n   \r\n"
          "4 0 5 100 4 -1 -1 4 200 -1 1 7 3 1 1 1 -1 -1",
          &trace);
    assert_int_equal(trace.count, 1);
    assert_int_equal(trace.malformed, 5);
    assert_non_null(strstr(buf_text(&trace.report), "line 1: 17 fields, 18 wanted, skipped"));
    assert_non_null(strstr(buf_text(&trace.report), "line 2: field 1 is not a number"));
    assert_non_null(strstr(buf_text(&trace.report), "line 3: more than 18 fields"));
    assert_non_null(strstr(buf_text(&trace.report), "line 5: the number of processors"));
    swf_free(&trace);
}

static void the_report_is_bounded_and_says_so(void **state)
{
    struct buf text = BUF_INIT(0);
    struct swf_trace trace;

    (void)state;
    for (int i = 0; i < 5000; i++)
        buf_puts(&text, "nonsense\n");
    parse(buf_text(&text), &trace);
    assert_int_equal(trace.malformed, 5000);
    assert_non_null(strstr(buf_text(&trace.report), "and 4980 more"));
    swf_free(&trace);
    buf_free(&text);
}

static void jobs_that_never_ran_are_left_out(void **state)
{
    struct swf_trace trace;

    (void)state;
    parse("1 0 5 -1 4 -1 -1 4 200 -1 1 7 3 1 1 1 -1 -1\n"
          "2 0 5 0 4 -1 -1 4 200 -1 5 7 3 1 1 1 -1 -1\n"
          "3 0 5 0 4 -1 -1 4 200 -1 1 7 3 1 1 1 -1 -1\n"
          "4 0 5 500 4 -1 -1 4 200 -1 1 7 3 1 1 1 -1 -1\n",
          &trace);
    assert_int_equal(trace.unstarted, 2);
    assert_int_equal(trace.count, 2);
    assert_int_equal(trace.cut, 1);
    assert_true(trace.jobs[1].run_ms == 200000);
    swf_free(&trace);
}

static void jobs_are_sorted_and_follow_earlier_ones_alone(void **state)
{
    struct swf_trace trace;

    (void)state;
    parse("1 50 -1 10 1 -1 -1 1 10 -1 1 1 1 1 1 1 2 5\n"
          "2 20 -1 10 1 -1 -1 1 10 -1 1 1 1 1 1 1 1 5\n"
          "3 90 -1 10 1 -1 -1 1 10 -1 1 1 1 1 1 1 3 5\n"
          "4 95 -1 10 1 -1 -1 1 10 -1 1 1 1 1 1 1 77 5\n",
          &trace);
    assert_int_equal(trace.jobs[0].number, 2);
    assert_int_equal(trace.jobs[0].after, -1);
    assert_int_equal(trace.jobs[1].number, 1);
    assert_int_equal(trace.jobs[1].after, 0);
    assert_int_equal(trace.jobs[2].after, -1);
    assert_int_equal(trace.jobs[3].after, -1);
    swf_free(&trace);
}

/* Whatever bytes come, the parser comes back, with jobs that make sense. */
static void garbage_does_no_harm(void **state)
{
    static const char letters[] = "0123456789 -.;:\n\r\tx";
    struct dice dice = { 42 };

    (void)state;
    for (int round = 0; round < 2000; round++) {
        char text[600];
        size_t length = (size_t)dice_roll(&dice, 0, sizeof text - 1);
        struct swf_trace trace;

        for (size_t i = 0; i < length; i++)
            text[i] = dice_chance(&dice, 60) ? ' ' : letters[dice_roll(&dice, 0, 18)];
        swf_parse(text, length, &trace);
        for (size_t i = 0; i < trace.count; i++)
            assert_true(trace.jobs[i].cpus > 0 && trace.jobs[i].run_ms > 0);
        swf_free(&trace);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_eighteen_fields_are_read),
        cmocka_unit_test(slips_are_reported_and_skipped),
        cmocka_unit_test(the_report_is_bounded_and_says_so),
        cmocka_unit_test(jobs_that_never_ran_are_left_out),
        cmocka_unit_test(jobs_are_sorted_and_follow_earlier_ones_alone),
        cmocka_unit_test(garbage_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
