/* SPDX-License-Identifier: Apache-2.0 */
/* db.c - SQLite connections: how they are opened, statements kept prepared, faults put in words,
 * and the pool that readers borrow from.
 *
 * A reader has a connection to itself while it reads, so its callbacks may read again: they get
 * another.  The pool never makes anybody wait; what exceeds POOL_IDLE is closed on return. */
#include <assert.h>
#include <stdarg.h>
#include <unistd.h>

#include "store/internal.h"

#define POOL_IDLE       8
#define BUSY_TIMEOUT_MS 2000

/* Bounded page caches (negative: KiB), no mapping: a million queued jobs must not fill the memory.
 * checkpoint.c says when the log is checkpointed. */
static const char SET_UP_READER[] = "PRAGMA cache_size=-4096; PRAGMA query_only=1;"
                                    "PRAGMA temp_store=FILE;";
static const char SET_UP_WRITER[] = "PRAGMA cache_size=-32768; PRAGMA journal_mode=WAL;"
                                    "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                                    "PRAGMA temp_store=FILE; PRAGMA wal_autocheckpoint=0;"
                                    "PRAGMA journal_size_limit=67108864;";

static enum fault fault_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PERM:
        return FAULT_UNAVAILABLE;
    default:
        return FAULT_INTERNAL;
    }
}

static const char *advice(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return "; make room in the state directory, the broker goes on by itself";
    case SQLITE_IOERR:
        return "; the disk below the state directory is full or failing";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "; restore a copy made by `spillway doctor --backup`, or move the file away to "
               "start with an empty record";
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return "; the state directory must exist and belong to the broker's user";
    default:
        return "";
    }
}

int db_fault(struct conn *db, struct err *err)
{
    int code = sqlite3_extended_errcode(db->db);

    if (!db->trouble)
        db->trouble = code ? code : SQLITE_ERROR;
    return err_set(err, fault_of(code), "database: %s%s", sqlite3_errmsg(db->db), advice(code));
}

static int open_fault(sqlite3 *raw, const char *path, struct err *err)
{
    int code = raw ? sqlite3_errcode(raw) : SQLITE_NOMEM;

    err_set(err, fault_of(code), "%s: %s%s", path, raw ? sqlite3_errmsg(raw) : "out of memory",
            advice(code));
    sqlite3_close(raw);
    return -1;
}

/* Statistics of SQLite's allocator are one lock for all threads; nobody reads them. */
static void configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

struct conn *conn_open(const char *path, bool writer, struct err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_CREATE : 0);
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sqlite3 *raw = NULL;
    struct conn *db;

    pthread_once(&once, configure);
    if (sqlite3_open_v2(path, &raw, flags, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(raw, BUSY_TIMEOUT_MS) != SQLITE_OK ||
        sqlite3_exec(raw, writer ? SET_UP_WRITER : SET_UP_READER, NULL, NULL, NULL) != SQLITE_OK) {
        open_fault(raw, path, err);
        return NULL;
    }
    db = xcalloc(1, sizeof *db);
    db->db = raw;
    return db;
}

void conn_close(struct conn *db)
{
    size_t at = 0;
    sqlite3_stmt *stmt;

    if (!db)
        return;
    while ((stmt = map_next(&db->statements, &at)))
        sqlite3_finalize(stmt);
    map_fini(&db->statements);
    sqlite3_close(db->db);
    free(db);
}

static sqlite3_stmt *prepared(struct conn *db, const char *sql)
{
    uint64_t key = (uint64_t)(uintptr_t)sql;
    sqlite3_stmt *stmt = map_get(&db->statements, key);

    if (stmt) {
        sqlite3_reset(stmt);
        return stmt;
    }
    if (sqlite3_prepare_v3(db->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
        return NULL;
    map_put(&db->statements, key, stmt);
    return stmt;
}

static int bind_all(sqlite3_stmt *stmt, const char *types, va_list args)
{
    int rc = SQLITE_OK;

    for (int i = 0; types[i] && rc == SQLITE_OK; i++) {
        if (types[i] == 'i') {
            rc = sqlite3_bind_int64(stmt, i + 1, va_arg(args, int64_t));
        } else if (types[i] == 't') {
            rc = sqlite3_bind_text(stmt, i + 1, va_arg(args, const char *), -1, SQLITE_STATIC);
        } else {
            const void *data = va_arg(args, const void *);
            size_t size = va_arg(args, size_t);

            rc = data ? sqlite3_bind_blob64(stmt, i + 1, data, size, SQLITE_STATIC)
                      : sqlite3_bind_null(stmt, i + 1);
        }
    }
    return rc;
}

static sqlite3_stmt *query(struct conn *db, const char *sql, const char *types, va_list args)
{
    sqlite3_stmt *stmt = prepared(db, sql);

    return stmt && bind_all(stmt, types, args) == SQLITE_OK ? stmt : NULL;
}

sqlite3_stmt *db_query(struct conn *db, const char *sql, const char *types, ...)
{
    sqlite3_stmt *stmt;
    va_list args;

    va_start(args, types);
    stmt = query(db, sql, types, args);
    va_end(args);
    return stmt;
}

int db_step(struct conn *db, sqlite3_stmt *stmt, struct err *err)
{
    int rc = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;

    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : db_fault(db, err);
}

int db_run(struct conn *db, struct err *err, const char *sql, const char *types, ...)
{
    own_stmt sqlite3_stmt *stmt = NULL;
    va_list args;
    int rc;

    va_start(args, types);
    stmt = query(db, sql, types, args);
    va_end(args);
    do
        rc = db_step(db, stmt, err);
    while (rc > 0);
    return rc;
}

int db_int(struct conn *db, int64_t otherwise, int64_t *out, struct err *err, const char *sql,
           const char *types, ...)
{
    own_stmt sqlite3_stmt *stmt = NULL;
    va_list args;
    int rc;

    va_start(args, types);
    stmt = query(db, sql, types, args);
    va_end(args);
    rc = db_step(db, stmt, err);
    if (rc < 0)
        return -1;
    *out = rc && sqlite3_column_type(stmt, 0) != SQLITE_NULL ? col_int(stmt, 0) : otherwise;
    return 0;
}

int db_script(struct conn *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fault(db, err);
}

/* ---- the pool */

struct conn *reader_take(struct store *store, struct err *err)
{
    struct conn *db;

    pthread_mutex_lock(&store->pool_lock);
    db = store->pool;
    if (db) {
        store->pool = db->next;
        store->pool_count--;
    }
    pthread_mutex_unlock(&store->pool_lock);
    return db ? db : conn_open(store->path, false, err);
}

void reader_put(struct store *store, struct conn *db)
{
    bool keeps;

    db->trouble = 0;
    pthread_mutex_lock(&store->pool_lock);
    keeps = store->pool_count < POOL_IDLE;
    if (keeps) {
        db->next = store->pool;
        store->pool = db;
        store->pool_count++;
    }
    pthread_mutex_unlock(&store->pool_lock);
    if (!keeps)
        conn_close(db);
}

/* ---- strings of a row */

void keep(struct keeper *keeper, const char **slot)
{
    /* Growing would leave what an earlier row keeps in the same buffer dangling. */
    assert(keeper->count || keeper->strings->length == 0);
    if (!*slot)
        return;
    keeper->slots[keeper->count] = slot;
    keeper->at[keeper->count++] = keeper->strings->length;
    if (buf_put(keeper->strings, *slot, strlen(*slot) + 1) < 0)
        keeper->full = true;
}

int keep_done(struct keeper *keeper, struct err *err)
{
    if (keeper->full)
        return err_set(err, FAULT_INVALID, "a record is larger than the caller has room for");
    for (int i = 0; i < keeper->count; i++)
        *keeper->slots[i] = keeper->strings->data + keeper->at[i];
    return 0;
}
