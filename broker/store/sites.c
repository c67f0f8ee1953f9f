/* SPDX-License-Identifier: Apache-2.0 */
/* sites.c - the operator's switches, and small figures that were learnt. */
#include "store/internal.h"

static const char SET_MODE[] = "INSERT OR REPLACE INTO sites (name, mode) VALUES (?, ?)";
static const char LIST_MODES[] = "SELECT name, mode FROM sites ORDER BY name";
static const char SET_LEARNED[] = "INSERT OR REPLACE INTO learned (key, value) VALUES (?, ?)";
static const char LIST_LEARNED[] = "SELECT key, value FROM learned WHERE key >= ?1 "
                                   "AND substr(key, 1, length(?1)) = ?1 ORDER BY key";

struct pair_op {
    struct op op;
    const char *key, *value;
};

static int64_t mode_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct pair_op *pair = (const struct pair_op *)op;
    struct event_row event = {
        .kind = "site.mode", .index = -1, .site = pair->key, .state = pair->value
    };

    if (db_run(tx->db, err, SET_MODE, "tt", pair->key, pair->value) < 0)
        return -1;
    return tx_event(tx, &event, err);
}

int store_site_set(struct store *store, const char *site, const char *mode, struct err *err)
{
    struct pair_op op = { .op.apply = mode_apply, .key = site, .value = mode };

    return (int)writer_call(store, &op.op, err);
}

static int64_t learned_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct pair_op *pair = (const struct pair_op *)op;

    return db_run(tx->db, err, SET_LEARNED, "tt", pair->key, pair->value);
}

int store_learned_put(struct store *store, const char *key, const char *value, struct err *err)
{
    struct pair_op op = { .op.apply = learned_apply, .key = key, .value = value };

    return (int)writer_call(store, &op.op, err);
}

static int pairs_give(struct conn *db, sqlite3_stmt *stmt, store_pair_each *each, void *arg,
                      struct err *err)
{
    int rc;

    while ((rc = db_step(db, stmt, err)) > 0)
        if (!each(arg, col_text(stmt, 0), col_text(stmt, 1)))
            return 0;
    return rc;
}

int store_site_modes(struct store *store, store_pair_each *each, void *arg, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, LIST_MODES, "");
    return pairs_give(reader.db, stmt, each, arg, err);
}

int store_learned(struct store *store, const char *prefix, store_pair_each *each, void *arg,
                  struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, LIST_LEARNED, "t", prefix);
    return pairs_give(reader.db, stmt, each, arg, err);
}
