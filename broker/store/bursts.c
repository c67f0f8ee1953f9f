/* SPDX-License-Identifier: Apache-2.0 */
/* bursts.c - jobs that were taken from a site's own queue. */
#include "store/bursts.h"

#include "store/internal.h"

_Static_assert(BURST_TELLING == 6 && BURST_DONE == 9 && BURST_DROPPED == 11,
               "numbers of bursts' states are stored");

static const char ADD[] =
    "INSERT OR IGNORE INTO bursts (site, home, submitted, state, job, tries, asked, taken, changed,"
    " user, project, name, why, detail) VALUES (?1,?2,?3,?4,0,0,0,?5,?5,?6,?7,?8,?9,?10)";
static const char FIND[] = "SELECT id FROM bursts WHERE site = ? AND home = ? AND submitted = ?";
static const char SET[] = "UPDATE bursts SET state = ?2, job = ?3, tries = ?4, changed = ?5,"
                          " why = ?6, detail = ?7 WHERE id = ?1";
static const char ASK[] = "UPDATE bursts SET asked = 1 WHERE id = ?";
static const char STATE[] = "SELECT state FROM bursts WHERE id = ?";
static const char LIST[] =
    "SELECT id, site, home, submitted, state, job, tries, asked, taken, changed, user, project,"
    " name, why, detail FROM bursts WHERE id > ?1 AND (?2 OR state < 9) ORDER BY id";
static const char PRUNE[] = "DELETE FROM bursts WHERE state >= 9 AND changed < ?";

const char *burst_state_name(enum burst_state state)
{
    static const char *const names[BURST_STATE_COUNT] = {
        [BURST_TAKEN] = "taken",     [BURST_HELD] = "held",           [BURST_READY] = "ready",
        [BURST_RUNNING] = "running", [BURST_RETURNING] = "returning", [BURST_ENDING] = "ending",
        [BURST_TELLING] = "telling", [BURST_RELEASING] = "releasing", [BURST_DROPPING] = "dropping",
        [BURST_DONE] = "done",       [BURST_RELEASED] = "released",   [BURST_DROPPED] = "dropped",
    };

    return names[state];
}

struct burst_op {
    struct op op;
    struct burst_row *row;
    int64_t id;
};

/* One event for each step, so that `spillway events` tells the story. */
static int tell(struct tx *tx, const struct burst_row *row, struct err *err)
{
    own_str char *kind = xasprintf("burst.%s", burst_state_name(row->state));
    own_str char *detail = xasprintf("job %s of %s: %s", row->home, row->site, row->why);
    struct event_row event = { .kind = kind,
                               .index = -1,
                               .job = row->job,
                               .user = row->user,
                               .project = row->project,
                               .site = row->site,
                               .detail = detail };

    return tx_event(tx, &event, err);
}

static int64_t add_apply(struct tx *tx, struct op *op, struct err *err)
{
    struct burst_row *row = ((struct burst_op *)op)->row;
    int64_t known = 0;

    if (db_int(tx->db, 0, &known, err, FIND, "tti", row->site, row->home, row->submitted_ms) < 0)
        return -1;
    if (known)
        return 1;
    if (db_run(tx->db, err, ADD, "ttiiittttt", row->site, row->home, row->submitted_ms,
               (int64_t)row->state, tx->now_ms, row->user, row->project, row->name, row->why,
               row->detail) < 0 ||
        db_int(tx->db, 0, &row->id, err, FIND, "tti", row->site, row->home, row->submitted_ms) < 0)
        return -1;
    return tell(tx, row, err);
}

int store_burst_add(struct store *store, struct burst_row *row, struct err *err)
{
    struct burst_op op = { .op.apply = add_apply, .row = row };

    return (int)writer_call(store, &op.op, err);
}

static int64_t set_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct burst_row *row = ((struct burst_op *)op)->row;
    int64_t before = BURST_STATE_COUNT;

    if (db_int(tx->db, before, &before, err, STATE, "i", row->id) < 0 ||
        db_run(tx->db, err, SET, "iiiiitt", row->id, (int64_t)row->state, row->job,
               (int64_t)row->tries, tx->now_ms, row->why, row->detail) < 0)
        return -1;
    return before == (int64_t)row->state ? 0 : tell(tx, row, err);
}

int store_burst_set(struct store *store, const struct burst_row *row, struct err *err)
{
    struct burst_row copy = *row;
    struct burst_op op = { .op.apply = set_apply, .row = &copy };

    return (int)writer_call(store, &op.op, err);
}

static int64_t ask_apply(struct tx *tx, struct op *op, struct err *err)
{
    int64_t id = ((struct burst_op *)op)->id, state = -1;

    if (db_int(tx->db, -1, &state, err, STATE, "i", id) < 0)
        return -1;
    if (state < 0)
        return 1;
    if (state >= BURST_DONE || state == BURST_ENDING || state == BURST_TELLING)
        return 2;
    return db_run(tx->db, err, ASK, "i", id);
}

int store_burst_ask(struct store *store, int64_t id, struct err *err)
{
    struct burst_op op = { .op.apply = ask_apply, .id = id };

    return (int)writer_call(store, &op.op, err);
}

int store_burst_known(struct store *store, const char *site, const char *home, int64_t submitted_ms,
                      struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    int64_t id = 0;

    if (!reader.db || db_int(reader.db, 0, &id, err, FIND, "tti", site, home, submitted_ms) < 0)
        return -1;
    return id > 0;
}

static void row_read(sqlite3_stmt *stmt, struct burst_row *out)
{
    *out = (struct burst_row){ .id = col_int(stmt, 0),
                               .site = col_text(stmt, 1),
                               .home = col_text(stmt, 2),
                               .submitted_ms = col_int(stmt, 3),
                               .state = (enum burst_state)col_int(stmt, 4),
                               .job = col_int(stmt, 5),
                               .tries = (int)col_int(stmt, 6),
                               .asked = col_int(stmt, 7) != 0,
                               .taken_ms = col_int(stmt, 8),
                               .changed_ms = col_int(stmt, 9),
                               .user = col_text(stmt, 10),
                               .project = col_text(stmt, 11),
                               .name = col_text(stmt, 12),
                               .why = col_text(stmt, 13),
                               .detail = col_text(stmt, 14) };
}

int store_bursts(struct store *store, int64_t after, bool all, store_burst_each *each, void *arg,
                 struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    struct burst_row row;
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, LIST, "ii", after, (int64_t)all);
    while ((rc = db_step(reader.db, stmt, err)) > 0) {
        row_read(stmt, &row);
        if (row.state < 0 || row.state >= BURST_STATE_COUNT)
            continue;
        if (!each(arg, &row))
            return 0;
    }
    return rc;
}

static int64_t prune_apply(struct tx *tx, struct op *op, struct err *err)
{
    return db_run(tx->db, err, PRUNE, "i", ((struct burst_op *)op)->id);
}

int store_bursts_prune(struct store *store, int64_t before_ms, struct err *err)
{
    struct burst_op op = { .op.apply = prune_apply, .id = before_ms };

    return (int)writer_call(store, &op.op, err);
}
