/* SPDX-License-Identifier: Apache-2.0 */
/* read.c - what people and programs ask about jobs: show, attempts, outcomes.
 *
 * Nothing here costs more for an array of a million tasks than for one of ten, but for the rows
 * that are asked for: tasks without rows are one line, and counts of ended tasks are kept with the
 * job. */
#include "store/internal.h"

static const char GET_TASK[] = "SELECT " TASK_COLUMNS TASKS_NAMED "AND t.idx = ?2";
static const char GET_JOB[] =
    "SELECT " JOB_COLUMNS ", j.rest_detail, j.rest_finished, "
    "coalesce(j.spec, (SELECT s.spec FROM specs s WHERE s.job = j.id)) FROM jobs j WHERE j.id = ?";
static const char GET_SPEC[] =
    "SELECT coalesce(j.spec, (SELECT s.spec FROM specs s WHERE s.job = j.id)), j.user, "
    "j.project FROM jobs j WHERE j.id = ?";
static const char COUNT_OPEN[] = "SELECT state, count(*) FROM tasks WHERE job = ? AND state < 6 "
                                 "GROUP BY state";
#define ATTEMPT_COLUMNS                                                                         \
    "a.id, a.job, a.idx, a.number, a.worker, w.name, w.site, a.state, a.reason, a.budget, "     \
    "a.detail, a.decision, a.exit_code, a.signal, a.leased, a.started, a.finished, a.wall_ms, " \
    "a.cpu_ms, a.max_rss, a.gang, a.rank FROM attempts a LEFT JOIN workers w ON w.id = a.worker "
static const char ATTEMPTS_OF_JOB[] = "SELECT " ATTEMPT_COLUMNS "WHERE a.job = ? "
                                      "ORDER BY a.idx, a.id";
static const char ATTEMPTS_OF_TASK[] = "SELECT " ATTEMPT_COLUMNS "WHERE a.job = ? AND a.idx = ? "
                                       "ORDER BY a.id";
static const char COUNT_NODES[] = "SELECT count(*) FROM attempts WHERE gang > 0 AND gang = ?";
static const char LAST_ATTEMPT[] = "SELECT coalesce(max(id), 0) FROM attempts";
static const char ATTEMPTS_OF_WORKER[] =
    "SELECT " ATTEMPT_COLUMNS "WHERE a.worker = ? AND a.ended = 0 ORDER BY a.id";
static const char ATTEMPT_BY_ID[] = "SELECT " ATTEMPT_COLUMNS "WHERE a.id = ?";

void task_row_read_named(sqlite3_stmt *stmt, struct task_row *out)
{
    task_row_read(stmt, 0, out);
    out->worker_name = col_text(stmt, TASK_COLUMN_COUNT);
    out->site = col_text(stmt, TASK_COLUMN_COUNT + 1);
}

/* ---- one job, one task */

static int counts_read(struct conn *db, const struct job_row *job, int64_t task_rows,
                       int64_t counts[TASK_STATE_COUNT], struct err *err)
{
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc;

    memset(counts, 0, TASK_STATE_COUNT * sizeof *counts);
    counts[TASK_SUCCEEDED] = job->succeeded;
    counts[TASK_FAILED] = job->failed;
    counts[TASK_CANCELLED] = job->cancelled;
    if (!task_state_final(job->rest_state))
        counts[job->rest_state] = job->tasks - task_rows;
    stmt = db_query(db, COUNT_OPEN, "i", job->id);
    while ((rc = db_step(db, stmt, err)) > 0)
        counts[col_int(stmt, 0)] += col_int(stmt, 1);
    return rc;
}

/* The task's row, or what its job says of it.  `rest`: the job's statement, at its row. */
static int task_get(struct conn *db, const struct job_row *job, sqlite3_stmt *rest, int64_t index,
                    struct task_row *out, struct keeper *keeper, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(db, GET_TASK, "ii", job->id, index);
    int rc = db_step(db, stmt, err);

    if (rc < 0)
        return -1;
    if (rc > 0) {
        task_row_read_named(stmt, out);
    } else {
        task_row_of_rest(job, index, out);
        out->detail = col_text(rest, JOB_COLUMN_COUNT);
        out->finished_ms = col_int(rest, JOB_COLUMN_COUNT + 1);
    }
    keep(keeper, &out->worker_name);
    keep(keeper, &out->site);
    keep(keeper, &out->detail);
    return 0;
}

static int job_get(struct conn *db, sqlite3_stmt *stmt, struct job_detail *out,
                   struct keeper *keeper, struct err *err)
{
    *out = (struct job_detail){ 0 };
    job_row_read(stmt, &out->job);
    if (counts_read(db, &out->job, col_int(stmt, JOB_TASK_ROWS), out->counts, err) < 0)
        return -1;
    if (!out->job.array && task_get(db, &out->job, stmt, 0, &out->task, keeper, err) < 0)
        return -1;
    out->spec = col_text(stmt, JOB_COLUMN_COUNT + 2);
    keep(keeper, &out->job.name);
    keep(keeper, &out->job.project);
    keep(keeper, &out->job.user);
    keep(keeper, &out->job.array);
    keep(keeper, &out->spec);
    return 0;
}

int store_job(struct store *store, int64_t id, struct job_detail *out, struct buf *strings,
              struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    struct keeper keeper = { .strings = strings };
    int rc;

    if (!reader.db || db_run(reader.db, err, "BEGIN", "") < 0)
        return -1;
    stmt = db_query(reader.db, GET_JOB, "i", id);
    rc = db_step(reader.db, stmt, err);
    if (rc > 0)
        rc = job_get(reader.db, stmt, out, &keeper, err) < 0 ? -1 : 1;
    db_end_(&stmt);
    stmt = NULL;
    db_run(reader.db, NULL, "ROLLBACK", "");
    if (rc <= 0)
        return rc < 0 ? -1 : 1;
    return keep_done(&keeper, err);
}

int store_spec(struct store *store, int64_t job, struct buf *spec, struct buf *user,
               struct buf *project, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, GET_SPEC, "i", job);
    rc = db_step(reader.db, stmt, err);
    if (rc <= 0)
        return rc < 0 ? -1 : 1;
    if (buf_puts(spec, col_text(stmt, 0)) < 0 || buf_puts(user, col_text(stmt, 1)) < 0 ||
        buf_puts(project, col_text(stmt, 2)) < 0)
        return err_set(err, FAULT_INVALID, "a description is larger than the caller has room for");
    return 0;
}

/* Whether the job has such a task, at a place that exists. */
static bool index_exists(const struct job_row *job, int64_t index)
{
    struct index_set set = { 0 };
    struct err err = ERR_INIT;
    bool found;

    if (!job->array)
        return index == 0;
    found = index_set_parse(job->array, &set, &err) == 0 && index_set_find(&set, index) >= 0;
    index_set_free(&set);
    return found;
}

int store_task(struct store *store, struct target target, struct task_row *out, struct buf *strings,
               struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    struct keeper keeper = { .strings = strings };
    struct job_row job;
    int rc;

    if (!reader.db || db_run(reader.db, err, "BEGIN", "") < 0)
        return -1;
    stmt = db_query(reader.db, GET_JOB, "i", target.job);
    rc = db_step(reader.db, stmt, err);
    if (rc > 0) {
        job_row_read(stmt, &job);
        rc = !index_exists(&job, target.index)                                      ? 0
             : task_get(reader.db, &job, stmt, target.index, out, &keeper, err) < 0 ? -1
                                                                                    : 1;
    }
    db_end_(&stmt);
    stmt = NULL;
    db_run(reader.db, NULL, "ROLLBACK", "");
    if (rc <= 0)
        return rc < 0 ? -1 : 1;
    return keep_done(&keeper, err);
}

static int task_outcome(struct conn *db, sqlite3_stmt *stmt, const struct job_row *job,
                        int64_t index, enum on_outcome *outcome, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct keeper keeper = { .strings = &strings };
    struct task_row task;

    if (!index_exists(job, index))
        return 2;
    if (task_get(db, job, stmt, index, &task, &keeper, err) < 0)
        return -1;
    if (!task_state_final(task.state))
        return 1;
    *outcome = task.state == TASK_SUCCEEDED ? ON_SUCCESS : ON_FAILURE;
    return 0;
}

int store_outcome(struct store *store, struct target target, enum on_outcome *outcome,
                  struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    struct job_row job;
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, GET_JOB, "i", target.job);
    rc = db_step(reader.db, stmt, err);
    if (rc <= 0)
        return rc < 0 ? -1 : 2;
    job_row_read(stmt, &job);
    if (target.index >= 0)
        return task_outcome(reader.db, stmt, &job, target.index, outcome, err);
    if (!job.finished_ms)
        return 1;
    *outcome = job.succeeded == job.tasks ? ON_SUCCESS : ON_FAILURE;
    return 0;
}

/* ---- attempts */

static void attempt_row_read(sqlite3_stmt *stmt, struct attempt_row *out)
{
    *out = (struct attempt_row){
        .id = col_int(stmt, 0),
        .job = col_int(stmt, 1),
        .index = col_int(stmt, 2),
        .number = (int)col_int(stmt, 3),
        .worker = col_int(stmt, 4),
        .worker_name = col_text(stmt, 5),
        .site = col_text(stmt, 6),
        .state = (enum task_state)col_int(stmt, 7),
        .reason = (enum reason)col_int(stmt, 8),
        .budget = (enum blame)col_int(stmt, 9),
        .detail = col_text(stmt, 10),
        .decision = col_text(stmt, 11),
        .exit_code = (int)col_int(stmt, 12),
        .signal = (int)col_int(stmt, 13),
        .leased_ms = col_int(stmt, 14),
        .started_ms = col_int(stmt, 15),
        .finished_ms = col_int(stmt, 16),
        .wall_ms = col_int(stmt, 17),
        .cpu_ms = col_int(stmt, 18),
        .max_rss = col_int(stmt, 19),
        .gang = col_int(stmt, 20),
        .rank = (int)col_int(stmt, 21),
    };
}

static int attempts_give(struct conn *db, sqlite3_stmt *stmt, store_attempt_each *each, void *arg,
                         struct err *err)
{
    struct attempt_row row;
    int rc;

    while ((rc = db_step(db, stmt, err)) > 0) {
        attempt_row_read(stmt, &row);
        if (!each(arg, &row))
            return 0;
    }
    return rc;
}

int store_attempts(struct store *store, struct target target, store_attempt_each *each, void *arg,
                   struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;

    if (!reader.db)
        return -1;
    stmt = target.index < 0 ? db_query(reader.db, ATTEMPTS_OF_JOB, "i", target.job)
                            : db_query(reader.db, ATTEMPTS_OF_TASK, "ii", target.job, target.index);
    return attempts_give(reader.db, stmt, each, arg, err);
}

int store_worker_attempts(struct store *store, int64_t worker, store_attempt_each *each, void *arg,
                          struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, ATTEMPTS_OF_WORKER, "i", worker);
    return attempts_give(reader.db, stmt, each, arg, err);
}

int store_attempt_nodes(struct store *store, int64_t attempt, int64_t *nodes, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };

    return reader.db ? db_int(reader.db, 0, nodes, err, COUNT_NODES, "i", attempt) : -1;
}

int64_t store_attempt_last(struct store *store)
{
    own_reader struct reader reader = { store, reader_take(store, NULL) };
    int64_t last = 0;

    if (!reader.db || db_int(reader.db, 0, &last, NULL, LAST_ATTEMPT, "") < 0)
        return 0;
    return last;
}

int store_attempt(struct store *store, int64_t attempt, struct attempt_row *out,
                  struct buf *strings, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    struct keeper keeper = { .strings = strings };
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, ATTEMPT_BY_ID, "i", attempt);
    rc = db_step(reader.db, stmt, err);
    if (rc <= 0)
        return rc < 0 ? -1 : 1;
    attempt_row_read(stmt, out);
    keep(&keeper, &out->worker_name);
    keep(&keeper, &out->site);
    keep(&keeper, &out->detail);
    keep(&keeper, &out->decision);
    return keep_done(&keeper, err);
}
