/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - the durable record of jobs, attempts, workers, blobs and what happened to them.
 *
 * A call that returns 0 has happened, for good; after a fault, nothing has.  Every thread may call:
 * reads use the thread's own connection, changes queue for the one writer, which commits the
 * requests of many callers in one transaction; a blocking form returns once its group is on disk,
 * an _async form calls `done` from the writer's thread then (keep it short, never call a blocking
 * form in it).  Never call while holding a lock.
 *
 * After each commit the writer hands every change made, in order, to the one subscriber
 * (on_changes). At start store_load() gives the same kind of records for all that is unfinished, so
 * that memory is an index over the record and is built by one function.
 *
 * Nothing here knows what a site or a scheduler is; nothing outside broker/store/ knows SQL. */
#ifndef SPILLWAY_STORE_H
#define SPILLWAY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/job.h"
#include "net/hash.h"
#include "spillway/state.h"

struct store;

/* ---- what changed
 * ---------------------------------------------------------------------------------- */

/* Tasks become rows when something happens to them.  The others are the job's "rest": positions
 * from next_position on that have no row.  rest_state is theirs: held, pending, or final when all
 * of them ended together (cancelled, dependency, deadline). */
struct job_row {
    int64_t id, class_id;
    const char *name, *project, *user;
    int priority;
    int64_t submitted_ms, deadline_ms, not_before_ms, finished_ms;
    int64_t tasks;          /* 1 for a plain job */
    int64_t array_parallel; /* 0: no limit */
    const char *array;      /* as written; NULL for a plain job */
    int64_t next_position;  /* all before it have rows */
    enum task_state rest_state;
    enum reason rest_reason;
    int64_t done, succeeded, failed, cancelled; /* tasks ended so far */
    int64_t leased, running; /* tasks now so (running: also unreachable, completing) */
};

struct task_row {
    int64_t job, index; /* index: the array index; 0 for a plain job */
    enum task_state state;
    enum reason reason;
    int64_t attempt; /* id of the current or last attempt; 0: none yet */
    int attempts;    /* made so far */
    int user_retries, infra_retries, preempt_retries; /* used */
    int64_t not_before_ms;
    bool cancel_asked;
    int exit_code; /* -1: did not exit */
    int signal;
    int64_t worker;                 /* of the current or last attempt; 0: none */
    const char *worker_name, *site; /* NULL: none; not set in changes */
    int64_t leased_ms, started_ms, finished_ms, cpu_ms, max_rss;
    const char *detail; /* one sentence, or NULL; not set in changes */
};

struct worker_row {
    int64_t id;
    const char *name, *site, *shape, *image, *project; /* project NULL: any */
    enum worker_state state;
    enum reason reason;         /* of its end */
    const char *detail, *facts; /* facts: JSON of its join, or NULL */
    int64_t class_id;           /* that it was made for; 0: none */
    int64_t created_ms, joined_ms, gone_ms;
    int absent;        /* listings in a row that did not show it since destroy */
    int64_t absent_ms; /* wall time of the first of them */
};

/* One node of a task that runs on several workers at once: an attempt of its own.  The task's row
 * names that of rank 0. */
struct node_row {
    int64_t job, index;
    int64_t attempt, gang; /* gang: the attempt of rank 0 */
    int rank;
    int64_t worker;
    bool failed; /* ended other than well: the others are to end too */
};

struct dependency_row {
    int64_t job, on_job;
    enum on_outcome on;
    bool each;
};

enum change_kind {
    CHANGE_CLASS, /* comes before a job of the class; again with later ones */
    CHANGE_JOB,   /* added, or its rest changed (held, released, cancelled, ...), or it ended */
    CHANGE_DEPENDENCY, /* comes right after its job */
    CHANGE_TASK,       /* a task's row, as it is now */
    CHANGE_WORKER,
    CHANGE_NODE /* after its task: a node of it was leased, or failed */
};
struct change {
    enum change_kind kind;
    bool added; /* new with this commit (or from store_load) */
    union {
        struct {
            int64_t id;
            const char *key;
        } class;
        struct job_row job;
        struct dependency_row dependency;
        struct task_row task;
        struct worker_row worker;
        struct node_row node;
    };
};
/* The records and their strings live until the callback returns.  A large commit comes in several
 * calls; `count` is 0 when a commit only added events.  A job that had ended and is retried comes
 * again as store_load() would give it, all marked `added`. */
typedef void store_changes(void *arg, const struct change *changes, size_t count);

struct store_options {
    const char *dir; /* state directory: holds spillway.db, blobs/, logs/ */
    store_changes *on_changes;
    void *arg;
    int64_t log_most; /* bytes kept of one stream of one attempt */
};

/* Opens, migrates, starts the writer.  A database from a newer version, or one that cannot be read,
 * is refused with words that say what to do. */
int store_open(const struct store_options *options, struct store **out, struct err *err);
/* Commits what is queued, then stops. */
void store_close(struct store *store);
/* All that is unfinished, as changes: workers not gone, classes, jobs in order of id, their
 * dependencies, tasks with rows that are unfinished or lie at or beyond next_position. */
int store_load(struct store *store, store_changes *each, void *arg, struct err *err);
/* The class that jobs with this key have; *id is 0 when there was no such job yet. */
int store_class_find(struct store *store, const char *key, int64_t *id, struct err *err);
/* This broker's UUID, made at the first start. */
const char *store_uuid(const struct store *store);

/* Called from the writer's thread; `err` is set when rc is -1. */
typedef void store_done(void *arg, int rc, const struct err *err);

/* ---- jobs
 * ------------------------------------------------------------------------------------------ */

struct new_job {
    const char *name, *project, *user, *class_key, *spec; /* spec: the description as JSON */
    int priority;
    int64_t tasks, array_parallel, deadline_ms, not_before_ms;
    const char *array;
    bool hold;
    const struct dependency *after; /* by id, or by name of an earlier job of the same submission */
    size_t after_count;
    const char *notify;       /* who is told of its begin and end, as JSON; NULL: nobody */
    const char *const *blobs; /* NULL-terminated SHA-256s its inputs name; must exist for `user` */
    int64_t id;               /* out */
};
/* How many tasks that have not ended there may be with those submitted; -1: any number. */
struct open_most {
    int64_t of_user, of_all;
};
struct submission {
    struct new_job *jobs;
    size_t count;
    const char *user;
    const char *key;    /* Idempotency-Key, or NULL */
    const char *digest; /* of the request, to tell a repeat from another use of the key; with key */
    const struct open_most *most; /* NULL: any number */
    bool repeated;                /* out: the ids are those of an earlier, equal submission */
};
/* All or none.  FAULT_CONFLICT: the key was used for another request.  FAULT_INVALID: an unknown
 * dependency or blob, named, or more tasks than `most` could ever allow; FAULT_THROTTLED: more than
 * it allows now.  Everything pointed to lives until `done`. */
int store_submit(struct store *store, struct submission *submission, struct err *err);
void store_submit_async(struct store *store, struct submission *submission, store_done *done,
                        void *arg);
/* Whether its key was used already; if so, the ids are filled in and `repeated` is set.
 * FAULT_CONFLICT as above. */
int store_submission_find(struct store *store, struct submission *submission, struct err *err);

/* What to change: a whole job (index < 0) or one task. */
struct target {
    int64_t job, index;
};
/* Ends what has not started; asks for the end of what runs (the change carries cancel_asked).  Each
 * returns the number of tasks it touched, or -1.  `reason`: REASON_CANCELLED, _DEADLINE,
 * _DEPENDENCY, _NO_SITE; with the last two what is pending fails, with the first two it is
 * cancelled. */
int64_t store_cancel(struct store *store, struct target target, enum reason reason,
                     const char *detail, struct err *err);
int64_t store_hold(struct store *store, struct target target, struct err *err);
int64_t store_release(struct store *store, struct target target, struct err *err);
/* Ended tasks (failed, cancelled) run again, with fresh budgets. */
int64_t store_retry(struct store *store, struct target target, struct err *err);

/* ---- attempts
 * -------------------------------------------------------------------------------------- */

struct lease {
    int64_t job, index, worker;
    const char *decision; /* JSON: why there, with the figures; or NULL */
    int nodes, rank;   /* of a gang: as many leases in a row, rank 0 first, all or none; 0: alone */
    const char *hosts; /* of its nodes, as JSON for the agents; the store only carries it */
    int64_t attempt;   /* out; 0: refused, the task is no longer pending or the worker takes none */
    int attempt_number; /* out */
    bool refused;       /* its worker will not come: the attempt is made to be ended at once */
};
/* Bind pending tasks to workers.  0 also when some were refused. */
int store_lease(struct store *store, struct lease *leases, size_t count, struct err *err);

struct output_row {
    const char *path, *sha256;
    int64_t size;
    int mode;
};
struct log_row {
    int64_t size, cut;
    const char *sha256; /* "" while it grows */
    const void *data;   /* set when kept in the database: up to WIRE_LOG_INLINE bytes */
};
/* An agent's word on one attempt. */
struct report {
    int64_t attempt;
    enum task_state
        state; /* RUNNING, COMPLETING; PENDING: given back unstarted; a final state: ended */
    enum reason reason;
    const char *detail;
    int exit_code, signal;
    int64_t started_ms, finished_ms, wall_ms, cpu_ms, max_rss;
    struct log_row logs[2]; /* stdout, stderr */
    const struct output_row *outputs;
    size_t output_count;
    /* what follows an end, decided by the caller (broker/attempts.c): the task's next state and
     * reason; `budget` is the one charged */
    enum task_state next;
    enum blame budget;
    int64_t not_before_ms;
    bool settled; /* out: may be forgotten by the agent */
    bool stale;   /* out: the attempt was not current, or already ended; nothing changed */
};
/* A node of a gang ends by itself, its task when the last of them has: well if all did, else as the
 * first that did not.
 *
 * Reports of one worker's attempts, in order.  An attempt of another worker is stale.  The callback
 * `judge` is called from the writer's thread for each final report that is current, with the task's
 * row and the retry budgets of its job, and fills next, budget, not_before_ms. */
typedef void store_judge(void *arg, const struct task_row *task, const char *spec,
                         struct report *report);
void store_report_async(struct store *store, int64_t worker, struct report *reports, size_t count,
                        store_judge *judge, void *arg, store_done *done, void *done_arg);
int store_report(struct store *store, int64_t worker, struct report *reports, size_t count,
                 store_judge *judge, void *arg, struct err *err);
/* The worker is silent, or is heard again: its leased, running and completing tasks become
 * unreachable, or go back to what they were; a READY worker becomes SILENT, and back. */
int store_worker_silent(struct store *store, int64_t worker, bool silent, struct err *err);
/* The worker is lost for good (or preempted): all its attempts end for `reason`; `judge` as above.
 */
int store_worker_lost(struct store *store, int64_t worker, enum reason reason, const char *detail,
                      store_judge *judge, void *arg, struct err *err);

struct attempt_row {
    int64_t id, job, index;
    int number;
    int64_t worker;
    int64_t gang; /* the attempt of rank 0; 0: it is alone */
    int rank;
    const char *worker_name, *site;
    enum task_state state; /* leased, running, ..., or how it ended */
    enum reason reason;
    enum blame budget;
    const char *detail, *decision;
    int exit_code, signal;
    int64_t leased_ms, started_ms, finished_ms, wall_ms, cpu_ms, max_rss;
};
/* Row callbacks return true to go on. */
typedef bool store_attempt_each(void *arg, const struct attempt_row *row);
int store_attempts(struct store *store, struct target target, store_attempt_each *each, void *arg,
                   struct err *err);
/* 1: none such. */
int store_attempt(struct store *store, int64_t attempt, struct attempt_row *out,
                  struct buf *strings, struct err *err);
/* How many nodes the attempt has, which is that of rank 0; 0: it is alone. */
int store_attempt_nodes(struct store *store, int64_t attempt, int64_t *nodes, struct err *err);
/* The largest id given so far; 0: none, or it cannot be read. */
int64_t store_attempt_last(struct store *store);
/* Attempts now bound to a worker, current ones only. */
int store_worker_attempts(struct store *store, int64_t worker, store_attempt_each *each, void *arg,
                          struct err *err);

/* ---- reading jobs
 * ---------------------------------------------------------------------------------- */

/* One line of `ls`: a task with a row, or the rest of an array as a whole. */
struct ls_row {
    struct job_row job;
    struct task_row task; /* of a rest: state, reason, the submission's times */
    int64_t first, count; /* of a rest: position of its first task, and how many; count 1: a task */
};
struct ls_filter {
    bool all;                          /* ended ones too */
    unsigned states;                   /* bit set of enum task_state; 0: any */
    const char *name, *project, *user; /* NULL: any */
    const char *const *projects; /* with `user`: also jobs of these projects; NULL-terminated */
    int64_t job;                 /* 0: any */
    int64_t limit;
    bool newest_first;
    const char *cursor; /* of an earlier answer, or NULL; it is a place, good for both orders */
};
typedef bool store_ls_each(void *arg, const struct ls_row *row);
/* Newest jobs last, or all of that backwards.  `cursor` gets the place to go on from, empty at the
 * end. */
int store_ls(struct store *store, const struct ls_filter *filter, store_ls_each *each, void *arg,
             struct buf *cursor, struct err *err);

struct job_detail {
    struct job_row job;
    const char *spec;
    int64_t counts[TASK_STATE_COUNT];
    struct task_row task; /* of a plain job */
};
/* 1: no such job.  Strings are put in `strings`, which is empty before and must outlive *out: as with
 * all that follow, it serves one row. */
int store_job(struct store *store, int64_t id, struct job_detail *out, struct buf *strings,
              struct err *err);
/* One task, with or without a row.  1: no such task. */
int store_task(struct store *store, struct target target, struct task_row *out, struct buf *strings,
               struct err *err);
/* The description alone, as submitted, with the job's user and project: the light read that a lease
 * needs.  1: no such job. */
int store_spec(struct store *store, int64_t job, struct buf *spec, struct buf *user,
               struct buf *project, struct err *err);
typedef bool store_dependency_each(void *arg, const struct dependency_row *row);
int store_dependencies(struct store *store, int64_t job, store_dependency_each *each, void *arg,
                       struct err *err);
/* How an ended job ended, for dependencies on it: *outcome is ON_SUCCESS or ON_FAILURE; 1: not
 * ended; 2: no such job.  index >= 0: of that task. */
int store_outcome(struct store *store, struct target target, enum on_outcome *outcome,
                  struct err *err);

/* ---- workers
 * --------------------------------------------------------------------------------------- */

struct new_worker {
    const char *site, *shape, *image, *project;
    int64_t class_id;
    unsigned char join_hash[SHA256_BYTES]; /* of the one-time token */
    const char *decision;                  /* JSON, or NULL */
    const char *name_stem;                 /* the name becomes STEM-ID */
    int64_t id;                            /* out */
    char name[96];                         /* out */
};
int store_worker_add(struct store *store, struct new_worker *worker, struct err *err);
struct join {
    const char *worker, *facts, *nonce;
    unsigned char token_hash[SHA256_BYTES], session_hash[SHA256_BYTES];
    int64_t id; /* out */
};
/* FAULT_AUTH: no such worker, wrong or used token.  A repeat with the same nonce within
 * WIRE_JOIN_AGAIN_MS is allowed. */
int store_worker_join(struct store *store, struct join *join, struct err *err);
/* Whose session is this?  Worker id and state; FAULT_AUTH: no one's. */
int store_worker_session(struct store *store, const unsigned char hash[SHA256_BYTES], int64_t *id,
                         enum worker_state *state, struct err *err);
/* Whose join token is this, that was not used yet?  It is not used up.  FAULT_AUTH: no one's. */
int store_worker_join_token(struct store *store, const unsigned char hash[SHA256_BYTES],
                            int64_t *id, struct err *err);
int store_worker_set(struct store *store, int64_t id, enum worker_state state, enum reason reason,
                     const char *detail, struct err *err);
/* A listing taken at `at_ms` did not show the worker (destroying ones).  Two such, `apart_ms`
 * apart, make it GONE. */
int store_worker_absent(struct store *store, int64_t id, int64_t at_ms, int64_t apart_ms,
                        struct err *err);
typedef bool store_worker_each(void *arg, const struct worker_row *row);
/* site NULL: all sites.  Gone ones only with `all`, newest first, at most `limit`. */
int store_workers(struct store *store, const char *site, bool all, int64_t limit,
                  store_worker_each *each, void *arg, struct err *err);
/* 1: none such. */
int store_worker_find(struct store *store, const char *name, struct worker_row *out,
                      struct buf *strings, struct err *err);

/* ---- sites: the operator's switches, and what was learnt
 * ------------------------------------------------ */

int store_site_set(struct store *store, const char *site, const char *mode,
                   struct err *err); /* "enabled" "disabled" "draining" */
typedef bool store_pair_each(void *arg, const char *key, const char *value);
int store_site_modes(struct store *store, store_pair_each *each, void *arg, struct err *err);
/* Small figures kept under a key ("boot/scigne/debian-12/g1.v100"): JSON values. */
int store_learned_put(struct store *store, const char *key, const char *value, struct err *err);
int store_learned(struct store *store, const char *prefix, store_pair_each *each, void *arg,
                  struct err *err);

/* ---- blobs, logs, outputs
 * ------------------------------------------------------------------------------ */

/* A file on its way in, by hash.  Resumable by offset under the same key (an upload is private to
 * its `owner`: a user's name, or "attempt:ID").  Not the writer's: only finishing is a commit. */
struct upload {
    const char *owner, *sha256;
    int64_t size; /* in all */
};
/* How much is here already; size when the blob exists and `owner` has it. */
int store_upload_offset(struct store *store, const struct upload *upload, int64_t *offset,
                        struct err *err);
/* Append at `offset` (FAULT_CONFLICT with the true offset in *offset when it differs). */
int store_upload_put(struct store *store, const struct upload *upload, int64_t *offset,
                     const void *data, size_t length, struct err *err);
/* All there: check size and hash, keep as a blob, fsynced, owned by `owner`.  FAULT_INVALID: they
 * disagree, the upload is dropped.  Also for content that the store has already, when `owner` sent
 * it all. */
int store_upload_finish(struct store *store, const struct upload *upload, struct err *err);
bool store_blob_owned(struct store *store, const char *owner, const char *sha256);
/* Open for reading: a descriptor, or -1.  Who may is the caller's question. */
int store_blob_open(struct store *store, const char *sha256, int64_t *size, struct err *err);

/* The job's tasks also read these blobs (NULL-terminated), which an earlier job has left. */
int store_job_needs(struct store *store, int64_t job, char *const *blobs, struct err *err);
/* 0: a current attempt of the worker reads the blob; 1: none does. */
int store_worker_needs(struct store *store, int64_t worker, const char *sha256, struct err *err);

/* Logs of an attempt that are too large to come with its report. */
int store_log_append(struct store *store, int64_t attempt, int stream, int64_t *offset,
                     const void *data, size_t length, struct err *err);
/* Bytes from `offset` on, at most `most`; *size is all there is now, *cut what was not kept, *ended
 * whether more can come. */
int store_log_read(struct store *store, int64_t attempt, int stream, int64_t offset, size_t most,
                   struct buf *out, int64_t *size, int64_t *cut, bool *ended, struct err *err);
typedef bool store_output_each(void *arg, const struct output_row *row);
/* Those of a gang's nodes bear their node's name: "node-1/PATH". */
int store_outputs(struct store *store, int64_t attempt, store_output_each *each, void *arg,
                  struct err *err);

/* ---- tokens
 * -------------------------------------------------------------------------------------------- */

enum role { ROLE_NONE, ROLE_USER, ROLE_OPERATOR, ROLE_ADMIN };
struct token_row {
    int64_t id;
    const char *name, *user, *projects; /* projects: comma-separated, or "" */
    enum role role;
    int64_t created_ms, expires_ms, revoked_ms, used_ms; /* 0: never */
};
int store_token_add(struct store *store, const struct token_row *token,
                    const unsigned char hash[SHA256_BYTES], int64_t *id, struct err *err);
/* FAULT_AUTH: unknown, expired or revoked (the words say which). */
int store_token_find(struct store *store, const unsigned char hash[SHA256_BYTES],
                     struct token_row *out, struct buf *strings, struct err *err);
int store_token_revoke(struct store *store, int64_t id, struct err *err);
typedef bool store_token_each(void *arg, const struct token_row *row);
int store_tokens(struct store *store, store_token_each *each, void *arg, struct err *err);

/* ---- events: what happened, in order
 * ------------------------------------------------------------------- */

struct event_row {
    int64_t id, at_ms, job, index, attempt, worker; /* index -1, others 0: not about one */
    const char *kind; /* "job.submitted" "task.leased" "task.running" "task.ended" "worker.joined"
                         "site.fault" ... */
    const char *user, *project, *site, *state, *reason, *detail; /* NULL: none */
};
int store_event_add(struct store *store, const struct event_row *event, struct err *err);
struct event_filter {
    int64_t after;    /* ids above this */
    int64_t job;      /* 0: any */
    const char *user; /* NULL: any; with `projects` as in ls_filter */
    const char *const *projects;
    int64_t limit;
};
typedef bool store_event_each(void *arg, const struct event_row *row);
int store_events(struct store *store, const struct event_filter *filter, store_event_each *each,
                 void *arg, struct err *err);
int64_t store_event_last(struct store *store);

/* ---- accounting and care
 * ------------------------------------------------------------------------------- */

struct usage_row {
    const char *project, *user, *site;
    int64_t tasks, succeeded, failed, cancelled;
    int64_t wall_ms, cpu_ms, cpu_wall_ms,
        gpu_wall_ms; /* cpu_wall: wall time times cpus asked for */
};
typedef bool store_usage_each(void *arg, const struct usage_row *row);
/* Attempts that ended in [from, to). */
int store_usage(struct store *store, int64_t from_ms, int64_t to_ms, store_usage_each *each,
                void *arg, struct err *err);

struct retention {
    int64_t jobs_ms, logs_ms, blobs_ms, events_ms; /* age since the end; 0: keep for ever */
};
struct pruned {
    int64_t jobs, logs, blobs, events, bytes;
};
/* In slices, so that the writer is never held for long.  What went is an event. */
int store_prune(struct store *store, const struct retention *rule, int64_t now_ms,
                struct pruned *out, struct err *err);

struct store_stats {
    int64_t jobs, open_jobs, tasks, attempts, workers, blobs, db_bytes, wal_bytes;
    int64_t commits, operations, queue; /* since start */
    int64_t commit_us_sum, commit_us_max;
    int64_t ended[TASK_STATE_COUNT]; /* tasks ended since the database was made */
};
int store_stats(struct store *store, struct store_stats *out, struct err *err);
/* SQLite's integrity_check, foreign_key_check, and that counters agree with rows and blobs with
 * files; one line a finding is put in `report`; returns their number, or -1.  Repairs nothing. */
int64_t store_check(struct store *store, struct buf *report, struct err *err);
/* A consistent copy while all goes on (SQLite's backup API); `path` must not exist. */
int store_backup(struct store *store, const char *path, struct err *err);

#endif
