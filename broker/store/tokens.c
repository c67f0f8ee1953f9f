/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.c - who may call, by the hash of the token they bear.
 *
 * A token itself is never here.  When one was last used is noted at most every USED_EVERY_MS: it is
 * for people who clean up, and not worth a commit a call. */
#include "base/clock.h"
#include "store/internal.h"

#define USED_EVERY_MS 600000

#define TOKEN_COLUMNS "id, name, user, projects, role, created, expires, revoked, used"
static const char ADD_TOKEN[] =
    "INSERT INTO tokens (id, hash, name, user, projects, role, created, expires, revoked, used)"
    " VALUES (?,?,?,?,?,?,?,?,0,0)";
static const char FIND_TOKEN[] = "SELECT " TOKEN_COLUMNS " FROM tokens WHERE hash = ?";
static const char LIST_TOKENS[] = "SELECT " TOKEN_COLUMNS " FROM tokens ORDER BY id";
static const char REVOKE_TOKEN[] = "UPDATE tokens SET revoked = ?2 WHERE id = ?1 AND revoked = 0";
static const char HAS_TOKEN[] = "SELECT 1 FROM tokens WHERE id = ?";
static const char TOUCH_TOKEN[] = "UPDATE tokens SET used = ?2 WHERE id = ?1";

struct touches {
    pthread_mutex_t lock;
    struct map at; /* token's id -> int64_t, when a note was last made */
};

void tokens_open(struct store *store)
{
    store->touches = xcalloc(1, sizeof *store->touches);
    pthread_mutex_init(&store->touches->lock, NULL);
}

void tokens_close(struct store *store)
{
    size_t at = 0;
    void *time;

    while ((time = map_next(&store->touches->at, &at)))
        free(time);
    map_fini(&store->touches->at);
    pthread_mutex_destroy(&store->touches->lock);
    free(take_ptr(store->touches));
}

struct token_op {
    struct op op;
    const struct token_row *row;
    const unsigned char *hash;
    int64_t id;
};

/* ---- changes */

static int64_t add_apply(struct tx *tx, struct op *op, struct err *err)
{
    struct token_op *token = (struct token_op *)op;
    const struct token_row *row = token->row;
    struct event_row event = {
        .kind = "token.added", .index = -1, .user = row->user, .detail = row->name
    };

    token->id = tx->store->next_token++;
    if (db_run(tx->db, err, ADD_TOKEN, "ibtttiii", token->id, (const void *)token->hash,
               (size_t)SHA256_BYTES, row->name, row->user, row->projects ? row->projects : "",
               (int64_t)row->role, tx->now_ms, row->expires_ms) < 0)
        return -1;
    return tx_event(tx, &event, err);
}

int store_token_add(struct store *store, const struct token_row *token,
                    const unsigned char hash[SHA256_BYTES], int64_t *id, struct err *err)
{
    struct token_op op = { .op.apply = add_apply, .row = token, .hash = hash };

    if (writer_call(store, &op.op, err) < 0)
        return -1;
    *id = op.id;
    return 0;
}

static int64_t revoke_apply(struct tx *tx, struct op *op, struct err *err)
{
    int64_t id = ((const struct token_op *)op)->id, found;
    struct event_row event = { .kind = "token.revoked", .index = -1 };

    if (db_int(tx->db, 0, &found, err, HAS_TOKEN, "i", id) < 0)
        return -1;
    if (!found)
        return err_set(err, FAULT_NOT_FOUND, "no token %lld", (long long)id);
    if (db_run(tx->db, err, REVOKE_TOKEN, "ii", id, tx->now_ms) < 0)
        return -1;
    return tx_event(tx, &event, err);
}

int store_token_revoke(struct store *store, int64_t id, struct err *err)
{
    struct token_op op = { .op.apply = revoke_apply, .id = id };

    return (int)writer_call(store, &op.op, err);
}

static int64_t touch_apply(struct tx *tx, struct op *op, struct err *err)
{
    return db_run(tx->db, err, TOUCH_TOKEN, "ii", ((const struct token_op *)op)->id, tx->now_ms);
}

static void touched(void *arg, int rc, const struct err *err)
{
    (void)arg, (void)rc, (void)err; /* the next use makes another note */
}

static void token_touch(struct store *store, int64_t id)
{
    struct touches *touches = store->touches;
    int64_t now = clock_mono_ms(), *last;
    struct token_op *op;
    bool is_due;

    pthread_mutex_lock(&touches->lock);
    last = map_get(&touches->at, (uint64_t)id);
    is_due = !last || now - *last >= USED_EVERY_MS;
    if (!last) {
        last = xcalloc(1, sizeof *last);
        map_put(&touches->at, (uint64_t)id, last);
    }
    if (is_due)
        *last = now;
    pthread_mutex_unlock(&touches->lock);
    if (!is_due)
        return;
    op = xcalloc(1, sizeof *op);
    op->op.apply = touch_apply;
    op->op.done = touched;
    op->op.on_heap = true;
    op->id = id;
    writer_post(store, &op->op);
}

/* ---- reading */

static void token_row_read(sqlite3_stmt *stmt, struct token_row *out)
{
    *out = (struct token_row){
        .id = col_int(stmt, 0),
        .name = col_text(stmt, 1),
        .user = col_text(stmt, 2),
        .projects = col_text(stmt, 3),
        .role = (enum role)col_int(stmt, 4),
        .created_ms = col_int(stmt, 5),
        .expires_ms = col_int(stmt, 6),
        .revoked_ms = col_int(stmt, 7),
        .used_ms = col_int(stmt, 8),
    };
}

static int token_get(struct store *store, const unsigned char hash[SHA256_BYTES],
                     struct token_row *out, struct buf *strings, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    struct keeper keeper = { .strings = strings };
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, FIND_TOKEN, "b", (const void *)hash, (size_t)SHA256_BYTES);
    rc = db_step(reader.db, stmt, err);
    if (rc <= 0)
        return rc < 0 ? -1
                      : err_set(err, FAULT_AUTH,
                                "unknown token: it was mistyped, or made by another broker; an "
                                "administrator makes one by `spillway token add`");
    token_row_read(stmt, out);
    keep(&keeper, &out->name);
    keep(&keeper, &out->user);
    keep(&keeper, &out->projects);
    return keep_done(&keeper, err);
}

int store_token_find(struct store *store, const unsigned char hash[SHA256_BYTES],
                     struct token_row *out, struct buf *strings, struct err *err)
{
    if (token_get(store, hash, out, strings, err) < 0)
        return -1;
    if (out->revoked_ms)
        return err_set(err, FAULT_AUTH, "the token '%s' was revoked; ask an admin for another",
                       out->name);
    if (out->expires_ms && out->expires_ms <= clock_wall_ms())
        return err_set(err, FAULT_AUTH, "the token '%s' has expired; ask an admin for another",
                       out->name);
    token_touch(store, out->id);
    return 0;
}

int store_tokens(struct store *store, store_token_each *each, void *arg, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    struct token_row row;
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, LIST_TOKENS, "");
    while ((rc = db_step(reader.db, stmt, err)) > 0) {
        token_row_read(stmt, &row);
        if (!each(arg, &row))
            return 0;
    }
    return rc;
}
