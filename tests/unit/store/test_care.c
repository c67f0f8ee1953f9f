/* SPDX-License-Identifier: Apache-2.0 */
/* test_care.c - the check finds what is wrong, the copy is whole, the figures are true. */
#include "fixture.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <unistd.h>

/* Changes the file behind the store's back and looks what the check says. */
static void assert_found(struct fixture *f, const char *sql, const char *words)
{
    own_str char *path = xasprintf("%s/spillway.db", f->dir);
    own_buf struct buf report = BUF_INIT(0);
    sqlite3 *db;

    store_close(f->store);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_true(sqlite3_changes(db) > 0);
    sqlite3_close(db);
    assert_ok(f, fixture_open(f));
    assert_true(store_check(f->store, &report, &f->err) > 0);
    if (!strstr(buf_text(&report), words))
        fail_msg("'%s' does not say '%s'", buf_text(&report), words);
}

static int64_t small_world(struct fixture *f)
{
    int64_t worker = worker_ready(f, "w"), job = submit_array(f, "0-9", 10), attempt;

    ends(f, worker, lease(f, job, 0, worker), TASK_SUCCEEDED);
    attempt = lease(f, job, 1, worker);
    tell(f, worker, report_of(attempt, TASK_RUNNING));
    return job;
}

static void a_sound_record_has_no_findings(void **state)
{
    struct fixture *f = *state;
    own_buf struct buf report = BUF_INIT(0);

    small_world(f);
    assert_int_equal(store_check(f->store, &report, &f->err), 0);
    assert_string_equal(buf_text(&report), "");
}

static void counters_that_do_not_add_up_are_found(void **state)
{
    struct fixture *f = *state;

    small_world(f);
    assert_found(f, "UPDATE jobs SET running = 0", "job 1: its counters");
}

static void a_lost_row_is_found(void **state)
{
    struct fixture *f = *state;

    small_world(f);
    assert_found(f, "DELETE FROM tasks WHERE idx = 0", "job 1: tasks before its next position");
}

static void a_task_without_its_attempt_is_found(void **state)
{
    struct fixture *f = *state;

    small_world(f);
    assert_found(f, "UPDATE attempts SET ended = 1 WHERE id = 2", "no attempt under way");
}

static void an_attempt_nobody_knows_is_found(void **state)
{
    struct fixture *f = *state;

    small_world(f);
    assert_found(f, "UPDATE attempts SET ended = 0 WHERE id = 1", "attempt 1: under way");
}

static void a_row_without_its_parent_is_found(void **state)
{
    struct fixture *f = *state;

    small_world(f);
    assert_found(f, "INSERT INTO dependencies VALUES (4711, 1, 0, 0)", "names a row of jobs");
}

static void a_blob_without_its_file_is_found(void **state)
{
    struct fixture *f = *state;
    char hash[SHA256_HEX];
    struct upload upload = { .owner = "ada", .sha256 = hash, .size = 4 };
    own_buf struct buf report = BUF_INIT(0);
    own_str char *path = NULL;
    int64_t offset = 0;

    sha256_hex_of("data", 4, hash);
    assert_ok(f, store_upload_put(f->store, &upload, &offset, "data", 4, &f->err));
    assert_ok(f, store_upload_finish(f->store, &upload, &f->err));
    path = xasprintf("%s/blobs/%.2s/%s", f->dir, hash, hash + 2);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_check(f->store, &report, &f->err), 1);
    assert_non_null(strstr(buf_text(&report), hash));
}

/* ---- the copy */

struct busy {
    struct store *store;
    atomic_bool stop;
    int64_t submitted;
};

static void *submit_on(void *arg)
{
    struct busy *busy = arg;

    while (!atomic_load(&busy->stop)) {
        struct new_job job = plain_job("meanwhile");
        struct submission submission = { .jobs = &job, .count = 1, .user = job.user };

        if (store_submit(busy->store, &submission, NULL) < 0)
            break;
        busy->submitted++;
    }
    return NULL;
}

static void a_copy_is_whole_while_all_goes_on(void **state)
{
    struct fixture *f = *state;
    struct busy busy = { .store = f->store };
    struct fixture copy = { .store = NULL };
    own_str char *to = NULL;
    own_buf struct buf report = BUF_INIT(0);
    int64_t job = small_world(f);
    pthread_t thread;

    snprintf(copy.dir, sizeof copy.dir, "%.40s.copy", f->dir);
    assert_ok(f, io_mkdirs(copy.dir, 0700, &f->err));
    to = xasprintf("%s/spillway.db", copy.dir);
    assert_int_equal(pthread_create(&thread, NULL, submit_on, &busy), 0);
    assert_ok(f, store_backup(f->store, to, &f->err));
    atomic_store(&busy.stop, true);
    pthread_join(thread, NULL);
    assert_fault(f, FAULT_CONFLICT, store_backup(f->store, to, &f->err));

    assert_ok(&copy, fixture_open(&copy));
    assert_int_equal(store_check(copy.store, &report, &copy.err), 0);
    assert_int_equal(job_of(&copy, job).succeeded, 1);
    assert_string_equal(store_uuid(copy.store), store_uuid(f->store));
    store_close(copy.store);
    io_remove_tree(copy.dir, NULL);
}

static void a_copy_that_cannot_be_made_leaves_nothing(void **state)
{
    struct fixture *f = *state;

    assert_fault(f, FAULT_NOT_FOUND, store_backup(f->store, "/no/such/place/copy.db", &f->err));
}

/* ---- figures */

static void figures_follow_what_happened(void **state)
{
    struct fixture *f = *state;
    struct store_stats stats;

    small_world(f);
    submit(f, plain_job("one"));
    assert_ok(f, store_stats(f->store, &stats, &f->err));
    assert_int_equal(stats.jobs, 2);
    assert_int_equal(stats.open_jobs, 2);
    assert_int_equal(stats.tasks, 2);
    assert_int_equal(stats.attempts, 2);
    assert_int_equal(stats.workers, 1);
    assert_int_equal(stats.ended[TASK_SUCCEEDED], 1);
    assert_int_equal(stats.ended[TASK_FAILED], 0);
    assert_true(stats.commits > 0 && stats.operations >= stats.commits);
    assert_true(stats.commit_us_sum >= stats.commit_us_max && stats.commit_us_max > 0);
    assert_true(stats.db_bytes > 0);
    store_cancel(f->store, (struct target){ 2, -1 }, REASON_CANCELLED, NULL, &f->err);
    fixture_again(f);
    assert_ok(f, store_stats(f->store, &stats, &f->err));
    assert_int_equal(stats.ended[TASK_CANCELLED], 1);
    assert_int_equal(stats.open_jobs, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_up, fixture_down)
    const struct CMUnitTest tests[] = {
        TEST(a_sound_record_has_no_findings),
        TEST(counters_that_do_not_add_up_are_found),
        TEST(a_lost_row_is_found),
        TEST(a_task_without_its_attempt_is_found),
        TEST(an_attempt_nobody_knows_is_found),
        TEST(a_row_without_its_parent_is_found),
        TEST(a_blob_without_its_file_is_found),
        TEST(a_copy_is_whole_while_all_goes_on),
        TEST(a_copy_that_cannot_be_made_leaves_nothing),
        TEST(figures_follow_what_happened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
