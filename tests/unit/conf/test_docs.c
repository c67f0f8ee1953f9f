/* SPDX-License-Identifier: Apache-2.0 */
/* test_docs.c - what the reference pages show is true: their examples are taken, no key is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conf/broker.h"
#include "conf/job.h"
#include "conf/report.h"
#include "conf/site_parts.h"
#include "conf/yaml.h"

static void read_page(const char *path, struct buf *out)
{
    struct err err = ERR_INIT;

    if (buf_read_file(out, path, &err) < 0)
        fail_msg("%s", err.text);
}

/* Each block between "```yaml" and "```"; returns their number. */
static int each_example(const char *page, void (*check)(const char *text, size_t length))
{
    int count = 0;

    for (const char *at = page; (at = strstr(at, "```yaml\n")); count++) {
        const char *start = at + 8, *end = strstr(start, "```");

        assert_non_null(end);
        check(start, (size_t)(end - start));
        at = end + 3;
    }
    return count;
}

/* A fragment is an example too: what it does not show is the command. */
static void check_job(const char *text, size_t length)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;
    struct err err = ERR_INIT;

    if (yaml_parse(text, length, &docs, &err) < 0)
        fail_msg("%s\n%.*s", err.text, (int)length, text);
    for (size_t i = 0; i < docs.count; i++) {
        json_t *root = docs.list[i].root;
        struct problems problems = { 0 };
        struct job_spec spec;

        if (!json_object_get(root, "command") && !json_object_get(root, "script"))
            json_object_set_new(root, "command", json_string("true"));
        if (job_spec_parse(root, &spec, &problems) < 0)
            fail_msg("%s: %s\n%.*s", problems.list[0].pointer, problems.list[0].text, (int)length,
                     text);
        job_spec_free(&spec);
    }
}

static void check_conf(const char *text, size_t length)
{
    struct broker_conf conf;
    struct err err = ERR_INIT;

    if (broker_conf_parse(text, length, "example", &conf, &err) < 0)
        fail_msg("%s", err.text);
    if (conf.warnings)
        fail_msg("%s", conf.warnings[0]);
    broker_conf_free(&conf);
}

static void examples_are_taken(void **state)
{
    own_buf struct buf jobs = BUF_INIT(0), sites = BUF_INIT(0);

    (void)state;
    read_page("docs/job-file.md", &jobs);
    read_page("docs/site-file.md", &sites);
    assert_true(each_example(jobs.data, check_job) >= 8);
    assert_true(each_example(sites.data, check_conf) >= 4);
}

/* Somewhere between backquotes, alone or behind its level: `cpus`, `retries.user`, `user`. */
static bool is_named(const char *page, const char *key)
{
    for (const char *at = page; (at = strstr(at, key)); at++) {
        char before = at == page ? '\0' : at[-1], after = at[strlen(key)];

        if ((before == '`' || before == '.' || before == '{' || before == ' ') &&
            (after == '`' || after == '.' || after == ',' || after == '}' || after == ':'))
            return true;
    }
    return false;
}

static void every_key_is_on_its_page(void **state)
{
    static const char *const levels[] = { "",       "resources", "inputs",
                                          "after",  "retries",   "signal",
                                          "limits", "placement", "placement.sites",
                                          "notify", "schedule" };
    own_buf struct buf jobs = BUF_INIT(0), sites = BUF_INIT(0);

    (void)state;
    read_page("docs/job-file.md", &jobs);
    read_page("docs/site-file.md", &sites);
    for (size_t i = 0; i < array_len(levels); i++)
        for (const char *const *key = job_keys(levels[i]); *key; key++)
            if (!is_named(jobs.data, *key))
                fail_msg("docs/job-file.md does not name '%s' of '%s'", *key, levels[i]);
    for (const char *const *key = site_conf_keys(); *key; key++)
        if (!is_named(sites.data, *key))
            fail_msg("docs/site-file.md does not name '%s'", *key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_are_taken),
        cmocka_unit_test(every_key_is_on_its_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
