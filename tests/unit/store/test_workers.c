/* SPDX-License-Identifier: Apache-2.0 */
/* test_workers.c - how a worker comes, joins, falls silent and goes. */
#include "fixture.h"

static struct worker_row worker_of(struct fixture *f, const char *name)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct worker_row row;

    assert_int_equal(store_worker_find(f->store, name, &row, &strings, &f->err), 0);
    row.name = row.site = row.shape = row.image = row.project = row.detail = row.facts = NULL;
    return row;
}

static struct new_worker added(struct fixture *f)
{
    struct new_worker worker = {
        .site = "scigne", .shape = "g1", .image = "debian-12", .name_stem = "sw-scigne"
    };

    sha256_of("token", 5, worker.join_hash);
    assert_ok(f, store_worker_add(f->store, &worker, &f->err));
    return worker;
}

static struct join join_of(const struct new_worker *worker, const char *token, const char *nonce,
                           const char *session)
{
    struct join join = { .worker = worker->name, .facts = "{\"cpus\":4}", .nonce = nonce };

    sha256_of(token, strlen(token), join.token_hash);
    sha256_of(session, strlen(session), join.session_hash);
    return join;
}

static int64_t session(struct fixture *f, const char *token, enum worker_state *state)
{
    unsigned char hash[SHA256_BYTES];
    int64_t id = 0;

    sha256_of(token, strlen(token), hash);
    f->err = (struct err)ERR_INIT;
    return store_worker_session(f->store, hash, &id, state, &f->err) < 0 ? -1 : id;
}

static void the_intent_is_there_before_anything_else(void **state)
{
    struct fixture *f = *state;
    struct new_worker worker = added(f);

    assert_string_equal(worker.name, "sw-scigne-1");
    assert_int_equal(worker_of(f, worker.name).state, WORKER_INTENT);
    assert_int_equal(f->seen.worker.id, worker.id);
}

static void a_join_token_works_once(void **state)
{
    struct fixture *f = *state;
    struct new_worker worker = added(f);
    struct join wrong = join_of(&worker, "guess", "n1", "s0");
    struct join first = join_of(&worker, "token", "n1", "s1");
    struct join lost_answer = join_of(&worker, "token", "n1", "s2");
    struct join thief = join_of(&worker, "token", "n2", "s3");
    struct join unknown = first;
    enum worker_state is;

    unknown.worker = "sw-scigne-77";
    assert_fault(f, FAULT_AUTH, store_worker_join(f->store, &wrong, &f->err));
    assert_fault(f, FAULT_AUTH, store_worker_join(f->store, &unknown, &f->err));
    assert_ok(f, store_worker_join(f->store, &first, &f->err));
    assert_int_equal(session(f, "s1", &is), worker.id);
    assert_int_equal(is, WORKER_READY);
    assert_fault(f, FAULT_AUTH, store_worker_join(f->store, &thief, &f->err));
    assert_ok(f, store_worker_join(f->store, &lost_answer, &f->err));
    assert_int_equal(session(f, "s2", &is), worker.id);
    assert_int_equal(session(f, "s1", &is), -1); /* the first session is over */
    assert_string_equal(fault_name(f->err.fault), "auth");
}

static void a_session_outlives_the_broker_but_not_the_worker(void **state)
{
    struct fixture *f = *state;
    struct new_worker worker = added(f);
    struct join join = join_of(&worker, "token", "n", "s");
    enum worker_state is;

    assert_ok(f, store_worker_join(f->store, &join, &f->err));
    fixture_again(f);
    assert_int_equal(session(f, "s", &is), worker.id);
    assert_ok(f,
              store_worker_set(f->store, worker.id, WORKER_DESTROYING, REASON_NONE, NULL, &f->err));
    assert_int_equal(session(f, "s", &is), worker.id); /* it may still say goodbye */
    assert_int_equal(is, WORKER_DESTROYING);
    assert_ok(f, store_worker_set(f->store, worker.id, WORKER_GONE, REASON_NONE, NULL, &f->err));
    assert_int_equal(session(f, "s", &is), -1);
    assert_fault(f, FAULT_CONFLICT,
                 store_worker_set(f->store, worker.id, WORKER_READY, REASON_NONE, NULL, &f->err));
}

static void one_that_is_taken_down_cannot_join(void **state)
{
    struct fixture *f = *state;
    struct new_worker worker = added(f);
    struct join join = join_of(&worker, "token", "n", "s");

    assert_ok(f, store_worker_set(f->store, worker.id, WORKER_DESTROYING, REASON_BOOT, "too slow",
                                  &f->err));
    assert_fault(f, FAULT_AUTH, store_worker_join(f->store, &join, &f->err));
}

static void gone_only_after_two_listings_apart(void **state)
{
    struct fixture *f = *state;
    struct new_worker worker = added(f);

    assert_ok(f, store_worker_absent(f->store, worker.id, 1000, 5000, &f->err));
    assert_int_equal(worker_of(f, worker.name).absent, 0); /* it is not being destroyed */
    assert_ok(f, store_worker_set(f->store, worker.id, WORKER_DESTROYING, REASON_LOST, "silent",
                                  &f->err));
    assert_ok(f, store_worker_absent(f->store, worker.id, 1000, 5000, &f->err));
    assert_ok(f, store_worker_absent(f->store, worker.id, 5999, 5000, &f->err));
    assert_int_equal(worker_of(f, worker.name).state, WORKER_DESTROYING);
    /* What comes to mind of it later is not why it ended. */
    assert_ok(f, store_worker_set(f->store, worker.id, WORKER_DESTROYING, REASON_BOOT, "too slow",
                                  &f->err));
    assert_int_equal(worker_of(f, worker.name).reason, REASON_LOST);
    assert_ok(f, store_worker_absent(f->store, worker.id, 6000, 5000, &f->err));
    assert_int_equal(worker_of(f, worker.name).state, WORKER_GONE);
    assert_int_equal(worker_of(f, worker.name).reason, REASON_LOST);
    assert_true(worker_of(f, worker.name).gone_ms > 0);
    assert_int_equal(f->seen.worker.state, WORKER_GONE);
}

static void only_a_ready_worker_gets_work(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit(f, plain_job("one"));

    assert_ok(f, store_worker_set(f->store, worker, WORKER_DRAINING, REASON_NONE, NULL, &f->err));
    assert_int_equal(lease(f, job, 0, worker), 0);
    assert_int_equal(lease(f, job, 0, 4711), 0);
    assert_int_equal(task_of(f, job, 0).state, TASK_PENDING);
}

static bool add_name(void *arg, const struct worker_row *row)
{
    struct buf *names = arg;

    return buf_printf(names, "%s ", row->name) == 0;
}

static void lists(void **state)
{
    struct fixture *f = *state;
    own_buf struct buf open = BUF_INIT(0), all = BUF_INIT(0), elsewhere = BUF_INIT(0);
    own_buf struct buf strings = BUF_INIT(0);
    struct new_worker worker = added(f);
    struct worker_row row;

    added(f);
    added(f);
    assert_ok(f, store_worker_set(f->store, worker.id, WORKER_GONE, REASON_NONE, NULL, &f->err));
    assert_ok(f, store_workers(f->store, "scigne", false, 10, add_name, &open, &f->err));
    assert_string_equal(buf_text(&open), "sw-scigne-2 sw-scigne-3 ");
    assert_ok(f, store_workers(f->store, NULL, true, 2, add_name, &all, &f->err));
    assert_string_equal(buf_text(&all), "sw-scigne-3 sw-scigne-2 ");
    assert_ok(f, store_workers(f->store, "home", true, 9, add_name, &elsewhere, &f->err));
    assert_string_equal(buf_text(&elsewhere), "");
    assert_int_equal(store_worker_find(f->store, "nobody", &row, &strings, &f->err), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_up, fixture_down)
    const struct CMUnitTest tests[] = {
        TEST(the_intent_is_there_before_anything_else),
        TEST(a_join_token_works_once),
        TEST(a_session_outlives_the_broker_but_not_the_worker),
        TEST(one_that_is_taken_down_cannot_join),
        TEST(gone_only_after_two_listings_apart),
        TEST(only_a_ready_worker_gets_work),
        TEST(lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
