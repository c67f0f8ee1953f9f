/* SPDX-License-Identifier: Apache-2.0 */
/* test_full.c - no room: what fails says so, nothing else does, and it goes on when there is room.
 *
 * The limit of a process on the size of its files stands in for a full disk: a write beyond it
 * fails as one to a full disk does (EFBIG for ENOSPC; SQLite takes both for "cannot be written").
 */
#include "fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define LARGE 4000000

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes == 0 || bytes > limit.rlim_max ? limit.rlim_max : bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* So large that it needs room of its own. */
static char *large_spec(void)
{
    char *spec = xmalloc(LARGE);

    memset(spec, 'x', LARGE - 1);
    spec[0] = spec[LARGE - 2] = '"';
    spec[LARGE - 1] = '\0';
    return spec;
}

static void a_full_disk_is_told_and_survived(void **state)
{
    struct fixture *f = *state;
    own_str char *spec = large_spec();
    struct new_job job = plain_job("large");
    struct submission submission = { .jobs = &job, .count = 1, .user = "ada" };
    own_buf struct buf report = BUF_INIT(0);
    int64_t before = submit(f, plain_job("before"));
    size_t seen = f->seen.jobs;

    job.spec = spec;
    limit_files(200000);
    assert_fault(f, FAULT_UNAVAILABLE, store_submit(f->store, &submission, &f->err));
    assert_non_null(strstr(f->err.text, "full"));
    limit_files(0);

    assert_int_equal(f->seen.jobs, seen); /* nobody was told of what did not happen */
    assert_ok(f, store_submit(f->store, &submission, &f->err));
    assert_true(job.id > before);
    assert_int_equal(store_check(f->store, &report, &f->err), 0);
    fixture_again(f);
    assert_int_equal(job_of(f, before).id, before);
    assert_int_equal(job_of(f, job.id).id, job.id);
}

/* ---- ops that share a group with one that cannot be done */

#define SMALL 20

struct asked {
    struct new_job job;
    struct submission submission;
    struct gate *gate;
    int rc;
};
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int done;
};

static void answered(void *arg, int rc, const struct err *err)
{
    struct asked *asked = arg;

    (void)err;
    pthread_mutex_lock(&asked->gate->lock);
    asked->rc = rc;
    asked->gate->done++;
    pthread_cond_signal(&asked->gate->moved);
    pthread_mutex_unlock(&asked->gate->lock);
}

static void only_what_has_no_room_fails(void **state)
{
    struct fixture *f = *state;
    own_str char *spec = large_spec();
    struct gate gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };
    struct asked *asked = xcalloc(SMALL + 1, sizeof *asked);

    fixture_again(f); /* with an empty log of writes */
    limit_files(2000000);
    for (int i = 0; i <= SMALL; i++) {
        asked[i].job = plain_job("job");
        if (i == SMALL / 2)
            asked[i].job.spec = spec;
        asked[i].submission =
            (struct submission){ .jobs = &asked[i].job, .count = 1, .user = "ada" };
        asked[i].gate = &gate;
        store_submit_async(f->store, &asked[i].submission, answered, &asked[i]);
    }
    pthread_mutex_lock(&gate.lock);
    while (gate.done <= SMALL)
        pthread_cond_wait(&gate.moved, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    limit_files(0);

    for (int i = 0; i <= SMALL; i++) {
        assert_int_equal(asked[i].rc, i == SMALL / 2 ? -1 : 0);
        if (i != SMALL / 2)
            assert_int_equal(job_of(f, asked[i].job.id).id, asked[i].job.id);
    }
    free(asked);
}

static void an_upload_without_room_can_go_on(void **state)
{
    struct fixture *f = *state;
    own_mem char *data = xcalloc(1, 300000);
    char hash[SHA256_HEX];
    struct upload upload = { .owner = "ada", .sha256 = hash, .size = 300000 };
    int64_t offset = 0;

    sha256_hex_of(data, 300000, hash);
    limit_files(100000);
    assert_ok(f, store_upload_put(f->store, &upload, &offset, data, 90000, &f->err));
    assert_fault(f, FAULT_UNAVAILABLE,
                 store_upload_put(f->store, &upload, &offset, data + 90000, 210000, &f->err));
    limit_files(0);
    assert_ok(f, store_upload_offset(f->store, &upload, &offset, &f->err));
    assert_int_equal(offset, 90000); /* what came in part was taken back */
    assert_ok(f, store_upload_put(f->store, &upload, &offset, data + 90000, 210000, &f->err));
    assert_ok(f, store_upload_finish(f->store, &upload, &f->err));
}

static void a_log_without_room_keeps_what_it_has(void **state)
{
    struct fixture *f = *state;
    int64_t worker = worker_ready(f, "w"), job = submit(f, plain_job("one"));
    int64_t attempt = lease(f, job, 0, worker), offset = 0, size, cut;
    own_mem char *data = xcalloc(1, 300000);
    own_buf struct buf out = BUF_INIT(0);
    bool ended;

    limit_files(100000);
    assert_ok(f, store_log_append(f->store, attempt, 0, &offset, data, 90000, &f->err));
    assert_fault(f, FAULT_UNAVAILABLE,
                 store_log_append(f->store, attempt, 0, &offset, data, 210000, &f->err));
    limit_files(0);
    assert_int_equal(offset, 90000);
    assert_ok(f, store_log_append(f->store, attempt, 0, &offset, data, 210000, &f->err));
    assert_ok(f, store_log_read(f->store, attempt, 0, 0, 1, &out, &size, &cut, &ended, &f->err));
    assert_int_equal(size, 300000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_disk_is_told_and_survived, fixture_up, fixture_down),
        cmocka_unit_test_setup_teardown(only_what_has_no_room_fails, fixture_up, fixture_down),
        cmocka_unit_test_setup_teardown(an_upload_without_room_can_go_on, fixture_up, fixture_down),
        cmocka_unit_test_setup_teardown(a_log_without_room_keeps_what_it_has, fixture_up,
                                        fixture_down),
    };

    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
