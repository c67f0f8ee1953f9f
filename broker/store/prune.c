/* SPDX-License-Identifier: Apache-2.0 */
/* prune.c - what is old goes, by the operator's rule.
 *
 * A reader finds what is due, the writer removes it in slices and looks again before it does. Files
 * go after the commit that forgot them; a crash between leaves a file that nothing names, which the
 * sweep at the end of the next round removes.  What an unfinished job needs stays: what it waits
 * for, its inputs, what its attempts have sent so far. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/parse.h"
#include "store/internal.h"
#include "store/schedules.h"

#define SLICE_JOBS  100
#define SLICE_ROWS  2000 /* attempts, or tasks, or events, in one transaction */
#define SLICE_FILES 200
#define UPLOAD_MS   ((int64_t)7 * 86400 * 1000) /* an upload that nobody goes on with */
#define LEFTOVER_MS ((int64_t)3600 * 1000)      /* a file without a row may just be on its way */

_Static_assert(SCHEDULE_JOBS_MOST == 64, "it stands in IS_OF_OPEN_RUN");
/* Its schedule has not yet noted how its run ended. */
#define IS_OF_OPEN_RUN                                                                       \
    "EXISTS (SELECT 1 FROM firings f WHERE f.ended = 0 AND f.job > 0 AND f.job <= j.id AND " \
    "f.job > j.id - 64 AND f.job + f.jobs > j.id)"
static const char DUE_JOBS[] =
    "SELECT j.id, j.finished FROM jobs j WHERE j.finished > 0 AND j.finished < ?1 "
    "AND (j.finished, j.id) > (?2, ?3) AND NOT EXISTS (SELECT 1 FROM dependencies d "
    "JOIN jobs w ON w.id = d.job WHERE d.on_job = j.id AND w.finished = 0) AND NOT " IS_OF_OPEN_RUN
    " ORDER BY j.finished, j.id LIMIT ?4";
static const char STILL_DUE[] =
    "SELECT 1 FROM jobs j WHERE j.id = ?1 AND j.finished > 0 AND j.finished < ?2 "
    "AND NOT EXISTS (SELECT 1 FROM dependencies d JOIN jobs w ON w.id = d.job "
    "WHERE d.on_job = j.id AND w.finished = 0) AND NOT " IS_OF_OPEN_RUN;
static const char MARK_JOB[] = "UPDATE jobs SET pruning = 1 WHERE id = ?";
static const char LAST_OF_SLICE[] =
    "SELECT max(id) FROM (SELECT id FROM attempts WHERE job = ? ORDER BY id LIMIT ?)";
static const char FILES_OF_SLICE[] =
    "SELECT l.id FROM logs l JOIN attempts a ON a.id = l.id / 2 WHERE a.job = ?1 AND a.id <= ?2 "
    "AND l.in_file = 1";
#define SLICE_IDS "(SELECT id FROM attempts WHERE job = ?1 AND id <= ?2)"
static const char DROP_LOGS[] = "DELETE FROM logs WHERE id IN (SELECT 2 * id FROM attempts "
                                "WHERE job = ?1 AND id <= ?2 UNION ALL SELECT 2 * id + 1 "
                                "FROM attempts WHERE job = ?1 AND id <= ?2)";
static const char DROP_OUTPUTS[] = "DELETE FROM outputs WHERE attempt IN " SLICE_IDS;
static const char DROP_ATTEMPTS[] = "DELETE FROM attempts WHERE job = ?1 AND id <= ?2";
static const char DROP_TASKS[] = "DELETE FROM tasks WHERE job = ?1 AND idx IN "
                                 "(SELECT idx FROM tasks WHERE job = ?1 LIMIT ?2)";
static const char DROP_DEPENDENCIES[] = "DELETE FROM dependencies WHERE job = ?";
static const char DROP_JOB_BLOBS[] = "DELETE FROM job_blobs WHERE job = ?";
static const char DROP_SPEC[] = "DELETE FROM specs WHERE job = ?";
static const char DROP_JOB[] = "DELETE FROM jobs WHERE id = ?";
static const char DROP_KEYS[] =
    "DELETE FROM submissions WHERE (user, key) IN (SELECT user, key FROM submissions s "
    "WHERE s.at < ?1 AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id BETWEEN s.first_job AND "
    "s.first_job + s.jobs - 1) LIMIT ?2)";

static const char OLD_LOGS[] =
    "SELECT l.id, l.in_file, l.size FROM logs l JOIN attempts a ON a.id = l.id / 2 "
    "WHERE l.id > ?1 AND a.ended > 0 AND a.ended < ?2 ORDER BY l.id LIMIT ?3";
static const char DROP_LOG[] = "DELETE FROM logs WHERE id = ?";

/* Only among the oldest: `at` has no index, and follows the ids but for a clock that was set. */
static const char DROP_EVENTS[] =
    "DELETE FROM events WHERE id IN (SELECT id FROM (SELECT id, at FROM events ORDER BY id "
    "LIMIT ?2) WHERE at < ?1)";

#define BLOB_IS_DUE                                                                      \
    "NOT EXISTS (SELECT 1 FROM blob_owners o WHERE o.sha256 = b.sha256 AND o.at >= ?1) " \
    "AND NOT EXISTS (SELECT 1 FROM blob_owners o JOIN attempts a "                       \
    "ON a.id = CAST(substr(o.owner, 9) AS INTEGER) WHERE o.sha256 = b.sha256 "           \
    "AND o.owner GLOB 'attempt:*' AND a.ended = 0) "                                     \
    "AND NOT EXISTS (SELECT 1 FROM job_blobs jb JOIN jobs j ON j.id = jb.job "           \
    "WHERE jb.sha256 = b.sha256 AND (j.finished = 0 OR j.finished >= ?1)) "              \
    "AND NOT EXISTS (SELECT 1 FROM outputs u JOIN attempts a ON a.id = u.attempt "       \
    "JOIN jobs j ON j.id = a.job WHERE u.sha256 = b.sha256 "                             \
    "AND (j.finished = 0 OR j.finished >= ?1)) "                                         \
    "AND NOT EXISTS (SELECT 1 FROM schedule_blobs k WHERE k.sha256 = b.sha256)"
static const char DUE_BLOBS[] =
    "SELECT b.sha256, b.size FROM blobs b WHERE b.sha256 > ?2 AND " BLOB_IS_DUE
    " ORDER BY b.sha256 LIMIT ?3";
static const char STILL_DUE_BLOB[] = "SELECT 1 FROM blobs b WHERE b.sha256 = ?2 AND " BLOB_IS_DUE;
static const char DROP_OWNERS[] = "DELETE FROM blob_owners WHERE sha256 = ?";
static const char DROP_BLOB[] = "DELETE FROM blobs WHERE sha256 = ?";
static const char HAS_BLOB[] = "SELECT 1 FROM blobs WHERE sha256 = ?";
static const char NEEDS_LOG[] =
    "SELECT 1 FROM attempts a WHERE a.id = ?1 AND (a.ended = 0 OR EXISTS "
    "(SELECT 1 FROM logs l WHERE l.id = ?2 AND l.in_file = 1))";

static const char IDLE_CLASSES[] =
    "SELECT id FROM classes WHERE id NOT IN (SELECT class FROM jobs)";
static const char DROP_CLASS[] = "DELETE FROM classes WHERE id = ?";
/* What was learnt of classes, whose number such a key ends in, and of none that there still is. */
#define KEY_STEM "length(rtrim(key, '0123456789'))"
static const char DROP_LEARNED[] =
    "DELETE FROM learned WHERE (key GLOB 'run/*' OR key GLOB 'cost/*' OR key GLOB 'wait/*/*' "
    "OR key GLOB 'avoid/*/*') AND length(key) > " KEY_STEM " AND CAST(substr(key, " KEY_STEM
    " + 1) AS INTEGER) NOT IN (SELECT id FROM classes)";
static const char IDLE_WORKERS[] = "SELECT id FROM workers WHERE state = 6 AND gone < ? "
                                   "AND id NOT IN (SELECT worker FROM attempts)";
static const char DROP_WORKER[] = "DELETE FROM workers WHERE id = ?";
static const char SET_SEQUENCE[] = "INSERT OR REPLACE INTO sequences (name, last) VALUES (?, ?)";
static const char CHANGED[] = "SELECT changes()";

struct prune {
    struct store *store;
    const struct retention *rule;
    struct pruned *out;
    int64_t now_ms;
};

struct prune_op {
    struct op op;
    int64_t cutoff_ms;
    const int64_t *ids;
    size_t count, done; /* done (out): of `ids`, how many are finished with */
    struct arena files; /* paths to unlink after the commit */
    const char *file[4 * SLICE_ROWS];
    size_t file_count;
    char (*hashes)[SHA256_HEX];
    int64_t floor; /* of class uses */
    int64_t bytes, removed;
};

static int64_t cutoff(const struct prune *prune, int64_t age_ms)
{
    return prune->now_ms - age_ms;
}

static int changed(struct tx *tx, int64_t *out, struct err *err)
{
    return db_int(tx->db, 0, out, err, CHANGED, "");
}

static void unlink_counted(const char *path, int64_t *bytes)
{
    struct stat st;

    if (stat(path, &st) == 0 && unlink(path) == 0)
        *bytes += st.st_size;
}

static void op_unlink_files(struct prune_op *op, struct pruned *out)
{
    for (size_t i = 0; i < op->file_count; i++)
        unlink_counted(op->file[i], &out->bytes);
    arena_free(&op->files);
    op->file_count = 0;
}

static void op_add_file(struct prune_op *op, char *path)
{
    op->file[op->file_count++] = arena_strdup(&op->files, path);
    free(path);
}

/* ---- ids are never used again, also when the rows that bore them are gone */

static int64_t sequences_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct store *store = tx->store;
    const struct {
        const char *name;
        int64_t next;
    } all[] = {
        { "jobs", store->next_job },       { "attempts", store->next_attempt },
        { "workers", store->next_worker }, { "events", store->next_event },
        { "classes", store->next_class },
    };

    (void)op;
    for (size_t i = 0; i < array_len(all); i++)
        if (db_run(tx->db, err, SET_SEQUENCE, "ti", all[i].name, all[i].next - 1) < 0)
            return -1;
    return 0;
}

/* ---- jobs */

static int log_files_collect(struct tx *tx, struct prune_op *op, int64_t job, int64_t last,
                             struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(tx->db, FILES_OF_SLICE, "ii", job, last);
    int rc;

    while ((rc = db_step(tx->db, stmt, err)) > 0 && op->file_count < array_len(op->file))
        op_add_file(op, log_path(tx->store, col_int(stmt, 0) / 2, (int)(col_int(stmt, 0) % 2)));
    return rc < 0 ? -1 : 0;
}

/* 1: attempts are left for the next slice. */
static int attempts_drop(struct tx *tx, struct prune_op *op, int64_t job, struct err *err)
{
    int64_t last, rows;

    if (db_int(tx->db, 0, &last, err, LAST_OF_SLICE, "ii", job, (int64_t)SLICE_ROWS) < 0)
        return -1;
    if (!last)
        return 0;
    if (log_files_collect(tx, op, job, last, err) < 0 || tx_usage_fold(tx, job, last, err) < 0 ||
        db_run(tx->db, err, DROP_LOGS, "ii", job, last) < 0 ||
        db_run(tx->db, err, DROP_OUTPUTS, "ii", job, last) < 0 ||
        db_run(tx->db, err, DROP_ATTEMPTS, "ii", job, last) < 0 || changed(tx, &rows, err) < 0)
        return -1;
    op->removed += rows;
    return rows >= SLICE_ROWS;
}

static int tasks_drop(struct tx *tx, struct prune_op *op, int64_t job, struct err *err)
{
    int64_t rows;

    if (db_run(tx->db, err, DROP_TASKS, "ii", job, (int64_t)SLICE_ROWS) < 0 ||
        changed(tx, &rows, err) < 0)
        return -1;
    op->removed += rows;
    return rows >= SLICE_ROWS;
}

/* 1: more of it is left. */
static int job_drop(struct tx *tx, struct prune_op *op, int64_t job, struct err *err)
{
    int rc;

    rc = attempts_drop(tx, op, job, err);
    if (rc == 0)
        rc = tasks_drop(tx, op, job, err);
    if (rc > 0)
        return db_run(tx->db, err, MARK_JOB, "i", job) < 0 ? -1 : 1;
    if (rc < 0 || db_run(tx->db, err, DROP_DEPENDENCIES, "i", job) < 0 ||
        db_run(tx->db, err, DROP_JOB_BLOBS, "i", job) < 0 ||
        db_run(tx->db, err, DROP_SPEC, "i", job) < 0)
        return -1;
    return db_run(tx->db, err, DROP_JOB, "i", job);
}

/* The group's memory of jobs must not bring one back: it is written out, then dropped. */
static int forget_jobs(struct tx *tx, struct err *err)
{
    if (tx_jobs_flush(tx, err) < 0)
        return -1;
    tx_jobs_clear(tx);
    return 0;
}

static int64_t jobs_apply(struct tx *tx, struct op *base, struct err *err)
{
    struct prune_op *op = (struct prune_op *)base;

    op->done = 0;
    op->removed = 0;
    op->file_count = 0;
    if (forget_jobs(tx, err) < 0)
        return -1;
    while (op->done < op->count && op->removed < SLICE_ROWS) {
        int64_t job = op->ids[op->done], due;
        int rc = 0;

        if (db_int(tx->db, 0, &due, err, STILL_DUE, "ii", job, op->cutoff_ms) < 0)
            return -1;
        if (due)
            rc = job_drop(tx, op, job, err);
        if (rc < 0)
            return -1;
        if (rc > 0)
            break;
        op->done++;
    }
    return 0;
}

/* Ids of jobs that are due, in order of their end, from (finished, id) on. */
static int jobs_find(const struct prune *prune, int64_t from[2], int64_t ids[SLICE_JOBS],
                     size_t *count, struct err *err)
{
    own_reader struct reader reader = { prune->store, reader_take(prune->store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc;

    *count = 0;
    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, DUE_JOBS, "iiii", cutoff(prune, prune->rule->jobs_ms), from[0],
                    from[1], (int64_t)SLICE_JOBS);
    while ((rc = db_step(reader.db, stmt, err)) > 0) {
        ids[(*count)++] = from[1] = col_int(stmt, 0);
        from[0] = col_int(stmt, 1);
    }
    return rc;
}

static int64_t keys_apply(struct tx *tx, struct op *base, struct err *err)
{
    struct prune_op *op = (struct prune_op *)base;

    if (db_run(tx->db, err, DROP_KEYS, "ii", op->cutoff_ms, (int64_t)SLICE_ROWS) < 0)
        return -1;
    return changed(tx, &op->removed, err);
}

static int prune_jobs(const struct prune *prune, struct prune_op *op, struct err *err)
{
    int64_t from[2] = { 0, 0 }, ids[SLICE_JOBS];
    size_t count;

    op->cutoff_ms = cutoff(prune, prune->rule->jobs_ms);
    op->op.apply = jobs_apply;
    do {
        if (jobs_find(prune, from, ids, &count, err) < 0)
            return -1;
        for (size_t at = 0; at < count; at += op->done) {
            op->ids = ids + at;
            op->count = count - at;
            if (writer_call(prune->store, &op->op, err) < 0)
                return -1;
            op_unlink_files(op, prune->out);
            prune->out->jobs += (int64_t)op->done;
        }
    } while (count == SLICE_JOBS);
    op->op.apply = keys_apply;
    do
        if (writer_call(prune->store, &op->op, err) < 0)
            return -1;
    while (op->removed == SLICE_ROWS);
    return 0;
}

/* ---- logs, events */

static int64_t logs_apply(struct tx *tx, struct op *base, struct err *err)
{
    const struct prune_op *op = (const struct prune_op *)base;

    for (size_t i = 0; i < op->count; i++)
        if (db_run(tx->db, err, DROP_LOG, "i", op->ids[i]) < 0)
            return -1;
    return 0;
}

static int logs_find(const struct prune *prune, struct prune_op *op, int64_t from,
                     int64_t ids[SLICE_FILES], struct err *err)
{
    own_reader struct reader reader = { prune->store, reader_take(prune->store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc;

    op->count = 0;
    op->bytes = 0;
    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, OLD_LOGS, "iii", from, op->cutoff_ms, (int64_t)SLICE_FILES);
    while ((rc = db_step(reader.db, stmt, err)) > 0) {
        int64_t id = ids[op->count++] = col_int(stmt, 0);

        if (col_int(stmt, 1))
            op_add_file(op, log_path(prune->store, id / 2, (int)(id % 2)));
        else
            op->bytes += col_int(stmt, 2);
    }
    return rc;
}

static int prune_logs(const struct prune *prune, struct prune_op *op, struct err *err)
{
    int64_t ids[SLICE_FILES], from = 0;

    op->cutoff_ms = cutoff(prune, prune->rule->logs_ms);
    op->op.apply = logs_apply;
    op->ids = ids;
    do {
        if (logs_find(prune, op, from, ids, err) < 0)
            return -1;
        if (op->count == 0)
            return 0;
        from = ids[op->count - 1];
        if (writer_call(prune->store, &op->op, err) < 0)
            return -1;
        op_unlink_files(op, prune->out);
        prune->out->logs += (int64_t)op->count;
        prune->out->bytes += op->bytes;
    } while (op->count == SLICE_FILES);
    return 0;
}

static int64_t events_apply(struct tx *tx, struct op *base, struct err *err)
{
    struct prune_op *op = (struct prune_op *)base;

    if (db_run(tx->db, err, DROP_EVENTS, "ii", op->cutoff_ms, (int64_t)SLICE_ROWS) < 0)
        return -1;
    return changed(tx, &op->removed, err);
}

static int prune_events(const struct prune *prune, struct prune_op *op, struct err *err)
{
    op->cutoff_ms = cutoff(prune, prune->rule->events_ms);
    op->op.apply = events_apply;
    do {
        if (writer_call(prune->store, &op->op, err) < 0)
            return -1;
        prune->out->events += op->removed;
    } while (op->removed == SLICE_ROWS);
    return 0;
}

/* ---- blobs */

static int64_t blobs_apply(struct tx *tx, struct op *base, struct err *err)
{
    struct prune_op *op = (struct prune_op *)base;

    op->removed = 0;
    arena_clear(&op->files);
    op->file_count = 0;
    if (tx_jobs_flush(tx, err) < 0) /* the look at jobs below must see what the group did */
        return -1;
    for (size_t i = 0; i < op->count; i++) {
        const char *hash = op->hashes[i];
        int64_t due;

        if (db_int(tx->db, 0, &due, err, STILL_DUE_BLOB, "it", op->cutoff_ms, hash) < 0)
            return -1;
        if (!due)
            continue;
        if (db_run(tx->db, err, DROP_OWNERS, "t", hash) < 0 ||
            db_run(tx->db, err, DROP_BLOB, "t", hash) < 0)
            return -1;
        op_add_file(op, blob_path(tx->store, hash));
        op->removed++;
    }
    return 0;
}

static int blobs_find(const struct prune *prune, struct prune_op *op, const char *from,
                      struct err *err)
{
    own_reader struct reader reader = { prune->store, reader_take(prune->store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc;

    op->count = 0;
    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, DUE_BLOBS, "iti", op->cutoff_ms, from, (int64_t)SLICE_FILES);
    while ((rc = db_step(reader.db, stmt, err)) > 0)
        snprintf(op->hashes[op->count++], SHA256_HEX, "%s", col_text(stmt, 0));
    return rc;
}

static int prune_blobs(const struct prune *prune, struct prune_op *op, struct err *err)
{
    struct store *store = prune->store;
    char hashes[SLICE_FILES][SHA256_HEX], from[SHA256_HEX] = "";
    int64_t rc;

    op->cutoff_ms = cutoff(prune, prune->rule->blobs_ms);
    op->op.apply = blobs_apply;
    op->hashes = hashes;
    do {
        if (blobs_find(prune, op, from, err) < 0)
            return -1;
        if (op->count == 0)
            return 0;
        memcpy(from, hashes[op->count - 1], sizeof from);
        pthread_rwlock_wrlock(&store->blob_lock);
        rc = writer_call(store, &op->op, err);
        if (rc >= 0)
            op_unlink_files(op, prune->out);
        pthread_rwlock_unlock(&store->blob_lock);
        if (rc < 0)
            return -1;
        prune->out->blobs += op->removed;
    } while (op->count == SLICE_FILES);
    return 0;
}

/* ---- classes and workers that nothing names any more */

static int64_t idle_apply(struct tx *tx, struct op *base, struct err *err)
{
    const struct prune_op *op = (const struct prune_op *)base;
    struct store *store = tx->store;
    size_t at = 0;
    const struct class *class;
    struct map used = MAP_INIT;
    int rc = 0;

    /* a class that a submission used since the look at them stays */
    if (store->class_floor > op->floor)
        return 0;
    while ((class = map_next(&store->classes, &at)))
        if (class->used > op->floor)
            map_put(&used, (uint64_t) class->id, store);
    for (size_t i = 0; i < op->count && rc == 0; i++)
        if (!map_get(&used, (uint64_t)op->ids[i]))
            rc = db_run(tx->db, err, DROP_CLASS, "i", op->ids[i]);
    if (rc == 0 && op->count > 0)
        rc = db_run(tx->db, err, DROP_LEARNED, "");
    map_fini(&used);
    classes_forget(store);
    return rc;
}

static int64_t idle_workers_apply(struct tx *tx, struct op *base, struct err *err)
{
    const struct prune_op *op = (const struct prune_op *)base;

    for (size_t i = 0; i < op->count; i++)
        if (db_run(tx->db, err, DROP_WORKER, "i", op->ids[i]) < 0)
            return -1;
    return 0;
}

static int64_t floor_apply(struct tx *tx, struct op *base, struct err *err)
{
    (void)err;
    ((struct prune_op *)base)->floor = tx->store->class_clock;
    return 0;
}

static int ids_find(const struct prune *prune, const char *sql, const char *types, int64_t **ids,
                    size_t *count, struct err *err)
{
    own_reader struct reader reader = { prune->store, reader_take(prune->store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    size_t room = 0;
    int rc;

    *count = 0;
    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, sql, types, cutoff(prune, prune->rule->jobs_ms));
    while ((rc = db_step(reader.db, stmt, err)) > 0) {
        if (*count == room) {
            room = room ? 2 * room : 64;
            *ids = xrealloc(*ids, room * sizeof **ids);
        }
        (*ids)[(*count)++] = col_int(stmt, 0);
    }
    return rc;
}

static int prune_idle(const struct prune *prune, struct prune_op *op, struct err *err)
{
    own_mem int64_t *classes = NULL, *workers = NULL;

    op->op.apply = floor_apply;
    if (writer_call(prune->store, &op->op, err) < 0 ||
        ids_find(prune, IDLE_CLASSES, "", &classes, &op->count, err) < 0)
        return -1;
    op->ids = classes;
    op->op.apply = idle_apply;
    if (op->count && writer_call(prune->store, &op->op, err) < 0)
        return -1;
    if (ids_find(prune, IDLE_WORKERS, "i", &workers, &op->count, err) < 0)
        return -1;
    op->ids = workers;
    op->op.apply = idle_workers_apply;
    return op->count && writer_call(prune->store, &op->op, err) < 0 ? -1 : 0;
}

/* ---- files that nothing names */

/* false: keep it. */
typedef bool file_is_leftover(const struct prune *prune, struct conn *db, const char *folder,
                              const char *name, int64_t age_ms);

static bool upload_is_leftover(const struct prune *prune, struct conn *db, const char *folder,
                               const char *name, int64_t age_ms)
{
    (void)prune, (void)db, (void)folder, (void)name;
    return age_ms > UPLOAD_MS;
}

static bool blob_is_leftover(const struct prune *prune, struct conn *db, const char *folder,
                             const char *name, int64_t age_ms)
{
    own_str char *hash = xasprintf("%s%s", folder, name);
    int64_t found;

    (void)prune;
    return age_ms > LEFTOVER_MS && sha256_is_hex(hash) &&
           db_int(db, 0, &found, NULL, HAS_BLOB, "t", hash) == 0 && !found;
}

static bool log_is_leftover(const struct prune *prune, struct conn *db, const char *folder,
                            const char *name, int64_t age_ms)
{
    own_str char *copy = xstrdup(name);
    char *dot = strchr(copy, '.');
    struct err err = ERR_INIT;
    int64_t attempt, stream, found;

    (void)prune, (void)folder;
    if (!dot || age_ms <= LEFTOVER_MS)
        return false;
    *dot = '\0';
    if (parse_i64(copy, 1, INT64_MAX / 4, &attempt, &err) < 0 ||
        parse_i64(dot + 1, 0, 1, &stream, &err) < 0)
        return false;
    return db_int(db, 0, &found, &err, NEEDS_LOG, "ii", attempt, 2 * attempt + stream) == 0 &&
           !found;
}

static void sweep_folder(const struct prune *prune, struct conn *db, const char *path,
                         const char *folder, file_is_leftover *is_leftover)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    struct stat st;

    while (dir && (entry = readdir(dir))) {
        int64_t age;

        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        age = prune->now_ms - (int64_t)st.st_mtime * 1000;
        if (is_leftover(prune, db, folder, entry->d_name, age) &&
            unlinkat(dirfd(dir), entry->d_name, 0) == 0)
            prune->out->bytes += st.st_size;
    }
    if (dir)
        closedir(dir);
}

/* Folders of one level. */
static void sweep(const struct prune *prune, struct conn *db, const char *name,
                  file_is_leftover *is_leftover)
{
    own_str char *top = xasprintf("%s/%s", prune->store->dir, name);
    DIR *dir = opendir(top);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        own_str char *path = xasprintf("%s/%s", top, entry->d_name);

        if (entry->d_name[0] == '.')
            continue;
        sweep_folder(prune, db, path, entry->d_name, is_leftover);
        rmdir(path); /* it goes when it is empty */
    }
    if (dir)
        closedir(dir);
}

static int prune_leftovers(const struct prune *prune, struct err *err)
{
    own_str char *uploads = xasprintf("%s/uploads", prune->store->dir);
    own_reader struct reader reader = { prune->store, reader_take(prune->store, err) };

    if (!reader.db)
        return -1;
    sweep_folder(prune, reader.db, uploads, "", upload_is_leftover);
    sweep(prune, reader.db, "logs", log_is_leftover);
    pthread_rwlock_wrlock(&prune->store->blob_lock);
    sweep(prune, reader.db, "blobs", blob_is_leftover);
    pthread_rwlock_unlock(&prune->store->blob_lock);
    return 0;
}

/* ---- all of it */

static int prune_tell(const struct prune *prune, struct err *err)
{
    const struct pruned *out = prune->out;
    own_str char *detail = xasprintf(
        "jobs=%lld logs=%lld blobs=%lld events=%lld bytes=%lld", (long long)out->jobs,
        (long long)out->logs, (long long)out->blobs, (long long)out->events, (long long)out->bytes);
    struct event_row event = { .kind = "store.pruned", .index = -1, .detail = detail };

    if (!out->jobs && !out->logs && !out->blobs && !out->events && !out->bytes)
        return 0;
    return store_event_add(prune->store, &event, err);
}

static int prune_all(const struct prune *prune, struct prune_op *op, struct err *err)
{
    const struct retention *rule = prune->rule;

    op->op.apply = sequences_apply;
    if (writer_call(prune->store, &op->op, err) < 0)
        return -1;
    if (rule->jobs_ms > 0 && prune_jobs(prune, op, err) < 0)
        return -1;
    if (rule->logs_ms > 0 && prune_logs(prune, op, err) < 0)
        return -1;
    if (rule->events_ms > 0 && prune_events(prune, op, err) < 0)
        return -1;
    if (rule->blobs_ms > 0 && prune_blobs(prune, op, err) < 0)
        return -1;
    if (prune->out->jobs > 0 && prune_idle(prune, op, err) < 0)
        return -1;
    return prune_leftovers(prune, err);
}

int store_prune(struct store *store, const struct retention *rule, int64_t now_ms,
                struct pruned *out, struct err *err)
{
    const struct prune prune = { .store = store, .rule = rule, .out = out, .now_ms = now_ms };
    struct prune_op *op = xcalloc(1, sizeof *op);
    int rc;

    *out = (struct pruned){ 0 };
    rc = prune_all(&prune, op, err);
    arena_free(&op->files);
    free(op);
    return rc < 0 ? -1 : prune_tell(&prune, err);
}
