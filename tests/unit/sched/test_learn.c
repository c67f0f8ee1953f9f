/* SPDX-License-Identifier: Apache-2.0 */
/* test_learn.c - figures that follow experience, breakers that forgive, shares that decay. */
#include <math.h>

#include "random.h"
#include "sched/learn.h"
#include "sched/share.h"
#include "world.h"

static void nothing_seen_is_nothing_known(void **state)
{
    struct learned learned = { 0 };

    (void)state;
    assert_int_equal(learned_mean_ms(&learned), -1);
    assert_int_equal(learned_high_ms(&learned), -1);
    learned_add(&learned, 0.2);
    assert_int_equal(learned_mean_ms(&learned), 1);
    learned_add(&learned, NAN);
    learned_add(&learned, -5);
    assert_int_equal(learned.seen, 1);
}

static void the_mean_and_the_high_mark_settle(void **state)
{
    struct learned learned = { 0 };
    struct dice dice = { 5 };
    int above = 0;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        double value = (double)dice_roll(&dice, 1000, 2000);

        if (i >= 10000)
            above += value > learned.high;
        learned_add(&learned, value);
    }
    assert_in_range(learned_mean_ms(&learned), 1300, 1700);
    assert_in_range(above, 100, 1500); /* about one in twenty of 10,000 */
}

static void a_site_that_got_slower_is_believed(void **state)
{
    struct learned learned = { 0 };

    (void)state;
    for (int i = 0; i < 100; i++)
        learned_add(&learned, 1000);
    for (int i = 0; i < 60; i++)
        learned_add(&learned, 18 * 60000);
    assert_true(learned_mean_ms(&learned) > 15 * 60000);
    assert_true(learned_high_ms(&learned) >= learned_mean_ms(&learned));
}

static void figures_survive_the_store(void **state)
{
    struct learned learned = { 0 }, back;
    struct buf text = BUF_INIT(0);
    struct err err = ERR_INIT;

    (void)state;
    learned_add(&learned, 1234.5);
    learned_add(&learned, 99.25);
    assert_int_equal(learned_put(&learned, &text), 0);
    assert_int_equal(learned_parse(buf_text(&text), &back, &err), 0);
    assert_memory_equal(&learned, &back, sizeof back);
    assert_int_equal(learned_parse("{\"mean\":-1}", &back, &err), -1);
    assert_int_equal(learned_parse("[]", &back, &err), -1);
    assert_int_equal(learned_parse("{\"mean\":1,\"high\":1,\"weight\":1}", &back, &err), -1);
    buf_free(&text);
}

static void a_breaker_opens_at_the_third_fault_or_at_once(void **state)
{
    struct breaker breaker = { 0 };

    (void)state;
    breaker_fault(&breaker, 1000, false, "503");
    breaker_fault(&breaker, 2000, false, "503");
    assert_true(breaker_allows(&breaker, 2000));
    breaker_fault(&breaker, 3000, false, "503");
    assert_false(breaker_allows(&breaker, 3000));
    assert_true(breaker_closed_until(&breaker) == 3000 + BREAKER_FIRST_MS);
    breaker = (struct breaker){ 0 };
    breaker_fault(&breaker, 1000, true, "No valid host");
    assert_false(breaker_allows(&breaker, 1001));
    assert_string_equal(breaker.why, "No valid host");
}

static void one_probe_at_a_time_decides(void **state)
{
    struct breaker breaker = { 0 };
    int64_t now = 1000;

    (void)state;
    breaker_fault(&breaker, now, true, "no");
    now = breaker_closed_until(&breaker);
    assert_true(breaker_allows(&breaker, now));
    breaker_try(&breaker, now);
    assert_false(breaker_allows(&breaker, now + 1));
    breaker_fault(&breaker, now, true, "no");
    assert_true(breaker_closed_until(&breaker) == now + 2 * BREAKER_FIRST_MS);
    now = breaker_closed_until(&breaker);
    breaker_try(&breaker, now);
    breaker_success(&breaker);
    assert_true(breaker_allows(&breaker, now));
    assert_int_equal(breaker.opened, 0);
}

static void the_back_off_has_a_most_and_old_faults_are_forgiven(void **state)
{
    struct breaker breaker = { 0 };
    int64_t now = 1000;

    (void)state;
    for (int i = 0; i < 40; i++) {
        breaker_fault(&breaker, now, true, "no");
        assert_true(breaker_closed_until(&breaker) - now <= BREAKER_MOST_MS);
        now = breaker_closed_until(&breaker);
        breaker_try(&breaker, now);
    }
    now += BREAKER_FORGET_MS + 1;
    breaker_fault(&breaker, now, true, "no");
    assert_true(breaker_closed_until(&breaker) == now + BREAKER_FIRST_MS);
}

static void faults_of_what_went_out_before_it_opened_change_nothing(void **state)
{
    struct breaker breaker = { 0 };

    (void)state;
    for (int i = 0; i < 100; i++)
        breaker_fault(&breaker, 1000 + i, true, "no");
    assert_true(breaker_closed_until(&breaker) == 1000 + BREAKER_FIRST_MS);
}

static void breakers_survive_the_store(void **state)
{
    struct breaker breaker = { 0 }, back;
    struct buf text = BUF_INIT(0);
    struct err err = ERR_INIT;

    (void)state;
    breaker_fault(&breaker, 1000, true, "said \"no\"\n");
    breaker_try(&breaker, breaker.open_until_ms);
    assert_int_equal(breaker_put(&breaker, &text), 0);
    assert_int_equal(breaker_parse(buf_text(&text), &back, &err), 0);
    assert_true(back.open_until_ms == breaker.open_until_ms && !back.probing);
    assert_string_equal(back.why, breaker.why);
    assert_int_equal(breaker_parse("{\"faults\":1}", &back, &err), -1);
    buf_free(&text);
}

static void shares_are_of_the_dominant_resource_and_decay(void **state)
{
    const struct room whole = { .cpus = 100, .memory = 1000, .gpus = 4 };
    const struct room part = { .cpus = 10, .memory = 50, .gpus = 2 };
    struct share share = { 0 };

    (void)state;
    assert_float_equal(share_dominant(&part, &whole), 0.5, 1e-9);
    share_add(&share, &part, &whole, 10000, 1000, 1000);
    assert_float_equal(share_usage(&share, 1000, 1000), 5, 1e-9);
    assert_float_equal(share_usage(&share, 2000, 1000), 2.5, 1e-9);
    assert_float_equal(share_usage(&share, 2000, 0), 5, 1e-9);
    share_add(&share, &part, &whole, 1000, 3000, 1000);
    assert_float_equal(share_usage(&share, 3000, 1000), 1.75, 1e-9);
}

static void names_are_numbers(void **state)
{
    struct names names = NAMES_INIT;
    char text[32];

    (void)state;
    assert_int_equal(names_number(&names, NULL), 0);
    assert_int_equal(names_find(&names, "a"), 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "name-%d", i);
        assert_int_equal(names_number(&names, text), i + 1);
    }
    assert_int_equal(names_find(&names, "name-7"), 8);
    assert_string_equal(names_text(&names, 8), "name-7");
    assert_string_equal(names_text(&names, 0), "");
    assert_string_equal(names_text(&names, 5000), "");
    names_free(&names);
}

static void what_was_never_seen_runs_as_the_rest_of_its_users_work(void **state)
{
    struct learned run = { 0 }, hers = { 0 }, projects = { 0 }, all = { 0 };
    const struct learned *parts[] = { &hers, &projects, &all };

    (void)state;
    assert_int_equal(learned_run_ms(&run, 3600000, parts, 3), -1);
    learned_add(&all, 500);
    assert_int_equal(learned_run_ms(&run, 3600000, parts, 3), 1800001);
    assert_int_equal(learned_run_ms(&run, 0, parts, 3), -1);
    for (int i = 0; i < 100; i++)
        learned_add(&hers, 100);
    assert_int_equal(learned_run_ms(&run, 3600000, parts, 3), 360001);
    /* She asks for closer walltimes now: what was long ago is forgotten. */
    for (int i = 0; i < 100; i++)
        learned_add(&hers, 900);
    assert_in_range(learned_run_ms(&run, 3600000, parts, 3), 3200000, 3240001);
    learned_add(&run, 77000);
    assert_int_equal(learned_run_ms(&run, 3600000, parts, 3), 77000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_seen_is_nothing_known),
        cmocka_unit_test(the_mean_and_the_high_mark_settle),
        cmocka_unit_test(a_site_that_got_slower_is_believed),
        cmocka_unit_test(what_was_never_seen_runs_as_the_rest_of_its_users_work),
        cmocka_unit_test(figures_survive_the_store),
        cmocka_unit_test(a_breaker_opens_at_the_third_fault_or_at_once),
        cmocka_unit_test(one_probe_at_a_time_decides),
        cmocka_unit_test(the_back_off_has_a_most_and_old_faults_are_forgiven),
        cmocka_unit_test(faults_of_what_went_out_before_it_opened_change_nothing),
        cmocka_unit_test(breakers_survive_the_store),
        cmocka_unit_test(shares_are_of_the_dominant_resource_and_decay),
        cmocka_unit_test(names_are_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
