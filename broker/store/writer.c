/* SPDX-License-Identifier: Apache-2.0 */
/* writer.c - the one thread that changes the record.
 *
 * It takes all that is queued, applies it in one transaction and answers each caller after the
 * commit, so that many callers share one fsync.  Ops check before they write: one that is refused
 * leaves nothing in the group.  What SQLite itself refuses (disk full, I/O) may leave half an op
 * behind, so the group is rolled back whole and each op is tried in a transaction of its own: only
 * those that cannot be done fail, and every answer is true. */
#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/internal.h"

#define GROUP_CHANGES 8192  /* a group takes no further op beyond this many changes */
#define DELIVERY      4096  /* changes handed over in one call */
#define QUEUE_MOST    65536 /* callers wait for room beyond this */
#define CHANGES_KEPT  65536 /* room for changes kept between groups */

static const char ADD_ENDED[] = "INSERT INTO ended VALUES (?1, ?2) "
                                "ON CONFLICT DO UPDATE SET tasks = tasks + ?2";

/* ---- the transaction */

struct change *tx_change(struct tx *tx, enum change_kind kind)
{
    struct change *change;

    if (tx->change_count == tx->change_room) {
        tx->change_room = tx->change_room ? 2 * tx->change_room : 256;
        tx->changes = xrealloc(tx->changes, tx->change_room * sizeof *tx->changes);
    }
    change = &tx->changes[tx->change_count++];
    *change = (struct change){ .kind = kind };
    return change;
}

const char *tx_strdup(struct tx *tx, const char *text)
{
    return text ? arena_strdup(&tx->arena, text) : NULL;
}

static int tx_begin(struct tx *tx, struct err *err)
{
    tx->db->trouble = 0;
    tx->now_ms = clock_wall_ms();
    return db_run(tx->db, err, "BEGIN IMMEDIATE", "");
}

static void tx_clear(struct tx *tx)
{
    tx_jobs_clear(tx);
    tx->change_count = 0;
    if (tx->change_room > CHANGES_KEPT) {
        free(tx->changes);
        tx->changes = NULL;
        tx->change_room = 0;
    }
    tx->events = false;
    tx->worker = (struct worker_memo){ 0 };
    memset(tx->ended, 0, sizeof tx->ended);
    arena_clear(&tx->arena);
}

void classes_forget(struct store *store)
{
    size_t at = 0;
    void *class;

    while ((class = map_next(&store->classes, &at)))
        free(class);
    map_fini(&store->classes);
    store->classes = (struct map)MAP_INIT_STR;
    store->class_floor = store->class_clock;
}

static void tx_rollback(struct tx *tx)
{
    if (!sqlite3_get_autocommit(tx->db->db))
        db_run(tx->db, NULL, "ROLLBACK", "");
    tx_open_settle(tx, false);
    classes_forget(tx->store); /* it may hold ids that were never committed */
    tx_clear(tx);
}

static int tx_commit(struct tx *tx, struct err *err)
{
    if (tx_jobs_flush(tx, err) < 0)
        return -1;
    for (int i = 0; i < TASK_STATE_COUNT; i++)
        if (tx->ended[i] && db_run(tx->db, err, ADD_ENDED, "ii", (int64_t)i, tx->ended[i]) < 0)
            return -1;
    return db_run(tx->db, err, "COMMIT", "");
}

/* ---- a group */

static void op_apply(struct tx *tx, struct op *op)
{
    op->err = (struct err)ERR_INIT;
    op->rc = op->apply(tx, op, &op->err);
    tx_jobs_tell(tx);
}

static void op_finish(struct op *op)
{
    if (op->done) {
        bool on_heap = op->on_heap;

        op->done(op->arg, op->rc < 0 ? -1 : (int)op->rc, op->rc < 0 ? &op->err : NULL);
        if (on_heap)
            free(op);
    } else {
        sem_post(&op->ended); /* the caller may be gone with it from here on */
    }
}

static void deliver(struct tx *tx)
{
    const struct store_options *options = &tx->store->options;

    if (!options->on_changes || (tx->change_count == 0 && !tx->events))
        return;
    for (size_t at = 0; at == 0 || at < tx->change_count; at += DELIVERY) {
        size_t left = tx->change_count - at;

        options->on_changes(options->arg, tx->changes + at, left < DELIVERY ? left : DELIVERY);
    }
}

/* After the commit: memory first, then the subscriber, then each caller in turn. */
static void group_publish(struct tx *tx, struct op *first, const struct op *end)
{
    struct store *store = tx->store;

    atomic_store(&store->event_last, store->next_event - 1);
    tx_open_settle(tx, true);
    for (struct op *op = first; op != end; op = op->next)
        if (op->committed && op->rc >= 0)
            op->committed(store, op);
    for (size_t i = 0; i < tx->change_count; i++)
        if (tx->changes[i].kind == CHANGE_WORKER)
            session_set(store, tx->changes[i].worker.id, NULL, tx->changes[i].worker.state);
    deliver(tx);
    tx_clear(tx);
    for (struct op *op = first, *next; op != end; op = next) {
        next = op->next;
        op_finish(op);
    }
}

static void count_commit(struct store *store, int64_t began_us, int64_t operations)
{
    int64_t took = clock_mono_us() - began_us;

    atomic_fetch_add(&store->commits, 1);
    atomic_fetch_add(&store->operations, operations);
    atomic_fetch_add(&store->commit_us_sum, took);
    if (took > atomic_load(&store->commit_us_max))
        atomic_store(&store->commit_us_max, took);
    checkpoint_after_commit(store);
}

static void run_alone(struct tx *tx, struct op *op)
{
    struct op *next = op->next;
    int64_t began = clock_mono_us();
    struct err err = ERR_INIT;

    if (tx_begin(tx, &err) == 0) {
        op_apply(tx, op);
        if (tx->db->trouble && op->err.fault != FAULT_NONE)
            err = op->err;
        else if (tx->db->trouble)
            db_fault(tx->db, &err);
        else if (tx_commit(tx, &err) == 0) {
            count_commit(tx->store, began, 1);
            group_publish(tx, op, next);
            return;
        }
    }
    tx_rollback(tx);
    op->rc = -1;
    op->err = err;
    op_finish(op);
}

/* Applies ops from `first` on; returns the first that is left for the next group. */
static struct op *run_group(struct tx *tx, struct op *first)
{
    int64_t began = clock_mono_us(), operations = 0;
    struct op *op = first;
    struct err err = ERR_INIT;

    if (tx_begin(tx, &err) == 0) {
        for (; op && tx->change_count < GROUP_CHANGES && !tx->db->trouble; op = op->next) {
            op_apply(tx, op);
            operations++;
        }
        if (!tx->db->trouble && tx_commit(tx, &err) == 0) {
            count_commit(tx->store, began, operations);
            group_publish(tx, first, op);
            return op;
        }
    } else {
        op = first->next;
    }
    tx_rollback(tx);
    for (struct op *next; first != op; first = next) {
        next = first->next;
        run_alone(tx, first);
    }
    return op;
}

/* ---- the queue */

static struct op *queue_take(struct store *store)
{
    struct op *head;

    pthread_mutex_lock(&store->queue_lock);
    while (!store->queue_head && !store->stopping)
        pthread_cond_wait(&store->queue_filled, &store->queue_lock);
    head = store->queue_head;
    store->queue_head = NULL;
    store->queue_tail = &store->queue_head;
    store->queue_length = 0;
    pthread_cond_broadcast(&store->queue_drained);
    pthread_mutex_unlock(&store->queue_lock);
    return head;
}

static void *writer_main(void *arg)
{
    struct store *store = arg;
    struct tx tx = { .store = store, .db = store->writer_db };
    struct op *head;

    while ((head = queue_take(store)))
        while (head)
            head = run_group(&tx, head);
    tx_clear(&tx);
    arena_free(&tx.arena);
    map_fini(&tx.jobs);
    free(tx.changes);
    return NULL;
}

/* false: the store is closing. */
static bool queue_put(struct store *store, struct op *op)
{
    bool accepts;

    op->next = NULL;
    pthread_mutex_lock(&store->queue_lock);
    while (store->queue_length >= QUEUE_MOST && !store->stopping &&
           !pthread_equal(pthread_self(), store->writer))
        pthread_cond_wait(&store->queue_drained, &store->queue_lock);
    accepts = !store->stopping;
    if (accepts) {
        if (!store->queue_head)
            pthread_cond_signal(&store->queue_filled);
        *store->queue_tail = op;
        store->queue_tail = &op->next;
        store->queue_length++;
    }
    pthread_mutex_unlock(&store->queue_lock);
    return accepts;
}

static int closing(struct err *err)
{
    return err_set(err, FAULT_UNAVAILABLE, "the broker is stopping; try again once it is back");
}

int64_t writer_call(struct store *store, struct op *op, struct err *err)
{
    /* in the writer's own thread it would wait for itself */
    assert(!pthread_equal(pthread_self(), store->writer));
    op->done = NULL;
    sem_init(&op->ended, 0, 0);
    if (queue_put(store, op)) {
        while (sem_wait(&op->ended) < 0 && errno == EINTR)
            ;
    } else {
        op->rc = closing(&op->err);
    }
    sem_destroy(&op->ended);
    if (op->rc < 0 && err)
        *err = op->err;
    return op->rc;
}

void writer_post(struct store *store, struct op *op)
{
    if (queue_put(store, op))
        return;
    op->rc = closing(&op->err);
    op_finish(op);
}

int writer_start(struct store *store, struct err *err)
{
    store->queue_tail = &store->queue_head;
    store->classes = (struct map)MAP_INIT_STR;
    errno = pthread_create(&store->writer, NULL, writer_main, store);
    return errno ? err_sys(err, "start the store's writer") : 0;
}

void writer_stop(struct store *store)
{
    pthread_mutex_lock(&store->queue_lock);
    store->stopping = true;
    pthread_cond_broadcast(&store->queue_filled);
    pthread_cond_broadcast(&store->queue_drained);
    pthread_mutex_unlock(&store->queue_lock);
    pthread_join(store->writer, NULL);
    classes_forget(store);
    map_fini(&store->classes);
}
