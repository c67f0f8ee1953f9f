/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - opening and closing: the lock, the schema, the identity, the ids to go on from. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/io.h"
#include "store/internal.h"

static const char GET_UUID[] = "SELECT value FROM meta WHERE key = 'uuid'";
static const char ADD_UUID[] = "INSERT INTO meta (key, value) VALUES ('uuid', ?)";
static const char LAST_JOB[] = "SELECT max(ifnull((SELECT max(id) FROM jobs), 0), ifnull((SELECT "
                               "last FROM sequences WHERE name = 'jobs'), 0))";
static const char LAST_ATTEMPT[] =
    "SELECT max(ifnull((SELECT max(id) FROM attempts), 0), ifnull((SELECT last FROM sequences "
    "WHERE name = 'attempts'), 0))";
static const char LAST_WORKER[] =
    "SELECT max(ifnull((SELECT max(id) FROM workers), 0), ifnull((SELECT last FROM sequences "
    "WHERE name = 'workers'), 0))";
static const char LAST_EVENT[] =
    "SELECT max(ifnull((SELECT id + span - 1 FROM events ORDER BY id DESC LIMIT 1), 0), "
    "ifnull((SELECT last FROM sequences WHERE name = 'events'), 0))";
static const char LAST_CLASS[] =
    "SELECT max(ifnull((SELECT max(id) FROM classes), 0), ifnull((SELECT last FROM sequences "
    "WHERE name = 'classes'), 0))";
static const char LAST_TOKEN[] = "SELECT max(id) FROM tokens";

/* One daemon a state directory: two writers would each trust a memory that the other makes wrong.
 */
static int lock_take(struct store *store, struct err *err)
{
    own_str char *path = xasprintf("%s.lock", store->path);

    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (store->lock_fd < 0)
        return err_sys(err, "open %s", path);
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return err_sys(err, "lock %s", path);
    return err_set(err, FAULT_CONFLICT,
                   "%s: another spillwayd is using it; stop that one, or give this one a state "
                   "directory of its own",
                   store->dir);
}

static void uuid_make(char out[37])
{
    unsigned char b[16];

    io_random(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

static int uuid_load(struct store *store, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(store->writer_db, GET_UUID, "");
    int rc = db_step(store->writer_db, stmt, err);

    if (rc > 0)
        snprintf(store->uuid, sizeof store->uuid, "%s", col_text(stmt, 0));
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    uuid_make(store->uuid);
    return db_run(store->writer_db, err, ADD_UUID, "t", store->uuid);
}

static int ids_load(struct store *store, struct err *err)
{
    const struct {
        int64_t *next;
        const char *sql;
    } ids[] = {
        { &store->next_job, LAST_JOB },       { &store->next_attempt, LAST_ATTEMPT },
        { &store->next_worker, LAST_WORKER }, { &store->next_event, LAST_EVENT },
        { &store->next_class, LAST_CLASS },   { &store->next_token, LAST_TOKEN },
    };

    for (size_t i = 0; i < array_len(ids); i++) {
        if (db_int(store->writer_db, 0, ids[i].next, err, ids[i].sql, "") < 0)
            return -1;
        ++*ids[i].next;
    }
    atomic_store(&store->event_last, store->next_event - 1);
    return 0;
}

static int open_all(struct store *store, struct err *err)
{
    if (io_mkdirs(store->dir, 0700, err) < 0 || lock_take(store, err) < 0)
        return -1;
    store->writer_db = conn_open(store->path, true, err);
    if (!store->writer_db || schema_apply(store->writer_db, store->path, err) < 0)
        return -1;
    if (uuid_load(store, err) < 0 || ids_load(store, err) < 0 || sessions_load(store, err) < 0 ||
        bounds_load(store, err) < 0)
        return err_wrap(err, "%s", store->path);
    if (blobs_open(store, err) < 0 || logs_open(store, err) < 0)
        return -1;
    return checkpoint_start(store, err) < 0 ? -1 : writer_start(store, err);
}

static void store_free(struct store *store)
{
    checkpoint_stop(store);
    conn_close(store->writer_db);
    while (store->pool) {
        struct conn *db = store->pool;

        store->pool = db->next;
        conn_close(db);
    }
    sessions_free(store);
    bounds_free(store);
    logs_close(store);
    tokens_close(store);
    pthread_mutex_destroy(&store->queue_lock);
    pthread_cond_destroy(&store->queue_filled);
    pthread_cond_destroy(&store->queue_drained);
    pthread_mutex_destroy(&store->checkpoint_lock);
    pthread_cond_destroy(&store->checkpoint_called);
    pthread_mutex_destroy(&store->pool_lock);
    pthread_mutex_destroy(&store->stats_lock);
    pthread_mutex_destroy(&store->operator_lock);
    free(store->operator_notify);
    pthread_mutex_destroy(&store->schedules_lock);
    pthread_rwlock_destroy(&store->session_lock);
    pthread_rwlock_destroy(&store->blob_lock);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    free(store->path);
    free(store->dir);
    free(store);
}

int store_open(const struct store_options *options, struct store **out, struct err *err)
{
    struct store *store = xcalloc(1, sizeof *store);

    store->options = *options;
    store->dir = xstrdup(options->dir);
    store->path = xasprintf("%s/spillway.db", options->dir);
    store->lock_fd = -1;
    pthread_mutex_init(&store->queue_lock, NULL);
    pthread_cond_init(&store->queue_filled, NULL);
    pthread_cond_init(&store->queue_drained, NULL);
    pthread_mutex_init(&store->checkpoint_lock, NULL);
    pthread_cond_init(&store->checkpoint_called, NULL);
    pthread_mutex_init(&store->pool_lock, NULL);
    pthread_mutex_init(&store->stats_lock, NULL);
    pthread_mutex_init(&store->operator_lock, NULL);
    pthread_mutex_init(&store->schedules_lock, NULL);
    pthread_rwlock_init(&store->session_lock, NULL);
    pthread_rwlock_init(&store->blob_lock, NULL);
    tokens_open(store);
    if (open_all(store, err) < 0) {
        store_free(store);
        return -1;
    }
    *out = store;
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    writer_stop(store);
    store_free(store);
}

const char *store_uuid(const struct store *store)
{
    return store->uuid;
}
