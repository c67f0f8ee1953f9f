/* SPDX-License-Identifier: Apache-2.0 */
/* test_submit.c - all or none, once, and only after what exists. */
#include "fixture.h"

#include <pthread.h>

static int submit_all(struct fixture *f, struct new_job *jobs, size_t count, const char *key,
                      const char *digest, bool *repeated)
{
    struct submission submission = {
        .jobs = jobs, .count = count, .user = "ada", .key = key, .digest = digest
    };
    int rc;

    f->err = (struct err)ERR_INIT;
    rc = store_submit(f->store, &submission, &f->err);
    if (repeated)
        *repeated = submission.repeated;
    return rc;
}

static int64_t job_count(struct fixture *f)
{
    struct store_stats stats;

    fixture_again(f); /* counts are kept for a while */
    assert_ok(f, store_stats(f->store, &stats, &f->err));
    return stats.jobs;
}

static void ids_follow_each_other_and_are_told(void **state)
{
    struct fixture *f = *state;
    struct new_job jobs[3] = { plain_job("a"), plain_job("b"), plain_job("c") };

    jobs[2].class_key = "{\"cpus\":2}";
    assert_int_equal(submit_all(f, jobs, 3, NULL, NULL, NULL), 0);
    assert_int_equal(jobs[1].id, jobs[0].id + 1);
    assert_int_equal(jobs[2].id, jobs[0].id + 2);
    assert_int_equal(f->seen.jobs, 3);
    assert_int_equal(f->seen.classes, 2);
    assert_int_equal(f->seen.job.id, jobs[2].id);
}

static void one_wrong_job_and_none_is_queued(void **state)
{
    struct fixture *f = *state;
    struct dependency missing = { .job = 4711 };
    struct new_job jobs[2] = { plain_job("fine"), plain_job("waits") };

    jobs[1].after = &missing;
    jobs[1].after_count = 1;
    assert_int_equal(submit_all(f, jobs, 2, NULL, NULL, NULL), -1);
    assert_string_equal(fault_name(f->err.fault), "invalid");
    assert_non_null(strstr(f->err.text, "4711"));
    assert_int_equal(f->seen.count, 0);
    assert_int_equal(job_count(f), 0);
}

static void a_key_makes_it_safe_to_repeat(void **state)
{
    struct fixture *f = *state;
    struct new_job first[2] = { plain_job("a"), plain_job("b") };
    struct new_job again[2] = { plain_job("a"), plain_job("b") };
    bool repeated;

    assert_int_equal(submit_all(f, first, 2, "night-7", "d1", &repeated), 0);
    assert_false(repeated);
    submit(f, plain_job("between"));
    fixture_again(f);
    assert_int_equal(submit_all(f, again, 2, "night-7", "d1", &repeated), 0);
    assert_true(repeated);
    assert_int_equal(again[0].id, first[0].id);
    assert_int_equal(again[1].id, first[1].id);
    assert_int_equal(job_count(f), 3);

    assert_int_equal(submit_all(f, again, 2, "night-7", "d2", NULL), -1);
    assert_string_equal(fault_name(f->err.fault), "conflict");
    assert_non_null(strstr(f->err.text, "new key"));
}

static bool last_dependency(void *arg, const struct dependency_row *row)
{
    *(struct dependency_row *)arg = *row;
    return true;
}

static void a_job_can_wait_for_one_of_its_submission(void **state)
{
    struct fixture *f = *state;
    struct dependency by_name = { .name = (char *)"parts", .on = ON_ANY };
    struct new_job jobs[2] = { plain_job("parts"), plain_job("merge") };
    struct dependency_row row = { 0 };

    jobs[1].after = &by_name;
    jobs[1].after_count = 1;
    assert_int_equal(submit_all(f, jobs, 2, NULL, NULL, NULL), 0);
    assert_int_equal(f->seen.dependencies, 1);
    assert_ok(f, store_dependencies(f->store, jobs[1].id, last_dependency, &row, &f->err));
    assert_int_equal(row.on_job, jobs[0].id);
    assert_int_equal(row.on, ON_ANY);
    assert_false(row.each);
}

static void a_name_that_comes_later_is_not_earlier(void **state)
{
    struct fixture *f = *state;
    struct dependency by_name = { .name = (char *)"later" };
    struct new_job jobs[2] = { plain_job("first"), plain_job("later") };

    jobs[0].after = &by_name;
    jobs[0].after_count = 1;
    assert_int_equal(submit_all(f, jobs, 2, NULL, NULL, NULL), -1);
    assert_non_null(strstr(f->err.text, "'later'"));
}

static void task_by_task_needs_the_same_indices(void **state)
{
    struct fixture *f = *state;
    int64_t parts = submit_array(f, "0-9", 10);
    struct dependency each = { .job = parts, .each = true };
    struct new_job job = plain_job("next");

    job.after = &each;
    job.after_count = 1;
    job.array = "1-10";
    job.tasks = 10;
    assert_int_equal(submit_all(f, &job, 1, NULL, NULL, NULL), -1);
    assert_non_null(strstr(f->err.text, "other indices"));
    job.array = "0,1,2,3-9"; /* the same in other words */
    assert_int_equal(submit_all(f, &job, 1, NULL, NULL, NULL), 0);
}

static void an_input_must_have_been_uploaded_by_this_user(void **state)
{
    struct fixture *f = *state;
    char hash[SHA256_HEX];
    const char *blobs[] = { hash, NULL };
    struct upload upload = { .owner = "bob", .sha256 = hash, .size = 3 };
    struct new_job job = plain_job("uses");
    int64_t offset = 0;

    sha256_hex_of("abc", 3, hash);
    job.blobs = blobs;
    assert_ok(f, store_upload_put(f->store, &upload, &offset, "abc", 3, &f->err));
    assert_ok(f, store_upload_finish(f->store, &upload, &f->err));
    assert_int_equal(submit_all(f, &job, 1, NULL, NULL, NULL), -1); /* bob's, not hers */
    assert_non_null(strstr(f->err.text, hash));
    upload.owner = "ada";
    offset = 0;
    assert_ok(f, store_upload_put(f->store, &upload, &offset, "abc", 3, &f->err));
    assert_ok(f, store_upload_finish(f->store, &upload, &f->err));
    assert_int_equal(submit_all(f, &job, 1, NULL, NULL, NULL), 0);
}

static void a_large_description_comes_back_whole(void **state)
{
    struct fixture *f = *state;
    own_mem char *spec = xmalloc(100001);
    own_buf struct buf back = BUF_INIT(0), user = BUF_INIT(0), project = BUF_INIT(0);
    own_buf struct buf strings = BUF_INIT(0);
    struct new_job job = plain_job("large");
    struct job_detail detail;
    int64_t id;

    memset(spec, 's', 100000);
    spec[100000] = '\0';
    job.spec = spec;
    id = submit(f, job);
    assert_int_equal(store_spec(f->store, id, &back, &user, &project, &f->err), 0);
    assert_string_equal(buf_text(&back), spec);
    assert_string_equal(buf_text(&user), "ada");
    assert_string_equal(buf_text(&project), job.project);
    assert_int_equal(store_job(f->store, id, &detail, &strings, &f->err), 0);
    assert_string_equal(detail.spec, spec);
    assert_int_equal(store_spec(f->store, id + 1, &back, &user, &project, &f->err), 1);
}

static void an_array_has_at_least_one_task(void **state)
{
    struct fixture *f = *state;
    struct new_job job = plain_job("none");

    job.array = "";
    job.tasks = 0;
    assert_int_equal(submit_all(f, &job, 1, NULL, NULL, NULL), -1);
    job.array = NULL;
    job.tasks = 2;
    assert_int_equal(submit_all(f, &job, 1, NULL, NULL, NULL), -1);
}

/* ---- many in flight */

#define FLIGHT 300

struct flight {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int landed;
    int64_t last;
    bool in_order;
};
struct passenger {
    struct flight *flight;
    struct new_job job;
    struct submission submission;
};

static void landed(void *arg, int rc, const struct err *err)
{
    struct passenger *passenger = arg;
    struct flight *flight = passenger->flight;

    pthread_mutex_lock(&flight->lock);
    flight->in_order = flight->in_order && rc == 0 && !err && passenger->job.id > flight->last;
    flight->last = passenger->job.id;
    flight->landed++;
    pthread_cond_signal(&flight->moved);
    pthread_mutex_unlock(&flight->lock);
}

static void many_are_in_flight_and_answered_in_order(void **state)
{
    struct fixture *f = *state;
    struct flight flight = { .lock = PTHREAD_MUTEX_INITIALIZER,
                             .in_order = true,
                             .moved = PTHREAD_COND_INITIALIZER };
    struct passenger *all = xcalloc(FLIGHT, sizeof *all);
    struct store_stats stats;

    for (int i = 0; i < FLIGHT; i++) {
        all[i].flight = &flight;
        all[i].job = plain_job("one of many");
        all[i].submission = (struct submission){ .jobs = &all[i].job, .count = 1, .user = "ada" };
        store_submit_async(f->store, &all[i].submission, landed, &all[i]);
    }
    pthread_mutex_lock(&flight.lock);
    while (flight.landed < FLIGHT)
        pthread_cond_wait(&flight.moved, &flight.lock);
    pthread_mutex_unlock(&flight.lock);
    assert_true(flight.in_order);
    assert_int_equal(f->seen.jobs, FLIGHT);
    assert_ok(f, store_stats(f->store, &stats, &f->err));
    assert_int_equal(stats.operations, FLIGHT);
    assert_true(stats.commits <= FLIGHT);
    free(all);
}

static int submit_bounded(struct fixture *f, const char *user, int64_t tasks, struct open_most most)
{
    struct new_job job = plain_job("bounded");
    struct submission submission = { .jobs = &job, .count = 1, .user = user, .most = &most };

    job.user = user;
    job.tasks = tasks;
    job.array = tasks > 1 ? "0-99" : NULL;
    f->err = (struct err)ERR_INIT;
    return store_submit(f->store, &submission, &f->err) < 0 ? -1 : (int)job.id;
}

/* Across a restart too: the counts are made again from the rows. */
static void a_user_has_so_many_open_tasks(void **state)
{
    struct fixture *f = *state;
    const struct open_most most = { 150, -1 };
    int job = submit_bounded(f, "ada", 100, most);
    struct target one = { job, 7 }, all = { job, -1 };

    assert_true(job > 0);
    assert_fault(f, FAULT_INVALID, submit_bounded(f, "ada", 200, most));
    assert_non_null(strstr(f->err.text, "at most 150"));
    for (int restart = 0; restart < 2; restart++) {
        assert_fault(f, FAULT_THROTTLED, submit_bounded(f, "ada", 100, most));
        assert_non_null(strstr(f->err.text, "has 100 tasks"));
        assert_non_null(strstr(f->err.text, "users.ada.max_open"));
        fixture_again(f);
    }
    assert_true(submit_bounded(f, "bob", 100, most) > 0);

    for (int i = 0; i < 50; i++)
        assert_true(submit_bounded(f, "ada", 1, most) > 0);
    assert_fault(f, FAULT_THROTTLED, submit_bounded(f, "ada", 1, most));
    assert_ok(f, store_cancel(f->store, one, REASON_CANCELLED, NULL, &f->err));
    assert_true(submit_bounded(f, "ada", 1, most) > 0);
    assert_fault(f, FAULT_THROTTLED, submit_bounded(f, "ada", 1, most));
    assert_ok(f, store_retry(f->store, one, &f->err));
    assert_ok(f, store_cancel(f->store, all, REASON_CANCELLED, NULL, &f->err));
    assert_true(submit_bounded(f, "ada", 99, most) > 0);
    assert_fault(f, FAULT_THROTTLED, submit_bounded(f, "ada", 1, most));
}

static void all_users_together_have_so_many(void **state)
{
    struct fixture *f = *state;
    const struct open_most most = { -1, 150 };

    assert_true(submit_bounded(f, "ada", 100, most) > 0);
    assert_fault(f, FAULT_THROTTLED, submit_bounded(f, "bob", 100, most));
    assert_non_null(strstr(f->err.text, "broker.bounds.open_tasks"));
    assert_fault(f, FAULT_INVALID, submit_bounded(f, "bob", 151, most));
    assert_true(submit_bounded(f, "bob", 50, most) > 0);
    assert_fault(f, FAULT_THROTTLED, submit_bounded(f, "ada", 1, most));
}

static void *race(void *arg)
{
    struct fixture *f = arg;
    const struct open_most most = { 40, -1 };
    intptr_t taken = 0;

    for (int i = 0; i < 25; i++) {
        struct new_job job = plain_job("one of many");
        struct submission submission = { .jobs = &job, .count = 1, .user = "ada", .most = &most };
        struct err err = ERR_INIT;

        taken += store_submit(f->store, &submission, &err) == 0;
    }
    return (void *)taken; /* NOLINT: a small number */
}

/* However many ask at once, in one group or in several: as many are let in as there is room for. */
static void the_bound_holds_in_a_race(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    intptr_t taken = 0;

    for (size_t i = 0; i < array_len(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race, f), 0);
    for (size_t i = 0; i < array_len(threads); i++) {
        void *one;

        pthread_join(threads[i], &one);
        taken += (intptr_t)one;
    }
    assert_int_equal(taken, 40);
}

static void a_used_key_can_be_looked_up(void **state)
{
    struct fixture *f = *state;
    struct new_job first = plain_job("a"), again = plain_job("a");
    struct submission submission = {
        .jobs = &again, .count = 1, .user = "ada", .key = "night-8", .digest = "d1"
    };

    assert_ok(f, store_submission_find(f->store, &submission, &f->err));
    assert_false(submission.repeated);
    assert_int_equal(submit_all(f, &first, 1, "night-8", "d1", NULL), 0);
    assert_ok(f, store_submission_find(f->store, &submission, &f->err));
    assert_true(submission.repeated);
    assert_int_equal(again.id, first.id);
    submission.digest = "d2";
    assert_fault(f, FAULT_CONFLICT, store_submission_find(f->store, &submission, &f->err));
}

/* Whatever is queued when the store is closed has happened. */
static void closing_commits_what_is_queued(void **state)
{
    struct fixture *f = *state;
    struct flight flight = { .lock = PTHREAD_MUTEX_INITIALIZER,
                             .in_order = true,
                             .moved = PTHREAD_COND_INITIALIZER };
    struct passenger *all = xcalloc(FLIGHT, sizeof *all);

    for (int i = 0; i < FLIGHT; i++) {
        all[i].flight = &flight;
        all[i].job = plain_job("one of many");
        all[i].submission = (struct submission){ .jobs = &all[i].job, .count = 1, .user = "ada" };
        store_submit_async(f->store, &all[i].submission, landed, &all[i]);
    }
    assert_int_equal(job_count(f), FLIGHT);
    assert_int_equal(flight.landed, FLIGHT);
    free(all);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_up, fixture_down)
    const struct CMUnitTest tests[] = {
        TEST(ids_follow_each_other_and_are_told),
        TEST(one_wrong_job_and_none_is_queued),
        TEST(a_key_makes_it_safe_to_repeat),
        TEST(a_job_can_wait_for_one_of_its_submission),
        TEST(a_name_that_comes_later_is_not_earlier),
        TEST(task_by_task_needs_the_same_indices),
        TEST(an_input_must_have_been_uploaded_by_this_user),
        TEST(a_large_description_comes_back_whole),
        TEST(an_array_has_at_least_one_task),
        TEST(many_are_in_flight_and_answered_in_order),
        TEST(closing_commits_what_is_queued),
        TEST(a_user_has_so_many_open_tasks),
        TEST(all_users_together_have_so_many),
        TEST(the_bound_holds_in_a_race),
        TEST(a_used_key_can_be_looked_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
