/* SPDX-License-Identifier: Apache-2.0 */
/* submit.c - new jobs, all or none, and the keys that make a submission safe to repeat.
 *
 * Ids of one submission follow each other, so a repeat is answered from the first id and a count,
 * and its events are one row. */
#include "store/notices_tx.h"

#define SPEC_INLINE  2048 /* larger descriptions go to a table of their own */
#define CLASSES_KEPT 20000

static const char FIND_KEY[] = "SELECT first_job, jobs, digest FROM submissions "
                               "WHERE user = ? AND key = ?";
static const char ADD_KEY[] = "INSERT INTO submissions (user, key, first_job, jobs, at, digest) "
                              "VALUES (?,?,?,?,?,?)";
static const char FIND_CLASS[] = "SELECT id FROM classes WHERE key = ?";
static const char ADD_CLASS[] = "INSERT INTO classes (id, cpus, gpus, key) VALUES (?,?,?,?)";
static const char ADD_JOB[] =
    "INSERT INTO jobs (id, class, priority, submitted, deadline, not_before, finished, tasks,"
    " array_parallel, next_position, task_rows, rest_state, rest_reason, rest_finished, done,"
    " succeeded, failed, cancelled, leased, running, pruning, name, project, user, array, "
    "rest_detail, spec)"
    " VALUES (?1,?2,?3,?4,?5,?6,0,?7,?8,0,0,?9,?10,0,0,0,0,0,0,0,0,?11,?12,?13,?14,NULL,?15)";
static const char ADD_SPEC[] = "INSERT INTO specs (job, spec) VALUES (?, ?)";
static const char ADD_DEPENDENCY[] = "INSERT OR IGNORE INTO dependencies "
                                     "(job, on_job, outcome, each_task) VALUES (?,?,?,?)";
static const char ADD_JOB_BLOB[] = "INSERT OR IGNORE INTO job_blobs (job, sha256) VALUES (?, ?)";
static const char FIND_TASKS[] = "SELECT tasks, array FROM jobs WHERE id = ?";

struct submit_op {
    struct op op;
    struct submission *submission;
    int64_t *on_job; /* ids of all dependencies, in order; in the transaction's arena */
};

/* ---- checks, before anything is written */

/* 1: a repeat, answered. */
static int key_check(struct conn *db, struct submission *submission, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc;

    submission->repeated = false;
    if (!submission->key)
        return 0;
    stmt = db_query(db, FIND_KEY, "tt", submission->user, submission->key);
    rc = db_step(db, stmt, err);
    if (rc <= 0)
        return rc;
    if (strcmp(col_text(stmt, 2), submission->digest) != 0 ||
        col_int(stmt, 1) != (int64_t)submission->count)
        return err_set(err, FAULT_CONFLICT,
                       "the idempotency key '%s' was used for another submission (job %lld); use a "
                       "new key",
                       submission->key, (long long)col_int(stmt, 0));
    for (size_t i = 0; i < submission->count; i++)
        submission->jobs[i].id = col_int(stmt, 0) + (int64_t)i;
    submission->repeated = true;
    return 1;
}

static bool same_indices(int64_t tasks, const char *array, const struct new_job *job)
{
    struct index_set a = { 0 }, b = { 0 };
    struct err err = ERR_INIT;
    bool same = true;

    if (tasks != job->tasks || !array != !job->array)
        return false;
    if (!array || strcmp(array, job->array) == 0)
        return true;
    if (index_set_parse(array, &a, &err) < 0 || index_set_parse(job->array, &b, &err) < 0)
        same = false;
    for (int64_t i = 0; same && i < tasks; i++)
        same = index_set_nth(&a, i) == index_set_nth(&b, i);
    index_set_free(&a);
    index_set_free(&b);
    return same;
}

static int each_check(const struct new_job *job, int64_t tasks, const char *array, struct err *err)
{
    if (same_indices(tasks, array, job))
        return 0;
    return err_set(err, FAULT_INVALID,
                   "job '%s' waits task by task for a job whose array has other indices; give both "
                   "the same array, or wait for the whole job",
                   job->name);
}

/* A job of the record. */
static int old_dependency_check(struct tx *tx, const struct new_job *job,
                                const struct dependency *after, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(tx->db, FIND_TASKS, "i", after->job);
    int rc = db_step(tx->db, stmt, err);

    if (rc < 0)
        return -1;
    if (rc == 0)
        return err_set(err, FAULT_INVALID, "job '%s' waits for job %lld, which does not exist",
                       job->name, (long long)after->job);
    return after->each ? each_check(job, col_int(stmt, 0), col_text(stmt, 1), err) : 0;
}

static int dependency_check(struct tx *tx, const struct submission *submission, struct map *names,
                            const struct new_job *job, const struct dependency *after,
                            int64_t *on_job, struct err *err)
{
    const struct new_job *earlier;

    if (after->job > 0) {
        *on_job = after->job;
        return old_dependency_check(tx, job, after, err);
    }
    earlier = after->name ? map_get_str(names, after->name) : NULL;
    if (!earlier)
        return err_set(err, FAULT_INVALID,
                       "job '%s' waits for '%s', which is no earlier job of the same submission",
                       job->name, after->name ? after->name : "");
    *on_job = tx->store->next_job + (earlier - submission->jobs);
    return after->each ? each_check(job, earlier->tasks, earlier->array, err) : 0;
}

static int blobs_check(struct tx *tx, const struct new_job *job, struct err *err)
{
    for (size_t i = 0; job->blobs && job->blobs[i]; i++) {
        int rc = blob_is_owned(tx->db, job->user, job->blobs[i], err);

        if (rc < 0)
            return -1;
        if (rc == 0)
            return err_set(err, FAULT_INVALID,
                           "job '%s' has an input of content %s, which %s has not uploaded",
                           job->name, job->blobs[i], job->user);
    }
    return 0;
}

static int jobs_check(struct tx *tx, struct submit_op *submit, struct map *names, struct err *err)
{
    struct submission *submission = submit->submission;
    size_t total = 0;
    int64_t *on_job;

    for (size_t i = 0; i < submission->count; i++)
        total += submission->jobs[i].after_count;
    on_job = arena_alloc(&tx->arena, (total + 1) * sizeof *on_job);
    submit->on_job = on_job;
    for (size_t i = 0; i < submission->count; i++) {
        struct new_job *job = &submission->jobs[i];

        if (job->tasks < 1 || job->tasks > JOB_TASKS_MOST || (!job->array && job->tasks != 1))
            return err_set(err, FAULT_INVALID, "job '%s': an array has 1 to %d tasks", job->name,
                           JOB_TASKS_MOST);
        for (size_t k = 0; k < job->after_count; k++)
            if (dependency_check(tx, submission, names, job, &job->after[k], on_job++, err) < 0)
                return -1;
        if (blobs_check(tx, job, err) < 0)
            return -1;
        if (total) /* only then does anybody ask for names */
            map_put_str(names, job->name, job);
    }
    return 0;
}

/* ---- writing */

static void class_figures(const char *key, int64_t *cpus, int64_t *gpus)
{
    struct job_spec spec = { 0 };
    struct err err = ERR_INIT;
    char *project = NULL, *user = NULL;

    *cpus = 1;
    *gpus = 0;
    if (job_class_parse(key, &spec, &project, &user, &err) < 0)
        return;
    if (spec.option_count) {
        *cpus = spec.options[0].cpus.least;
        *gpus = spec.options[0].gpus;
    }
    job_spec_free(&spec);
    free(project);
    free(user);
}

static int class_find_or_add(struct tx *tx, const char *key, int64_t *id, struct err *err)
{
    int64_t cpus, gpus;

    if (db_int(tx->db, 0, id, err, FIND_CLASS, "t", key) < 0)
        return -1;
    if (*id)
        return 0;
    class_figures(key, &cpus, &gpus);
    *id = tx->store->next_class++;
    return db_run(tx->db, err, ADD_CLASS, "iiit", *id, cpus, gpus, key);
}

int store_class_find(struct store *store, const char *key, int64_t *id, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };

    return reader.db ? db_int(reader.db, 0, id, err, FIND_CLASS, "t", key) : -1;
}

static int class_of(struct tx *tx, const char *key, int64_t *id, struct err *err)
{
    struct store *store = tx->store;
    struct class *class = map_get_str(&store->classes, key);

    if (!class) {
        if (class_find_or_add(tx, key, id, err) < 0)
            return -1;
        if (store->classes.count >= CLASSES_KEPT)
            classes_forget(store);
        class = xmalloc(sizeof *class + strlen(key) + 1);
        class->id = *id;
        memcpy(class->key, key, strlen(key) + 1);
        map_put_str(&store->classes, class->key, class);
    }
    class->used = ++store->class_clock;
    *id = class->id;
    return 0;
}

static void job_tell(struct tx *tx, const struct new_job *job, int64_t class_id)
{
    struct change *change = tx_change(tx, CHANGE_JOB);

    change->added = true;
    change->job = (struct job_row){
        .id = job->id,
        .class_id = class_id,
        .name = job->name,
        .project = job->project,
        .user = job->user,
        .priority = job->priority,
        .submitted_ms = tx->now_ms,
        .deadline_ms = job->deadline_ms,
        .not_before_ms = job->not_before_ms,
        .tasks = job->tasks,
        .array_parallel = job->array_parallel,
        .array = job->array,
        .rest_state = job->hold ? TASK_HELD : TASK_PENDING,
        .rest_reason = job->hold ? REASON_HELD : REASON_NONE,
    };
}

static int links_add(struct tx *tx, const struct new_job *job, const int64_t *on_job,
                     struct err *err)
{
    for (size_t i = 0; i < job->after_count; i++) {
        const struct dependency *after = &job->after[i];
        struct change *change;

        if (db_run(tx->db, err, ADD_DEPENDENCY, "iiii", job->id, on_job[i], (int64_t)after->on,
                   (int64_t)after->each) < 0)
            return -1;
        change = tx_change(tx, CHANGE_DEPENDENCY);
        change->added = true;
        change->dependency = (struct dependency_row){
            .job = job->id, .on_job = on_job[i], .on = after->on, .each = after->each
        };
    }
    for (size_t i = 0; job->blobs && job->blobs[i]; i++)
        if (db_run(tx->db, err, ADD_JOB_BLOB, "it", job->id, job->blobs[i]) < 0)
            return -1;
    return 0;
}

static int job_add(struct tx *tx, struct new_job *job, int64_t class_id, const int64_t *on_job,
                   struct err *err)
{
    bool is_large = strlen(job->spec) > SPEC_INLINE;

    job->id = tx->store->next_job++;
    if (db_run(tx->db, err, ADD_JOB, "iiiiiiiiiittttt", job->id, class_id, (int64_t)job->priority,
               tx->now_ms, job->deadline_ms, job->not_before_ms, job->tasks, job->array_parallel,
               (int64_t)(job->hold ? TASK_HELD : TASK_PENDING),
               (int64_t)(job->hold ? REASON_HELD : REASON_NONE), job->name, job->project, job->user,
               job->array, is_large ? NULL : job->spec) < 0)
        return -1;
    if (is_large && db_run(tx->db, err, ADD_SPEC, "it", job->id, job->spec) < 0)
        return -1;
    if (tx_watch(tx, job->id, job->notify, err) < 0)
        return -1;
    tx_open_add(tx, job->user, job->tasks);
    job_tell(tx, job, class_id);
    return links_add(tx, job, on_job, err);
}

static int jobs_add(struct tx *tx, struct submit_op *submit, struct err *err)
{
    struct submission *submission = submit->submission;
    const int64_t *on_job = submit->on_job;
    const char *told = NULL;
    int64_t class_id = 0;

    for (size_t i = 0; i < submission->count; i++) {
        struct new_job *job = &submission->jobs[i];

        if (!told || strcmp(told, job->class_key) != 0) {
            struct change *change;

            if (class_of(tx, job->class_key, &class_id, err) < 0)
                return -1;
            change = tx_change(tx, CHANGE_CLASS);
            change->added = true;
            change->class.id = class_id;
            change->class.key = told = job->class_key;
        }
        if (job_add(tx, job, class_id, on_job, err) < 0)
            return -1;
        on_job += job->after_count;
    }
    return 0;
}

/* Runs of jobs of the same project share one row of events. */
static int events_add(struct tx *tx, const struct submission *submission, struct err *err)
{
    for (size_t i = 0, n; i < submission->count; i += n) {
        const struct new_job *job = &submission->jobs[i];
        struct event_row event = { .kind = "job.submitted",
                                   .job = job->id,
                                   .index = -1,
                                   .user = job->user,
                                   .project = job->project };

        for (n = 1; i + n < submission->count; n++)
            if (strcmp(job[n].project, job->project) != 0 || strcmp(job[n].user, job->user) != 0)
                break;
        if (tx_event_span(tx, &event, (int64_t)n, err) < 0)
            return -1;
    }
    return 0;
}

static int64_t submit_apply(struct tx *tx, struct op *op, struct err *err)
{
    struct submit_op *submit = (struct submit_op *)op;
    struct submission *submission = submit->submission;
    struct map names = MAP_INIT_STR;
    int rc = key_check(tx->db, submission, err);

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    rc = jobs_check(tx, submit, &names, err);
    map_fini(&names);
    if (rc < 0 || tx_open_check(tx, submission, err) < 0 || jobs_add(tx, submit, err) < 0 ||
        events_add(tx, submission, err) < 0)
        return -1;
    if (!submission->key)
        return 0;
    return db_run(tx->db, err, ADD_KEY, "ttiiit", submission->user, submission->key,
                  submission->count ? submission->jobs[0].id : 0, (int64_t)submission->count,
                  tx->now_ms, submission->digest);
}

int tx_submit(struct tx *tx, struct submission *submission, struct err *err)
{
    struct submit_op submit = { .submission = submission };

    return (int)submit_apply(tx, &submit.op, err);
}

int store_submit(struct store *store, struct submission *submission, struct err *err)
{
    struct submit_op submit = { .op.apply = submit_apply, .submission = submission };

    return (int)writer_call(store, &submit.op, err);
}

int store_submission_find(struct store *store, struct submission *submission, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };

    return reader.db && key_check(reader.db, submission, err) >= 0 ? 0 : -1;
}

void store_submit_async(struct store *store, struct submission *submission, store_done *done,
                        void *arg)
{
    struct submit_op *submit = xcalloc(1, sizeof *submit);

    submit->op.apply = submit_apply;
    submit->op.done = done;
    submit->op.arg = arg;
    submit->op.on_heap = true;
    submit->submission = submission;
    writer_post(store, &submit->op);
}
