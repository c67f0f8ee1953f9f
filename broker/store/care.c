/* SPDX-License-Identifier: Apache-2.0 */
/* care.c - figures, a check of the whole record, and a copy while all goes on. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "store/internal.h"

#define COUNTS_KEPT_MS 10000 /* counting a million rows takes a while: not at every call */
#define FINDINGS_MOST  1000  /* written out; all are counted */

/* ---- figures */

static const char COUNT_JOBS[] = "SELECT count(*) FROM jobs";
static const char COUNT_OPEN_JOBS[] = "SELECT count(*) FROM jobs WHERE finished = 0";
static const char COUNT_TASKS[] = "SELECT count(*) FROM tasks";
static const char COUNT_ATTEMPTS[] = "SELECT count(*) FROM attempts";
static const char COUNT_WORKERS[] = "SELECT count(*) FROM workers WHERE state < 6";
static const char COUNT_BLOBS[] = "SELECT count(*) FROM blobs";
static const char LIST_ENDED[] = "SELECT state, tasks FROM ended";

static int counts_read(struct conn *db, struct store_stats *out, struct err *err)
{
    const struct {
        const char *sql;
        int64_t *out;
    } all[] = {
        { COUNT_JOBS, &out->jobs },       { COUNT_OPEN_JOBS, &out->open_jobs },
        { COUNT_TASKS, &out->tasks },     { COUNT_ATTEMPTS, &out->attempts },
        { COUNT_WORKERS, &out->workers }, { COUNT_BLOBS, &out->blobs },
    };

    for (size_t i = 0; i < array_len(all); i++)
        if (db_int(db, 0, all[i].out, err, all[i].sql, "") < 0)
            return -1;
    return 0;
}

static int ended_read(struct conn *db, struct store_stats *out, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(db, LIST_ENDED, "");
    int rc;

    while ((rc = db_step(db, stmt, err)) > 0) {
        int64_t state = col_int(stmt, 0);

        if (state >= 0 && state < TASK_STATE_COUNT)
            out->ended[state] = col_int(stmt, 1);
    }
    return rc;
}

/* The counts of rows, from memory when they are fresh enough. */
static int counts_fresh(struct store *store, struct conn *db, struct store_stats *out,
                        struct err *err)
{
    int64_t now = clock_mono_ms();
    bool is_fresh;

    pthread_mutex_lock(&store->stats_lock);
    is_fresh = store->stats_at_ms && now - store->stats_at_ms < COUNTS_KEPT_MS;
    if (is_fresh)
        *out = store->stats;
    pthread_mutex_unlock(&store->stats_lock);
    if (is_fresh)
        return 0;
    if (counts_read(db, out, err) < 0)
        return -1;
    pthread_mutex_lock(&store->stats_lock);
    store->stats = *out;
    store->stats_at_ms = now;
    pthread_mutex_unlock(&store->stats_lock);
    return 0;
}

static int64_t file_bytes(const char *path)
{
    struct stat st;

    return stat(path, &st) < 0 ? 0 : st.st_size;
}

int store_stats(struct store *store, struct store_stats *out, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_str char *wal = xasprintf("%s-wal", store->path);

    *out = (struct store_stats){ 0 };
    if (!reader.db || counts_fresh(store, reader.db, out, err) < 0 ||
        ended_read(reader.db, out, err) < 0)
        return -1;
    out->db_bytes = file_bytes(store->path);
    out->wal_bytes = file_bytes(wal);
    out->commits = atomic_load(&store->commits);
    out->operations = atomic_load(&store->operations);
    out->commit_us_sum = atomic_load(&store->commit_us_sum);
    out->commit_us_max = atomic_load(&store->commit_us_max);
    pthread_mutex_lock(&store->queue_lock);
    out->queue = store->queue_length;
    pthread_mutex_unlock(&store->queue_lock);
    return 0;
}

/* ---- the check */

static const char INTEGRITY[] = "PRAGMA integrity_check(1000)";
static const char FOREIGN_KEYS[] = "PRAGMA foreign_key_check";

/* Each gives the ids of what breaks its rule. */
static const struct {
    const char *what, *rule, *sql;
} rules[] = {
    { "job", "its counters do not add up to its tasks",
      "SELECT j.id FROM jobs j LEFT JOIN (SELECT job, count(*) AS n, sum(state = 6) AS s,"
      " sum(state = 7) AS f, sum(state = 8) AS c, sum(state = 2) AS l,"
      " sum(state IN (3, 4, 5)) AS r FROM tasks GROUP BY job) t ON t.job = j.id "
      "WHERE j.pruning = 0 AND (j.task_rows <> ifnull(t.n, 0)"
      " OR j.task_rows > j.tasks OR j.next_position > j.task_rows"
      " OR j.succeeded <> ifnull(t.s, 0) + (j.rest_state = 6) * (j.tasks - j.task_rows)"
      " OR j.failed <> ifnull(t.f, 0) + (j.rest_state = 7) * (j.tasks - j.task_rows)"
      " OR j.cancelled <> ifnull(t.c, 0) + (j.rest_state = 8) * (j.tasks - j.task_rows)"
      " OR j.done <> j.succeeded + j.failed + j.cancelled"
      " OR j.leased <> ifnull(t.l, 0) OR j.running <> ifnull(t.r, 0)"
      " OR (j.finished > 0) <> (j.done = j.tasks))" },
    { "job", "tasks before its next position have no row",
      "SELECT j.id FROM jobs j WHERE j.pruning = 0 AND j.next_position <> "
      "(SELECT count(*) FROM tasks t WHERE t.job = j.id AND t.position < j.next_position)" },
    { "job", "the task at its next position has a row",
      "SELECT j.id FROM jobs j JOIN tasks t ON t.job = j.id AND t.position = j.next_position "
      "WHERE j.pruning = 0" },
    { "job", "its class is missing",
      "SELECT j.id FROM jobs j WHERE j.class NOT IN (SELECT id FROM classes)" },
    { "job", "it has no description",
      "SELECT j.id FROM jobs j WHERE j.spec IS NULL AND j.id NOT IN (SELECT job FROM specs)" },
    { "job", "a task at a worker has no attempt under way",
      "SELECT t.job FROM tasks t WHERE t.state BETWEEN 2 AND 5 AND NOT EXISTS (SELECT 1 FROM "
      "attempts a WHERE a.ended = 0 AND a.job = t.job AND a.idx = t.idx "
      "AND (a.gang = t.attempt OR a.id = t.attempt AND a.worker = t.worker))" },
    { "attempt", "under way, but not its task's",
      "SELECT a.id FROM attempts a WHERE a.ended = 0 AND NOT EXISTS (SELECT 1 FROM tasks t "
      "WHERE t.job = a.job AND t.idx = a.idx AND t.attempt = iif(a.gang > 0, a.gang, a.id) "
      "AND t.state BETWEEN 2 AND 5)" },
    { "attempt", "of a gang that is not whole",
      "SELECT a.id FROM attempts a JOIN jobs j ON j.id = a.job AND j.pruning = 0 "
      "WHERE a.gang = a.id AND (SELECT max(m.rank) + 1 FROM attempts m WHERE m.gang = a.id) "
      "<> (SELECT count(*) FROM attempts m WHERE m.gang = a.id)" },
    { "attempt", "its worker is missing",
      "SELECT a.id FROM attempts a WHERE a.worker NOT IN (SELECT id FROM workers)" },
    { "log", "its attempt is missing",
      "SELECT l.id FROM logs l WHERE l.id / 2 NOT IN (SELECT id FROM attempts)" },
    { "job", "an input of it is missing",
      "SELECT j.id FROM job_blobs b JOIN jobs j ON j.id = b.job WHERE j.finished = 0 "
      "AND b.sha256 NOT IN (SELECT sha256 FROM blobs)" },
};
static const char LIST_BLOBS[] = "SELECT sha256, size FROM blobs";
static const char LIST_LOG_FILES[] = "SELECT id, size FROM logs WHERE in_file = 1";

struct check {
    struct store *store;
    struct conn *db;
    struct buf *report;
    int64_t findings;
};

__attribute__((format(printf, 2, 3))) static void finding(struct check *check, const char *format,
                                                          ...)
{
    va_list args;

    if (++check->findings > FINDINGS_MOST)
        return;
    va_start(args, format);
    buf_vprintf(check->report, format, args);
    va_end(args);
    buf_putc(check->report, '\n');
}

static int check_integrity(struct check *check, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(check->db, INTEGRITY, "");
    int rc;

    while ((rc = db_step(check->db, stmt, err)) > 0)
        if (strcmp(col_text(stmt, 0), "ok") != 0)
            finding(check, "database: %s", col_text(stmt, 0));
    return rc;
}

static int check_foreign_keys(struct check *check, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(check->db, FOREIGN_KEYS, "");
    int rc;

    while ((rc = db_step(check->db, stmt, err)) > 0)
        finding(check, "database: row %lld of %s names a row of %s that is missing",
                (long long)col_int(stmt, 1), col_text(stmt, 0), col_text(stmt, 2));
    return rc;
}

static int check_rules(struct check *check, struct err *err)
{
    for (size_t i = 0; i < array_len(rules); i++) {
        own_stmt sqlite3_stmt *stmt = db_query(check->db, rules[i].sql, "");
        int rc;

        while ((rc = db_step(check->db, stmt, err)) > 0)
            finding(check, "%s %lld: %s", rules[i].what, (long long)col_int(stmt, 0),
                    rules[i].rule);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int check_blobs(struct check *check, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(check->db, LIST_BLOBS, "");
    struct stat st;
    int rc;

    while ((rc = db_step(check->db, stmt, err)) > 0) {
        own_str char *path = blob_path(check->store, col_text(stmt, 0));

        if (stat(path, &st) < 0)
            finding(check, "blob %s: %s", col_text(stmt, 0), strerror(errno));
        else if (st.st_size != col_int(stmt, 1))
            finding(check, "blob %s: its file has %lld bytes, not %lld", col_text(stmt, 0),
                    (long long)st.st_size, (long long)col_int(stmt, 1));
    }
    return rc;
}

static int check_logs(struct check *check, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(check->db, LIST_LOG_FILES, "");
    int rc;

    while ((rc = db_step(check->db, stmt, err)) > 0) {
        int64_t id = col_int(stmt, 0);
        own_str char *path = log_path(check->store, id / 2, (int)(id % 2));

        if (file_bytes(path) < col_int(stmt, 1))
            finding(check, "log of attempt %lld: its file is missing or too short",
                    (long long)(id / 2));
    }
    return rc;
}

/* One snapshot for all, so that what changes meanwhile is no finding; blobs are looked at under the
 * lock that keeps pruning away. */
static int check_all(struct check *check, struct err *err)
{
    int rc;

    if (db_run(check->db, err, "BEGIN", "") < 0)
        return -1;
    rc = check_integrity(check, err);
    if (rc == 0 && check->findings == 0) /* a broken file answers no other question */
        rc = check_foreign_keys(check, err) < 0 || check_rules(check, err) < 0 ||
                     check_blobs(check, err) < 0 || check_logs(check, err) < 0
                 ? -1
                 : 0;
    db_run(check->db, NULL, "ROLLBACK", "");
    return rc;
}

int64_t store_check(struct store *store, struct buf *report, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    struct check check = { .store = store, .db = reader.db, .report = report };
    int rc;

    if (!reader.db)
        return -1;
    pthread_rwlock_rdlock(&store->blob_lock);
    rc = check_all(&check, err);
    pthread_rwlock_unlock(&store->blob_lock);
    if (check.findings > FINDINGS_MOST)
        buf_printf(report, "... and %lld more\n", (long long)(check.findings - FINDINGS_MOST));
    return rc < 0 ? -1 : check.findings;
}

/* ---- the copy */

static int backup_fault(sqlite3 *to, const char *path, struct err *err)
{
    return err_set(err, FAULT_UNAVAILABLE, "%s: %s", path,
                   to ? sqlite3_errmsg(to) : "out of memory");
}

/* In one step, from the reader's snapshot: the writer goes on meanwhile and never makes it start
 * again. */
static int backup_copy(struct conn *from, const char *path, struct err *err)
{
    sqlite3 *to = NULL;
    sqlite3_backup *backup;
    int rc = -1;

    if (sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        goto out;
    backup = sqlite3_backup_init(to, "main", from->db, "main");
    if (!backup)
        goto out;
    sqlite3_backup_step(backup, -1);
    if (sqlite3_backup_finish(backup) == SQLITE_OK)
        rc = 0;
out:
    if (rc < 0)
        backup_fault(to, path, err);
    sqlite3_close(to);
    return rc;
}

static int file_sync(const char *path, struct err *err)
{
    own_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? err_sys(err, "fsync %s", path) : 0;
}

/* Takes the name, so that nobody else's file is written over. */
static int name_take(const char *path, struct err *err)
{
    own_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 && errno == EEXIST)
        return err_set(err, FAULT_CONFLICT, "%s exists already; give another name", path);
    return fd < 0 ? err_sys(err, "create %s", path) : 0;
}

int store_backup(struct store *store, const char *path, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_str char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');

    if (!reader.db || name_take(path, err) < 0)
        return -1;
    if (backup_copy(reader.db, path, err) < 0 || file_sync(path, err) < 0) {
        unlink(path);
        return -1;
    }
    if (!slash)
        return io_fsync_dir(".", err);
    slash[slash == folder] = '\0';
    return io_fsync_dir(folder, err);
}
