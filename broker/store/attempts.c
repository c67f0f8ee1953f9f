/* SPDX-License-Identifier: Apache-2.0 */
/* attempts.c - leases and what becomes of them.
 *
 * An attempt's id is its fencing token: a report counts only while the task names that attempt, the
 * worker is the one it was leased to, and it has not ended.  attempts.state keeps what the attempt
 * was doing while its task is unreachable. */
#include "base/log.h"
#include "store/internal.h"

static const char ADD_ATTEMPT[] =
    "INSERT INTO attempts (id, job, idx, number, worker, state, reason, budget, next, exit_code,"
    " signal, leased, started, finished, ended, wall_ms, cpu_ms, max_rss, detail, decision)"
    " VALUES (?1,?2,?3,?4,?5,2,0,0,0,-1,0,?6,0,0,0,0,0,0,NULL,?7)";
static const char GET_ATTEMPT[] =
    "SELECT job, idx, worker, state, reason, ended, leased, started, gang, rank "
    "FROM attempts WHERE id = ?";
static const char SET_STARTED[] = "UPDATE attempts SET state = ?2, started = ?3 WHERE id = ?1";
static const char END_ATTEMPT[] =
    "UPDATE attempts SET state = ?2, reason = ?3, budget = ?4, next = ?5, exit_code = ?6,"
    " signal = ?7, started = ?8, finished = ?9, ended = ?10, wall_ms = ?11, cpu_ms = ?12,"
    " max_rss = ?13, detail = ?14 WHERE id = ?1";
static const char WORKERS_OPEN[] = "SELECT id FROM attempts WHERE worker = ? AND ended = 0 "
                                   "ORDER BY id";
static const char GET_SPEC[] =
    "SELECT coalesce(j.spec, (SELECT s.spec FROM specs s WHERE s.job = j.id)) "
    "FROM jobs j WHERE j.id = ?";
static const char ADD_OUTPUT[] =
    "INSERT OR REPLACE INTO outputs (attempt, path, sha256, size, mode)"
    " VALUES (?,?,?,?,?)";

/* ---- leases */

struct lease_op {
    struct op op;
    struct lease *leases;
    size_t count;
};

static int lease_write(struct tx *tx, struct lease *lease, struct tx_job *job, struct tx_task *task,
                       struct err *err)
{
    struct task_row *row = &task->row;
    int64_t attempt = tx->store->next_attempt++;

    row->attempt = attempt;
    row->attempts++;
    row->worker = lease->worker;
    row->leased_ms = tx->now_ms;
    row->started_ms = row->finished_ms = row->cpu_ms = row->max_rss = 0;
    row->exit_code = -1;
    row->signal = 0;
    row->detail = NULL;
    if (db_run(tx->db, err, ADD_ATTEMPT, "iiiiiit", attempt, row->job, row->index,
               (int64_t)row->attempts, row->worker, tx->now_ms, lease->decision) < 0 ||
        tx_task_move(tx, job, task, TASK_LEASED, REASON_NONE, err) < 0)
        return -1;
    lease->attempt = attempt;
    lease->attempt_number = row->attempts;
    return 0;
}

/* A refusal is no fault: the task went elsewhere, or the worker takes nothing. */
static int lease_one(struct tx *tx, struct lease *lease, struct err *err)
{
    const struct worker_memo *worker;
    struct tx_job *job;
    struct tx_task task;
    int rc = tx_worker(tx, lease->worker, &worker, err);

    lease->attempt = 0;
    lease->attempt_number = 0;
    if (rc != 0 || (worker->state != WORKER_READY && !lease->refused))
        return rc < 0 ? -1 : 0;
    rc = tx_job(tx, lease->job, &job, err);
    if (rc == 0)
        rc = tx_task(tx, job, lease->index, &task, err);
    if (rc != 0 || task.row.state != TASK_PENDING)
        return rc < 0 ? -1 : 0;
    return lease_write(tx, lease, job, &task, err);
}

static int64_t lease_apply(struct tx *tx, struct op *op, struct err *err)
{
    struct lease_op *lease = (struct lease_op *)op;

    for (size_t i = 0; i < lease->count; i++) {
        struct lease *one = &lease->leases[i];

        if ((one->nodes ? tx_gang_lease(tx, one, err) : lease_one(tx, one, err)) < 0)
            return -1;
        i += one->nodes ? (size_t)one->nodes - 1 : 0;
    }
    return 0;
}

int store_lease(struct store *store, struct lease *leases, size_t count, struct err *err)
{
    struct lease_op lease = { .op.apply = lease_apply, .leases = leases, .count = count };

    return (int)writer_call(store, &lease.op, err);
}

/* ---- reports */

struct report_op {
    struct op op;
    int64_t worker;
    struct report *reports;
    size_t count;
    struct judge judge;
    /* store_worker_lost, store_worker_silent */
    enum reason reason;
    const char *detail;
    bool silent;
    bool unsettled; /* logs could not be made durable, `why` says the rest */
    struct err why;
};

/* 1: none such. */
static int attempt_get(struct tx *tx, int64_t id, struct attempt *out, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(tx->db, GET_ATTEMPT, "i", id);
    int rc = db_step(tx->db, stmt, err);

    if (rc <= 0)
        return rc < 0 ? -1 : 1;
    *out = (struct attempt){
        .id = id,
        .job = col_int(stmt, 0),
        .index = col_int(stmt, 1),
        .worker = col_int(stmt, 2),
        .state = (enum task_state)col_int(stmt, 3),
        .reason = (enum reason)col_int(stmt, 4),
        .ended = col_int(stmt, 5),
        .leased_ms = col_int(stmt, 6),
        .started_ms = col_int(stmt, 7),
        .gang = col_int(stmt, 8),
        .rank = (int)col_int(stmt, 9),
    };
    return 0;
}

/* Whether it is the one that the task is at, or a node of it. */
static bool is_current(const struct attempt *attempt, const struct task_row *task)
{
    return task->attempt == (attempt->gang ? attempt->gang : attempt->id);
}

static int64_t within(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* Asks the caller of the op what follows, lets a cancel have its way, and refuses what the life
 * cycle has no arrow for. */
int tx_judge(struct tx *tx, const struct judge *judge, const struct tx_task *task,
             struct report *report, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc;

    report->next = report->state;
    report->budget = reason_blame(report->reason);
    report->not_before_ms = 0;
    if (judge->ask) {
        stmt = db_query(tx->db, GET_SPEC, "i", task->row.job);
        rc = db_step(tx->db, stmt, err);
        if (rc < 0)
            return -1;
        judge->ask(judge->arg, &task->row, rc ? col_text(stmt, 0) : "", report);
    }
    if (task->row.cancel_asked && report->state != TASK_SUCCEEDED)
        report->next = TASK_CANCELLED;
    if (!task_state_may(task->row.state, report->next))
        report->next = report->state;
    return 0;
}

static void charge(struct task_row *row, const struct report *report)
{
    if (report->next != TASK_PENDING)
        return;
    switch (report->budget) {
    case BLAME_USER:
        row->user_retries++;
        break;
    case BLAME_INFRA:
        row->infra_retries++;
        break;
    case BLAME_PREEMPT:
        row->preempt_retries++;
        break;
    case BLAME_NONE:
        break;
    }
}

int tx_attempt_save_end(struct tx *tx, const struct attempt *attempt, const struct report *report,
                        int64_t started_ms, int64_t *finished_ms, struct err *err)
{
    *finished_ms =
        report->finished_ms ? within(report->finished_ms, started_ms, tx->now_ms) : tx->now_ms;
    return db_run(tx->db, err, END_ATTEMPT, "iiiiiiiiiiiiit", attempt->id, (int64_t)report->state,
                  (int64_t)report->reason, (int64_t)report->budget, (int64_t)report->next,
                  (int64_t)report->exit_code, (int64_t)report->signal, started_ms, *finished_ms,
                  tx->now_ms, report->wall_ms, report->cpu_ms, report->max_rss, report->detail);
}

int64_t attempt_started(const struct tx *tx, const struct attempt *attempt,
                        const struct report *report, int64_t otherwise)
{
    return report->started_ms ? within(report->started_ms, attempt->leased_ms, tx->now_ms)
                              : otherwise;
}

/* The task's next reason: why it ended, or why it waits. */
static enum reason reason_after(const struct tx *tx, const struct tx_task *task,
                                const struct report *report)
{
    if (report->next == TASK_PENDING)
        return report->not_before_ms > tx->now_ms ? REASON_BACKOFF : REASON_NONE;
    if (report->next == TASK_CANCELLED && task->row.cancel_asked)
        return task->cancel_reason;
    return report->next == TASK_SUCCEEDED ? REASON_NONE : report->reason;
}

int tx_task_end(struct tx *tx, struct tx_job *job, struct tx_task *task,
                const struct report *report, struct err *err)
{
    struct task_row *row = &task->row;

    row->finished_ms = report->finished_ms;
    row->exit_code = report->exit_code;
    row->signal = report->signal;
    row->cpu_ms = report->cpu_ms;
    row->max_rss = report->max_rss;
    row->not_before_ms = report->next == TASK_PENDING ? report->not_before_ms : 0;
    if (report->detail)
        row->detail = report->detail;
    charge(row, report);
    return tx_task_move(tx, job, task, report->next, reason_after(tx, task, report), err);
}

/* An attempt is over: by its agent's word, given back, or because its worker is lost. */
static int attempt_end(struct tx *tx, const struct attempt *attempt, struct tx_job *job,
                       struct tx_task *task, const struct report *report, struct err *err)
{
    struct report told = *report;

    task->row.started_ms = attempt_started(tx, attempt, report, task->row.started_ms);
    if (tx_attempt_save_end(tx, attempt, report, task->row.started_ms, &told.finished_ms, err) < 0)
        return -1;
    return tx_task_end(tx, job, task, &told, err);
}

/* An output that is not here was never sent, whatever the agent says: the job's results are not
 * complete, and that must show. */
static int outputs_check(struct tx *tx, struct report *report, struct err *err)
{
    char owner[48];

    snprintf(owner, sizeof owner, "attempt:%lld", (long long)report->attempt);
    for (size_t i = 0; i < report->output_count; i++) {
        const struct output_row *output = &report->outputs[i];
        int rc = blob_is_owned(tx->db, owner, output->sha256, err);

        if (rc < 0)
            return -1;
        if (rc > 0)
            continue;
        if (report->state == TASK_SUCCEEDED) {
            report->state = TASK_FAILED;
            report->reason = REASON_STAGE_OUT;
            report->detail = arena_printf(
                &tx->arena, "the output '%s' was reported but never arrived", output->path);
        }
        return 1;
    }
    return 0;
}

static int outputs_keep(struct tx *tx, const struct report *report, struct err *err)
{
    for (size_t i = 0; i < report->output_count; i++) {
        const struct output_row *output = &report->outputs[i];
        int rc = db_run(tx->db, err, ADD_OUTPUT, "ittii", report->attempt, output->path,
                        output->sha256, output->size, (int64_t)output->mode);

        if (rc < 0)
            return -1;
    }
    return 0;
}

/* Works on a copy: words made here live no longer than the transaction. */
static int report_final(struct tx *tx, const struct report_op *op, const struct attempt *attempt,
                        struct tx_job *job, struct tx_task *task, struct report *report,
                        struct err *err)
{
    struct report told = *report;
    int missing = outputs_check(tx, &told, err);

    if (missing < 0 || (!attempt->gang && tx_judge(tx, &op->judge, task, &told, err) < 0))
        return -1;
    if (!missing && outputs_keep(tx, &told, err) < 0)
        return -1;
    if (tx_logs_keep(tx, &told, err) < 0 ||
        (attempt->gang ? tx_node_end(tx, &op->judge, attempt, job, task, &told, err)
                       : attempt_end(tx, attempt, job, task, &told, err)) < 0)
        return -1;
    report->state = told.state;
    report->reason = told.reason;
    report->next = told.next;
    report->budget = told.budget;
    report->not_before_ms = told.not_before_ms;
    report->settled = true;
    return 0;
}

/* Given back unstarted: nobody's fault, nothing is charged. */
static int report_returned(struct tx *tx, const struct report_op *op, const struct attempt *attempt,
                           struct tx_job *job, struct tx_task *task, struct report *report,
                           struct err *err)
{
    report->budget = BLAME_NONE;
    report->next = task->row.cancel_asked ? TASK_CANCELLED : TASK_PENDING;
    report->not_before_ms = 0;
    report->exit_code = -1;
    if ((attempt->gang ? tx_node_end(tx, &op->judge, attempt, job, task, report, err)
                       : attempt_end(tx, attempt, job, task, report, err)) < 0)
        return -1;
    report->settled = true;
    return 0;
}

/* RUNNING or COMPLETING.  Reports may overtake each other, so what does not lead on is let be. */
static int report_progress(struct tx *tx, const struct attempt *attempt, struct tx_job *job,
                           struct tx_task *task, const struct report *report, struct err *err)
{
    struct task_row *row = &task->row;

    if (attempt->gang)
        return tx_node_progress(tx, attempt, job, task, report, err);
    if (row->state == report->state || attempt->state > report->state ||
        !task_state_may(row->state, report->state))
        return 0;
    if (report->started_ms || !row->started_ms)
        row->started_ms = attempt_started(tx, attempt, report, tx->now_ms);
    if (db_run(tx->db, err, SET_STARTED, "iii", attempt->id, (int64_t)report->state,
               row->started_ms) < 0)
        return -1;
    return tx_task_move(tx, job, task, report->state, REASON_NONE, err);
}

/* Refused for good.  Recorded when it says something other than what is known already. */
static int report_stale(struct tx *tx, const struct report_op *op, const struct attempt *attempt,
                        struct report *report, struct err *err)
{
    struct event_row event = { .kind = "report.stale",
                               .index = -1,
                               .worker = op->worker,
                               .attempt = report->attempt,
                               .state = task_state_name(report->state),
                               .reason = reason_name(report->reason) };
    struct tx_job *job;
    int rc;

    report->stale = report->settled = true;
    if (!attempt || !task_state_final(report->state) ||
        (attempt->state == report->state && attempt->reason == report->reason))
        return 0;
    rc = tx_job(tx, attempt->job, &job, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    event.job = attempt->job;
    event.index = attempt->index;
    event.user = job->row.user;
    event.project = job->row.project;
    return tx_event(tx, &event, err);
}

static int report_one(struct tx *tx, const struct report_op *op, struct report *report,
                      struct err *err)
{
    struct attempt attempt;
    struct tx_job *job;
    struct tx_task task;
    int rc = attempt_get(tx, report->attempt, &attempt, err);

    report->settled = report->stale = false;
    if (rc != 0 || attempt.worker != op->worker || attempt.ended)
        return rc < 0 ? -1 : report_stale(tx, op, rc ? NULL : &attempt, report, err);
    rc = tx_job(tx, attempt.job, &job, err);
    if (rc == 0)
        rc = tx_task(tx, job, attempt.index, &task, err);
    if (rc != 0 || !is_current(&attempt, &task.row))
        return rc < 0 ? -1 : report_stale(tx, op, &attempt, report, err);
    if (task_state_final(report->state))
        return report_final(tx, op, &attempt, job, &task, report, err);
    if (report->state == TASK_PENDING)
        return report_returned(tx, op, &attempt, job, &task, report, err);
    if (report->state == TASK_RUNNING || report->state == TASK_COMPLETING)
        return report_progress(tx, &attempt, job, &task, report, err);
    return report_stale(tx, op, NULL, report, err); /* no state that an agent may report */
}

static int64_t report_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct report_op *report = (const struct report_op *)op;

    if (report->unsettled) {
        *err = report->why;
        return -1;
    }
    for (size_t i = 0; i < report->count; i++)
        if (report_one(tx, report, &report->reports[i], err) < 0)
            return -1;
    return 0;
}

/* Uploaded logs must be on disk before the report that lets the agent drop its copy. */
static void settle_logs(struct store *store, struct report_op *op)
{
    for (size_t i = 0; i < op->count && !op->unsettled; i++)
        if (task_state_final(op->reports[i].state))
            op->unsettled = logs_settle(store, &op->reports[i], &op->why) < 0;
}

void store_report_async(struct store *store, int64_t worker, struct report *reports, size_t count,
                        store_judge *judge, void *arg, store_done *done, void *done_arg)
{
    struct report_op *report = xcalloc(1, sizeof *report);

    *report = (struct report_op){
        .op = { .apply = report_apply, .done = done, .arg = done_arg, .on_heap = true },
        .worker = worker,
        .reports = reports,
        .count = count,
        .judge = { judge, arg },
    };
    settle_logs(store, report);
    writer_post(store, &report->op);
}

int store_report(struct store *store, int64_t worker, struct report *reports, size_t count,
                 store_judge *judge, void *arg, struct err *err)
{
    struct report_op report = { .op.apply = report_apply,
                                .worker = worker,
                                .reports = reports,
                                .count = count,
                                .judge = { judge, arg } };

    settle_logs(store, &report);
    return (int)writer_call(store, &report.op, err);
}

/* ---- workers that fall silent or are lost */

/* Ids of the worker's current attempts, to be freed. */
static int open_attempts(struct tx *tx, int64_t worker, int64_t **out, size_t *count,
                         struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(tx->db, WORKERS_OPEN, "i", worker);
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

static int attempt_with_task(struct tx *tx, int64_t id, struct attempt *attempt,
                             struct tx_job **job, struct tx_task *task, struct err *err)
{
    int rc = attempt_get(tx, id, attempt, err);

    rc = rc ? rc : tx_job(tx, attempt->job, job, err);
    rc = rc ? rc : tx_task(tx, *job, attempt->index, task, err);
    return rc == 0 && !is_current(attempt, &task->row) ? 1 : rc;
}

static int silent_one(struct tx *tx, const struct report_op *op, int64_t id, struct err *err)
{
    struct attempt attempt = { .state = TASK_LEASED };
    struct tx_job *job;
    struct tx_task task;
    int rc = attempt_with_task(tx, id, &attempt, &job, &task, err);
    enum task_state to = op->silent ? TASK_UNREACHABLE : attempt.state;

    if (rc == 0 && attempt.gang && !op->silent)
        rc = tx_gang_state(tx, attempt.gang, &to, err);
    if (rc != 0 || task.row.state == to || !task_state_may(task.row.state, to))
        return rc < 0 ? -1 : 0;
    return tx_task_move(tx, job, &task, to, REASON_NONE, err);
}

static int64_t silent_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct report_op *silent = (const struct report_op *)op;
    own_mem int64_t *ids = NULL;
    size_t count;

    if (tx_worker_silent(tx, silent->worker, silent->silent, err) < 0 ||
        open_attempts(tx, silent->worker, &ids, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (silent_one(tx, silent, ids[i], err) < 0)
            return -1;
    return 0;
}

int store_worker_silent(struct store *store, int64_t worker, bool silent, struct err *err)
{
    struct report_op op = { .op.apply = silent_apply, .worker = worker, .silent = silent };

    return (int)writer_call(store, &op.op, err);
}

static int lost_one(struct tx *tx, const struct report_op *op, int64_t id, struct err *err)
{
    struct report report = { .attempt = id,
                             .state = TASK_FAILED,
                             .reason = op->reason,
                             .detail = op->detail,
                             .exit_code = -1 };
    struct attempt attempt = { .state = TASK_LEASED };
    struct tx_job *job;
    struct tx_task task;
    int rc = attempt_with_task(tx, id, &attempt, &job, &task, err);

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (attempt.gang)
        return tx_node_end(tx, &op->judge, &attempt, job, &task, &report, err);
    if (tx_judge(tx, &op->judge, &task, &report, err) < 0)
        return -1;
    return attempt_end(tx, &attempt, job, &task, &report, err);
}

static int64_t lost_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct report_op *lost = (const struct report_op *)op;
    own_mem int64_t *ids = NULL;
    size_t count;

    if (open_attempts(tx, lost->worker, &ids, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (lost_one(tx, lost, ids[i], err) < 0)
            return -1;
    return 0;
}

int store_worker_lost(struct store *store, int64_t worker, enum reason reason, const char *detail,
                      store_judge *judge, void *arg, struct err *err)
{
    struct report_op lost = { .op.apply = lost_apply,
                              .worker = worker,
                              .reason = reason,
                              .detail = detail,
                              .judge = { judge, arg } };

    return (int)writer_call(store, &lost.op, err);
}
