/* SPDX-License-Identifier: Apache-2.0 */
/* test_model.c - thousands of random operations on the store and on a model that fits on a page;
 * both must agree on every task, and an index built from the changes must be the one that
 * store_load() gives.  The store is closed and opened again in between. */
#include "fixture.h"

#define JOBS     60
#define TASKS    9 /* of an array, at most */
#define WORKERS  4
#define ATTEMPTS 4000
#define STEPS    3000

struct model_task {
    enum task_state state;
    enum reason cancel; /* asked for while it ran */
    int attempt;        /* place in attempts; 0: none */
    int user_retries, infra_retries;
};
struct model_job {
    int64_t id;
    int count;
    bool is_array;
    struct model_task tasks[TASKS];
};
struct model_attempt {
    int64_t id;
    int job, task, worker;
    bool has_ended;
    enum task_state state;
};

/* What a subscriber knows. */
struct mirror {
    struct mirror_job {
        int64_t id, next_position;
        enum task_state rest;
        enum task_state tasks[TASKS]; /* by position; TASK_STATE_COUNT: no row seen */
        bool is_open;
    } jobs[JOBS];
};

struct model {
    struct fixture *f;
    uint64_t seed;
    struct model_job jobs[JOBS];
    int job_count, last_job;
    struct model_attempt attempts[ATTEMPTS];
    int attempt_count; /* the first is not used */
    int64_t workers[WORKERS];
    bool silent[WORKERS];
    struct mirror mirror;
};

static int64_t below(struct model *m, int64_t limit)
{
    m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((m->seed >> 33) % (uint64_t)limit);
}

/* Arrays are "3-99:5": position p has index 3 + 5p. */
static int64_t index_of(const struct model_job *job, int position)
{
    return job->is_array ? 3 + 5 * position : 0;
}

/* ---- the mirror */

static struct mirror_job *mirror_job(struct mirror *mirror, int64_t id)
{
    for (int i = 0; i < JOBS; i++)
        if (mirror->jobs[i].id == id || mirror->jobs[i].id == 0)
            return &mirror->jobs[i];
    fail_msg("a change of a job that was never made");
    return NULL;
}

static void mirror_see(void *arg, const struct change *changes, size_t count)
{
    struct mirror *mirror = arg;

    for (size_t i = 0; i < count; i++) {
        const struct change *change = &changes[i];

        if (change->kind == CHANGE_JOB) {
            struct mirror_job *job = mirror_job(mirror, change->job.id);

            if (job->id == 0 || change->added)
                for (int k = 0; k < TASKS; k++)
                    job->tasks[k] = TASK_STATE_COUNT;
            job->id = change->job.id;
            job->next_position = change->job.next_position;
            job->rest = change->job.rest_state;
            job->is_open = change->job.finished_ms == 0;
        } else if (change->kind == CHANGE_TASK) {
            struct mirror_job *job = mirror_job(mirror, change->task.job);
            int64_t index = change->task.index;

            job->tasks[index ? (index - 3) / 5 : 0] = change->task.state;
        }
    }
}

/* Both must know the same of what is open. */
static void mirrors_agree(const struct mirror *a, const struct mirror *b)
{
    for (int i = 0; i < JOBS && a->jobs[i].id; i++) {
        const struct mirror_job *job = &a->jobs[i];
        const struct mirror_job *other = mirror_job((struct mirror *)b, job->id);

        assert_int_equal(job->is_open, other->id && other->is_open);
        if (!job->is_open)
            continue;
        assert_int_equal(job->rest, other->rest);
        assert_int_equal(job->next_position, other->next_position);
        for (int k = 0; k < TASKS; k++)
            if (k >= job->next_position ||
                (job->tasks[k] != TASK_STATE_COUNT && !task_state_final(job->tasks[k])))
                assert_int_equal(job->tasks[k], other->tasks[k]);
    }
}

/* ---- what follows an end, on both sides */

static enum task_state follows(const struct model_task *task, enum task_state end,
                               enum reason reason)
{
    if (end == TASK_SUCCEEDED)
        return end;
    if (task->cancel)
        return TASK_CANCELLED;
    if (reason_blame(reason) == BLAME_USER)
        return task->user_retries < 1 ? TASK_PENDING : end;
    return task->infra_retries < 2 ? TASK_PENDING : end;
}

static void judge(void *arg, const struct task_row *task, const char *spec, struct report *report)
{
    (void)arg;
    assert_non_null(strstr(spec, "command"));
    report->next = report->state;
    report->budget = reason_blame(report->reason);
    if (report->state == TASK_FAILED &&
        (report->budget == BLAME_USER ? task->user_retries < 1 : task->infra_retries < 2))
        report->next = TASK_PENDING;
}

static void model_end(struct model *m, int at, enum task_state end, enum reason reason)
{
    struct model_attempt *attempt = &m->attempts[at];
    struct model_task *task = &m->jobs[attempt->job].tasks[attempt->task];

    attempt->has_ended = true;
    task->state = follows(task, end, reason);
    if (task->state != TASK_PENDING)
        return;
    if (reason_blame(reason) == BLAME_USER)
        task->user_retries++;
    else
        task->infra_retries++;
}

/* ---- operations */

static void do_submit(struct model *m)
{
    struct model_job *job = &m->jobs[m->job_count];
    struct new_job new = plain_job("job");
    char array[32];

    if (m->job_count == JOBS)
        return;
    job->is_array = below(m, 2);
    job->count = job->is_array ? 1 + (int)below(m, TASKS) : 1;
    new.hold = below(m, 5) == 0;
    new.tasks = job->count;
    snprintf(array, sizeof array, "3-%d:5", 3 + 5 * (job->count - 1));
    new.array = job->is_array ? array : NULL;
    job->id = submit(m->f, new);
    for (int i = 0; i < job->count; i++)
        job->tasks[i].state = new.hold ? TASK_HELD : TASK_PENDING;
    m->job_count++;
}

static void do_lease(struct model *m)
{
    int j = (int)below(m, m->job_count), w = (int)below(m, WORKERS);
    struct model_job *job = &m->jobs[j];
    int t = (int)below(m, job->count);
    struct model_task *task = &job->tasks[t];
    int64_t attempt;

    if (m->attempt_count == ATTEMPTS)
        return;
    attempt = lease(m->f, job->id, index_of(job, t), m->workers[w]);
    assert_int_equal(attempt != 0, task->state == TASK_PENDING && !m->silent[w]);
    if (!attempt)
        return;
    task->state = TASK_LEASED;
    task->attempt = m->attempt_count++;
    m->attempts[task->attempt] = (struct model_attempt){
        .id = attempt, .job = j, .task = t, .worker = w, .state = TASK_LEASED
    };
}

static void model_report(struct model *m, int at, enum task_state state)
{
    struct model_attempt *attempt = &m->attempts[at];
    struct model_task *task = &m->jobs[attempt->job].tasks[attempt->task];

    if (task_state_final(state)) {
        model_end(m, at, state, state == TASK_FAILED ? REASON_USER_EXIT : REASON_NONE);
    } else if (state == TASK_PENDING) {
        attempt->has_ended = true;
        task->state = task->cancel ? TASK_CANCELLED : TASK_PENDING;
    } else if (attempt->state <= state) {
        attempt->state = task->state = state;
    }
}

static void do_report(struct model *m)
{
    static const enum task_state states[] = { TASK_RUNNING,   TASK_COMPLETING, TASK_PENDING,
                                              TASK_SUCCEEDED, TASK_FAILED,     TASK_FAILED };
    int at = (int)below(m, m->attempt_count), w;
    struct report report;
    bool is_stale;

    if (at == 0)
        return;
    if (m->attempt_count > 20 && below(m, 4)) /* the latest ones, as a rule */
        at = m->attempt_count - 1 - (int)below(m, 19);
    w = below(m, 10) ? m->attempts[at].worker : (int)below(m, WORKERS);
    report = report_of(m->attempts[at].id, states[below(m, 6)]);
    if (report.state == TASK_FAILED)
        report.reason = REASON_USER_EXIT;
    assert_ok(m->f, store_report(m->f->store, m->workers[w], &report, 1, judge, NULL, &m->f->err));
    is_stale = m->attempts[at].has_ended || w != m->attempts[at].worker;
    assert_int_equal(report.stale, is_stale);
    assert_int_equal(report.settled,
                     is_stale || report.state == TASK_PENDING || task_state_final(report.state));
    if (!is_stale)
        model_report(m, at, report.state);
}

static bool verb_model(struct model_task *task, int verb, enum reason reason)
{
    bool waits = task->state == TASK_PENDING || task->state == TASK_HELD;
    bool ended = task_state_final(task->state);
    enum task_state before = task->state;

    if (verb == 0 && waits)
        task->state = reason == REASON_CANCELLED ? TASK_CANCELLED : TASK_FAILED;
    if (verb == 0 && !waits && !ended && reason == REASON_CANCELLED && !task->cancel) {
        task->cancel = reason;
        return true;
    }
    if (verb == 1 && task->state == TASK_PENDING)
        task->state = TASK_HELD;
    if (verb == 2 && task->state == TASK_HELD)
        task->state = TASK_PENDING;
    if (verb == 3 && ended && task->state != TASK_SUCCEEDED)
        *task = (struct model_task){ .state = TASK_PENDING, .attempt = task->attempt };
    return task->state != before;
}

static void do_verb(struct model *m)
{
    /* often the same job twice in a row: what was asked for is asked again */
    int j = below(m, 2) ? m->last_job : (int)below(m, m->job_count);
    struct model_job *job = &m->jobs[j];
    struct store *store = m->f->store;
    int verb = (int)below(m, 4), t = (int)below(m, job->count);
    bool whole = below(m, 2);
    enum reason reason = below(m, 3) ? REASON_CANCELLED : REASON_DEPENDENCY;
    struct target target = { job->id, whole ? -1 : index_of(job, t) };
    int64_t touched = verb == 0   ? store_cancel(store, target, reason, "why", &m->f->err)
                      : verb == 1 ? store_hold(store, target, &m->f->err)
                      : verb == 2 ? store_release(store, target, &m->f->err)
                                  : store_retry(store, target, &m->f->err);
    int64_t expected = 0;

    m->last_job = j;
    for (int i = whole ? 0 : t; i < (whole ? job->count : t + 1); i++)
        expected += verb_model(&job->tasks[i], verb, reason);
    assert_int_equal(touched, expected);
}

static void do_silent(struct model *m)
{
    int w = (int)below(m, WORKERS);

    m->silent[w] = !m->silent[w];
    assert_ok(m->f, store_worker_silent(m->f->store, m->workers[w], m->silent[w], &m->f->err));
    for (int i = 1; i < m->attempt_count; i++) {
        struct model_attempt *attempt = &m->attempts[i];

        if (attempt->worker == w && !attempt->has_ended)
            m->jobs[attempt->job].tasks[attempt->task].state =
                m->silent[w] ? TASK_UNREACHABLE : attempt->state;
    }
}

static void do_lost(struct model *m)
{
    int w = (int)below(m, WORKERS);

    assert_ok(m->f, store_worker_lost(m->f->store, m->workers[w], REASON_LOST, "no word from it",
                                      judge, NULL, &m->f->err));
    for (int i = 1; i < m->attempt_count; i++)
        if (m->attempts[i].worker == w && !m->attempts[i].has_ended)
            model_end(m, i, TASK_FAILED, REASON_LOST);
}

/* ---- agreement */

static void job_agrees(struct model *m, const struct model_job *job)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct job_detail detail;
    int64_t counts[TASK_STATE_COUNT] = { 0 };

    for (int t = 0; t < job->count; t++) {
        struct task_row row = task_of(m->f, job->id, index_of(job, t));
        const struct model_task *task = &job->tasks[t];

        assert_int_equal(row.state, task->state);
        assert_int_equal(row.user_retries, task->user_retries);
        assert_int_equal(row.infra_retries, task->infra_retries);
        assert_int_equal(row.attempt, m->attempts[task->attempt].id);
        counts[task->state]++;
    }
    assert_int_equal(store_job(m->f->store, job->id, &detail, &strings, &m->f->err), 0);
    for (int i = 0; i < TASK_STATE_COUNT; i++)
        assert_int_equal(detail.counts[i], counts[i]);
    assert_int_equal(detail.job.finished_ms > 0,
                     counts[TASK_SUCCEEDED] + counts[TASK_FAILED] + counts[TASK_CANCELLED] ==
                         job->count);
}

static void all_agrees(struct model *m)
{
    own_buf struct buf report = BUF_INIT(0);
    struct mirror *loaded = xcalloc(1, sizeof *loaded);

    for (int j = 0; j < m->job_count; j++)
        job_agrees(m, &m->jobs[j]);
    assert_ok(m->f, store_load(m->f->store, mirror_see, loaded, &m->f->err));
    mirrors_agree(&m->mirror, loaded);
    mirrors_agree(loaded, &m->mirror);
    free(loaded);
    if (store_check(m->f->store, &report, &m->f->err) != 0)
        fail_msg("%s", buf_text(&report));
}

static void model_reopen(struct model *m)
{
    struct store_options options = { .dir = m->f->dir,
                                     .on_changes = mirror_see,
                                     .arg = &m->mirror };

    store_close(m->f->store);
    assert_ok(m->f, store_open(&options, &m->f->store, &m->f->err));
}

static void step(struct model *m)
{
    switch (below(m, 40)) {
    case 0:
    case 1:
        do_submit(m);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
        do_verb(m);
        break;
    case 8:
        do_silent(m);
        break;
    case 9:
        if (below(m, 4) == 0)
            do_lost(m);
        break;
    default:
        if (below(m, 2))
            do_lease(m);
        else
            do_report(m);
    }
}

static void random_operations(struct fixture *f, uint64_t seed)
{
    struct model *m = xcalloc(1, sizeof *m);

    m->f = f;
    m->seed = seed;
    m->attempt_count = 1;
    model_reopen(m);
    for (int i = 0; i < WORKERS; i++)
        m->workers[i] = worker_ready(f, "w");
    do_submit(m);
    for (int i = 1; i <= STEPS; i++) {
        step(m);
        if (i % 500 == 0)
            all_agrees(m);
        if (i % 1000 == 0)
            model_reopen(m);
    }
    store_close(f->store); /* its subscriber is about to go */
    assert_ok(f, fixture_open(f));
    free(m);
}

static void the_store_agrees_with_a_model(void **state)
{
    random_operations(*state, 20261124);
}

static void and_with_another_seed(void **state)
{
    random_operations(*state, 4711);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_store_agrees_with_a_model, fixture_up, fixture_down),
        cmocka_unit_test_setup_teardown(and_with_another_seed, fixture_up, fixture_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
