/* SPDX-License-Identifier: Apache-2.0 */
/* test_options.c - command-line options to a description. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/parse.h"
#include "conf/job.h"
#include "conf/options.h"

#define NOW INT64_C(1796108400000) /* 2026-12-01T07:00:00Z */

static int set(json_t *description, const char *name, const char *value, struct err *err)
{
    const struct job_option *option = job_option_find(name);

    if (!option)
        fail_msg("no option --%s", name);
    return job_option_set(option, value, NOW, description, err);
}

/* Options in a row; the description must then be this JSON. */
static void assert_made(const char *start, const char *const (*options)[2], const char *want)
{
    own_json json_t *description = json_loads(start, 0, NULL);
    struct err err = ERR_INIT;
    own_str char *found = NULL;

    for (; (*options)[0]; options++)
        if (set(description, (*options)[0], (*options)[1], &err) < 0)
            fail_msg("%s", err.text);
    found = json_dumps(description, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(found, want);
}
#define made(start, want, ...) \
    assert_made(start, (const char *const[][2]){ __VA_ARGS__, { NULL, NULL } }, want)

static void each_kind_of_value_is_written_as_the_checker_reads_it(void **state)
{
    (void)state;
    made("{}", "{\"resources\":{\"cpus\":4,\"memory\":\"8GiB\",\"walltime\":\"2h\"}}",
         { "cpus", "4" }, { "mem", "8G" }, { "time", "2h" });
    made("{}", "{\"resources\":{\"cpus\":\"4+\",\"memory\":\"8GiB+\"}}", { "cpus", "4+" },
         { "memory", "8GiB+" });
    made("{}", "{\"resources\":{\"gpu_model\":\"V100\",\"gpus\":2}}", { "gpus", "V100:2" });
    made("{}", "{\"resources\":{\"gpu_model\":\"V100\",\"gpus\":1}}", { "gpus", "V100" });
    made("{}", "{\"hold\":true,\"priority\":-3}", { "hold", NULL }, { "priority", "-3" });
    made("{}", "{\"placement\":{\"cloud_act\":false,\"max_cost\":2.5}}", { "no-cloud-act", NULL },
         { "max-cost", "2.5" });
    made("{}", "{\"array\":\"0-9%2\",\"begin\":\"2026-12-01T09:00:00.000Z\"}", { "array", "0-9%2" },
         { "begin", "now+2h" });
}

static void what_repeats_adds_to_what_is_there(void **state)
{
    (void)state;
    made(
        "{\"inputs\":\"a\",\"outputs\":[\"o\"]}",
        "{\"inputs\":[\"a\",\"b\",{\"from\":\"https://h/x?a=b\",\"to\":\"c\"},\"https://h/y?a=b\"],"
        "\"outputs\":[\"o\",\"p\"]}",
        { "input", "b" }, { "input", "c=https://h/x?a=b" }, { "input", "https://h/y?a=b" },
        { "output", "p" });
    made("{\"after\":1}", "{\"after\":[1,\"2\",\"3:any\"]}", { "after", "2,3:any" });
    made("{\"retries\":2}", "{\"retries\":{\"on_exit\":[75,76],\"user\":2}}",
         { "retry-on-exit", "75,76" });
    made("{\"environment\":{\"A\":\"1\"}}",
         "{\"environment\":{\"A\":\"2\",\"B\":\"x=y\",\"C\":\"\"}}", { "env", "A=2" },
         { "env", "B=x=y" }, { "env", "C=" });
    made("{}", "{\"placement\":{\"sites\":{\"require\":[\"a\",\"b\"]}}}", { "site", "a" },
         { "site", "b" });
}

static void faults_name_the_option(void **state)
{
    own_json json_t *description = json_loads("{\"resources\":[1]}", 0, NULL);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(set(description, "priority", "high", &err), -1);
    assert_string_equal(err.text, "--priority: 'high' is not a whole number");
    assert_int_equal(set(description, "cpus", "3", &err), -1);
    assert_non_null(strstr(err.text, "what holds it is no mapping"));
    assert_int_equal(set(description, "env", "SURELY_NOT_SET_HERE", &err), -1);
    assert_non_null(strstr(err.text, "is not set here"));
    assert_int_equal(set(description, "cpus", NULL, &err), -1);
    assert_string_equal(err.text, "--cpus needs N[+]");
    assert_int_equal(set(description, "hold", "yes", &err), -1);
    assert_int_equal(set(description, "name", "\xff", &err), -1);
    assert_string_equal(job_option_nearest("memry"), "memory");
    assert_null(job_option_find("memry"));
}

/* A value of each option, so that the whole is a job without fault. */
static void every_option_leads_to_a_key_that_the_checker_knows(void **state)
{
    static const char *const words[][2] = {
        { "NAME", "x" },
        { "PROJECT", "p" },
        { "TEXT", "t" },
        { "N[+]", "2+" },
        { "SIZE[+]", "2GiB" },
        { "[MODEL:]N", "V100:1" },
        { "MODEL,...", "A100" },
        { "SIZE", "2GiB" },
        { "N", "2" },
        { "SPAN", "3h" },
        { "SET[%N]", "0-9" },
        { "[TO=]FROM", "a" },
        { "PATTERN", "b" },
        { "NAME[=VALUE]", "A=b" },
        { "IMAGE", "i" },
        { "ID[:OUTCOME],...", "1:any" },
        { "N,...", "3" },
        { "SIG[@SPAN]", "USR1@1m" },
        { "NAME[:N],...", "l:2" },
        { "TIME", "now+2h" },
        { "SITE,...", "s" },
        { "TIER", "home" },
        { "CODE,...", "FR" },
        { "DIR", "/home/ann/run" },
        { "FILE", "out.txt" },
        { "AMOUNT", "1.5" },
        { "EVENT,...", "failed,late" },
        { "URL", "https://h.example/" },
        { "ADDRESS", "a@b" },
        { "LINE", "@daily" },
        { "ZONE", "Europe/Paris" },
    };

    (void)state;
    for (const struct job_option *option = job_options; option->name; option++) {
        own_json json_t *description = json_pack("{s:[s]}", "command", "x");
        struct problems problems = { 0 };
        struct err err = ERR_INIT;
        struct job_spec spec;
        const char *value = NULL;

        for (size_t i = 0; option->word && i < array_len(words); i++)
            value = strcmp(words[i][0], option->word) == 0 ? words[i][1] : value;
        if (option->values && option->word) /* one of them */
            value = strcmp(option->word, "TIER") == 0        ? "home"
                    : strcmp(option->name, "objective") == 0 ? "cost"
                    : strcmp(option->name, "notify") == 0    ? "failed"
                    : strcmp(option->name, "overlap") == 0   ? "queue"
                    : strcmp(option->word, "BOOL") == 0      ? "false"
                                                             : "latest";
        if (job_option_set(option, value, NOW, description, &err) < 0)
            fail_msg("%s", err.text);
        if (strncmp(option->key, "schedule.", 9) == 0 && strcmp(option->name, "every") != 0)
            set(description, "cron", "@daily", NULL);
        if (strncmp(option->key, "std", 3) == 0)
            set(description, "workdir", "/home/ann", NULL);
        if (job_spec_parse(description, &spec, &problems) < 0)
            fail_msg("--%s %s: %s", option->name, value, problems.list[0].text);
        job_spec_free(&spec);
        assert_ptr_equal(job_option_find(option->name), option);
        if (option->alias)
            assert_ptr_equal(job_option_find(option->alias), option);
    }
}

static void times_are_taken_as_people_type_them(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        /* the zone of the tests is UTC, the time 07:00 on the first of December */
        { "2026-12-01T08:00:00+01:00", "2026-12-01T07:00:00.000Z" },
        { "now", "2026-12-01T07:00:00.000Z" },
        { "now+90", "2026-12-01T07:01:30.000Z" },
        { "now+2hours", "2026-12-01T09:00:00.000Z" },
        { "now+1h30m", "2026-12-01T08:30:00.000Z" },
        { "3d", "2026-12-04T07:00:00.000Z" },
        { "16:00", "2026-12-01T16:00:00.000Z" },
        { "06:59", "2026-12-02T06:59:00.000Z" },
        { "06:59:30", "2026-12-02T06:59:30.000Z" },
        { "midnight", "2026-12-02T00:00:00.000Z" },
        { "noon", "2026-12-01T12:00:00.000Z" },
        { "tomorrow", "2026-12-02T00:00:00.000Z" },
        { "2027-01-31", "2027-01-31T00:00:00.000Z" },
        { "2027-01-31T23:59", "2027-01-31T23:59:00.000Z" },
    };
    static const char *const bad[] = {
        "",     "soon",   "25:00",       "16:00:61", "2026-13-01",
        "now+", "now-2h", "2026-12-01T", "12",       "2026-12-01T08:00:00+"
    };

    (void)state;
    setenv("TZ", "UTC", 1);
    for (size_t i = 0; i < array_len(cases); i++) {
        struct err err = ERR_INIT;
        char text[FORMAT_BYTES];
        int64_t ms = 0;

        if (job_option_time(cases[i].text, NOW, &ms, &err) < 0)
            fail_msg("%s", err.text);
        assert_string_equal(format_time(ms, text, sizeof text), cases[i].want);
    }
    for (size_t i = 0; i < array_len(bad); i++)
        if (job_option_time(bad[i], NOW, &(int64_t){ 0 }, NULL) == 0)
            fail_msg("'%s' was taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_value_is_written_as_the_checker_reads_it),
        cmocka_unit_test(what_repeats_adds_to_what_is_there),
        cmocka_unit_test(faults_name_the_option),
        cmocka_unit_test(every_option_leads_to_a_key_that_the_checker_knows),
        cmocka_unit_test(times_are_taken_as_people_type_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
