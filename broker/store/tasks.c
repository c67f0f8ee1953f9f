/* SPDX-License-Identifier: Apache-2.0 */
/* tasks.c - rows of jobs and tasks inside a transaction, and the one way a task moves.
 *
 * A job's row is read once a group and written back once, however many of its tasks move; all code
 * that runs inside a transaction goes through tx_job() and so sees what the group did before it.
 * Task rows are written at once. */
#include "store/internal.h"

static const char GET_JOB[] = "SELECT " JOB_COLUMNS ", j.rest_detail, j.rest_finished "
                              "FROM jobs j WHERE j.id = ? AND j.pruning = 0";
static const char SET_JOB[] =
    "UPDATE jobs SET finished = ?2, next_position = ?3, task_rows = ?4, rest_state = ?5,"
    " rest_reason = ?6, rest_finished = ?7, rest_detail = ?8, done = ?9, succeeded = ?10,"
    " failed = ?11, cancelled = ?12, leased = ?13, running = ?14 WHERE id = ?1";
static const char GET_TASK[] = "SELECT " TASK_COLUMNS " FROM tasks t WHERE t.job = ? AND t.idx = ?";
static const char ADD_TASK[] =
    "INSERT INTO tasks (job, idx, position, state, reason, attempt, attempts, user_retries,"
    " infra_retries, preempt_retries, not_before, cancel_asked, exit_code, signal, worker, leased,"
    " started, finished, cpu_ms, max_rss, detail)"
    " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21)";
static const char SET_TASK[] =
    "UPDATE tasks SET position = ?3, state = ?4, reason = ?5, attempt = ?6, attempts = ?7,"
    " user_retries = ?8, infra_retries = ?9, preempt_retries = ?10, not_before = ?11,"
    " cancel_asked = ?12, exit_code = ?13, signal = ?14, worker = ?15, leased = ?16,"
    " started = ?17, finished = ?18, cpu_ms = ?19, max_rss = ?20, detail = ?21"
    " WHERE job = ?1 AND idx = ?2";
static const char POSITIONS_AFTER[] = "SELECT position FROM tasks WHERE job = ? AND idx > ? "
                                      "ORDER BY idx";

/* ---- jobs */

void job_row_read(sqlite3_stmt *stmt, struct job_row *out)
{
    *out = (struct job_row){
        .id = col_int(stmt, 0),
        .class_id = col_int(stmt, 1),
        .name = col_text(stmt, 2),
        .project = col_text(stmt, 3),
        .user = col_text(stmt, 4),
        .priority = (int)col_int(stmt, 5),
        .submitted_ms = col_int(stmt, 6),
        .deadline_ms = col_int(stmt, 7),
        .not_before_ms = col_int(stmt, 8),
        .finished_ms = col_int(stmt, 9),
        .tasks = col_int(stmt, 10),
        .array_parallel = col_int(stmt, 11),
        .array = col_text(stmt, 12),
        .next_position = col_int(stmt, 13),
        .rest_state = (enum task_state)col_int(stmt, 14),
        .rest_reason = (enum reason)col_int(stmt, 15),
        .done = col_int(stmt, 16),
        .succeeded = col_int(stmt, 17),
        .failed = col_int(stmt, 18),
        .cancelled = col_int(stmt, 19),
        .leased = col_int(stmt, 20),
        .running = col_int(stmt, 21),
    };
}

void job_row_copy_strings(struct arena *arena, struct job_row *row)
{
    row->name = arena_strdup(arena, row->name);
    row->project = arena_strdup(arena, row->project);
    row->user = arena_strdup(arena, row->user);
    row->array = row->array ? arena_strdup(arena, row->array) : NULL;
}

int tx_job(struct tx *tx, int64_t id, struct tx_job **out, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = NULL;
    struct tx_job *job = id > 0 ? map_get(&tx->jobs, (uint64_t)id) : NULL;
    int rc;

    *out = job;
    if (job)
        return 0;
    stmt = db_query(tx->db, GET_JOB, "i", id);
    rc = db_step(tx->db, stmt, err);
    if (rc <= 0)
        return rc < 0 ? -1 : 1;
    job = arena_alloc(&tx->arena, sizeof *job);
    job_row_read(stmt, &job->row);
    job_row_copy_strings(&tx->arena, &job->row);
    job->task_rows = col_int(stmt, JOB_TASK_ROWS);
    job->open = job->row.tasks - job->row.done;
    job->rest_detail = tx_strdup(tx, col_text(stmt, JOB_COLUMN_COUNT));
    job->rest_finished_ms = col_int(stmt, JOB_COLUMN_COUNT + 1);
    map_put(&tx->jobs, (uint64_t)id, job);
    *out = job;
    return 0;
}

void tx_job_touch(struct tx *tx, struct tx_job *job, bool moved)
{
    job->dirty = true;
    if (!moved || job->moved)
        return;
    job->moved = true;
    job->next_moved = tx->moved;
    tx->moved = job;
}

static int job_save(struct tx *tx, const struct tx_job *job, struct err *err)
{
    const struct job_row *row = &job->row;

    return db_run(tx->db, err, SET_JOB, "iiiiiiitiiiiii", row->id, row->finished_ms,
                  row->next_position, job->task_rows, (int64_t)row->rest_state,
                  (int64_t)row->rest_reason, job->rest_finished_ms, job->rest_detail, row->done,
                  row->succeeded, row->failed, row->cancelled, row->leased, row->running);
}

int tx_jobs_flush(struct tx *tx, struct err *err)
{
    size_t at = 0;
    struct tx_job *job;

    while ((job = map_next(&tx->jobs, &at))) {
        int64_t open = job->row.tasks - job->row.done;

        if (job->dirty && job_save(tx, job, err) < 0)
            return -1;
        tx_open_add(tx, job->row.user, open - job->open);
        job->open = open;
        job->dirty = false;
    }
    return 0;
}

void tx_jobs_tell(struct tx *tx)
{
    struct tx_job *job;

    while ((job = tx->moved)) {
        tx->moved = job->next_moved;
        job->moved = false;
        tx_change(tx, CHANGE_JOB)->job = job->row;
    }
}

void tx_jobs_clear(struct tx *tx)
{
    size_t at = 0;
    struct tx_job *job;

    while ((job = map_next(&tx->jobs, &at)))
        index_set_free(&job->set);
    map_fini(&tx->jobs);
    tx->jobs = (struct map)MAP_INIT;
    tx->moved = NULL;
}

int64_t tx_job_position(struct tx_job *job, int64_t index)
{
    struct err err = ERR_INIT;

    if (!job->row.array)
        return index == 0 ? 0 : -1;
    if (job->set.size == 0 && index_set_parse(job->row.array, &job->set, &err) < 0)
        return -1;
    return index_set_find(&job->set, index);
}

int64_t tx_job_rest(const struct tx_job *job)
{
    return job->row.tasks - job->task_rows;
}

void count_state(struct job_row *job, enum task_state state, int64_t by)
{
    switch (state) {
    case TASK_LEASED:
        job->leased += by;
        break;
    case TASK_RUNNING:
    case TASK_UNREACHABLE:
    case TASK_COMPLETING:
        job->running += by;
        break;
    case TASK_SUCCEEDED:
        job->succeeded += by;
        break;
    case TASK_FAILED:
        job->failed += by;
        break;
    case TASK_CANCELLED:
        job->cancelled += by;
        break;
    default:
        break;
    }
    if (task_state_final(state))
        job->done += by;
}

int tx_job_end_maybe(struct tx *tx, struct tx_job *job, struct err *err)
{
    struct job_row *row = &job->row;
    enum task_state how = row->failed      ? TASK_FAILED
                          : row->cancelled ? TASK_CANCELLED
                                           : TASK_SUCCEEDED;
    struct event_row event = { .kind = "job.ended",
                               .job = row->id,
                               .index = -1,
                               .user = row->user,
                               .project = row->project,
                               .state = task_state_name(how) };

    if (row->done < row->tasks || row->finished_ms)
        return 0;
    row->finished_ms = tx->now_ms;
    tx_job_touch(tx, job, true);
    return tx_event(tx, &event, err);
}

/* ---- tasks */

void task_row_read(sqlite3_stmt *stmt, int first, struct task_row *out)
{
    *out = (struct task_row){
        .job = col_int(stmt, first),
        .index = col_int(stmt, first + 1),
        .state = (enum task_state)col_int(stmt, first + 3),
        .reason = (enum reason)col_int(stmt, first + 4),
        .attempt = col_int(stmt, first + 5),
        .attempts = (int)col_int(stmt, first + 6),
        .user_retries = (int)col_int(stmt, first + 7),
        .infra_retries = (int)col_int(stmt, first + 8),
        .preempt_retries = (int)col_int(stmt, first + 9),
        .not_before_ms = col_int(stmt, first + 10),
        .cancel_asked = col_int(stmt, first + TASK_CANCEL_ASKED) != 0,
        .exit_code = (int)col_int(stmt, first + 12),
        .signal = (int)col_int(stmt, first + 13),
        .worker = col_int(stmt, first + 14),
        .leased_ms = col_int(stmt, first + 15),
        .started_ms = col_int(stmt, first + 16),
        .finished_ms = col_int(stmt, first + 17),
        .cpu_ms = col_int(stmt, first + 18),
        .max_rss = col_int(stmt, first + 19),
        .detail = col_text(stmt, first + TASK_DETAIL),
    };
}

void task_row_of_rest(const struct job_row *job, int64_t index, struct task_row *out)
{
    *out = (struct task_row){
        .job = job->id,
        .index = index,
        .state = job->rest_state,
        .reason = job->rest_reason,
        .not_before_ms = job->not_before_ms,
        .exit_code = -1,
    };
}

int tx_task(struct tx *tx, struct tx_job *job, int64_t index, struct tx_task *out, struct err *err)
{
    const struct job_row *row = &job->row;
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc;

    *out = (struct tx_task){ .position = tx_job_position(job, index), .added = true };
    if (out->position < 0)
        return 1;
    task_row_of_rest(row, index, &out->row);
    if (out->position >= row->next_position && job->task_rows == row->next_position)
        return 0; /* no row lies beyond: not this one either */
    stmt = db_query(tx->db, GET_TASK, "ii", row->id, index);
    rc = db_step(tx->db, stmt, err);
    if (rc < 0)
        return -1;
    if (rc > 0) {
        task_row_read(stmt, 0, &out->row);
        out->row.detail = tx_strdup(tx, out->row.detail);
        out->cancel_reason = (enum reason)col_int(stmt, TASK_CANCEL_ASKED);
        out->added = false;
    }
    return 0;
}

int tx_task_save(struct tx *tx, struct tx_task *task, struct err *err)
{
    const struct task_row *row = &task->row;
    struct change *change;
    int64_t asked = row->cancel_asked ? (int64_t)task->cancel_reason : 0;

    if (db_run(tx->db, err, task->added ? ADD_TASK : SET_TASK, "iiiiiiiiiiiiiiiiiiiit", row->job,
               row->index, task->position, (int64_t)row->state, (int64_t)row->reason, row->attempt,
               (int64_t)row->attempts, (int64_t)row->user_retries, (int64_t)row->infra_retries,
               (int64_t)row->preempt_retries, row->not_before_ms, asked, (int64_t)row->exit_code,
               (int64_t)row->signal, row->worker, row->leased_ms, row->started_ms, row->finished_ms,
               row->cpu_ms, row->max_rss, row->detail) < 0)
        return -1;
    change = tx_change(tx, CHANGE_TASK);
    change->added = task->added;
    change->task = *row;
    change->task.detail = NULL;
    task->added = false;
    return 0;
}

/* A row was made at `position`: the rest may begin further on now, past rows made before. */
static int rest_advance(struct tx *tx, struct tx_job *job, const struct tx_task *task,
                        struct err *err)
{
    struct job_row *row = &job->row;
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc = 0;

    job->task_rows++;
    tx_job_touch(tx, job, true);
    if (task->position != row->next_position)
        return 0;
    row->next_position++;
    if (job->task_rows == row->next_position)
        return 0;
    stmt = db_query(tx->db, POSITIONS_AFTER, "ii", row->id, task->row.index);
    while ((rc = db_step(tx->db, stmt, err)) > 0 && col_int(stmt, 0) == row->next_position)
        row->next_position++;
    return rc < 0 ? -1 : 0;
}

static int task_event(struct tx *tx, const struct tx_job *job, const struct task_row *task,
                      struct err *err)
{
    static const char *const kinds[TASK_STATE_COUNT] = {
        [TASK_HELD] = "task.held",
        [TASK_PENDING] = "task.pending",
        [TASK_LEASED] = "task.leased",
        [TASK_RUNNING] = "task.running",
        [TASK_UNREACHABLE] = "task.unreachable",
        [TASK_SUCCEEDED] = "task.ended",
        [TASK_FAILED] = "task.ended",
        [TASK_CANCELLED] = "task.ended",
    };
    const struct worker_memo *worker = NULL;
    struct event_row event = {
        .kind = kinds[task->state],
        .job = task->job,
        .index = task->index,
        .attempt = task->attempt,
        .worker = task->worker,
        .user = job->row.user,
        .project = job->row.project,
        .state = task_state_name(task->state),
        .reason = task->reason ? reason_name(task->reason) : NULL,
        .detail = task->detail,
    };

    if (!event.kind)
        return 0;
    if (task->worker && tx_worker(tx, task->worker, &worker, err) < 0)
        return -1;
    event.site = worker ? worker->site : NULL;
    return tx_event(tx, &event, err);
}

int tx_task_move(struct tx *tx, struct tx_job *job, struct tx_task *task, enum task_state to,
                 enum reason reason, struct err *err)
{
    enum task_state from = task->row.state;
    bool added = task->added;

    if (!task_state_may(from, to)) {
        tx->db->trouble = SQLITE_MISUSE; /* a defect: the whole op must not happen */
        return err_set(err, FAULT_INTERNAL, "task %lld.%lld cannot go from %s to %s",
                       (long long)task->row.job, (long long)task->row.index, task_state_name(from),
                       task_state_name(to));
    }
    task->row.state = to;
    task->row.reason = reason;
    if (!task_state_final(to))
        task->row.finished_ms = 0;
    else if (!task->row.finished_ms)
        task->row.finished_ms = tx->now_ms;
    count_state(&job->row, from, -1);
    count_state(&job->row, to, 1);
    if (task_state_final(to))
        tx->ended[to]++;
    tx_job_touch(tx, job, false);
    if (tx_task_save(tx, task, err) < 0 || task_event(tx, job, &task->row, err) < 0)
        return -1;
    if (added && rest_advance(tx, job, task, err) < 0)
        return -1;
    return tx_job_end_maybe(tx, job, err);
}
