/* SPDX-License-Identifier: Apache-2.0 */
/* test_prune.c - what is old goes, what is still needed stays, and ids are never used again. */
#include "fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define DAY ((int64_t)86400000)

/* As if so many days had passed. */
static struct pruned prune(struct fixture *f, struct retention rule, int64_t days)
{
    own_buf struct buf report = BUF_INIT(0);
    struct pruned out;

    assert_ok(f, store_prune(f->store, &rule, clock_wall_ms() + days * DAY, &out, &f->err));
    if (store_check(f->store, &report, &f->err) != 0)
        fail_msg("%s", buf_text(&report));
    return out;
}

static const struct retention all = {
    .jobs_ms = DAY, .logs_ms = DAY, .blobs_ms = DAY, .events_ms = DAY
};

static bool exists(struct fixture *f, int64_t job)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct job_detail detail;

    return store_job(f->store, job, &detail, &strings, &f->err) == 0;
}

static void ended(struct fixture *f, int64_t worker, int64_t job)
{
    struct report report = report_of(lease(f, job, 0, worker), TASK_SUCCEEDED);

    report.wall_ms = 1000;
    report.logs[0] = (struct log_row){ .size = 3, .data = "hi\n", .sha256 = "" };
    tell(f, worker, report);
}

static void old_ended_jobs_go_the_others_stay(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), gone = submit(f, plain_job("gone")), open;
    struct pruned out;

    ended(f, worker, gone);
    open = submit(f, plain_job("open"));
    out = prune(f, all, 0); /* too young */
    assert_int_equal(out.jobs, 0);
    assert_true(exists(f, gone));
    out = prune(f, all, 2);
    assert_int_equal(out.jobs, 1);
    assert_false(exists(f, gone));
    assert_true(exists(f, open));
    out = prune(f, (struct retention){ 0 }, 1000); /* no rule: for ever */
    assert_int_equal(out.jobs, 0);
}

static void ids_are_never_used_again(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit(f, plain_job("gone")), attempt;
    int64_t last;

    ended(f, worker, job);
    last = store_event_last(f->store);
    prune(f, all, 2);
    assert_false(exists(f, job));
    fixture_again(f);
    assert_int_equal(submit(f, plain_job("next")), job + 1);
    attempt = lease(f, job + 1, 0, worker);
    assert_int_equal(attempt, 2);
    assert_true(store_event_last(f->store) > last);
}

static void what_somebody_waits_for_stays(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), first = submit(f, plain_job("first"));
    struct dependency after = { .job = first };
    struct new_job second = plain_job("second");
    enum on_outcome outcome;

    second.after = &after;
    second.after_count = 1;
    second.id = submit(f, second);
    ended(f, worker, first);
    prune(f, all, 2);
    assert_int_equal(store_outcome(f->store, (struct target){ first, -1 }, &outcome, &f->err), 0);
    ended(f, worker, second.id);
    prune(f, all, 2);
    assert_false(exists(f, first));
    assert_false(exists(f, second.id));
}

static bool add_usage(void *arg, const struct usage_row *row)
{
    struct usage_row *sum = arg;

    sum->tasks += row->tasks;
    sum->succeeded += row->succeeded;
    sum->wall_ms += row->wall_ms;
    return true;
}

static void what_was_used_is_still_known(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w");
    struct usage_row before = { 0 }, after = { 0 };

    for (int i = 0; i < 3; i++)
        ended(f, worker, submit(f, plain_job("job")));
    assert_ok(f, store_usage(f->store, 0, INT64_MAX / 2, add_usage, &before, &f->err));
    assert_int_equal(before.tasks, 3);
    assert_int_equal(before.wall_ms, 3000);
    assert_int_equal(prune(f, all, 2).jobs, 3);
    assert_ok(f, store_usage(f->store, 0, INT64_MAX / 2, add_usage, &after, &f->err));
    assert_int_equal(after.tasks, 3);
    assert_int_equal(after.succeeded, 3);
    assert_int_equal(after.wall_ms, 3000);
}

/* More rows than one transaction takes. */
static void a_large_array_goes_in_slices(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit_array(f, "0-4999", 5000);
    struct lease leases[1000];
    struct report reports[1000];

    for (int from = 0; from < 5000; from += 1000) {
        for (int i = 0; i < 1000; i++)
            leases[i] = (struct lease){ .job = job, .index = from + i, .worker = worker };
        assert_ok(f, store_lease(f->store, leases, 1000, &f->err));
        for (int i = 0; i < 1000; i++)
            reports[i] = report_of(leases[i].attempt, TASK_SUCCEEDED);
        assert_ok(f, store_report(f->store, worker, reports, 1000, NULL, NULL, &f->err));
    }
    assert_int_equal(prune(f, all, 2).jobs, 1);
    assert_false(exists(f, job));
}

static void logs_go_before_their_jobs(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit(f, plain_job("one")), offset = 0, size, cut;
    int64_t attempt = lease(f, job, 0, worker);
    struct report report = report_of(attempt, TASK_SUCCEEDED);
    own_buf struct buf text = BUF_INIT(0);
    own_str char *file = xasprintf("%s/logs/0/%lld.0", f->dir, (long long)attempt);
    bool is_over;

    assert_ok(f, store_log_append(f->store, attempt, 0, &offset, "long", 4, &f->err));
    report.logs[0] = (struct log_row){ .size = 4, .sha256 = "" };
    tell(f, worker, report);
    assert_int_equal(access(file, F_OK), 0);
    assert_int_equal(prune(f, (struct retention){ .logs_ms = DAY }, 2).logs, 1);
    assert_int_equal(access(file, F_OK), -1);
    assert_true(exists(f, job));
    assert_ok(f, store_log_read(f->store, attempt, 0, 0, 9, &text, &size, &cut, &is_over, &f->err));
    assert_int_equal(size, 0);
}

static void put_blob(struct fixture *f, const char *owner, const char *data, char *hash)
{
    struct upload upload = { .owner = owner, .sha256 = hash, .size = (int64_t)strlen(data) };
    int64_t offset = 0;

    sha256_hex_of(data, strlen(data), hash);
    assert_ok(f, store_upload_put(f->store, &upload, &offset, data, strlen(data), &f->err));
    assert_ok(f, store_upload_finish(f->store, &upload, &f->err));
}

static void inputs_of_open_jobs_stay(void **state)
{
    struct fixture *f = *state;
    const struct retention blobs = { .blobs_ms = DAY };
    char used[SHA256_HEX], unused[SHA256_HEX];
    const char *inputs[] = { used, NULL };
    struct new_job job = plain_job("uses");
    int64_t worker = worker_ready(f, "w"), attempt;
    struct report report;

    put_blob(f, "ada", "used", used);
    put_blob(f, "ada", "unused", unused);
    job.blobs = inputs;
    job.id = submit(f, job);
    assert_int_equal(prune(f, blobs, 0).blobs, 0);
    assert_int_equal(prune(f, blobs, 2).blobs, 1);
    assert_true(store_blob_owned(f->store, "ada", used));
    assert_false(store_blob_owned(f->store, "ada", unused));

    attempt = lease(f, job.id, 0, worker);
    report = report_of(attempt, TASK_FAILED);
    report.reason = REASON_USER_EXIT;
    tell(f, worker, report);
    assert_int_equal(prune(f, blobs, 0).blobs, 0); /* it may be retried yet */
    assert_int_equal(prune(f, blobs, 2).blobs, 1);
    assert_fault(f, FAULT_CONFLICT,
                 (int)store_retry(f->store, (struct target){ job.id, -1 }, &f->err));
    assert_non_null(strstr(f->err.text, "submit the job again"));
}

static void what_an_attempt_sends_stays_while_it_runs(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit(f, plain_job("one"));
    int64_t attempt = lease(f, job, 0, worker);
    own_str char *owner = xasprintf("attempt:%lld", (long long)attempt);
    char hash[SHA256_HEX];

    put_blob(f, owner, "result", hash);
    assert_int_equal(prune(f, all, 9).blobs, 0);
    ends(f, worker, attempt, TASK_FAILED); /* and never names it */
    assert_int_equal(prune(f, all, 9).blobs, 1);
}

static void make_old(const char *path)
{
    struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };

    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

static char *leftover(struct fixture *f, const char *folder, const char *name)
{
    own_str char *above = xasprintf("%s/%s", f->dir, folder);
    char *path = xasprintf("%s/%s", above, name);

    assert_ok(f, io_mkdirs(above, 0700, &f->err));
    assert_ok(f, io_replace_file(path, 0600, "x", 1, &f->err));
    make_old(path);
    return path;
}

static void files_that_nothing_names_are_swept(void **state)
{
    struct fixture *f = *state;
    char hash[SHA256_HEX];
    own_str char *blob =
        leftover(f, "blobs/ab", "cdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789");
    own_str char *log = leftover(f, "logs/7", "7001.0");
    own_str char *upload = leftover(f, "uploads", "half");
    own_str char *kept = NULL;

    put_blob(f, "ada", "named", hash);
    kept = xasprintf("%s/blobs/%.2s/%s", f->dir, hash, hash + 2);
    make_old(kept);
    prune(f, (struct retention){ 0 }, 0);
    assert_int_equal(access(blob, F_OK), -1);
    assert_int_equal(access(log, F_OK), -1);
    assert_int_equal(access(upload, F_OK), -1);
    assert_int_equal(access(kept, F_OK), 0);
}

static bool last_kind(void *arg, const struct event_row *row)
{
    snprintf(arg, 200, "%s %s", row->kind, row->detail ? row->detail : "");
    return true;
}

static void what_went_is_told(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w");
    struct event_filter filter = { .limit = 100 };
    char last[200] = "";

    ended(f, worker, submit(f, plain_job("one")));
    assert_true(prune(f, all, 2).events > 0);
    assert_ok(f, store_events(f->store, &filter, last_kind, last, &f->err));
    assert_non_null(strstr(last, "store.pruned jobs=1 logs=0"));
}

/* Keys go with their jobs: a repeat after that is a new submission. */
static void keys_go_with_their_jobs(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w");
    struct new_job job = plain_job("nightly");
    struct submission submission = {
        .jobs = &job, .count = 1, .user = "ada", .key = "k", .digest = "d"
    };

    assert_ok(f, store_submit(f->store, &submission, &f->err));
    ended(f, worker, job.id);
    prune(f, all, 2);
    assert_ok(f, store_submit(f->store, &submission, &f->err));
    assert_false(submission.repeated);
    assert_true(exists(f, job.id));
}

static bool put_key(void *arg, const char *key, const char *value)
{
    struct buf *keys = arg;

    (void)value;
    buf_printf(keys, "%s ", key);
    return true;
}

static void what_was_learnt_of_a_class_goes_with_it(void **state)
{
    static const char *const keys[] = { "run/1",   "cost/1",      "wait/site1/1",  "avoid/site1/1",
                                        "share/1", "wait/site1/", "boot/site1/1/1" };
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit(f, plain_job("gone"));
    own_buf struct buf left = BUF_INIT(0);

    for (size_t i = 0; i < array_len(keys); i++)
        assert_ok(f, store_learned_put(f->store, keys[i], "{}", &f->err));
    ended(f, worker, job);
    prune(f, all, 0);
    assert_ok(f, store_learned(f->store, "run/", put_key, &left, &f->err));
    assert_string_equal(buf_text(&left), "run/1 ");
    prune(f, all, 2);
    buf_clear(&left);
    assert_ok(f, store_learned(f->store, "", put_key, &left, &f->err));
    assert_string_equal(buf_text(&left), "boot/site1/1/1 share/1 wait/site1/ ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_up, fixture_down)
    const struct CMUnitTest tests[] = {
        TEST(old_ended_jobs_go_the_others_stay),
        TEST(ids_are_never_used_again),
        TEST(what_somebody_waits_for_stays),
        TEST(what_was_used_is_still_known),
        TEST(a_large_array_goes_in_slices),
        TEST(logs_go_before_their_jobs),
        TEST(inputs_of_open_jobs_stay),
        TEST(what_an_attempt_sends_stays_while_it_runs),
        TEST(files_that_nothing_names_are_swept),
        TEST(what_went_is_told),
        TEST(keys_go_with_their_jobs),
        TEST(what_was_learnt_of_a_class_goes_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
