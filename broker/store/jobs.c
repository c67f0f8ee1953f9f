/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.c - cancel, hold, release and retry, of a job or of one task.
 *
 * Of a whole job, the tasks without rows change together in the job's row; only those that have
 * rows and can still change are gone through one by one. */
#include "store/internal.h"

/* Rows that a verb may have to do with: unfinished ones, or those that did not succeed. */
static const char OPEN_TASKS[] = "SELECT t.idx FROM tasks t WHERE t.job = ? AND t.state < 6";
static const char ENDED_TASKS[] = "SELECT t.idx FROM tasks t WHERE t.job = ? AND t.state > 6 "
                                  "AND t.idx > ? ORDER BY t.idx LIMIT ?";

static const char LOST_BLOB[] =
    "SELECT jb.sha256 FROM job_blobs jb WHERE jb.job = ? AND NOT EXISTS "
    "(SELECT 1 FROM blobs b WHERE b.sha256 = jb.sha256) LIMIT 1";

enum verb { VERB_CANCEL, VERB_HOLD, VERB_RELEASE, VERB_RETRY };

#define RETRY_SLICE 5000 /* tasks in one transaction */

struct verb_op {
    struct op op;
    enum verb verb;
    struct target target;
    enum reason reason; /* of a cancel */
    const char *detail;
    int64_t after, last; /* a retry goes in slices: indices above `after`, up to `last` */
};

static const char *const verb_events[] = { "job.cancelled", "job.held", "job.released",
                                           "job.retried" };

/* ---- what a verb makes of one state */

/* The state it leads to; `from` itself when it does not apply. */
static enum task_state verb_leads(const struct verb_op *verb, enum task_state from)
{
    bool waits = from == TASK_PENDING || from == TASK_HELD;
    bool cancels = verb->reason == REASON_CANCELLED || verb->reason == REASON_DEADLINE;

    switch (verb->verb) {
    case VERB_CANCEL:
        return !waits ? from : cancels ? TASK_CANCELLED : TASK_FAILED;
    case VERB_HOLD:
        return from == TASK_PENDING ? TASK_HELD : from;
    case VERB_RELEASE:
        return from == TASK_HELD ? TASK_PENDING : from;
    case VERB_RETRY:
        return from == TASK_FAILED || from == TASK_CANCELLED ? TASK_PENDING : from;
    }
    return from;
}

static enum reason verb_reason(const struct verb_op *verb)
{
    return verb->verb == VERB_CANCEL ? verb->reason
           : verb->verb == VERB_HOLD ? REASON_HELD
                                     : REASON_NONE;
}

/* Whether a cancel must ask the worker to end it. */
static bool must_ask(const struct verb_op *verb, const struct task_row *task)
{
    bool runs = task->state == TASK_LEASED || task->state == TASK_RUNNING ||
                task->state == TASK_UNREACHABLE || task->state == TASK_COMPLETING;

    return verb->verb == VERB_CANCEL && runs && !task->cancel_asked &&
           (verb->reason == REASON_CANCELLED || verb->reason == REASON_DEADLINE);
}

static void fresh_budgets(struct task_row *task)
{
    task->user_retries = task->infra_retries = task->preempt_retries = 0;
    task->not_before_ms = 0;
    task->cancel_asked = false;
}

/* The number of tasks touched: 0 or 1. */
static int64_t verb_task(struct tx *tx, const struct verb_op *verb, struct tx_job *job,
                         struct tx_task *task, struct err *err)
{
    enum task_state to = verb_leads(verb, task->row.state);

    if (verb->verb == VERB_CANCEL && verb->detail)
        task->row.detail = verb->detail;
    if (must_ask(verb, &task->row)) {
        task->row.cancel_asked = true;
        task->cancel_reason = verb->reason;
        return tx_task_save(tx, task, err) < 0 ? -1 : 1;
    }
    if (to == task->row.state)
        return 0;
    if (verb->verb == VERB_RETRY) {
        fresh_budgets(&task->row);
        task->row.detail = NULL;
    }
    return tx_task_move(tx, job, task, to, verb_reason(verb), err) < 0 ? -1 : 1;
}

/* ---- whole jobs */

/* The tasks without rows, all at once. */
static int64_t verb_rest(struct tx *tx, const struct verb_op *verb, struct tx_job *job,
                         struct err *err)
{
    struct job_row *row = &job->row;
    int64_t count = tx_job_rest(job);
    enum task_state from = row->rest_state, to = verb_leads(verb, from);

    if (count == 0 || to == from)
        return 0;
    row->rest_state = to;
    row->rest_reason = verb_reason(verb);
    count_state(row, from, -count);
    count_state(row, to, count);
    job->rest_finished_ms = task_state_final(to) ? tx->now_ms : 0;
    job->rest_detail = verb->verb == VERB_CANCEL ? tx_strdup(tx, verb->detail) : NULL;
    if (task_state_final(to))
        tx->ended[to] += count;
    tx_job_touch(tx, job, true);
    return tx_job_end_maybe(tx, job, err) < 0 ? -1 : count;
}

/* Indices are collected first: the loop that follows changes the table they come from. */
static int tasks_collect(struct tx *tx, const struct verb_op *verb, int64_t **out, size_t *count,
                         struct err *err)
{
    own_stmt sqlite3_stmt *stmt = verb->verb == VERB_RETRY
                                      ? db_query(tx->db, ENDED_TASKS, "iii", verb->target.job,
                                                 verb->after, (int64_t)RETRY_SLICE)
                                      : db_query(tx->db, OPEN_TASKS, "i", verb->target.job);
    size_t room = 0;
    int rc;

    *count = 0;
    while ((rc = db_step(tx->db, stmt, err)) > 0) {
        if (*count == room) {
            room = room ? 2 * room : 64;
            *out = xrealloc(*out, room * sizeof **out);
        }
        (*out)[(*count)++] = col_int(stmt, 0);
    }
    return rc;
}

static int64_t verb_job(struct tx *tx, struct verb_op *verb, struct tx_job *job, struct err *err)
{
    own_mem int64_t *indices = NULL;
    size_t count = 0;
    int64_t touched = 0, rest;

    if (job->task_rows && tasks_collect(tx, verb, &indices, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct tx_task task;
        int64_t rc = tx_task(tx, job, indices[i], &task, err);

        rc = rc < 0 ? -1 : verb_task(tx, verb, job, &task, err);
        if (rc < 0)
            return -1;
        touched += rc;
    }
    verb->last = count ? indices[count - 1] : -1;
    rest = verb_rest(tx, verb, job, err);
    return rest < 0 ? -1 : touched + rest;
}

/* ---- the op */

static int verb_event(struct tx *tx, const struct verb_op *verb, const struct tx_job *job,
                      struct err *err)
{
    struct event_row event = { .kind = verb_events[verb->verb],
                               .job = job->row.id,
                               .index = -1,
                               .user = job->row.user,
                               .project = job->row.project,
                               .reason =
                                   verb->verb == VERB_CANCEL ? reason_name(verb->reason) : NULL,
                               .detail = verb->detail };

    return tx_event(tx, &event, err);
}

/* A job that had ended is of interest again: whoever forgot it is told all there is to know. */
static int reopen(struct tx *tx, struct tx_job *job, struct err *err)
{
    job->row.finished_ms = 0;
    tx_job_touch(tx, job, false);
    return tx_tell_whole_job(tx, job, err);
}

static bool will_reopen(const struct verb_op *verb, const struct tx_job *job,
                        const struct tx_task *task)
{
    if (verb->verb != VERB_RETRY || !job->row.finished_ms)
        return false;
    return task ? verb_leads(verb, task->row.state) != task->row.state
                : job->row.failed + job->row.cancelled > 0;
}

/* What was pruned cannot be brought to a worker again. */
static int inputs_check(struct tx *tx, const struct verb_op *verb, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc;

    if (verb->verb != VERB_RETRY)
        return 0;
    stmt = db_query(tx->db, LOST_BLOB, "i", verb->target.job);
    rc = db_step(tx->db, stmt, err);
    if (rc <= 0)
        return rc;
    return err_set(
        err, FAULT_CONFLICT,
        "an input of job %lld (content %s) was removed by the retention rule; submit the "
        "job again",
        (long long)verb->target.job, col_text(stmt, 0));
}

static int64_t verb_apply(struct tx *tx, struct op *op, struct err *err)
{
    struct verb_op *verb = (struct verb_op *)op;
    bool whole = verb->target.index < 0;
    struct tx_job *job;
    struct tx_task task;
    int64_t touched;
    int rc = tx_job(tx, verb->target.job, &job, err);

    if (rc == 0 && !whole)
        rc = tx_task(tx, job, verb->target.index, &task, err);
    if (rc < 0)
        return -1;
    if (rc > 0)
        return err_set(err, FAULT_NOT_FOUND, "no such %s", job ? "task" : "job");
    if (inputs_check(tx, verb, err) < 0)
        return -1;
    if (will_reopen(verb, job, whole ? NULL : &task) && reopen(tx, job, err) < 0)
        return -1;
    touched = whole ? verb_job(tx, verb, job, err) : verb_task(tx, verb, job, &task, err);
    if (touched > 0 && whole && verb->after < 0 && verb_event(tx, verb, job, err) < 0)
        return -1;
    return touched;
}

static int64_t verb_call(struct store *store, struct verb_op *verb, struct err *err)
{
    verb->op.apply = verb_apply;
    return writer_call(store, &verb->op, err);
}

int64_t store_cancel(struct store *store, struct target target, enum reason reason,
                     const char *detail, struct err *err)
{
    struct verb_op verb = {
        .verb = VERB_CANCEL, .target = target, .reason = reason, .detail = detail, .after = -1
    };

    return verb_call(store, &verb, err);
}

int64_t store_hold(struct store *store, struct target target, struct err *err)
{
    struct verb_op verb = { .verb = VERB_HOLD, .target = target, .after = -1 };

    return verb_call(store, &verb, err);
}

int64_t store_release(struct store *store, struct target target, struct err *err)
{
    struct verb_op verb = { .verb = VERB_RELEASE, .target = target, .after = -1 };

    return verb_call(store, &verb, err);
}

/* In slices: a million failed tasks are a million rows, and others want the writer meanwhile. */
int64_t store_retry(struct store *store, struct target target, struct err *err)
{
    int64_t total = 0;

    for (int64_t after = -1;;) {
        struct verb_op verb = { .verb = VERB_RETRY, .target = target, .after = after };
        int64_t touched = verb_call(store, &verb, err);

        if (touched < 0)
            return -1;
        total += touched;
        if (target.index >= 0 || touched < RETRY_SLICE || verb.last < 0)
            return total;
        after = verb.last;
    }
}
