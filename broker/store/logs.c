/* SPDX-License-Identifier: Apache-2.0 */
/* logs.c - what attempts print.
 *
 * A short log comes with the final report and is kept in the database.  A longer one is appended to
 * a file while the attempt runs; its row is made when the attempt ends.  Beyond log_most nothing
 * more is kept, only counted.  The count of a log that grows is in memory: after a restart the
 * agent is told how much is here, sends the rest again and it is counted again. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "spillway/wire.h"
#include "store/internal.h"

#define LOG_MOST_DEFAULT ((int64_t)64 << 20)
#define OPEN_MOST        4096 /* logs remembered as growing */

static const char GET_ENDED[] = "SELECT ended FROM attempts WHERE id = ?";
static const char ADD_LOG[] = "INSERT OR REPLACE INTO logs (id, size, cut, in_file, sha256, data) "
                              "VALUES (?,?,?,?,?,?)";
static const char GET_LOG[] = "SELECT a.ended, l.size, l.cut, l.in_file, l.data FROM attempts a "
                              "LEFT JOIN logs l ON l.id = 2 * a.id + ?2 WHERE a.id = ?1";

struct open_log {
    int64_t kept, cut;
    bool busy; /* an append is under way */
};

struct log_table {
    pthread_mutex_t lock;
    struct map logs; /* log id -> struct open_log */
};

static int64_t log_id(int64_t attempt, int stream)
{
    return 2 * attempt + stream;
}

/* A thousand attempts to a directory. */
char *log_path(const struct store *store, int64_t attempt, int stream)
{
    return xasprintf("%s/logs/%lld/%lld.%d", store->dir, (long long)(attempt / 1000),
                     (long long)attempt, stream);
}

int logs_open(struct store *store, struct err *err)
{
    own_str char *path = xasprintf("%s/logs", store->dir);

    if (store->options.log_most <= 0)
        store->options.log_most = LOG_MOST_DEFAULT;
    if (io_mkdirs(path, 0700, err) < 0)
        return -1;
    store->logs = xcalloc(1, sizeof *store->logs);
    pthread_mutex_init(&store->logs->lock, NULL);
    return 0;
}

/* All but those in use. */
static void table_clear(struct log_table *table)
{
    struct map kept = MAP_INIT;
    struct open_log *log;

    for (size_t at = 0; (log = map_next(&table->logs, &at));) {
        if (log->busy)
            map_put(&kept, table->logs.slots[at - 1].key, log);
        else
            free(log);
    }
    map_fini(&table->logs);
    table->logs = kept;
}

void logs_close(struct store *store)
{
    if (!store->logs)
        return;
    table_clear(store->logs);
    map_fini(&store->logs->logs);
    pthread_mutex_destroy(&store->logs->lock);
    free(take_ptr(store->logs));
}

/* ---- appending */

static int attempt_runs(struct store *store, int64_t attempt, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    int64_t ended;

    if (!reader.db || db_int(reader.db, -1, &ended, err, GET_ENDED, "i", attempt) < 0)
        return -1;
    if (ended < 0)
        return err_set(err, FAULT_NOT_FOUND, "no attempt %lld", (long long)attempt);
    return ended == 0 ? 0
                      : err_set(err, FAULT_CONFLICT, "attempt %lld has ended", (long long)attempt);
}

/* The log, marked busy; NULL with a fault. */
static struct open_log *log_take(struct store *store, int64_t attempt, int stream, struct err *err)
{
    struct log_table *table = store->logs;
    uint64_t id = (uint64_t)log_id(attempt, stream);
    own_str char *path = log_path(store, attempt, stream);
    struct open_log *log;
    struct stat st;
    bool is_known;

    pthread_mutex_lock(&table->lock);
    is_known = map_get(&table->logs, id) != NULL;
    pthread_mutex_unlock(&table->lock);
    if (!is_known && attempt_runs(store, attempt, err) < 0)
        return NULL;
    if (is_known || stat(path, &st) < 0)
        st.st_size = 0;

    pthread_mutex_lock(&table->lock);
    log = map_get(&table->logs, id);
    if (!log) {
        if (table->logs.count >= OPEN_MOST)
            table_clear(table);
        log = xcalloc(1, sizeof *log);
        log->kept = st.st_size;
        map_put(&table->logs, id, log);
    }
    if (log->busy)
        log = NULL;
    else
        log->busy = true;
    pthread_mutex_unlock(&table->lock);
    if (!log)
        err_set(err, FAULT_CONFLICT, "another call appends to this log; try again");
    return log;
}

static void log_put(struct store *store, struct open_log *log)
{
    pthread_mutex_lock(&store->logs->lock);
    log->busy = false;
    pthread_mutex_unlock(&store->logs->lock);
}

static int log_file_open(const char *path, struct err *err)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    int fd = open(path, flags, 0600);

    if (fd < 0 && errno == ENOENT) {
        own_str char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));

        if (io_mkdirs(folder, 0700, err) < 0)
            return -1;
        fd = open(path, flags, 0600);
    }
    return fd < 0 ? err_sys(err, "open %s", path) : fd;
}

static int log_write_at(const char *path, int64_t at, const void *data, size_t length,
                        struct err *err)
{
    own_fd int fd = length ? log_file_open(path, err) : -1;

    if (length == 0)
        return 0;
    if (fd < 0)
        return -1;
    if (lseek(fd, at, SEEK_SET) >= 0 && io_write_all(fd, data, length) == 0)
        return 0;
    err_sys(err, "write %s", path);
    if (ftruncate(fd, at) < 0) /* what came in part would shift the rest */
        err_wrap(err, "cannot be cut back either");
    return -1;
}

static int log_add(struct store *store, struct open_log *log, const char *path, int64_t *offset,
                   const void *data, size_t length, struct err *err)
{
    int64_t size = log->kept + log->cut, room = store->options.log_most - log->kept;
    size_t keeps = room <= 0 ? 0 : (int64_t)length > room ? (size_t)room : length;
    int64_t wanted = *offset;

    *offset = size;
    if (wanted != size)
        return err_set(err, FAULT_CONFLICT, "the log is %lld bytes long here", (long long)size);
    if (log_write_at(path, log->kept, data, keeps, err) < 0)
        return -1;
    log->kept += (int64_t)keeps;
    log->cut += (int64_t)(length - keeps);
    *offset = size + (int64_t)length;
    return 0;
}

int store_log_append(struct store *store, int64_t attempt, int stream, int64_t *offset,
                     const void *data, size_t length, struct err *err)
{
    own_str char *path = log_path(store, attempt, stream);
    struct open_log *log = log_take(store, attempt, stream, err);
    int rc;

    if (!log)
        return -1;
    rc = log_add(store, log, path, offset, data, length, err);
    log_put(store, log);
    return rc;
}

/* ---- the end of an attempt */

static int file_sync(const char *path, struct err *err)
{
    own_str char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    own_str char *above = xstrndup(folder, (size_t)(strrchr(folder, '/') - folder));
    own_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0 || fsync(fd) < 0)
        return err_sys(err, "fsync %s", path);
    return io_fsync_dir(folder, err) < 0 || io_fsync_dir(above, err) < 0 ? -1 : 0;
}

static int settle_one(struct store *store, struct report *report, int stream, struct err *err)
{
    own_str char *path = log_path(store, report->attempt, stream);
    struct log_row *row = &report->logs[stream];
    char hash[SHA256_HEX];
    int64_t size;

    if (access(path, F_OK) < 0)
        return 0; /* tx_logs_keep says what is missing */
    if (sha256_file(path, hash, &size, err) < 0 || file_sync(path, err) < 0)
        return -1;
    if (!row->sha256 || strcmp(hash, row->sha256) != 0)
        row->sha256 = "";
    return 0;
}

int logs_settle(struct store *store, struct report *report, struct err *err)
{
    for (int stream = 0; stream < 2; stream++) {
        struct log_row *row = &report->logs[stream];
        uint64_t id = (uint64_t)log_id(report->attempt, stream);
        struct open_log *log;

        pthread_mutex_lock(&store->logs->lock);
        log = map_get(&store->logs->logs, id);
        if (log && !log->busy)
            free(map_del(&store->logs->logs, id));
        pthread_mutex_unlock(&store->logs->lock);
        if (row->size > 0 && !row->data && settle_one(store, report, stream, err) < 0)
            return -1;
    }
    return 0;
}

static int keep_one(struct tx *tx, const struct report *report, int stream, struct err *err)
{
    const struct log_row *row = &report->logs[stream];
    own_str char *path = NULL;
    int64_t size = row->size;
    struct stat st = { .st_size = 0 };

    if (row->data) {
        if (size > WIRE_LOG_INLINE)
            size = WIRE_LOG_INLINE;
    } else if (size > 0) {
        path = log_path(tx->store, report->attempt, stream);
        if (stat(path, &st) < 0)
            log_warn("event=log-missing attempt=%lld stream=%d bytes=%lld",
                     (long long)report->attempt, stream, (long long)size);
        size = st.st_size;
    }
    if (row->size == 0 && row->cut == 0)
        return 0;
    return db_run(tx->db, err, ADD_LOG, "iiiitb", log_id(report->attempt, stream), size,
                  row->cut + (row->size > size ? row->size - size : 0), (int64_t)(st.st_size > 0),
                  row->sha256 ? row->sha256 : "", row->data, row->data ? (size_t)size : 0);
}

int tx_logs_keep(struct tx *tx, const struct report *report, struct err *err)
{
    return keep_one(tx, report, 0, err) < 0 ? -1 : keep_one(tx, report, 1, err);
}

/* ---- reading */

static int file_read(const char *path, int64_t offset, size_t most, struct buf *out,
                     struct err *err)
{
    own_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_sys(err, "open %s", path);
    while (most) {
        ssize_t got;

        if (buf_reserve(out, most) < 0)
            return err_set(err, FAULT_INVALID, "more of a log than there is room for");
        got = pread(fd, out->data + out->length, most, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "read %s", path);
        if (got == 0)
            break;
        out->length += (size_t)got;
        out->data[out->length] = '\0';
        offset += got;
        most -= (size_t)got;
    }
    return 0;
}

static void growing_size(struct store *store, int64_t attempt, int stream, int64_t *size,
                         int64_t *cut)
{
    own_str char *path = log_path(store, attempt, stream);
    const struct open_log *log;
    struct stat st;

    *size = stat(path, &st) < 0 ? 0 : st.st_size;
    pthread_mutex_lock(&store->logs->lock);
    log = map_get(&store->logs->logs, (uint64_t)log_id(attempt, stream));
    *cut = log && !log->busy ? log->cut : 0;
    pthread_mutex_unlock(&store->logs->lock);
}

int store_log_read(struct store *store, int64_t attempt, int stream, int64_t offset, size_t most,
                   struct buf *out, int64_t *size, int64_t *cut, bool *ended, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_str char *path = log_path(store, attempt, stream);
    own_stmt sqlite3_stmt *stmt = NULL;
    const void *data;
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, GET_LOG, "ii", attempt, (int64_t)stream);
    rc = db_step(reader.db, stmt, err);
    if (rc <= 0)
        return rc < 0 ? -1 : err_set(err, FAULT_NOT_FOUND, "no attempt %lld", (long long)attempt);
    *ended = col_int(stmt, 0) != 0;
    *size = col_int(stmt, 1);
    *cut = col_int(stmt, 2);
    if (!*ended)
        growing_size(store, attempt, stream, size, cut);
    if (offset < 0 || offset >= *size)
        return 0;
    if (*size - offset < (int64_t)most)
        most = (size_t)(*size - offset);
    data = sqlite3_column_blob(stmt, 4);
    if (!data)
        return file_read(path, offset, most, out, err);
    if (buf_put(out, (const char *)data + offset, most) < 0)
        return err_set(err, FAULT_INVALID, "more of a log than there is room for");
    return 0;
}
