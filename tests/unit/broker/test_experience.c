/* SPDX-License-Identifier: Apache-2.0 */
/* test_experience.c - what was learnt survives being saved and loaded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those that it needs */
#include <cmocka.h>

#include <string.h>

#include "base/own.h"
#include "experience.h"

#define DAY_MS INT64_C(86400000)

struct kept {
    struct experience *into;
    int records;
};

static void load_into(void *arg, const char *key, const char *value)
{
    struct kept *kept = arg;

    kept->records++;
    experience_load(kept->into, key, value);
}

static struct experience *saved_and_loaded(struct experience *from, int *records)
{
    struct kept kept = { .into = experience_new() };

    experience_save(from, load_into, &kept);
    *records = kept.records;
    return kept.into;
}

static void only_one(void *arg, const char *name, const struct learned *learned)
{
    assert_string_equal(name, (const char *)arg);
    assert_int_equal(learned_mean_ms(learned), 60000);
}

static void run_and_boot_times_come_back(void **state)
{
    struct experience *before = experience_new(), *after;
    int records;

    (void)state;
    for (int i = 0; i < 10; i++)
        experience_ran(before, 7, 1000);
    experience_booted(before, "scigne", "debian-12", "g1.v100", 60000);
    after = saved_and_loaded(before, &records);
    assert_int_equal(records, 2);
    assert_int_equal(learned_mean_ms(experience_run(after, 7)), 1000);
    experience_boots(after, only_one, (char *)"scigne/debian-12/g1.v100");
    assert_int_equal(experience_run(after, 8)->seen, 0);
    experience_free(before);
    experience_free(after);
}

static void note_breaker(void *arg, const char *name, const struct breaker *breaker)
{
    buf_printf(arg, "%s %d %s;", name, breaker->opened, breaker->why);
}

static void faults_come_back_and_are_forgiven(void **state)
{
    struct experience *before = experience_new(), *after;
    struct breaker breaker = { 0 };
    own_buf struct buf text = BUF_INIT(0);
    int records;

    (void)state;
    experience_breaker_set(before, "scigne", &breaker); /* nothing to keep */
    breaker_fault(&breaker, DAY_MS, true, "no room");
    experience_breaker_set(before, "scigne/g1.v100", &breaker);
    experience_failed(before, "scigne", 7, DAY_MS, "lost");
    experience_failed(before, "scigne", 7, DAY_MS + 40000, "lost");
    experience_failed(before, "alpes", 7, DAY_MS, "lost");
    experience_worked(before, "alpes", 7);
    experience_worked(before, "alpes", 8);
    after = saved_and_loaded(before, &records);
    assert_int_equal(records, 3);
    experience_breakers(after, note_breaker, &text);
    assert_string_equal(buf_text(&text), "scigne/g1.v100 1 no room;");
    buf_clear(&text);
    experience_avoided(after, note_breaker, &text);
    assert_string_equal(buf_text(&text), "scigne/7 2 lost;");
    experience_free(before);
    experience_free(after);
}

static void waits_are_kept_by_site_and_class(void **state)
{
    struct experience *before = experience_new(), *after;
    uint64_t version = experience_version(before);
    int records;

    (void)state;
    experience_waited(before, "lab", 7, 60000);
    assert_int_not_equal(experience_version(before), version);
    after = saved_and_loaded(before, &records);
    experience_waits(after, only_one, (char *)"lab/7");
    experience_free(before);
    experience_free(after);
}

static void only_what_changed_is_saved(void **state)
{
    struct experience *experience = experience_new(), *other;
    int records;

    (void)state;
    experience_ran(experience, 7, 1000);
    experience_free(saved_and_loaded(experience, &records));
    assert_int_equal(records, 1);
    other = saved_and_loaded(experience, &records);
    assert_int_equal(records, 0);
    experience_free(other);
    experience_free(experience);
}

static void usage_decays_from_where_it_was(void **state)
{
    struct room part = { .cpus = 1 }, whole = { .cpus = 4 };
    struct experience *before = experience_new(), *after;
    int records;

    (void)state;
    experience_used(before, "p/ada", &part, &whole, 3600000, DAY_MS, 7 * DAY_MS);
    after = saved_and_loaded(before, &records);
    assert_float_equal(share_usage(experience_share(after, "p/ada"), DAY_MS, 7 * DAY_MS), 900, 1);
    assert_float_equal(share_usage(experience_share(after, "p/ada"), 8 * DAY_MS, 7 * DAY_MS), 450,
                       1);
    experience_free(before);
    experience_free(after);
}

static void money_counts_within_its_period(void **state)
{
    struct experience *before = experience_new(), *after;
    int records;

    (void)state;
    experience_paid(before, "p", 3.5, 30 * DAY_MS, DAY_MS);
    experience_paid(before, "p", 1.5, 30 * DAY_MS, 2 * DAY_MS);
    after = saved_and_loaded(before, &records);
    assert_float_equal(experience_spent(after, "p", 30 * DAY_MS, 20 * DAY_MS), 5, 1e-9);
    assert_float_equal(experience_spent(after, "p", 30 * DAY_MS, 40 * DAY_MS), 0, 1e-9);
    experience_free(before);
    experience_free(after);
}

static void records_that_cannot_be_read_are_learnt_anew(void **state)
{
    static const char *const bad[] = { "", "{", "[]", "{\"usage\":\"much\"}", "null" };
    struct experience *experience = experience_new();

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        experience_load(experience, "run/7", bad[i]);
        experience_load(experience, "share/p", bad[i]);
        experience_load(experience, "money/p", bad[i]);
        experience_load(experience, "weather/p", bad[i]);
    }
    assert_int_equal(experience_run(experience, 7)->seen, 0);
    assert_float_equal(experience_spent(experience, "p", 0, 1), 0, 1e-9);
    experience_free(experience);
}

static void parts_of_walltimes_are_kept_by_who(void **state)
{
    struct experience *before = experience_new(), *after;
    int records;

    (void)state;
    for (int i = 0; i < 100; i++) { /* one array: three of its tasks teach */
        experience_took(before, 7, "p", "ada", 100, 1000);
        experience_ran(before, 7, 100);
    }
    experience_took(before, 8, "p", "bob", 900, 1000);
    experience_took(before, 9, "q", "ada", 50, 0);
    after = saved_and_loaded(before, &records);
    assert_int_equal(experience_part(after, "p/ada")->seen, 3);
    assert_int_equal(learned_mean_ms(experience_part(after, "p/ada")), 100);
    assert_int_equal(learned_mean_ms(experience_part(after, "p/bob")), 900);
    assert_int_equal(learned_mean_ms(experience_part(after, "p")), 300);
    assert_int_equal(experience_part(after, "")->seen, 4);
    assert_int_equal(experience_part(after, "q")->seen, 0);
    experience_free(before);
    experience_free(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_and_boot_times_come_back),
        cmocka_unit_test(faults_come_back_and_are_forgiven),
        cmocka_unit_test(waits_are_kept_by_site_and_class),
        cmocka_unit_test(only_what_changed_is_saved),
        cmocka_unit_test(usage_decays_from_where_it_was),
        cmocka_unit_test(money_counts_within_its_period),
        cmocka_unit_test(parts_of_walltimes_are_kept_by_who),
        cmocka_unit_test(records_that_cannot_be_read_are_learnt_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
