/* SPDX-License-Identifier: Apache-2.0 */
/* test_open.c - what is opened, what is refused, and in what words. */
#include "fixture.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

static void damage(const struct fixture *f, off_t at, const char *with, size_t length)
{
    own_str char *path = xasprintf("%s/spillway.db", f->dir);
    own_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, with, length, at), length);
}

static void sql(const struct fixture *f, const char *text)
{
    own_str char *path = xasprintf("%s/spillway.db", f->dir);
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int64_t version(const struct fixture *f)
{
    own_str char *path = xasprintf("%s/spillway.db", f->dir);
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int64_t found;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    found = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return found;
}

static void refused(struct fixture *f, enum fault fault, const char *words)
{
    f->store = NULL;
    assert_fault(f, fault, fixture_open(f));
    if (!strstr(f->err.text, words))
        fail_msg("'%s' does not say '%s'", f->err.text, words);
    assert_non_null(strstr(f->err.text, f->dir));
}

static void the_identity_stays(void **state)
{
    struct fixture *f = *state;
    char uuid[40];

    snprintf(uuid, sizeof uuid, "%s", store_uuid(f->store));
    assert_int_equal(strlen(uuid), 36);
    fixture_again(f);
    assert_string_equal(store_uuid(f->store), uuid);
}

static void a_second_store_in_one_directory_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store *first = f->store;

    refused(f, FAULT_CONFLICT, "another spillwayd is using it");
    f->store = first;
    submit(f, plain_job("still works"));
}

static void a_newer_version_is_refused(void **state)
{
    struct fixture *f = *state;
    own_str char *back = NULL;

    store_close(f->store);
    back = xasprintf("PRAGMA user_version = %lld", (long long)version(f));
    sql(f, "PRAGMA user_version = 9999");
    refused(f, FAULT_CONFLICT, "written by a newer spillwayd");
    assert_int_equal(version(f), 9999); /* it was left alone */
    sql(f, back);
    assert_ok(f, fixture_open(f));
}

static void another_programs_database_is_refused(void **state)
{
    struct fixture *f = *state;
    own_str char *path = xasprintf("%s/spillway.db", f->dir);

    store_close(f->store);
    unlink(path);
    sql(f, "CREATE TABLE recipes (name TEXT)");
    refused(f, FAULT_INVALID, "another program");
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    damage(f, 0, "this is a shopping list", 23);
    refused(f, FAULT_INTERNAL, "spillway doctor --backup");
}

/* The header is fine, the pages behind it are not: met when something is read. */
static void torn_pages_are_met_with_words(void **state)
{
    struct fixture *f = *state;
    char noise[4096];
    struct ls_filter filter = { .all = true, .limit = 10 };
    own_buf struct buf report = BUF_INIT(0);
    struct stat st;
    own_str char *path = xasprintf("%s/spillway.db", f->dir);

    for (int i = 0; i < 500; i++)
        submit(f, plain_job("job"));
    store_close(f->store);
    assert_int_equal(stat(path, &st), 0);
    memset(noise, 0xa5, sizeof noise);
    for (off_t at = 8192; at < st.st_size; at += 4096)
        damage(f, at, noise, sizeof noise);
    f->store = NULL;
    f->err = (struct err)ERR_INIT;
    if (fixture_open(f) == 0) {
        assert_true(store_check(f->store, &report, &f->err) != 0);
        assert_int_equal(store_ls(f->store, &filter, NULL, NULL, NULL, &f->err), -1);
    }
    assert_string_equal(fault_name(f->err.fault), "internal");
    assert_non_null(strstr(f->err.text, "spillway doctor --backup"));
}

static void a_directory_that_cannot_be_made_is_named(void **state)
{
    struct fixture *f = *state;
    struct store_options options = { .dir = "/proc/no/such/place" };
    struct store *store;

    assert_int_equal(store_open(&options, &store, &f->err), -1);
    assert_non_null(strstr(f->err.text, "/proc/no"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_identity_stays, fixture_up, fixture_down),
        cmocka_unit_test_setup_teardown(a_second_store_in_one_directory_is_refused, fixture_up,
                                        fixture_down),
        cmocka_unit_test_setup_teardown(a_newer_version_is_refused, fixture_up, fixture_down),
        cmocka_unit_test_setup_teardown(another_programs_database_is_refused, fixture_up,
                                        fixture_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_database_is_refused, fixture_up,
                                        fixture_down),
        cmocka_unit_test_setup_teardown(torn_pages_are_met_with_words, fixture_up, fixture_down),
        cmocka_unit_test_setup_teardown(a_directory_that_cannot_be_made_is_named, fixture_up,
                                        fixture_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
