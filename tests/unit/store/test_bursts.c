/* SPDX-License-Identifier: Apache-2.0 */
/* test_bursts.c - broker/store/bursts.c: a job of another queue is taken once, and its row goes on. */
#include "fixture.h"

#include "store/bursts.h"

static struct burst_row row_of(const char *home, int64_t submitted_ms)
{
    return (struct burst_row){ .site = "lab",
                               .home = home,
                               .submitted_ms = submitted_ms,
                               .user = "ada",
                               .project = "p",
                               .name = "n",
                               .why = "sooner",
                               .detail = "{}" };
}

static bool keep(void *arg, const struct burst_row *row)
{
    *(struct burst_row *)arg = *row;
    return false;
}

static size_t count;
static bool count_one(void *arg, const struct burst_row *row)
{
    (void)arg;
    (void)row;
    count++;
    return true;
}

static size_t counted(struct fixture *f, bool all)
{
    count = 0;
    assert_ok(f, store_bursts(f->store, 0, all, count_one, NULL, &f->err));
    return count;
}

static void a_job_is_taken_once(void **state)
{
    struct fixture *f = *state;
    struct burst_row row = row_of("8", 1000), again = row_of("8", 1000), later = row_of("8", 2000);

    assert_int_equal(store_burst_known(f->store, "lab", "8", 1000, &f->err), 0);
    assert_ok(f, store_burst_add(f->store, &row, &f->err));
    assert_true(row.id > 0);
    assert_int_equal(store_burst_add(f->store, &again, &f->err), 1);
    assert_int_equal(store_burst_known(f->store, "lab", "8", 1000, &f->err), 1);
    /* the cluster's ids begin anew one day */
    assert_ok(f, store_burst_add(f->store, &later, &f->err));
    assert_int_equal(counted(f, false), 2);
}

static void a_row_goes_on_and_ends(void **state)
{
    struct fixture *f = *state;
    struct burst_row row = row_of("8", 1000), got;

    assert_ok(f, store_burst_add(f->store, &row, &f->err));
    row.state = BURST_RUNNING;
    row.job = 31;
    row.tries = 2;
    assert_ok(f, store_burst_set(f->store, &row, &f->err));
    assert_ok(f, store_burst_ask(f->store, row.id, &f->err));
    assert_ok(f, store_bursts(f->store, 0, false, keep, &got, &f->err));
    assert_int_equal(got.state, BURST_RUNNING);
    assert_int_equal(got.job, 31);
    assert_int_equal(got.tries, 2);
    assert_true(got.asked);
    row.state = BURST_RELEASED;
    assert_ok(f, store_burst_set(f->store, &row, &f->err));
    assert_int_equal(store_burst_ask(f->store, row.id, &f->err), 2);
    assert_int_equal(store_burst_ask(f->store, row.id + 1, &f->err), 1);
    assert_int_equal(counted(f, false), 0);
    assert_int_equal(counted(f, true), 1);
    assert_ok(f, store_bursts_prune(f->store, 1, &f->err));
    assert_int_equal(counted(f, true), 1);
    assert_ok(f, store_bursts_prune(f->store, INT64_MAX, &f->err));
    assert_int_equal(counted(f, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_is_taken_once, fixture_up, fixture_down),
        cmocka_unit_test_setup_teardown(a_row_goes_on_and_ends, fixture_up, fixture_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
