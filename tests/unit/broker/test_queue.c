/* SPDX-License-Identifier: Apache-2.0 */
/* test_queue.c - memory's index against the record, through random lives of jobs.
 *
 * A real store feeds the queue.  After each step two things must hold: the figures are those that a
 * plain count over the store's rows gives, and a queue loaded afresh from the store says the same.
 */
#include "../store/fixture.h"

#include "queue.h"

struct test {
    char dir[64];
    struct store *store;
    struct queue *queue;
    struct queue_todo todo;
    struct err err;
    uint64_t seed;
    int64_t job_ids[64];
    size_t job_count;
    int64_t worker;
};

/* xorshift: the same seed gives the same life. */
static uint64_t roll(struct test *t, uint64_t sides)
{
    t->seed ^= t->seed << 13;
    t->seed ^= t->seed >> 7;
    t->seed ^= t->seed << 17;
    return t->seed % sides;
}

static void feed(void *arg, const struct change *changes, size_t count)
{
    struct test *t = arg;

    for (size_t i = 0; i < count; i++)
        queue_apply(t->queue, &changes[i], &t->todo);
}

static int up(void **state)
{
    struct test *t = xcalloc(1, sizeof *t);
    struct store_options options = { .dir = t->dir, .on_changes = feed, .arg = t, .log_most = 100 };
    const char *tmp = getenv("TMPDIR");

    snprintf(t->dir, sizeof t->dir, "%.40s/queue-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(t->dir));
    t->queue = queue_new();
    t->queue->time.now_wall_ms = 1000000;
    if (store_open(&options, &t->store, &t->err) < 0)
        fail_msg("%s", t->err.text);
    *state = t;
    return 0;
}

static int down(void **state)
{
    struct test *t = *state;

    store_close(t->store);
    queue_free(t->queue);
    queue_todo_free(&t->todo);
    io_remove_tree(t->dir, NULL);
    free(t);
    return 0;
}

/* What the scheduler's thread would do with what the queue asks. */
static void do_todo(struct test *t)
{
    for (size_t i = 0; i < t->todo.count; i++) {
        struct todo_item item = t->todo.items[i];
        enum on_outcome outcome = ON_FAILURE;
        int rc;

        if (item.kind == TODO_OUTCOME) {
            rc = store_outcome(t->store, item.target, &outcome, &t->err);
            queue_resolve(t->queue, &item, rc, outcome, &t->todo);
        } else if (item.kind == TODO_END_TASKS) {
            store_cancel(t->store, item.target, item.reason, NULL, &t->err);
        }
    }
    t->todo.count = 0;
}

static const char class_key[] = "{\"project\":\"p\",\"user\":\"u\",\"resources\":[{\"cpus\":1}]}";

static struct new_job make_job(struct test *t, struct dependency *after)
{
    static const char *const arrays[] = { NULL, "0-5", "1,3,7", "10-30:5" };
    static const int64_t sizes[] = { 1, 6, 3, 5 };
    uint64_t kind = roll(t, 4);
    struct new_job job = { .name = "n", .project = "p", .user = "u", .spec = "{}" };

    job.class_key = class_key;
    job.array = arrays[kind];
    job.tasks = sizes[kind];
    job.hold = roll(t, 8) == 0;
    job.array_parallel = kind && roll(t, 3) == 0 ? 2 : 0;
    if (t->job_count && roll(t, 3) == 0) {
        *after = (struct dependency){ .job = t->job_ids[roll(t, t->job_count)],
                                      .on = (enum on_outcome)roll(t, 3) };
        job.after = after;
        job.after_count = 1;
    }
    return job;
}

/* Task by task wants both arrays to have the same indices. */
static void make_each(struct test *t, struct new_job *job, struct dependency *after)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct job_detail detail;

    if (!job->after_count || roll(t, 2) == 0)
        return;
    assert_int_equal(store_job(t->store, after->job, &detail, &strings, &t->err), 0);
    if (!detail.job.array || !job->array || strcmp(detail.job.array, job->array) != 0)
        return;
    after->each = true;
}

static void step_submit(struct test *t)
{
    struct dependency after;
    struct new_job job = make_job(t, &after);
    struct submission submission = { .jobs = &job, .count = 1, .user = "u" };

    if (t->job_count == array_len(t->job_ids))
        return;
    make_each(t, &job, &after);
    if (store_submit(t->store, &submission, &t->err) < 0)
        fail_msg("%s", t->err.text);
    t->job_ids[t->job_count++] = job.id;
}

/* All of its nodes on the one worker, as where a site is one machine. */
static void lease_gang(struct test *t, const struct pick *pick, int nodes)
{
    struct lease leases[3];

    for (int i = 0; i < nodes; i++)
        leases[i] = (struct lease){
            .job = pick->job, .index = pick->index, .worker = t->worker, .nodes = nodes, .rank = i
        };
    if (store_lease(t->store, leases, (size_t)nodes, &t->err) < 0)
        fail_msg("%s", t->err.text);
    assert_int_equal(leases[nodes - 1].attempt, leases[0].attempt + nodes - 1);
}

static void step_lease(struct test *t)
{
    struct pick picks[3];
    struct qclass *class = queue_class(t->queue, 1);
    int64_t count = class ? queue_pick(t->queue, class, 1 + (int64_t)roll(t, 3), picks) : 0;

    for (int64_t i = 0; i < count; i++) {
        struct lease lease = { .job = picks[i].job, .index = picks[i].index, .worker = t->worker };

        if (roll(t, 4) == 0) {
            queue_unpick(t->queue, &picks[i]);
            continue;
        }
        if (roll(t, 3) == 0) {
            lease_gang(t, &picks[i], 2 + (int)roll(t, 2));
            continue;
        }
        if (store_lease(t->store, &lease, 1, &t->err) < 0)
            fail_msg("%s", t->err.text);
        assert_true(lease.attempt > 0); /* what the queue calls ready, the record lets go */
    }
}

static void judge(void *arg, const struct task_row *task, const char *spec, struct report *report)
{
    struct test *t = arg;

    (void)spec;
    report->next = report->state;
    report->budget = BLAME_NONE;
    if (report->state == TASK_FAILED && !task->cancel_asked && roll(t, 2) == 0) {
        report->next = TASK_PENDING;
        report->budget = BLAME_USER;
        report->not_before_ms = roll(t, 2) ? 0 : t->queue->time.now_wall_ms + 5000;
    } else if (task->cancel_asked && report->state != TASK_SUCCEEDED) {
        report->next = TASK_CANCELLED;
    }
}

static bool first_attempt(void *arg, const struct attempt_row *row)
{
    *(int64_t *)arg = row->id;
    return false;
}

static void step_end(struct test *t)
{
    static const enum task_state ends[] = { TASK_SUCCEEDED, TASK_SUCCEEDED, TASK_FAILED,
                                            TASK_PENDING };
    struct report report = { .exit_code = -1, .state = ends[roll(t, array_len(ends))] };
    int64_t attempt = 0;

    store_worker_attempts(t->store, t->worker, first_attempt, &attempt, &t->err);
    if (!attempt)
        return;
    report.attempt = attempt;
    report.reason = report.state == TASK_FAILED ? REASON_USER_EXIT : REASON_NONE;
    report.finished_ms = t->queue->time.now_wall_ms;
    if (store_report(t->store, t->worker, &report, 1, judge, t, &t->err) < 0)
        fail_msg("%s", t->err.text);
}

/* A whole job, or a member of it. */
static struct target some_target(struct test *t)
{
    static const int64_t indices[] = { -1, -1, 0, 1, 3, 10 };

    return (struct target){ t->job_ids[roll(t, t->job_count)],
                            indices[roll(t, array_len(indices))] };
}

static void step_change(struct test *t)
{
    if (!t->job_count)
        return;
    /* What is not possible in a state is refused; that is an answer too. */
    switch (roll(t, 4)) {
    case 0:
        store_cancel(t->store, some_target(t), REASON_CANCELLED, NULL, &t->err);
        break;
    case 1:
        store_hold(t->store, some_target(t), &t->err);
        break;
    default:
        store_release(t->store, some_target(t), &t->err);
        break;
    }
}

static void step_time(struct test *t)
{
    t->queue->time.now_wall_ms += 3000;
    t->queue->time.now_mono_ms += 3000;
    queue_tick(t->queue, &t->todo);
}

/* ---- what must hold
 * -------------------------------------------------------------------------------- */

struct figures {
    int64_t pending, active;
};

static bool count_row(void *arg, const struct ls_row *row)
{
    struct figures *figures = arg;

    if (row->task.state == TASK_PENDING)
        figures->pending += row->count;
    else if (row->task.state != TASK_HELD && !task_state_final(row->task.state))
        figures->active += row->count;
    return true;
}

static void agrees_with_rows(struct test *t)
{
    struct ls_filter filter = { .all = true, .limit = 100000 };
    struct figures figures = { 0, 0 };
    own_buf struct buf cursor = BUF_INIT(0);
    const struct qclass *class = queue_class(t->queue, 1);

    if (store_ls(t->store, &filter, count_row, &figures, &cursor, &t->err) < 0)
        fail_msg("%s", t->err.text);
    assert_int_equal(class ? class->pending : 0, figures.pending);
    assert_int_equal(class ? class->active : 0, figures.active);
}

static void feed_other(void *arg, const struct change *changes, size_t count)
{
    struct test *other = arg;

    feed(other, changes, count);
}

static void agrees_with_a_fresh_one(struct test *t)
{
    struct test other = { .store = t->store, .queue = queue_new() };
    const struct qclass *ours = queue_class(t->queue, 1), *theirs;

    other.queue->time.now_wall_ms = t->queue->time.now_wall_ms;
    other.queue->time.now_mono_ms = t->queue->time.now_mono_ms;
    if (store_load(t->store, feed_other, &other, &t->err) < 0)
        fail_msg("%s", t->err.text);
    do_todo(&other);
    theirs = queue_class(other.queue, 1);
    /* A class of which nothing is open is not loaded. */
    if (ours) {
        assert_int_equal(ours->pending, theirs ? theirs->pending : 0);
        assert_int_equal(ours->active, theirs ? theirs->active : 0);
        assert_int_equal(ours->ready, theirs ? theirs->ready : 0);
    }
    if (t->worker) {
        const struct qworker *here = queue_worker(t->queue, t->worker);
        const struct qworker *there = queue_worker(other.queue, t->worker);

        assert_int_equal(here->task_count, there->task_count);
        assert_int_equal(here->used.cpus, there->used.cpus);
    }
    queue_free(other.queue);
    queue_todo_free(&other.todo);
}

static void live(struct test *t, uint64_t seed, int steps)
{
    t->seed = seed;
    for (int i = 0; i < steps; i++) {
        uint64_t what = roll(t, 16);

        if (what < 3)
            step_submit(t);
        else if (what < 8)
            step_lease(t);
        else if (what < 12)
            step_end(t);
        else if (what < 14)
            step_change(t);
        else
            step_time(t);
        do_todo(t);
        agrees_with_rows(t);
        agrees_with_a_fresh_one(t);
    }
}

static void make_worker(struct test *t)
{
    struct new_worker worker = { .site = "local", .name_stem = "w" };
    struct join join = { .facts = "{\"cpus\":2}", .nonce = "n" };

    if (store_worker_add(t->store, &worker, &t->err) < 0)
        fail_msg("%s", t->err.text);
    join.worker = worker.name;
    if (store_worker_join(t->store, &join, &t->err) < 0)
        fail_msg("%s", t->err.text);
    t->worker = worker.id;
    assert_int_equal(queue_worker(t->queue, worker.id)->cpus, 2);
}

static void random_lives_agree_with_the_record(void **state)
{
    struct test *t = *state;
    const char *seeds = getenv("QUEUE_SEEDS");
    uint64_t count = seeds ? strtoull(seeds, NULL, 10) : 6;

    for (uint64_t seed = 1; seed <= count; seed++) {
        void *fresh = NULL;

        assert_int_equal(up(&fresh), 0);
        make_worker(fresh);
        live(fresh, seed * 0x9e3779b97f4a7c15ULL, 300);
        down(&fresh);
    }
    (void)t;
}

/* ---- single stories
 * ----------------------------------------------------------------------------------- */

static int64_t put(struct test *t, struct new_job job)
{
    struct submission submission = { .jobs = &job, .count = 1, .user = "u" };

    job.name = "n";
    job.project = "p";
    job.user = "u";
    job.spec = "{}";
    job.class_key = class_key;
    if (store_submit(t->store, &submission, &t->err) < 0)
        fail_msg("%s", t->err.text);
    do_todo(t);
    return job.id;
}

static void run_one(struct test *t, enum task_state end)
{
    struct pick pick;
    struct lease lease = { .worker = t->worker };
    struct report report = { .state = end, .exit_code = -1 };

    assert_int_equal(queue_pick(t->queue, queue_class(t->queue, 1), 1, &pick), 1);
    lease.job = pick.job;
    lease.index = pick.index;
    assert_int_equal(store_lease(t->store, &lease, 1, &t->err), 0);
    report.attempt = lease.attempt;
    report.reason = end == TASK_FAILED ? REASON_USER_EXIT : REASON_NONE;
    assert_int_equal(store_report(t->store, t->worker, &report, 1, NULL, NULL, &t->err), 0);
    do_todo(t);
}

static void an_array_of_a_million_is_one_object(void **state)
{
    struct test *t = *state;
    struct pick picks[4];

    put(t, (struct new_job){ .tasks = 1000000, .array = "0-999999" });
    assert_int_equal(queue_class(t->queue, 1)->ready, 1000000);
    assert_int_equal(t->queue->tasks.count, 0);
    assert_int_equal(queue_pick(t->queue, queue_class(t->queue, 1), 4, picks), 4);
    assert_int_equal(picks[3].index, 3);
    assert_int_equal(t->queue->tasks.count, 4);
}

static void a_dependency_that_cannot_come_true_ends_the_job(void **state)
{
    struct test *t = *state;
    struct dependency after = { .on = ON_SUCCESS };
    own_buf struct buf strings = BUF_INIT(0);
    struct task_row task;
    int64_t first, second;

    make_worker(t);
    first = put(t, (struct new_job){ .tasks = 1 });
    after.job = first;
    second = put(t, (struct new_job){ .tasks = 1, .after = &after, .after_count = 1 });
    assert_int_equal(queue_class(t->queue, 1)->ready, 1);
    assert_int_equal(queue_wait_reason(t->queue, second, 0), REASON_DEPENDENCY);
    run_one(t, TASK_FAILED);
    assert_int_equal(store_task(t->store, (struct target){ second, 0 }, &task, &strings, &t->err),
                     0);
    assert_int_equal(task.state, TASK_FAILED);
    assert_int_equal(task.reason, REASON_DEPENDENCY);
    assert_null(queue_job(t->queue, second));
}

static void the_cap_of_an_array_holds(void **state)
{
    struct test *t = *state;
    struct pick picks[8];

    make_worker(t);
    put(t, (struct new_job){ .tasks = 6, .array = "0-5", .array_parallel = 2 });
    assert_int_equal(queue_pick(t->queue, queue_class(t->queue, 1), 8, picks), 2);
    assert_int_equal(queue_class(t->queue, 1)->ready, 0);
    assert_int_equal(queue_wait_reason(t->queue, picks[0].job, 5), REASON_LIMIT);
    queue_unpick(t->queue, &picks[0]);
    assert_int_equal(queue_class(t->queue, 1)->ready, 1);
}

static void a_deadline_is_told_once(void **state)
{
    struct test *t = *state;
    int64_t now = t->queue->time.now_wall_ms;
    int64_t job = put(t, (struct new_job){ .tasks = 1, .deadline_ms = now + 500 });

    assert_true(queue_tick(t->queue, &t->todo) <= t->queue->time.now_mono_ms + 1000);
    assert_int_equal(t->todo.count, 0);
    t->queue->time.now_wall_ms += 500;
    queue_tick(t->queue, &t->todo);
    assert_int_equal(t->todo.count, 1);
    assert_int_equal(t->todo.items[0].reason, REASON_DEADLINE);
    do_todo(t);
    assert_null(queue_job(t->queue, job));
}

static size_t stops(const struct test *t, int64_t attempt)
{
    size_t count = 0;

    for (size_t i = 0; i < t->todo.count; i++)
        count += t->todo.items[i].kind == TODO_STOP_ATTEMPT && t->todo.items[i].attempt == attempt;
    return count;
}

/* The others are told once, also by a broker that has met the failure only in the record. */
static void a_node_that_fails_ends_the_others(void **state)
{
    struct test *t = *state;
    struct test later = { .store = t->store, .queue = queue_new() };
    struct report report = { .state = TASK_FAILED, .reason = REASON_USER_EXIT, .exit_code = 3 };
    struct lease leases[3];
    struct pick pick;

    make_worker(t);
    put(t, (struct new_job){ .tasks = 1 });
    assert_int_equal(queue_pick(t->queue, queue_class(t->queue, 1), 1, &pick), 1);
    for (int i = 0; i < 3; i++)
        leases[i] = (struct lease){
            .job = pick.job, .worker = t->worker, .nodes = 3, .rank = i, .hosts = "[]"
        };
    assert_int_equal(store_lease(t->store, leases, 3, &t->err), 0);
    assert_int_equal(queue_worker(t->queue, t->worker)->task_count, 3);
    report.attempt = leases[1].attempt;
    assert_int_equal(store_report(t->store, t->worker, &report, 1, judge, t, &t->err), 0);
    assert_int_equal(stops(t, leases[0].attempt), 1);
    assert_int_equal(stops(t, leases[2].attempt), 1);
    assert_int_equal(queue_worker(t->queue, t->worker)->task_count, 3); /* until the last ends */

    assert_int_equal(store_load(t->store, feed_other, &later, &t->err), 0);
    assert_int_equal(stops(&later, leases[0].attempt), 1);
    assert_int_equal(stops(&later, leases[2].attempt), 1);
    report = (struct report){ .state = TASK_CANCELLED, .reason = REASON_CANCELLED };
    report.attempt = leases[0].attempt;
    assert_int_equal(store_report(t->store, t->worker, &report, 1, NULL, NULL, &t->err), 0);
    report.attempt = leases[2].attempt;
    assert_int_equal(store_report(t->store, t->worker, &report, 1, NULL, NULL, &t->err), 0);
    assert_int_equal(queue_worker(t->queue, t->worker)->task_count, 0);
    assert_null(queue_job(t->queue, pick.job));
    queue_free(later.queue);
    queue_todo_free(&later.todo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_node_that_fails_ends_the_others, up, down),
        cmocka_unit_test_setup_teardown(an_array_of_a_million_is_one_object, up, down),
        cmocka_unit_test_setup_teardown(a_dependency_that_cannot_come_true_ends_the_job, up, down),
        cmocka_unit_test_setup_teardown(the_cap_of_an_array_holds, up, down),
        cmocka_unit_test_setup_teardown(a_deadline_is_told_once, up, down),
        cmocka_unit_test_setup_teardown(random_lives_agree_with_the_record, up, down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
