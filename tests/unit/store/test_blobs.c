/* SPDX-License-Identifier: Apache-2.0 */
/* test_blobs.c - content that comes in pieces, logs that grow, outputs that are checked. */
#include "fixture.h"

#include <unistd.h>

static struct upload upload_of(const char *owner, const char *data, char hash[SHA256_HEX])
{
    sha256_hex_of(data, strlen(data), hash);
    return (struct upload){ .owner = owner, .sha256 = hash, .size = (int64_t)strlen(data) };
}

static void put_whole(struct fixture *f, const char *owner, const char *data, char *hash)
{
    struct upload upload = upload_of(owner, data, hash);
    int64_t offset = 0;

    assert_ok(f, store_upload_put(f->store, &upload, &offset, data, strlen(data), &f->err));
    assert_ok(f, store_upload_finish(f->store, &upload, &f->err));
}

static void assert_content(struct fixture *f, const char *hash, const char *data)
{
    own_buf struct buf back = BUF_INIT(0);
    int64_t size;
    own_fd int fd = store_blob_open(f->store, hash, &size, &f->err);

    assert_true(fd >= 0);
    assert_int_equal(size, strlen(data));
    assert_int_equal(buf_read_fd(&back, fd, &f->err), 0);
    assert_string_equal(buf_text(&back), data);
}

static void an_upload_goes_on_where_it_was_cut(void **state)
{
    struct fixture *f = *state;
    char hash[SHA256_HEX];
    struct upload upload = upload_of("ada", "hello world", hash);
    int64_t offset = 0;

    assert_ok(f, store_upload_put(f->store, &upload, &offset, "hello", 5, &f->err));
    assert_int_equal(offset, 5);
    fixture_again(f);
    assert_ok(f, store_upload_offset(f->store, &upload, &offset, &f->err));
    assert_int_equal(offset, 5);
    assert_fault(f, FAULT_CONFLICT, store_upload_finish(f->store, &upload, &f->err));
    offset = 0;
    assert_fault(f, FAULT_CONFLICT,
                 store_upload_put(f->store, &upload, &offset, "hello", 5, &f->err));
    assert_int_equal(offset, 5);
    assert_ok(f, store_upload_put(f->store, &upload, &offset, " world", 6, &f->err));
    assert_ok(f, store_upload_finish(f->store, &upload, &f->err));
    assert_ok(f, store_upload_finish(f->store, &upload, &f->err)); /* the answer was lost */
    assert_ok(f, store_upload_offset(f->store, &upload, &offset, &f->err));
    assert_int_equal(offset, 11);
    assert_content(f, hash, "hello world");
}

static void wrong_content_is_dropped(void **state)
{
    struct fixture *f = *state;
    char hash[SHA256_HEX];
    struct upload upload = upload_of("ada", "hello", hash);
    int64_t offset = 0;

    assert_fault(f, FAULT_INVALID,
                 store_upload_put(f->store, &upload, &offset, "hello!", 6, &f->err));
    assert_ok(f, store_upload_put(f->store, &upload, &offset, "jello", 5, &f->err));
    assert_fault(f, FAULT_INVALID, store_upload_finish(f->store, &upload, &f->err));
    assert_ok(f, store_upload_offset(f->store, &upload, &offset, &f->err));
    assert_int_equal(offset, 0);
    assert_false(store_blob_owned(f->store, "ada", hash));
    assert_fault(f, FAULT_NOT_FOUND, store_blob_open(f->store, hash, &offset, &f->err));
}

static void names_are_hashes_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    const char *const bad[] = {
        "", "../../etc/passwd", "abc",
        "ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0123456789",
        "..cdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
    };
    int64_t offset = 0;

    for (size_t i = 0; i < array_len(bad); i++) {
        struct upload upload = { .owner = "../ada", .sha256 = bad[i], .size = 1 };

        assert_fault(f, FAULT_INVALID,
                     store_upload_put(f->store, &upload, &offset, "x", 1, &f->err));
        assert_fault(f, FAULT_INVALID, store_upload_finish(f->store, &upload, &f->err));
        assert_fault(f, FAULT_INVALID, store_blob_open(f->store, bad[i], &offset, &f->err));
    }
}

static void knowing_a_hash_is_no_proof(void **state)
{
    struct fixture *f = *state;
    char hash[SHA256_HEX];
    struct upload upload = upload_of("bob", "secret", hash);
    int64_t offset;

    put_whole(f, "ada", "secret", hash);
    assert_true(store_blob_owned(f->store, "ada", hash));
    assert_false(store_blob_owned(f->store, "bob", hash));
    assert_ok(f, store_upload_offset(f->store, &upload, &offset, &f->err));
    assert_int_equal(offset, 0); /* all of it must be sent */
    put_whole(f, "bob", "secret", hash);
    assert_true(store_blob_owned(f->store, "bob", hash));
    assert_content(f, hash, "secret");
}

static void nothing_is_content_too(void **state)
{
    struct fixture *f = *state;
    char hash[SHA256_HEX];
    struct upload upload = upload_of("ada", "", hash);

    assert_ok(f, store_upload_finish(f->store, &upload, &f->err));
    assert_content(f, hash, "");
}

/* ---- logs */

struct log {
    char text[64];
    int64_t size, cut;
    bool ended;
};

static struct log read_log(struct fixture *f, int64_t attempt, int stream, int64_t offset,
                           size_t most)
{
    own_buf struct buf out = BUF_INIT(0);
    struct log log;

    assert_ok(f, store_log_read(f->store, attempt, stream, offset, most, &out, &log.size, &log.cut,
                                &log.ended, &f->err));
    snprintf(log.text, sizeof log.text, "%s", buf_text(&out));
    return log;
}

static int64_t running(struct fixture *f, int64_t *worker)
{
    *worker = worker_ready(f, "w");
    return lease(f, submit(f, plain_job("one")), 0, *worker);
}

static void a_short_log_comes_with_the_report(void **state)
{
    struct fixture *f = *state;
    int64_t worker, attempt = running(f, &worker);
    struct report report = report_of(attempt, TASK_SUCCEEDED);
    struct log log;

    report.logs[1] = (struct log_row){ .size = 5, .cut = 7, .sha256 = "", .data = "oops\n" };
    tell(f, worker, report);
    log = read_log(f, attempt, 1, 0, 100);
    assert_string_equal(log.text, "oops\n");
    assert_int_equal(log.size, 5);
    assert_int_equal(log.cut, 7);
    assert_true(log.ended);
    assert_string_equal(read_log(f, attempt, 1, 1, 2).text, "op");
    assert_string_equal(read_log(f, attempt, 1, 99, 2).text, "");
    assert_int_equal(read_log(f, attempt, 0, 0, 2).size, 0);
}

static void a_long_log_grows_while_it_is_read(void **state)
{
    struct fixture *f = *state;
    int64_t worker, attempt = running(f, &worker), offset = 0;
    struct report report = report_of(attempt, TASK_SUCCEEDED);
    char hash[SHA256_HEX];
    struct log log;

    assert_ok(f, store_log_append(f->store, attempt, 0, &offset, "one ", 4, &f->err));
    log = read_log(f, attempt, 0, 0, 100);
    assert_string_equal(log.text, "one ");
    assert_false(log.ended);
    fixture_again(f);
    offset = 2;
    assert_fault(f, FAULT_CONFLICT,
                 store_log_append(f->store, attempt, 0, &offset, "two", 3, &f->err));
    assert_int_equal(offset, 4);
    assert_ok(f, store_log_append(f->store, attempt, 0, &offset, "two", 3, &f->err));
    sha256_hex_of("one two", 7, hash);
    report.logs[0] = (struct log_row){ .size = 7, .sha256 = hash };
    tell(f, worker, report);
    log = read_log(f, attempt, 0, 4, 100);
    assert_string_equal(log.text, "two");
    assert_int_equal(log.size, 7);
    assert_int_equal(log.cut, 0);
    assert_true(log.ended);
    assert_fault(f, FAULT_CONFLICT,
                 store_log_append(f->store, attempt, 0, &offset, "more", 4, &f->err));
    assert_fault(f, FAULT_NOT_FOUND,
                 store_log_append(f->store, 4711, 0, &offset, "more", 4, &f->err));
}

static void beyond_the_limit_it_is_only_counted(void **state)
{
    struct fixture *f = *state;
    int64_t worker, attempt, offset = 0;
    struct report report;
    struct log log;

    f->log_most = 10;
    fixture_again(f);
    attempt = running(f, &worker);
    assert_ok(f, store_log_append(f->store, attempt, 0, &offset, "0123456789abcdef", 16, &f->err));
    assert_int_equal(offset, 16);
    assert_ok(f, store_log_append(f->store, attempt, 0, &offset, "gh", 2, &f->err));
    log = read_log(f, attempt, 0, 0, 100);
    assert_string_equal(log.text, "0123456789");
    assert_int_equal(log.cut, 8);
    report = report_of(attempt, TASK_SUCCEEDED);
    report.logs[0] = (struct log_row){ .size = 18, .cut = 100, .sha256 = "" };
    tell(f, worker, report);
    log = read_log(f, attempt, 0, 0, 100);
    assert_int_equal(log.size, 10);
    assert_int_equal(log.cut, 108);
}

/* ---- outputs */

static bool add_path(void *arg, const struct output_row *row)
{
    buf_printf(arg, "%s:%lld:%o ", row->path, (long long)row->size, (unsigned)row->mode);
    return true;
}

static void outputs_are_kept_with_their_attempt(void **state)
{
    struct fixture *f = *state;
    own_buf struct buf paths = BUF_INIT(0);
    int64_t worker, attempt = running(f, &worker);
    char owner[32], hash[SHA256_HEX];
    struct output_row output = { .path = "out/a.txt", .sha256 = hash, .size = 4, .mode = 0644 };
    struct report report = report_of(attempt, TASK_SUCCEEDED);

    snprintf(owner, sizeof owner, "attempt:%lld", (long long)attempt);
    put_whole(f, owner, "data", hash);
    report.outputs = &output;
    report.output_count = 1;
    tell(f, worker, report);
    assert_ok(f, store_outputs(f->store, attempt, add_path, &paths, &f->err));
    assert_string_equal(buf_text(&paths), "out/a.txt:4:644 ");
}

static void an_output_that_never_came_is_a_failure(void **state)
{
    struct fixture *f = *state;
    own_buf struct buf strings = BUF_INIT(0);
    int64_t worker, attempt = running(f, &worker);
    char hash[SHA256_HEX];
    struct output_row output = { .path = "out/a.txt", .sha256 = hash, .size = 4, .mode = 0644 };
    struct report report = report_of(attempt, TASK_SUCCEEDED);
    struct task_row task;

    put_whole(f, "ada", "data", hash); /* somebody else's is not this attempt's */
    report.outputs = &output;
    report.output_count = 1;
    tell(f, worker, report);
    assert_int_equal(store_task(f->store, (struct target){ 1, 0 }, &task, &strings, &f->err), 0);
    assert_int_equal(task.state, TASK_FAILED);
    assert_int_equal(task.reason, REASON_STAGE_OUT);
    assert_non_null(strstr(task.detail, "out/a.txt"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_up, fixture_down)
    const struct CMUnitTest tests[] = {
        TEST(an_upload_goes_on_where_it_was_cut),
        TEST(wrong_content_is_dropped),
        TEST(names_are_hashes_and_nothing_else),
        TEST(knowing_a_hash_is_no_proof),
        TEST(nothing_is_content_too),
        TEST(a_short_log_comes_with_the_report),
        TEST(a_long_log_grows_while_it_is_read),
        TEST(beyond_the_limit_it_is_only_counted),
        TEST(outputs_are_kept_with_their_attempt),
        TEST(an_output_that_never_came_is_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
