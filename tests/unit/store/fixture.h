/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - a store in a directory of its own, and short words for what tests do with it. */
#ifndef SPILLWAY_TESTS_STORE_FIXTURE_H
#define SPILLWAY_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those that it needs */
#include <cmocka.h>

#include "base/io.h"
#include "base/own.h"
#include "store/store.h"

struct seen { /* changes delivered so far */
    size_t count, classes, jobs, dependencies, tasks, workers, empty;
    struct job_row job;
    struct task_row task;
    struct worker_row worker;
};

struct fixture {
    char dir[64];
    struct store *store;
    struct seen seen; /* written by the writer's thread before the call that caused it returns */
    struct err err;
    int64_t log_most;
};

static inline void fixture_see(void *arg, const struct change *changes, size_t count)
{
    struct seen *seen = arg;

    seen->count += count;
    seen->empty += count == 0;
    for (size_t i = 0; i < count; i++) {
        const struct change *change = &changes[i];

        seen->classes += change->kind == CHANGE_CLASS;
        seen->dependencies += change->kind == CHANGE_DEPENDENCY;
        if (change->kind == CHANGE_JOB) {
            seen->jobs++;
            seen->job = change->job;
            seen->job.name = seen->job.project = seen->job.user = seen->job.array = NULL;
        } else if (change->kind == CHANGE_TASK) {
            seen->tasks++;
            seen->task = change->task;
        } else if (change->kind == CHANGE_WORKER) {
            seen->workers++;
            seen->worker = change->worker;
            seen->worker.name = seen->worker.site = seen->worker.detail = NULL;
        }
    }
}

static inline int fixture_open(struct fixture *f)
{
    struct store_options options = {
        .dir = f->dir, .on_changes = fixture_see, .arg = &f->seen, .log_most = f->log_most
    };

    return store_open(&options, &f->store, &f->err);
}

static inline int fixture_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    const char *tmp = getenv("TMPDIR");

    snprintf(f->dir, sizeof f->dir, "%.40s/store-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    *state = f;
    if (fixture_open(f) < 0)
        fail_msg("%s", f->err.text);
    return 0;
}

static inline int fixture_down(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    io_remove_tree(f->dir, NULL);
    free(f);
    return 0;
}

static inline void fixture_again(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
    if (fixture_open(f) < 0)
        fail_msg("%s", f->err.text);
}

#define assert_ok(f, call)                            \
    do {                                              \
        (f)->err = (struct err)ERR_INIT;              \
        if ((call) < 0)                               \
            fail_msg("%s: %s", #call, (f)->err.text); \
    } while (0)
#define assert_fault(f, kind, call)                                        \
    do {                                                                   \
        (f)->err = (struct err)ERR_INIT;                                   \
        assert_int_equal((call), -1);                                      \
        assert_string_equal(fault_name((f)->err.fault), fault_name(kind)); \
        assert_true((f)->err.text[0] != '\0');                             \
    } while (0)

static inline struct new_job plain_job(const char *name)
{
    return (struct new_job){ .name = name,
                             .project = "genomics",
                             .user = "ada",
                             .class_key = "{\"cpus\":1}",
                             .spec = "{\"command\":[\"true\"]}",
                             .tasks = 1 };
}

/* The job's id. */
static inline int64_t submit(struct fixture *f, struct new_job job)
{
    struct submission submission = { .jobs = &job, .count = 1, .user = job.user };

    assert_ok(f, store_submit(f->store, &submission, &f->err));
    return job.id;
}

static inline int64_t submit_array(struct fixture *f, const char *array, int64_t tasks)
{
    struct new_job job = plain_job("array");

    job.array = array;
    job.tasks = tasks;
    return submit(f, job);
}

/* A worker that has joined; its session is the hash of its name. */
static inline int64_t worker_ready(struct fixture *f, const char *stem)
{
    struct new_worker worker = { .site = "local", .name_stem = stem };
    struct join join = { .facts = "{}", .nonce = "n" };

    sha256_of(stem, strlen(stem), worker.join_hash);
    memcpy(join.token_hash, worker.join_hash, sizeof join.token_hash);
    assert_ok(f, store_worker_add(f->store, &worker, &f->err));
    join.worker = worker.name;
    sha256_of(worker.name, strlen(worker.name), join.session_hash);
    assert_ok(f, store_worker_join(f->store, &join, &f->err));
    return worker.id;
}

/* The attempt, or 0. */
static inline int64_t lease(struct fixture *f, int64_t job, int64_t index, int64_t worker)
{
    struct lease lease = { .job = job, .index = index, .worker = worker };

    assert_ok(f, store_lease(f->store, &lease, 1, &f->err));
    return lease.attempt;
}

static inline struct report report_of(int64_t attempt, enum task_state state)
{
    return (struct report){ .attempt = attempt, .state = state, .exit_code = -1 };
}

static inline struct report tell(struct fixture *f, int64_t worker, struct report report)
{
    assert_ok(f, store_report(f->store, worker, &report, 1, NULL, NULL, &f->err));
    return report;
}

static inline struct report ends(struct fixture *f, int64_t worker, int64_t attempt,
                                 enum task_state state)
{
    struct report report = report_of(attempt, state);

    report.reason = state == TASK_SUCCEEDED ? REASON_NONE : REASON_USER_EXIT;
    report.exit_code = state == TASK_SUCCEEDED ? 0 : 3;
    return tell(f, worker, report);
}

static inline struct job_row job_of(struct fixture *f, int64_t id)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct job_detail detail;

    assert_int_equal(store_job(f->store, id, &detail, &strings, &f->err), 0);
    detail.job.name = detail.job.project = detail.job.user = detail.job.array = NULL;
    return detail.job;
}

static inline struct task_row task_of(struct fixture *f, int64_t job, int64_t index)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct task_row task;

    assert_int_equal(store_task(f->store, (struct target){ job, index }, &task, &strings, &f->err),
                     0);
    task.detail = task.worker_name = task.site = NULL;
    return task;
}

#endif
