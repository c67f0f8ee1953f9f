/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.c - the thread that moves committed pages from the write-ahead log to the database.
 *
 * It costs an fsync of the database, tens of milliseconds on a busy disk, which no caller should
 * wait for.  While the writer never pauses, a checkpoint beside it never quite catches up and the
 * log would grow without end, so beyond LOG_PAGES_MOST the writer does the small remainder itself
 * and the log begins anew. */
#include <errno.h>

#include "base/log.h"
#include "store/internal.h"

#define LOG_PAGES      2000 /* a checkpoint each 8 MiB */
#define LOG_PAGES_MOST 8192 /* 32 MiB */

static int on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    ((struct store *)arg)->log_pages = pages;
    return SQLITE_OK;
}

static void checkpoint(sqlite3 *db)
{
    int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        log_warn("event=checkpoint-failed error=\"%s\"", sqlite3_errmsg(db));
}

void checkpoint_after_commit(struct store *store)
{
    int pages = store->log_pages;

    if (pages < store->log_next - LOG_PAGES) /* it began anew */
        store->log_next = LOG_PAGES;
    if (pages < store->log_next)
        return;
    store->log_next = pages + LOG_PAGES;
    if (pages >= LOG_PAGES_MOST)
        checkpoint(store->writer_db->db);
    pthread_mutex_lock(&store->checkpoint_lock);
    store->checkpoint_due = true;
    pthread_cond_signal(&store->checkpoint_called);
    pthread_mutex_unlock(&store->checkpoint_lock);
}

/* false: the end. */
static bool wait_until_due(struct store *store)
{
    bool goes_on;

    pthread_mutex_lock(&store->checkpoint_lock);
    while (!store->checkpoint_due && !store->checkpoint_stops)
        pthread_cond_wait(&store->checkpoint_called, &store->checkpoint_lock);
    store->checkpoint_due = false;
    goes_on = !store->checkpoint_stops;
    pthread_mutex_unlock(&store->checkpoint_lock);
    return goes_on;
}

static void *checkpoint_main(void *arg)
{
    struct store *store = arg;

    while (wait_until_due(store))
        checkpoint(store->checkpoint_db->db);
    return NULL;
}

int checkpoint_start(struct store *store, struct err *err)
{
    store->checkpoint_db = conn_open(store->path, false, err);
    if (!store->checkpoint_db)
        return -1;
    store->log_next = LOG_PAGES;
    sqlite3_wal_hook(store->writer_db->db, on_commit, store);
    errno = pthread_create(&store->checkpointer, NULL, checkpoint_main, store);
    if (errno)
        return err_sys(err, "start the store's checkpoints");
    store->checkpoint_runs = true;
    return 0;
}

void checkpoint_stop(struct store *store)
{
    if (store->checkpoint_runs) {
        pthread_mutex_lock(&store->checkpoint_lock);
        store->checkpoint_stops = true;
        pthread_cond_signal(&store->checkpoint_called);
        pthread_mutex_unlock(&store->checkpoint_lock);
        pthread_join(store->checkpointer, NULL);
    }
    conn_close(take_ptr(store->checkpoint_db));
}
