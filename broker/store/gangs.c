/* SPDX-License-Identifier: Apache-2.0 */
/* gangs.c - tasks that run on several workers at once.
 *
 * Each node is an attempt of its own, with its own worker, logs, outputs and reports; `gang` is the
 * attempt of rank 0, which is the one that the task names.  All are made in one transaction, or
 * none.  A node that ended keeps its part of the worker until the last has ended: only then is the
 * task over.  The first node that did not end well says how. */
#include "store/internal.h"

static const char ADD_NODE[] =
    "INSERT INTO attempts (id, job, idx, number, worker, state, reason, budget, next, exit_code,"
    " signal, leased, started, finished, ended, wall_ms, cpu_ms, max_rss, detail, decision, gang,"
    " rank) VALUES (?1,?2,?3,?4,?5,2,0,0,0,-1,0,?6,0,0,0,0,0,0,NULL,?7,?8,?9)";
static const char SET_STATE[] = "UPDATE attempts SET state = ?2, started = ?3 WHERE id = ?1";
static const char SET_NEXT[] = "UPDATE attempts SET budget = ?2, next = ?3 WHERE id = ?1";
static const char COUNT_OPEN[] = "SELECT count(*) FROM attempts WHERE gang = ? AND ended = 0";
static const char COUNT_STARTED[] = "SELECT count(*) FROM attempts WHERE gang = ? AND state > 2";
/* The first that did not succeed; of those that all did, rank 0.  One that was cancelled was told
 * to end because another had failed, or with the whole task. */
static const char DECIDING[] =
    "SELECT id, rank, state, reason, exit_code, signal, detail FROM attempts WHERE gang = ? "
    "ORDER BY CASE state WHEN 6 THEN 2 WHEN 8 THEN 1 ELSE 0 END,"
    " CASE state WHEN 6 THEN rank ELSE ended END, id LIMIT 1";
static const char SUMS[] = "SELECT sum(cpu_ms), max(max_rss), max(finished), count(*) "
                           "FROM attempts WHERE gang = ?";

void node_row_read(sqlite3_stmt *stmt, struct node_row *out)
{
    *out = (struct node_row){
        .job = col_int(stmt, 0),
        .index = col_int(stmt, 1),
        .attempt = col_int(stmt, 2),
        .gang = col_int(stmt, 3),
        .rank = (int)col_int(stmt, 4),
        .worker = col_int(stmt, 5),
        .failed = col_int(stmt, 6) > 0 && col_int(stmt, 7) != TASK_SUCCEEDED,
    };
}

/* ---- leases */

/* 1: one of the workers takes nothing, or the task is elsewhere. */
static int gang_may_start(struct tx *tx, const struct lease *leases, struct tx_job **job,
                          struct tx_task *task, struct err *err)
{
    int rc;

    for (int i = 0; i < leases->nodes; i++) {
        const struct worker_memo *worker;

        rc = tx_worker(tx, leases[i].worker, &worker, err);
        if (rc != 0 || worker->state != WORKER_READY)
            return rc < 0 ? -1 : 1;
    }
    rc = tx_job(tx, leases->job, job, err);
    if (rc == 0)
        rc = tx_task(tx, *job, leases->index, task, err);
    return rc < 0 ? -1 : rc != 0 || task->row.state != TASK_PENDING;
}

static int node_write(struct tx *tx, struct lease *lease, const struct task_row *row,
                      struct err *err)
{
    struct change *change;

    lease->attempt = row->attempt + lease->rank;
    lease->attempt_number = row->attempts;
    change = tx_change(tx, CHANGE_NODE);
    change->added = true;
    change->node = (struct node_row){ .job = row->job,
                                      .index = row->index,
                                      .attempt = lease->attempt,
                                      .gang = row->attempt,
                                      .rank = lease->rank,
                                      .worker = lease->worker };
    return db_run(tx->db, err, ADD_NODE, "iiiiiitii", lease->attempt, row->job, row->index,
                  (int64_t)row->attempts, lease->worker, tx->now_ms, lease->decision, row->attempt,
                  (int64_t)lease->rank);
}

int tx_gang_lease(struct tx *tx, struct lease *leases, struct err *err)
{
    struct task_row *row;
    struct tx_task task;
    struct tx_job *job;
    int rc;

    for (int i = 0; i < leases->nodes; i++)
        leases[i].attempt = leases[i].attempt_number = 0;
    rc = gang_may_start(tx, leases, &job, &task, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    row = &task.row;
    row->attempt = tx->store->next_attempt;
    tx->store->next_attempt += leases->nodes;
    row->attempts++;
    row->worker = leases->worker;
    row->leased_ms = tx->now_ms;
    row->started_ms = row->finished_ms = row->cpu_ms = row->max_rss = 0;
    row->exit_code = -1;
    row->signal = 0;
    row->detail = NULL;
    if (tx_task_move(tx, job, &task, TASK_LEASED, REASON_NONE, err) < 0)
        return -1;
    for (int i = 0; i < leases->nodes; i++)
        if (node_write(tx, &leases[i], row, err) < 0)
            return -1;
    return 0;
}

/* ---- what becomes of them */

int tx_gang_state(struct tx *tx, int64_t gang, enum task_state *out, struct err *err)
{
    int64_t started;

    if (db_int(tx->db, 0, &started, err, COUNT_STARTED, "i", gang) < 0)
        return -1;
    *out = started ? TASK_RUNNING : TASK_LEASED;
    return 0;
}

/* The task runs from the first node's start until the last one's end. */
int tx_node_progress(struct tx *tx, const struct attempt *node, struct tx_job *job,
                     struct tx_task *task, const struct report *report, struct err *err)
{
    int64_t started =
        attempt_started(tx, node, report, node->started_ms ? node->started_ms : tx->now_ms);

    if (node->state >= report->state)
        return 0;
    if (db_run(tx->db, err, SET_STATE, "iii", node->id, (int64_t)report->state, started) < 0)
        return -1;
    if (task->row.state != TASK_LEASED)
        return 0;
    task->row.started_ms = started;
    return tx_task_move(tx, job, task, TASK_RUNNING, REASON_NONE, err);
}

/* How the task ended, in the words of the node that decides it. */
static int gang_report(struct tx *tx, int64_t gang, struct report *out, struct err *err)
{
    own_stmt sqlite3_stmt *first = db_query(tx->db, DECIDING, "i", gang);
    own_stmt sqlite3_stmt *sums = NULL;
    const char *detail;

    if (db_step(tx->db, first, err) <= 0)
        return -1;
    detail = col_text(first, 6);
    *out = (struct report){
        .attempt = col_int(first, 0),
        .state = (enum task_state)col_int(first, 2),
        .reason = (enum reason)col_int(first, 3),
        .exit_code = (int)col_int(first, 4),
        .signal = (int)col_int(first, 5),
    };
    if (detail)
        out->detail =
            arena_printf(&tx->arena, "node %lld: %s", (long long)col_int(first, 1), detail);
    sums = db_query(tx->db, SUMS, "i", gang);
    if (db_step(tx->db, sums, err) <= 0)
        return -1;
    out->cpu_ms = col_int(sums, 0);
    out->max_rss = col_int(sums, 1);
    out->finished_ms = col_int(sums, 2);
    return 0;
}

static int gang_end(struct tx *tx, const struct judge *judge, int64_t gang, struct tx_job *job,
                    struct tx_task *task, struct report *ended, struct err *err)
{
    struct report report;

    if (gang_report(tx, gang, &report, err) < 0)
        return -1;
    if (report.state == TASK_PENDING) /* given back unstarted: nobody's fault */
        report.next = task->row.cancel_asked ? TASK_CANCELLED : TASK_PENDING;
    else if (tx_judge(tx, judge, task, &report, err) < 0)
        return -1;
    if (db_run(tx->db, err, SET_NEXT, "iii", report.attempt, (int64_t)report.budget,
               (int64_t)report.next) < 0)
        return -1;
    ended->next = report.next;
    ended->budget = report.budget;
    ended->not_before_ms = report.not_before_ms;
    return tx_task_end(tx, job, task, &report, err);
}

int tx_node_end(struct tx *tx, const struct judge *judge, const struct attempt *node,
                struct tx_job *job, struct tx_task *task, struct report *report, struct err *err)
{
    int64_t open, finished, started = attempt_started(tx, node, report, node->started_ms);
    struct change *change;

    report->next = TASK_HELD; /* none of its own */
    report->budget = BLAME_NONE;
    if (started && !task->row.started_ms)
        task->row.started_ms = started;
    if (tx_attempt_save_end(tx, node, report, started, &finished, err) < 0 ||
        db_int(tx->db, 0, &open, err, COUNT_OPEN, "i", node->gang) < 0)
        return -1;
    if (open == 0)
        return gang_end(tx, judge, node->gang, job, task, report, err);
    if (report->state == TASK_SUCCEEDED)
        return 0;
    change = tx_change(tx, CHANGE_NODE);
    change->node = (struct node_row){ .job = node->job,
                                      .index = node->index,
                                      .attempt = node->id,
                                      .gang = node->gang,
                                      .rank = node->rank,
                                      .worker = node->worker,
                                      .failed = true };
    return 0;
}
