/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - what the files of the store share; nobody else includes it.
 *
 * A change is a `struct op`: callers fill one and hand it to the writer (writer.c), which applies
 * it inside a transaction (`struct tx`) with the functions below.  An op checks everything before
 * its first write, so that one that is refused leaves nothing behind in the group it shares.  A
 * read takes a connection of its own from the pool (db.c). */
#ifndef SPILLWAY_STORE_INTERNAL_H
#define SPILLWAY_STORE_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/own.h"
#include "store/store.h"

#define HEX_BYTES 65

/* ---- db.c: connections and statements */

struct conn {
    sqlite3 *db;
    struct map statements; /* address of the SQL text -> sqlite3_stmt */
    int trouble;           /* the first unexpected SQLite code since it was last cleared; 0: none */
    struct conn *next;     /* in the pool */
};

struct conn *conn_open(const char *path, bool writer, struct err *err);
void conn_close(struct conn *db);
/* Describes the connection's last fault; remembers it as trouble. */
int db_fault(struct conn *db, struct err *err);
/* A prepared statement with its parameters bound: 'i' int64_t, 't' const char * (NULL: NULL),
 * 'b' const void *, size_t.  Texts are borrowed until the statement ends.  NULL on a fault, which
 * db_step then reports.  One user at a time: the same `sql` again takes it away. */
sqlite3_stmt *db_query(struct conn *db, const char *sql, const char *types, ...);
int db_step(struct conn *db, sqlite3_stmt *stmt, struct err *err); /* 1: a row, 0: the end */
/* To the end; 0 or -1. */
int db_run(struct conn *db, struct err *err, const char *sql, const char *types, ...);
/* The first column of the first row; `otherwise` when there is none. */
int db_int(struct conn *db, int64_t otherwise, int64_t *out, struct err *err, const char *sql,
           const char *types, ...);
/* Several statements in one text, not kept. */
int db_script(struct conn *db, const char *sql, struct err *err);
static inline void db_end_(sqlite3_stmt **slot)
{
    if (*slot)
        sqlite3_reset(*slot);
}
#define own_stmt own(db_end_)

static inline const char *col_text(sqlite3_stmt *stmt, int column)
{
    return (const char *)sqlite3_column_text(stmt, column);
}
static inline int64_t col_int(sqlite3_stmt *stmt, int column)
{
    return sqlite3_column_int64(stmt, column);
}

/* ---- schema.c */

int schema_apply(struct conn *db, const char *path, struct err *err);

/* ---- the store */

struct session { /* of a worker whose agent has joined */
    unsigned char hash[SHA256_BYTES];
    int64_t worker;
    enum worker_state state;
};

struct class
{ /* the writer's memory of a class it met */
    int64_t id, used;
    char key[];
};

struct store {
    char *dir, *path; /* of the database */
    char uuid[37];
    int lock_fd;
    struct store_options options;

    /* the writer's own */
    struct conn *writer_db;
    int64_t next_job, next_attempt, next_worker, next_event, next_token, next_class;
    struct map classes; /* key -> struct class */
    int64_t class_clock, class_floor;
    struct map open_of; /* user -> struct open_count, bounds.c */
    int64_t open_all;   /* tasks that have not ended, of all users */

    pthread_t writer;
    pthread_mutex_t queue_lock; /* guards queue_*, stopping */
    pthread_cond_t queue_filled, queue_drained;
    struct op *queue_head, **queue_tail;
    int64_t queue_length;
    bool stopping;

    int log_pages, log_next; /* the writer's: length of the log; when a checkpoint is next due */
    pthread_t checkpointer;
    struct conn *checkpoint_db;
    pthread_mutex_t checkpoint_lock; /* guards the two below */
    bool checkpoint_due, checkpoint_stops;
    pthread_cond_t checkpoint_called;
    bool checkpoint_runs; /* the thread was started */

    pthread_mutex_t pool_lock; /* guards pool, pool_count */
    struct conn *pool;
    int pool_count;

    pthread_rwlock_t session_lock; /* guards the two maps */
    struct map sessions;           /* first bytes of the hash -> struct session */
    struct map session_of;         /* worker -> struct session */

    /* Finishing an upload holds it shared from the rename to the commit, pruning exclusively from
     * the commit to the unlink: a file whose row was just made is never taken for a leftover. */
    pthread_rwlock_t blob_lock;

    struct log_table *logs;  /* open logs, logs.c */
    struct touches *touches; /* tokens used lately, tokens.c */

    pthread_mutex_t schedules_lock; /* guards on_schedules*, also while it is called */
    void (*on_schedules)(void *arg, int64_t id);
    void *on_schedules_arg;

    pthread_mutex_t operator_lock; /* guards operator_notify */
    char *operator_notify;         /* who is told of what asks for the operator, as JSON */

    pthread_mutex_t stats_lock; /* guards the two below */
    int64_t stats_at_ms;
    struct store_stats stats;

    _Atomic int64_t event_last;
    _Atomic int64_t commits, operations, commit_us_sum, commit_us_max;
};

struct conn *reader_take(struct store *store, struct err *err);
void reader_put(struct store *store, struct conn *db);
/* struct conn of the pool, given back on every return */
struct reader {
    struct store *store;
    struct conn *db;
};
static inline void reader_end_(struct reader *reader)
{
    if (reader->db)
        reader_put(reader->store, reader->db);
}
#define own_reader own(reader_end_)

/* ---- writer.c: ops and the transaction they share */

struct tx_job { /* a job's row, in memory until the group ends */
    struct job_row row;
    int64_t task_rows;       /* tasks that have rows */
    int64_t open;            /* tasks that have not ended, as counted in bounds.c */
    const char *rest_detail; /* one sentence on how the rest ended, or NULL */
    int64_t rest_finished_ms;
    struct index_set set; /* parsed when first needed; size 0: not yet */
    bool dirty;           /* differs from its row */
    bool moved;           /* the rest changed or the job ended: told at the op's end */
    struct tx_job *next_moved;
};

struct tx_task {
    struct task_row row;
    int64_t position;
    enum reason cancel_reason; /* with cancel_asked */
    bool added;                /* has no row yet */
};

struct tx {
    struct store *store;
    struct conn *db;
    int64_t now_ms;
    struct arena arena; /* lives until the changes were delivered */
    struct change *changes;
    size_t change_count, change_room;
    struct map jobs; /* id -> struct tx_job */
    struct tx_job *moved;
    struct open_count *open_changed;
    int64_t opened;                  /* tasks, by this group so far */
    bool events;                     /* rows were added to events */
    int64_t ended[TASK_STATE_COUNT]; /* tasks that ended in this group */
    struct worker_memo {
        int64_t id;
        enum worker_state state;
        const char *name, *site;
    } worker; /* the last one asked for */
};

struct op {
    /* 0 or more: done; -1: refused or failed, nothing was written. */
    int64_t (*apply)(struct tx *tx, struct op *op, struct err *err);
    /* After the commit, before anybody is told; may be NULL. */
    void (*committed)(struct store *store, struct op *op);
    store_done *done;
    void *arg;
    bool on_heap; /* freed by the writer after `done` */
    sem_t ended;  /* without `done` */
    int64_t rc;
    struct err err;
    struct op *next;
};

int writer_start(struct store *store, struct err *err);
void writer_stop(struct store *store);
/* Apply, commit, and return what apply returned. */
int64_t writer_call(struct store *store, struct op *op, struct err *err);
void writer_post(struct store *store, struct op *op);

struct change *tx_change(struct tx *tx, enum change_kind kind);
/* submit.c: a submission as part of another op.  Checked whole before it is written. */
int tx_submit(struct tx *tx, struct submission *submission, struct err *err);
const char *tx_strdup(struct tx *tx, const char *text); /* NULL stays NULL */
void classes_forget(struct store *store);

/* ---- bounds.c: tasks that have not ended, counted */

int bounds_load(struct store *store, struct err *err);
void bounds_free(struct store *store);
void tx_open_add(struct tx *tx, const char *user, int64_t by);
/* The group was committed, or rolled back. */
void tx_open_settle(struct tx *tx, bool committed);
/* FAULT_THROTTLED, or FAULT_INVALID where waiting would not help. */
int tx_open_check(struct tx *tx, const struct submission *submission, struct err *err);

/* ---- checkpoint.c */

int checkpoint_start(struct store *store, struct err *err);
void checkpoint_stop(struct store *store);
void checkpoint_after_commit(struct store *store); /* the writer's */

/* ---- jobs.c, tasks.c: rows and their moves */

#define JOB_COLUMNS                                                                       \
    "j.id, j.class, j.name, j.project, j.user, j.priority, j.submitted, j.deadline, "     \
    "j.not_before, j.finished, j.tasks, j.array_parallel, j.array, j.next_position, "     \
    "j.rest_state, j.rest_reason, j.done, j.succeeded, j.failed, j.cancelled, j.leased, " \
    "j.running, j.task_rows"
#define JOB_COLUMN_COUNT 23
#define JOB_TASK_ROWS    22
void job_row_read(sqlite3_stmt *stmt, struct job_row *out);
void job_row_copy_strings(struct arena *arena, struct job_row *row);

#define TASK_COLUMNS                                                                            \
    "t.job, t.idx, t.position, t.state, t.reason, t.attempt, t.attempts, t.user_retries, "      \
    "t.infra_retries, t.preempt_retries, t.not_before, t.cancel_asked, t.exit_code, t.signal, " \
    "t.worker, t.leased, t.started, t.finished, t.cpu_ms, t.max_rss, t.detail"
#define TASK_COLUMN_COUNT 21
#define TASK_POSITION     2
#define TASK_CANCEL_ASKED 11
#define TASK_DETAIL       20
/* From column `first` on; strings stay the statement's. */
void task_row_read(sqlite3_stmt *stmt, int first, struct task_row *out);
/* With its worker's name and site behind the columns of TASK_COLUMNS. */
#define TASKS_NAMED \
    ", w.name, w.site FROM tasks t LEFT JOIN workers w ON w.id = t.worker WHERE t.job = ?1 "
void task_row_read_named(sqlite3_stmt *stmt, struct task_row *out);
/* What a task without a row looks like. */
void task_row_of_rest(const struct job_row *job, int64_t index, struct task_row *out);

/* 1: no such job. */
int tx_job(struct tx *tx, int64_t id, struct tx_job **out, struct err *err);
/* The row in memory changed; `moved`: its rest, or that it ended. */
void tx_job_touch(struct tx *tx, struct tx_job *job, bool moved);
int tx_jobs_flush(struct tx *tx, struct err *err); /* rows of dirty jobs, at the group's end */
void tx_jobs_tell(struct tx *tx); /* CHANGE_JOB for those that moved, at the op's end */
void tx_jobs_clear(struct tx *tx);
/* load.c: the records that store_load() gives of one job. */
int tx_tell_whole_job(struct tx *tx, struct tx_job *job, struct err *err);
/* Position of an index, or -1. */
int64_t tx_job_position(struct tx_job *job, int64_t index);
int64_t tx_job_rest(const struct tx_job *job); /* tasks without a row */
/* Sets finished when all tasks ended. */
int tx_job_end_maybe(struct tx *tx, struct tx_job *job, struct err *err);

/* The task as it is, with its row or made from the rest (added).  1: no such index. */
int tx_task(struct tx *tx, struct tx_job *job, int64_t index, struct tx_task *out, struct err *err);
/* The one way from state to state.  Counts, ends the job, writes the row, tells of it.  The other
 * fields of `task->row` were set by the caller. */
int tx_task_move(struct tx *tx, struct tx_job *job, struct tx_task *task, enum task_state to,
                 enum reason reason, struct err *err);
/* Write and tell without a move (cancel_asked). */
int tx_task_save(struct tx *tx, struct tx_task *task, struct err *err);
void count_state(struct job_row *job, enum task_state state, int64_t by);

/* ---- attempts.c, gangs.c */

struct attempt { /* as far as a report needs it */
    int64_t id, job, index, worker, ended, leased_ms, started_ms;
    int64_t gang; /* the attempt of rank 0; 0: it is alone */
    int rank;
    enum task_state state;
    enum reason reason;
};
struct judge {        /* what follows an end is the caller's to say */
    store_judge *ask; /* NULL: nothing but the end itself */
    void *arg;
};
/* Fills in what follows the end of a task, of which `report` tells. */
int tx_judge(struct tx *tx, const struct judge *judge, const struct tx_task *task,
             struct report *report, struct err *err);
/* *finished_ms: when it ended, as far as its agent's clock can be believed. */
int tx_attempt_save_end(struct tx *tx, const struct attempt *attempt, const struct report *report,
                        int64_t started_ms, int64_t *finished_ms, struct err *err);
int64_t attempt_started(const struct tx *tx, const struct attempt *attempt,
                        const struct report *report, int64_t otherwise);
/* The task goes where the judged report says. */
int tx_task_end(struct tx *tx, struct tx_job *job, struct tx_task *task,
                const struct report *report, struct err *err);

/* `leases` is the first of leases->nodes; all or none. */
int tx_gang_lease(struct tx *tx, struct lease *leases, struct err *err);
int tx_node_progress(struct tx *tx, const struct attempt *node, struct tx_job *job,
                     struct tx_task *task, const struct report *report, struct err *err);
/* A node has ended; with the last of them the task does. */
int tx_node_end(struct tx *tx, const struct judge *judge, const struct attempt *node,
                struct tx_job *job, struct tx_task *task, struct report *report, struct err *err);
/* What a gang's task is, all its workers being heard. */
int tx_gang_state(struct tx *tx, int64_t gang, enum task_state *out, struct err *err);
/* The nodes of open tasks that hold a worker, or failed: as changes, for load.c. */
#define NODE_COLUMNS "a.job, a.idx, a.id, a.gang, a.rank, a.worker, a.ended, a.state"
void node_row_read(sqlite3_stmt *stmt, struct node_row *out);

/* ---- events.c */

int tx_event(struct tx *tx, const struct event_row *event, struct err *err);
/* `span` jobs from event->job on, submitted together: one row, as many events. */
int tx_event_span(struct tx *tx, const struct event_row *event, int64_t span, struct err *err);
int events_next_id(struct store *store, struct err *err);

/* ---- workers.c */

#define WORKER_COLUMNS                                                                          \
    "w.id, w.name, w.site, w.shape, w.image, w.project, w.state, w.reason, w.detail, w.facts, " \
    "w.class, w.created, w.joined, w.gone, w.absent, w.absent_at"
void worker_row_read(sqlite3_stmt *stmt, struct worker_row *out);
void worker_row_copy_strings(struct arena *arena, struct worker_row *row);
/* SILENT and READY follow each other; other states stay. */
int tx_worker_silent(struct tx *tx, int64_t id, bool silent, struct err *err);
/* Who is this worker?  1: none such.  The answer lives as long as the transaction. */
int tx_worker(struct tx *tx, int64_t id, const struct worker_memo **out, struct err *err);
int sessions_load(struct store *store, struct err *err);
void sessions_free(struct store *store);
void session_set(struct store *store, int64_t worker, const unsigned char *hash,
                 enum worker_state state);

/* ---- blobs.c */

int blobs_open(struct store *store, struct err *err);
/* state/blobs/ab/cdef...; owned by the caller. */
char *blob_path(const struct store *store, const char *sha256);
/* 1: yes, 0: no. */
int blob_is_owned(struct conn *db, const char *owner, const char *sha256, struct err *err);

/* ---- logs.c */

int logs_open(struct store *store, struct err *err);
void logs_close(struct store *store);
char *log_path(const struct store *store, int64_t attempt, int stream);
/* Make what was uploaded of the attempt's logs durable, and forget that they were open.  A log that
 * is not what the agent says loses its hash. */
int logs_settle(struct store *store, struct report *report, struct err *err);
/* The rows of an ended attempt's logs. */
int tx_logs_keep(struct tx *tx, const struct report *report, struct err *err);

/* ---- usage.c */

/* Add what the attempts of a job, up to `last`, used to the sums that outlive them. */
int tx_usage_fold(struct tx *tx, int64_t job, int64_t last, struct err *err);

/* ---- tokens.c */

void tokens_open(struct store *store);
void tokens_close(struct store *store);

/* Strings of a row that must outlive its statement: offsets are turned into pointers at the end,
 * since the buffer may move while it grows. */
struct keeper {
    struct buf *strings;
    const char **slots[24];
    size_t at[24];
    int count;
    bool full;
};
void keep(struct keeper *keeper, const char **slot);
int keep_done(struct keeper *keeper, struct err *err);

#endif
