/* SPDX-License-Identifier: Apache-2.0 */
/* test_crash.c - killed at random moments, the store has all that it acknowledged.
 *
 * A child works on the store with three threads and writes a line into a pipe after each call that
 * returned; the parent kills it, opens the store and looks for everything it was told of. */
#include "fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define ROUNDS  30
#define THREADS 3

struct told { /* small enough that a write into the pipe is whole or absent */
    enum { TOLD_INTENT, TOLD_JOB, TOLD_LEASE, TOLD_END, TOLD_CANCEL, TOLD_BLOB } kind;
    int thread;
    int64_t job, index, attempt;
    enum task_state state;
    char text[SHA256_HEX];
};

struct child {
    struct store *store;
    int pipe, thread, round;
    int64_t worker;
};

/* ---- the child */

static void tell_parent(const struct child *child, struct told told)
{
    told.thread = child->thread;
    if (write(child->pipe, &told, sizeof told) != sizeof told)
        _exit(3);
}

static void must(int rc)
{
    if (rc < 0)
        _exit(4);
}

static void child_run_task(const struct child *child, int64_t job, int64_t index, int turn)
{
    struct lease lease = { .job = job, .index = index, .worker = child->worker };
    struct report report;

    must(store_lease(child->store, &lease, 1, NULL));
    if (!lease.attempt)
        return;
    tell_parent(
        child,
        (struct told){ .kind = TOLD_LEASE, .attempt = lease.attempt, .job = job, .index = index });
    report = report_of(lease.attempt, turn % 5 ? TASK_SUCCEEDED : TASK_FAILED);
    report.reason = turn % 5 ? REASON_NONE : REASON_USER_EXIT;
    report.logs[0] = (struct log_row){ .size = 3, .data = "hi\n", .sha256 = "" };
    must(store_report(child->store, child->worker, &report, 1, NULL, NULL, NULL));
    if (report.settled && !report.stale)
        tell_parent(child, (struct told){ .kind = TOLD_END,
                                          .attempt = lease.attempt,
                                          .job = job,
                                          .index = index,
                                          .state = report.state });
}

static void child_blob(const struct child *child, int turn)
{
    struct told told = { .kind = TOLD_BLOB };
    struct upload upload = { .owner = "ada", .sha256 = told.text };
    char data[64];
    int64_t offset = 0;

    upload.size = snprintf(data, sizeof data, "%d %d %d", child->round, child->thread, turn);
    sha256_hex_of(data, (size_t)upload.size, told.text);
    must(store_upload_put(child->store, &upload, &offset, data, (size_t)upload.size, NULL));
    must(store_upload_finish(child->store, &upload, NULL));
    tell_parent(child, told);
}

static void *child_thread(void *arg)
{
    const struct child *child = arg;

    for (int turn = 0;; turn++) {
        struct told told = { .kind = TOLD_INTENT };
        struct new_job job = plain_job(told.text);
        struct submission submission = {
            .jobs = &job, .count = 1, .user = "ada", .key = told.text, .digest = "d"
        };

        snprintf(told.text, sizeof told.text, "%d-%d-%d", child->round, child->thread, turn);
        if (turn % 3 == 0) {
            job.array = "0-9";
            job.tasks = 10;
        }
        tell_parent(child, told);
        must(store_submit(child->store, &submission, NULL));
        told.kind = TOLD_JOB;
        told.job = job.id;
        tell_parent(child, told);
        for (int64_t i = 0; i < (job.array ? 4 : 1); i++)
            child_run_task(child, job.id, i, turn);
        if (turn % 4 == 0) {
            must((int)store_cancel(child->store, (struct target){ job.id, -1 }, REASON_CANCELLED,
                                   NULL, NULL));
            tell_parent(child, (struct told){ .kind = TOLD_CANCEL, .job = job.id });
        }
        if (turn % 7 == 0)
            child_blob(child, turn);
    }
    return NULL;
}

static _Noreturn void child_main(struct fixture *f, int pipe, int round)
{
    struct child children[THREADS];
    pthread_t thread;
    int64_t worker;

    if (fixture_open(f) < 0)
        _exit(5);
    worker = worker_ready(f, "w");
    for (int i = 0; i < THREADS; i++) {
        children[i] = (struct child){
            .store = f->store, .pipe = pipe, .thread = i, .round = round, .worker = worker
        };
        if (pthread_create(&thread, NULL, child_thread, &children[i]))
            _exit(6);
    }
    for (;;)
        pause();
}

/* ---- the parent */

static void look_for(struct fixture *f, const struct told *told)
{
    struct attempt_row attempt;
    own_buf struct buf strings = BUF_INIT(0), log = BUF_INIT(0);
    int64_t size, cut;
    bool ended;
    int fd;

    switch (told->kind) {
    case TOLD_INTENT:
        break;
    case TOLD_JOB:
        assert_int_equal(job_of(f, told->job).id, told->job);
        break;
    case TOLD_LEASE:
        assert_int_equal(store_attempt(f->store, told->attempt, &attempt, &strings, &f->err), 0);
        assert_int_equal(attempt.job, told->job);
        break;
    case TOLD_END:
        assert_int_equal(task_of(f, told->job, told->index).state, told->state);
        assert_ok(f, store_log_read(f->store, told->attempt, 0, 0, 100, &log, &size, &cut, &ended,
                                    &f->err));
        assert_string_equal(buf_text(&log), "hi\n");
        break;
    case TOLD_CANCEL:
        assert_int_equal(job_of(f, told->job).done, job_of(f, told->job).tasks);
        break;
    case TOLD_BLOB:
        assert_true(store_blob_owned(f->store, "ada", told->text));
        fd = store_blob_open(f->store, told->text, &size, &f->err);
        assert_true(fd >= 0);
        close(fd);
        break;
    }
}

static bool count_row(void *arg, const struct ls_row *row)
{
    int64_t *jobs = arg; /* the last id, and how many */

    if (row->job.id != jobs[0])
        jobs[1]++;
    jobs[0] = row->job.id;
    return true;
}

/* Whoever never got an answer asks again, and it has happened once. */
static void submit_again(struct fixture *f, const struct told *intent)
{
    struct new_job job = plain_job(intent->text);
    struct submission submission = {
        .jobs = &job, .count = 1, .user = "ada", .key = intent->text, .digest = "d"
    };
    struct ls_filter filter = { .all = true, .name = intent->text, .limit = 100 };
    int64_t jobs[2] = { 0, 0 };

    assert_ok(f, store_submit(f->store, &submission, &f->err));
    assert_ok(f, store_ls(f->store, &filter, count_row, jobs, NULL, &f->err));
    assert_int_equal(jobs[1], 1);
    assert_int_equal(jobs[0], job.id);
}

struct told_list {
    struct told *told;
    size_t count, room;
};

/* Until `most` are there, or the pipe's end. */
static void read_told(int pipe, size_t most, struct told_list *list)
{
    while (list->count < most) {
        if (list->count == list->room) {
            list->room = list->room ? 2 * list->room : 256;
            list->told = xrealloc(list->told, list->room * sizeof *list->told);
        }
        if (read(pipe, &list->told[list->count], sizeof *list->told) != sizeof *list->told)
            return;
        list->count++;
    }
}

/* Lets a child work until it has told so many things, and a moment longer; kills it. */
static void run_child(struct fixture *f, int round, size_t most, int64_t ms, struct told_list *list)
{
    int ends[2], status;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        child_main(f, ends[1], round);
    }
    close(ends[1]);
    read_told(ends[0], most, list);
    clock_sleep_ms(ms);
    kill(pid, SIGKILL);
    read_told(ends[0], SIZE_MAX, list);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void look_for_all(struct fixture *f, const struct told_list *list)
{
    const struct told *intents[THREADS] = { NULL };

    for (size_t i = 0; i < list->count; i++) {
        look_for(f, &list->told[i]);
        if (list->told[i].kind == TOLD_INTENT)
            intents[list->told[i].thread] = &list->told[i];
    }
    for (int i = 0; i < THREADS; i++)
        if (intents[i])
            submit_again(f, intents[i]);
}

static void nothing_acknowledged_is_lost(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 99;
    size_t total = 0;

    store_close(f->store);
    for (int round = 0; round < ROUNDS; round++) {
        own_buf struct buf report = BUF_INIT(0);
        struct told_list list = { 0 };

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        f->store = NULL;
        run_child(f, round, (seed >> 33) % 200, (seed >> 48) % 4, &list);
        assert_ok(f, fixture_open(f));
        if (store_check(f->store, &report, &f->err) != 0)
            fail_msg("round %d: %s", round, buf_text(&report));
        look_for_all(f, &list);
        total += list.count;
        free(list.told);
        store_close(f->store);
    }
    f->store = NULL;
    assert_true(total > ROUNDS); /* it did work */
    print_message("%zu acknowledgements kept\n", total);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_acknowledged_is_lost, fixture_up, fixture_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
