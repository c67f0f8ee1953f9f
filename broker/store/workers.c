/* SPDX-License-Identifier: Apache-2.0 */
/* workers.c - workers' rows, how an agent joins, and whose session a call bears.
 *
 * Sessions are asked for with every call of every agent, so they are kept in memory beside the
 * rows; what is kept changes after the commit that changed the rows. */
#include "base/log.h"
#include "spillway/wire.h"
#include "store/internal.h"

static const char ADD_WORKER[] =
    "INSERT INTO workers (id, name, site, shape, image, project, state, reason, class, created,"
    " joined, gone, absent, absent_at, join_hash, join_nonce, session_hash, detail, facts,"
    " decision) VALUES (?,?,?,?,?,?,0,0,?,?,0,0,0,0,?,NULL,NULL,NULL,NULL,?)";
static const char GET_WORKER[] = "SELECT " WORKER_COLUMNS " FROM workers w WHERE w.id = ?";
static const char FIND_WORKER[] = "SELECT " WORKER_COLUMNS " FROM workers w WHERE w.name = ?";
static const char GET_JOIN[] = "SELECT id, state, joined, join_nonce, join_hash FROM workers "
                               "WHERE name = ?";
static const char FIND_JOIN[] = "SELECT id FROM workers WHERE state < 6 AND state <> 5 "
                                "AND joined = 0 AND join_hash = ?";
static const char SET_JOINED[] = "UPDATE workers SET state = ?2, joined = ?3, join_nonce = ?4,"
                                 " session_hash = ?5, facts = ?6 WHERE id = ?1";
static const char SET_STATE[] = "UPDATE workers SET state = ?2, reason = ?3, detail = ?4,"
                                " gone = ?5 WHERE id = ?1";
static const char SET_ABSENT[] = "UPDATE workers SET absent = ?2, absent_at = ?3 WHERE id = ?1";
static const char LIST_OPEN[] = "SELECT " WORKER_COLUMNS " FROM workers w WHERE w.state < 6 "
                                "AND (?1 IS NULL OR w.site = ?1) ORDER BY w.id LIMIT ?2";
static const char LIST_ALL[] = "SELECT " WORKER_COLUMNS " FROM workers w "
                               "WHERE (?1 IS NULL OR w.site = ?1) ORDER BY w.id DESC LIMIT ?2";
static const char LIST_SESSIONS[] = "SELECT id, state, session_hash FROM workers "
                                    "WHERE state < 6 AND session_hash IS NOT NULL";

/* ---- rows */

void worker_row_read(sqlite3_stmt *stmt, struct worker_row *out)
{
    *out = (struct worker_row){
        .id = col_int(stmt, 0),
        .name = col_text(stmt, 1),
        .site = col_text(stmt, 2),
        .shape = col_text(stmt, 3),
        .image = col_text(stmt, 4),
        .project = col_text(stmt, 5),
        .state = (enum worker_state)col_int(stmt, 6),
        .reason = (enum reason)col_int(stmt, 7),
        .detail = col_text(stmt, 8),
        .facts = col_text(stmt, 9),
        .class_id = col_int(stmt, 10),
        .created_ms = col_int(stmt, 11),
        .joined_ms = col_int(stmt, 12),
        .gone_ms = col_int(stmt, 13),
        .absent = (int)col_int(stmt, 14),
        .absent_ms = col_int(stmt, 15),
    };
}

static const char *copied(struct arena *arena, const char *text)
{
    return text ? arena_strdup(arena, text) : NULL;
}

void worker_row_copy_strings(struct arena *arena, struct worker_row *row)
{
    row->name = copied(arena, row->name);
    row->site = copied(arena, row->site);
    row->shape = copied(arena, row->shape);
    row->image = copied(arena, row->image);
    row->project = copied(arena, row->project);
    row->detail = copied(arena, row->detail);
    row->facts = copied(arena, row->facts);
}

/* 1: none such.  Strings live as long as the transaction. */
static int worker_get(struct tx *tx, int64_t id, struct worker_row *out, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(tx->db, GET_WORKER, "i", id);
    int rc = db_step(tx->db, stmt, err);

    if (rc <= 0)
        return rc < 0 ? -1 : 1;
    worker_row_read(stmt, out);
    worker_row_copy_strings(&tx->arena, out);
    return 0;
}

int tx_worker(struct tx *tx, int64_t id, const struct worker_memo **out, struct err *err)
{
    struct worker_row row;
    int rc;

    if (tx->worker.id != id || id == 0) {
        rc = worker_get(tx, id, &row, err);
        if (rc != 0)
            return rc;
        tx->worker = (struct worker_memo){
            .id = id, .state = row.state, .name = row.name, .site = row.site
        };
    }
    *out = &tx->worker;
    return 0;
}

/* Tell of a worker's row as it is now. */
static int worker_tell(struct tx *tx, int64_t id, bool added, struct err *err)
{
    struct worker_row row;
    struct change *change;

    tx->worker.id = 0;
    if (worker_get(tx, id, &row, err) != 0)
        return -1;
    change = tx_change(tx, CHANGE_WORKER);
    change->added = added;
    change->worker = row;
    return 0;
}

static int worker_event(struct tx *tx, const char *kind, const struct worker_row *row,
                        struct err *err)
{
    struct event_row event = { .kind = kind,
                               .index = -1,
                               .worker = row->id,
                               .site = row->site,
                               .project = row->project,
                               .state = worker_state_name(row->state),
                               .reason = reason_name(row->reason),
                               .detail = row->detail };

    return tx_event(tx, &event, err);
}

/* ---- sessions */

static uint64_t session_key(const unsigned char hash[SHA256_BYTES])
{
    uint64_t key;

    memcpy(&key, hash, sizeof key);
    return key;
}

/* `hash` NULL: as it was.  A worker that is gone has none. */
void session_set(struct store *store, int64_t worker, const unsigned char *hash,
                 enum worker_state state)
{
    struct session *session;

    pthread_rwlock_wrlock(&store->session_lock);
    session = map_get(&store->session_of, (uint64_t)worker);
    if (session && (hash || state == WORKER_GONE)) {
        map_del(&store->sessions, session_key(session->hash));
        map_del(&store->session_of, (uint64_t)worker);
        free(take_ptr(session));
    }
    if (hash && state != WORKER_GONE) {
        session = xcalloc(1, sizeof *session);
        session->worker = worker;
        memcpy(session->hash, hash, SHA256_BYTES);
        free(map_put(&store->sessions, session_key(hash), session));
        map_put(&store->session_of, (uint64_t)worker, session);
    }
    if (session)
        session->state = state;
    pthread_rwlock_unlock(&store->session_lock);
}

int sessions_load(struct store *store, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(store->writer_db, LIST_SESSIONS, "");
    int rc;

    while ((rc = db_step(store->writer_db, stmt, err)) > 0)
        if (sqlite3_column_bytes(stmt, 2) == SHA256_BYTES)
            session_set(store, col_int(stmt, 0), sqlite3_column_blob(stmt, 2),
                        (enum worker_state)col_int(stmt, 1));
    return rc;
}

void sessions_free(struct store *store)
{
    size_t at = 0;
    struct session *session;

    while ((session = map_next(&store->session_of, &at)))
        free(session);
    map_fini(&store->sessions);
    map_fini(&store->session_of);
}

int store_worker_session(struct store *store, const unsigned char hash[SHA256_BYTES], int64_t *id,
                         enum worker_state *state, struct err *err)
{
    const struct session *session;
    bool found;

    pthread_rwlock_rdlock(&store->session_lock);
    session = map_get(&store->sessions, session_key(hash));
    found = session && bytes_equal_secret(session->hash, hash, SHA256_BYTES);
    if (found) {
        *id = session->worker;
        *state = session->state;
    }
    pthread_rwlock_unlock(&store->session_lock);
    return found ? 0 : err_set(err, FAULT_AUTH, "no worker has this session; join first");
}

/* ---- changes */

struct worker_op {
    struct op op;
    struct new_worker *added;
    struct join *join;
    int64_t id;
    enum worker_state state;
    enum reason reason;
    const char *detail;
    int64_t at_ms, apart_ms;
};

static int64_t add_apply(struct tx *tx, struct op *op, struct err *err)
{
    struct new_worker *worker = ((struct worker_op *)op)->added;
    struct worker_row row;

    worker->id = tx->store->next_worker++;
    if (snprintf(worker->name, sizeof worker->name, "%s-%lld", worker->name_stem,
                 (long long)worker->id) >= (int)sizeof worker->name)
        return err_set(err, FAULT_INVALID, "the worker's name would be longer than %zu bytes",
                       sizeof worker->name - 1);
    if (db_run(tx->db, err, ADD_WORKER,
               "ittttt"
               "ii"
               "bt",
               worker->id, worker->name, worker->site, worker->shape, worker->image,
               worker->project, worker->class_id, tx->now_ms, (const void *)worker->join_hash,
               (size_t)SHA256_BYTES, worker->decision) < 0 ||
        worker_tell(tx, worker->id, true, err) < 0 || worker_get(tx, worker->id, &row, err) != 0)
        return -1;
    return worker_event(tx, "worker.added", &row, err);
}

int store_worker_add(struct store *store, struct new_worker *worker, struct err *err)
{
    struct worker_op op = { .op.apply = add_apply, .added = worker };

    return (int)writer_call(store, &op.op, err);
}

static int join_refuse(struct err *err)
{
    return err_set(err, FAULT_AUTH,
                   "no such worker, or its join token is wrong or was used already");
}

/* The token dies at its first use; an agent that lost the answer says so by its nonce. */
static int join_check(struct tx *tx, struct join *join, enum worker_state *state, bool *again,
                      struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(tx->db, GET_JOIN, "t", join->worker);
    int rc = db_step(tx->db, stmt, err);
    const char *nonce;
    int64_t joined;

    if (rc <= 0)
        return rc < 0 ? -1 : join_refuse(err);
    join->id = col_int(stmt, 0);
    *state = (enum worker_state)col_int(stmt, 1);
    joined = col_int(stmt, 2);
    nonce = col_text(stmt, 3);
    *again = joined != 0;
    if (sqlite3_column_bytes(stmt, 4) != SHA256_BYTES ||
        !bytes_equal_secret(sqlite3_column_blob(stmt, 4), join->token_hash, SHA256_BYTES))
        return join_refuse(err);
    if (*state == WORKER_DESTROYING || *state == WORKER_GONE)
        return err_set(err, FAULT_AUTH, "this worker is being taken down; nothing is left to do");
    if (*again && (!nonce || !join->nonce || strcmp(nonce, join->nonce) != 0 ||
                   tx->now_ms > joined + WIRE_JOIN_AGAIN_MS))
        return join_refuse(err);
    return 0;
}

static int64_t join_apply(struct tx *tx, struct op *op, struct err *err)
{
    struct worker_op *worker = (struct worker_op *)op;
    struct join *join = worker->join;
    struct worker_row row;
    enum worker_state state = WORKER_GONE;
    bool again = false;

    if (join_check(tx, join, &state, &again, err) < 0 || worker_get(tx, join->id, &row, err) != 0)
        return -1;
    worker->id = join->id;
    worker->state = state == WORKER_DRAINING ? state : WORKER_READY;
    if (db_run(tx->db, err, SET_JOINED, "iiitbt", join->id, (int64_t)worker->state,
               again ? row.joined_ms : tx->now_ms, join->nonce, (const void *)join->session_hash,
               (size_t)SHA256_BYTES, join->facts) < 0 ||
        worker_tell(tx, join->id, false, err) < 0)
        return -1;
    row.state = worker->state;
    return again ? 0 : worker_event(tx, "worker.joined", &row, err);
}

static void join_committed(struct store *store, struct op *op)
{
    const struct worker_op *worker = (const struct worker_op *)op;

    session_set(store, worker->id, worker->join->session_hash, worker->state);
}

int store_worker_join(struct store *store, struct join *join, struct err *err)
{
    struct worker_op op = { .op = { .apply = join_apply, .committed = join_committed },
                            .join = join };

    return (int)writer_call(store, &op.op, err);
}

int store_worker_join_token(struct store *store, const unsigned char hash[SHA256_BYTES],
                            int64_t *id, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };

    if (!reader.db ||
        db_int(reader.db, 0, id, err, FIND_JOIN, "b", (const void *)hash, (size_t)SHA256_BYTES) < 0)
        return -1;
    return *id ? 0 : err_set(err, FAULT_AUTH, "no worker has this join token, or it was used");
}

static int state_write(struct tx *tx, struct worker_row *row, enum worker_state state,
                       enum reason reason, const char *detail, struct err *err)
{
    int64_t gone = state == WORKER_GONE ? tx->now_ms : row->gone_ms;

    row->state = state;
    row->reason = reason;
    row->detail = detail;
    if (db_run(tx->db, err, SET_STATE, "iiiti", row->id, (int64_t)state, (int64_t)reason, detail,
               gone) < 0 ||
        worker_tell(tx, row->id, false, err) < 0)
        return -1;
    return worker_event(tx, "worker.state", row, err);
}

static int worker_named(struct tx *tx, int64_t id, struct worker_row *row, struct err *err)
{
    int rc = worker_get(tx, id, row, err);

    if (rc > 0)
        err_set(err, FAULT_NOT_FOUND, "no such worker");
    return rc == 0 ? 0 : -1;
}

static int64_t set_apply(struct tx *tx, struct op *op, struct err *err)
{
    struct worker_op *worker = (struct worker_op *)op;
    enum reason reason;
    const char *detail;
    struct worker_row row;
    bool ending;

    if (worker_named(tx, worker->id, &row, err) < 0)
        return -1;
    if (row.state == WORKER_GONE && worker->state != WORKER_GONE)
        return err_set(err, FAULT_CONFLICT, "worker %s is gone for good", row.name);
    /* the first reason of an end is the one that counts */
    ending = row.state == WORKER_DESTROYING && row.reason;
    reason = worker->reason && !ending ? worker->reason : row.reason;
    detail = worker->detail && !ending ? worker->detail : row.detail;
    if (row.state == worker->state && reason == row.reason && detail == row.detail)
        return 0;
    return state_write(tx, &row, worker->state, reason, detail, err);
}

int store_worker_set(struct store *store, int64_t id, enum worker_state state, enum reason reason,
                     const char *detail, struct err *err)
{
    struct worker_op op = {
        .op.apply = set_apply, .id = id, .state = state, .reason = reason, .detail = detail
    };

    return (int)writer_call(store, &op.op, err);
}

int tx_worker_silent(struct tx *tx, int64_t id, bool silent, struct err *err)
{
    struct worker_row row;
    int rc = worker_get(tx, id, &row, err);

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (row.state != (silent ? WORKER_READY : WORKER_SILENT))
        return 0;
    return state_write(tx, &row, silent ? WORKER_SILENT : WORKER_READY, row.reason, row.detail,
                       err);
}

/* Gone only when two listings, apart in time, do not show it. */
static int64_t absent_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct worker_op *worker = (const struct worker_op *)op;
    struct worker_row row;

    if (worker_named(tx, worker->id, &row, err) < 0)
        return -1;
    if (row.state != WORKER_DESTROYING)
        return 0;
    if (row.absent == 0 || worker->at_ms < row.absent_ms)
        row.absent_ms = worker->at_ms;
    row.absent++;
    if (db_run(tx->db, err, SET_ABSENT, "iii", row.id, (int64_t)row.absent, row.absent_ms) < 0)
        return -1;
    if (row.absent > 1 && worker->at_ms - row.absent_ms >= worker->apart_ms)
        return state_write(tx, &row, WORKER_GONE, row.reason, row.detail, err);
    return worker_tell(tx, row.id, false, err);
}

int store_worker_absent(struct store *store, int64_t id, int64_t at_ms, int64_t apart_ms,
                        struct err *err)
{
    struct worker_op op = {
        .op.apply = absent_apply, .id = id, .at_ms = at_ms, .apart_ms = apart_ms
    };

    return (int)writer_call(store, &op.op, err);
}

/* ---- reading */

int store_workers(struct store *store, const char *site, bool all, int64_t limit,
                  store_worker_each *each, void *arg, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    struct worker_row row;
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, all ? LIST_ALL : LIST_OPEN, "ti", site, limit);
    while ((rc = db_step(reader.db, stmt, err)) > 0) {
        worker_row_read(stmt, &row);
        if (!each(arg, &row))
            return 0;
    }
    return rc;
}

int store_worker_find(struct store *store, const char *name, struct worker_row *out,
                      struct buf *strings, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    struct keeper keeper = { .strings = strings };
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, FIND_WORKER, "t", name);
    rc = db_step(reader.db, stmt, err);
    if (rc <= 0)
        return rc < 0 ? -1 : 1;
    worker_row_read(stmt, out);
    keep(&keeper, &out->name);
    keep(&keeper, &out->site);
    keep(&keeper, &out->shape);
    keep(&keeper, &out->image);
    keep(&keeper, &out->project);
    keep(&keeper, &out->detail);
    keep(&keeper, &out->facts);
    return keep_done(&keeper, err);
}
