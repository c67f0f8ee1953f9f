/* SPDX-License-Identifier: Apache-2.0 */
/* test_corpus.c - job files that are good, and malformed ones with the place and words of each
 * fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conf/job.h"
#include "conf/report.h"
#include "conf/yaml.h"
#include "corpus.h"

/* All faults of a file, a line each. */
static void faults_of(const char *text, size_t length, struct buf *out)
{
    own_yaml struct yaml_docs docs = YAML_DOCS_INIT;
    struct err err = ERR_INIT;

    if (yaml_parse(text, length, &docs, &err) < 0) {
        assert_int_equal(docs.count, 0);
        buf_printf(out, "%s\n", err.text);
        return;
    }
    for (size_t i = 0; i < docs.count; i++) {
        struct problems problems = { 0 };
        struct job_spec spec;
        int rc = job_spec_parse(docs.list[i].root, &spec, &problems);

        assert_int_equal(rc, problems.count ? -1 : 0);
        if (problems.count) {
            problems_text(&problems, &docs.list[i], NULL, out);
            buf_putc(out, '\n');
        }
        problems_free(&problems);
        job_spec_free(&spec);
    }
}

static void is_good(void *arg, const char *path, const char *text, size_t length)
{
    own_buf struct buf found = BUF_INIT(0);

    (void)arg;
    faults_of(text, length, &found);
    corpus_compare(path, "", buf_text(&found));
}

static void is_bad(void *arg, const char *path, const char *text, size_t length)
{
    own_buf struct buf found = BUF_INIT(0), expected = BUF_INIT(0);

    (void)arg;
    corpus_expected(text, &expected);
    if (expected.length == 0)
        fail_msg("%s: no '# expect: ' at its head", path);
    faults_of(text, length, &found);
    corpus_compare(path, buf_text(&expected), buf_text(&found));
}

static void good_files_are_taken(void **state)
{
    (void)state;
    assert_true(corpus_each("tests/data/jobs/good", is_good, NULL) >= 50);
}

static void bad_files_are_refused_with_place_and_words(void **state)
{
    (void)state;
    assert_true(corpus_each("tests/data/jobs/bad", is_bad, NULL) >= 100);
}

/* Whatever is cut off or swapped: an answer, and no more. */
static void damage(void *arg, const char *path, const char *text, size_t length)
{
    own_str char *copy = xmalloc(length + 1);

    (void)arg;
    (void)path;
    for (size_t i = 0; i < length; i += 1 + length / 40) {
        own_buf struct buf found = BUF_INIT(0);

        memcpy(copy, text, length);
        copy[i] ^= 0x11;
        faults_of(copy, length, &found);
        faults_of(copy, i, &found);
    }
}

static void damaged_files_are_answered(void **state)
{
    (void)state;
    corpus_each("tests/data/jobs/good", damage, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_are_taken),
        cmocka_unit_test(bad_files_are_refused_with_place_and_words),
        cmocka_unit_test(damaged_files_are_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
