/* SPDX-License-Identifier: Apache-2.0 */
/* schedules.c - schedules and their versions; what they fire is in firings.c. */
#include "store/schedules.h"

#include "store/notices_tx.h"

static const char FIND[] = "SELECT id FROM schedules WHERE user = ? AND name = ?";
static const char FIND_FULL[] =
    "SELECT s.id, s.version, s.rule, v.spec FROM schedules s JOIN schedule_versions v "
    "ON v.schedule = s.id AND v.version = s.version WHERE s.user = ? AND s.name = ?";
static const char ADD[] =
    "INSERT INTO schedules (version, created, updated, paused, paused_why, mark_utc, mark_local,"
    " failures, success, pause_after, keep, late_ms, name, project, user, rule, notify)"
    " VALUES (1,?1,?1,?2,?3,?4,?5,0,0,?6,?7,?8,?9,?10,?11,?12,?13)";
static const char LAST_ID[] = "SELECT last_insert_rowid()";
static const char CHANGE[] =
    "UPDATE schedules SET version = ?2, updated = ?3, pause_after = ?4, keep = ?5, late_ms = ?6,"
    " project = ?7, rule = ?8, notify = ?9 WHERE id = ?1";
static const char MOVE_MARK[] = "UPDATE schedules SET mark_utc = ?2, mark_local = ?3 WHERE id = ?1";
static const char ADD_VERSION[] =
    "INSERT INTO schedule_versions (schedule, version, at, spec) VALUES (?,?,?,?)";
static const char DROP_IDLE_VERSIONS[] =
    "DELETE FROM schedule_versions WHERE schedule = ?1 AND version < ?2 AND version NOT IN "
    "(SELECT version FROM firings WHERE schedule = ?1)";
static const char DROP_BLOBS[] = "DELETE FROM schedule_blobs WHERE schedule = ?";
static const char ADD_BLOB[] =
    "INSERT OR IGNORE INTO schedule_blobs (schedule, sha256) VALUES (?, ?)";
static const char PAUSE[] =
    "UPDATE schedules SET paused = ?2, paused_why = ?3, failures = CASE WHEN ?2 = 0 THEN 0 ELSE "
    "failures END WHERE id = ?1";
static const char WHO[] = "SELECT name, project, user FROM schedules WHERE id = ?";
static const char DENIED[] =
    "SELECT name, project, user, notify, failures FROM schedules WHERE id = ? AND paused = 0";
/* What waited for room when the schedule was paused, or got another rule. */
static const char END_WAITING[] = "UPDATE firings SET outcome = ?2, ended = ?3 "
                                  "WHERE schedule = ?1 AND outcome = ?4";
static const char DROP_FIRINGS[] = "DELETE FROM firings WHERE schedule = ?";
static const char DROP_VERSIONS[] = "DELETE FROM schedule_versions WHERE schedule = ?";
static const char DROP[] = "DELETE FROM schedules WHERE id = ?";
static const char GET_SPEC[] =
    "SELECT spec FROM schedule_versions WHERE schedule = ? AND version = ?";

#define LAST_RUN "(SELECT max(instant) FROM firings f WHERE f.schedule = s.id AND f.job > 0)"
#define COLUMNS                                                                                 \
    "SELECT s.id, s.name, s.project, s.user, s.version, s.created, s.updated, s.paused,"        \
    " s.paused_why, s.mark_utc, s.mark_local, s.failures, s.success, s.rule, l.instant, l.job," \
    " l.jobs, l.state, l.at"
#define FROM_LAST \
    " FROM schedules s LEFT JOIN firings l ON l.schedule = s.id AND l.instant = " LAST_RUN
static const char LIST[] = COLUMNS ", NULL" FROM_LAST " WHERE s.id > ? ORDER BY s.id";
static const char GET[] =
    COLUMNS ", (SELECT v.spec FROM schedule_versions v WHERE v.schedule = s.id AND v.version = "
            "s.version)" FROM_LAST " WHERE s.id = ?";

/* ---- adding ---------------------------------------------------------------------------------- */

struct put_op {
    struct op op;
    struct schedule_put *list;
    size_t count;
};

static int blobs_check(struct tx *tx, const struct schedule_put *put, struct err *err)
{
    for (size_t i = 0; put->blobs && put->blobs[i]; i++) {
        int rc = blob_is_owned(tx->db, put->user, put->blobs[i], err);

        if (rc < 0)
            return -1;
        if (rc == 0)
            return err_set(err, FAULT_INVALID,
                           "schedule '%s' has an input of content %s, which %s has not uploaded",
                           put->name, put->blobs[i], put->user);
    }
    return 0;
}

static int tell(struct tx *tx, const char *kind, const char *user, const char *project,
                const char *detail, struct err *err)
{
    struct event_row event = {
        .kind = kind, .index = -1, .user = user, .project = project, .detail = detail
    };

    return tx_event(tx, &event, err);
}

static int add(struct tx *tx, struct schedule_put *put, struct err *err)
{
    put->version = 1;
    put->added = true;
    if (db_run(tx->db, err, ADD, "iitiiiiittttt", tx->now_ms,
               (int64_t)(put->paused ? SCHEDULE_PAUSED : SCHEDULE_RUNS),
               put->paused ? "added so" : NULL, put->mark_utc, put->mark_local,
               (int64_t)put->pause_after, (int64_t)put->keep, put->late_ms, put->name, put->project,
               put->user, put->rule, put->notify) < 0 ||
        db_int(tx->db, 0, &put->id, err, LAST_ID, "") < 0)
        return -1;
    return tell(tx, "schedule.added", put->user, put->project, put->name, err);
}

/* It goes on from here; instants that waited are passed over. */
static int move_mark(struct tx *tx, int64_t id, int64_t utc, int64_t local, struct err *err)
{
    if (db_run(tx->db, err, END_WAITING, "iiii", id, (int64_t)FIRING_SKIPPED, tx->now_ms,
               (int64_t)FIRING_WAITING) < 0)
        return -1;
    return db_run(tx->db, err, MOVE_MARK, "iii", id, utc, local);
}

/* A new rule goes on from now; the mark stays when only the job was edited. */
static int change(struct tx *tx, struct schedule_put *put, bool new_rule, struct err *err)
{
    put->version++;
    put->changed = true;
    if (db_run(tx->db, err, CHANGE, "iiiiiittt", put->id, (int64_t)put->version, tx->now_ms,
               (int64_t)put->pause_after, (int64_t)put->keep, put->late_ms, put->project, put->rule,
               put->notify) < 0 ||
        db_run(tx->db, err, DROP_IDLE_VERSIONS, "ii", put->id, (int64_t)put->version) < 0 ||
        db_run(tx->db, err, DROP_BLOBS, "i", put->id) < 0)
        return -1;
    if (new_rule && move_mark(tx, put->id, put->mark_utc, put->mark_local, err) < 0)
        return -1;
    return tell(tx, "schedule.changed", put->user, put->project, put->name, err);
}

static int put_one(struct tx *tx, struct schedule_put *put, struct err *err)
{
    bool new_rule = true, same = false, found;
    sqlite3_stmt *stmt = db_query(tx->db, FIND_FULL, "tt", put->user, put->name);
    int rc = db_step(tx->db, stmt, err);

    put->added = put->changed = false;
    if (rc < 0)
        return -1;
    found = rc > 0;
    if (found) {
        put->id = col_int(stmt, 0);
        put->version = (int)col_int(stmt, 1);
        new_rule = strcmp(col_text(stmt, 2), put->rule) != 0;
        same = strcmp(col_text(stmt, 3), put->spec) == 0;
    }
    sqlite3_reset(stmt);
    if (same)
        return 0;
    if (found ? change(tx, put, new_rule, err) < 0 : add(tx, put, err) < 0)
        return -1;
    for (size_t i = 0; put->blobs && put->blobs[i]; i++)
        if (db_run(tx->db, err, ADD_BLOB, "it", put->id, put->blobs[i]) < 0)
            return -1;
    return db_run(tx->db, err, ADD_VERSION, "iiit", put->id, (int64_t)put->version, tx->now_ms,
                  put->spec);
}

static int64_t put_apply(struct tx *tx, struct op *op, struct err *err)
{
    struct put_op *put = (struct put_op *)op;

    for (size_t i = 0; i < put->count; i++)
        if (blobs_check(tx, &put->list[i], err) < 0)
            return -1;
    for (size_t i = 0; i < put->count; i++)
        if (put_one(tx, &put->list[i], err) < 0)
            return -1;
    return 0;
}

static void changed(struct store *store, int64_t id)
{
    pthread_mutex_lock(&store->schedules_lock);
    if (store->on_schedules)
        store->on_schedules(store->on_schedules_arg, id);
    pthread_mutex_unlock(&store->schedules_lock);
}

static void put_committed(struct store *store, struct op *op)
{
    const struct put_op *put = (const struct put_op *)op;

    for (size_t i = 0; i < put->count; i++)
        if (put->list[i].added || put->list[i].changed)
            changed(store, put->list[i].id);
}

int store_schedule_put(struct store *store, struct schedule_put *list, size_t count,
                       struct err *err)
{
    struct put_op op = { .op = { .apply = put_apply, .committed = put_committed },
                         .list = list,
                         .count = count };

    return (int)writer_call(store, &op.op, err);
}

/* ---- changing -------------------------------------------------------------------------------- */

struct change_op {
    struct op op;
    int64_t id, mark_utc, mark_local;
    enum schedule_pause paused;
    const char *why, *by;
};

/* Strings live as long as the transaction.  1: no such schedule. */
static int who(struct tx *tx, int64_t id, const char **name, const char **project,
               const char **user, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(tx->db, WHO, "i", id);
    int rc = db_step(tx->db, stmt, err);

    if (rc <= 0)
        return rc < 0 ? -1 : 1;
    *name = tx_strdup(tx, col_text(stmt, 0));
    *project = tx_strdup(tx, col_text(stmt, 1));
    *user = tx_strdup(tx, col_text(stmt, 2));
    return 0;
}

static int64_t pause_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct change_op *change = (const struct change_op *)op;
    const char *name, *project, *user, *detail;
    bool runs = change->paused == SCHEDULE_RUNS;
    int rc = who(tx, change->id, &name, &project, &user, err);

    if (rc != 0)
        return rc;
    if (db_run(tx->db, err, PAUSE, "iit", change->id, (int64_t)change->paused,
               runs ? NULL : change->why) < 0)
        return -1;
    if (runs && move_mark(tx, change->id, change->mark_utc, change->mark_local, err) < 0)
        return -1;
    detail = change->why ? arena_printf(&tx->arena, "%s: %s", name, change->why) : name;
    return tell(tx, runs ? "schedule.resumed" : "schedule.paused", user, project, detail, err);
}

static void change_committed(struct store *store, struct op *op)
{
    if (op->rc == 0)
        changed(store, ((const struct change_op *)op)->id);
}

int store_schedule_pause(struct store *store, int64_t id, enum schedule_pause paused,
                         const char *why, int64_t mark_utc, int64_t mark_local, struct err *err)
{
    struct change_op op = { .op = { .apply = pause_apply, .committed = change_committed },
                            .id = id,
                            .paused = paused,
                            .why = why,
                            .mark_utc = mark_utc,
                            .mark_local = mark_local };

    return (int)writer_call(store, &op.op, err);
}

static int64_t deny_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct change_op *change = (const struct change_op *)op;
    struct notice_event notice = { .event = "failed", .why = change->why, .paused = true };
    own_stmt sqlite3_stmt *stmt = db_query(tx->db, DENIED, "i", change->id);
    const char *notify;
    int rc = db_step(tx->db, stmt, err);

    if (rc <= 0)
        return rc < 0 ? -1 : 1;
    notice.name = notice.schedule = tx_strdup(tx, col_text(stmt, 0));
    notice.project = tx_strdup(tx, col_text(stmt, 1));
    notice.user = tx_strdup(tx, col_text(stmt, 2));
    notify = tx_strdup(tx, col_text(stmt, 3));
    notice.failures = col_int(stmt, 4);
    if (db_run(tx->db, err, PAUSE, "iit", change->id, (int64_t)SCHEDULE_PAUSED, change->why) < 0 ||
        tx_notices(tx, notify, &notice, err) < 0)
        return -1;
    notice.event = "paused";
    if (tx_operator(tx, &notice, err) < 0)
        return -1;
    return tell(tx, "schedule.paused", notice.user, notice.project,
                arena_printf(&tx->arena, "%s: %s", notice.name, change->why), err);
}

int store_schedule_deny(struct store *store, int64_t id, const char *why, struct err *err)
{
    struct change_op op = { .op = { .apply = deny_apply, .committed = change_committed },
                            .id = id,
                            .why = why };

    return (int)writer_call(store, &op.op, err);
}

static int64_t rm_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct change_op *rm = (const struct change_op *)op;
    static const char *const drops[] = { DROP_BLOBS, DROP_FIRINGS, DROP_VERSIONS, DROP };
    const char *name, *project, *user;
    int rc = who(tx, rm->id, &name, &project, &user, err);

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < array_len(drops); i++)
        if (db_run(tx->db, err, drops[i], "i", rm->id) < 0)
            return -1;
    return tell(tx, "schedule.removed", user, project,
                arena_printf(&tx->arena, "%s, by %s", name, rm->by), err);
}

int store_schedule_rm(struct store *store, int64_t id, const char *by, struct err *err)
{
    struct change_op op = { .op = { .apply = rm_apply, .committed = change_committed },
                            .id = id,
                            .by = by };

    return (int)writer_call(store, &op.op, err);
}

void store_on_schedules(struct store *store, void (*on_change)(void *arg, int64_t id), void *arg)
{
    pthread_mutex_lock(&store->schedules_lock);
    store->on_schedules = on_change;
    store->on_schedules_arg = arg;
    pthread_mutex_unlock(&store->schedules_lock);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void row_read(sqlite3_stmt *stmt, struct schedule_row *out)
{
    *out = (struct schedule_row){
        .id = col_int(stmt, 0),
        .name = col_text(stmt, 1),
        .project = col_text(stmt, 2),
        .user = col_text(stmt, 3),
        .version = (int)col_int(stmt, 4),
        .created_ms = col_int(stmt, 5),
        .updated_ms = col_int(stmt, 6),
        .paused = (enum schedule_pause)col_int(stmt, 7),
        .paused_why = col_text(stmt, 8),
        .mark_utc = col_int(stmt, 9),
        .mark_local = col_int(stmt, 10),
        .failures = col_int(stmt, 11),
        .success_s = col_int(stmt, 12),
        .rule = col_text(stmt, 13),
        .last_s = col_int(stmt, 14),
        .last_job = col_int(stmt, 15),
        .last_jobs = col_int(stmt, 16),
        .last_state = sqlite3_column_type(stmt, 17) == SQLITE_NULL ? -1 : (int)col_int(stmt, 17),
        .last_at_ms = col_int(stmt, 18),
        .spec = col_text(stmt, 19),
    };
}

static int rows_give(struct store *store, const char *sql, int64_t id, store_schedule_each *each,
                     void *arg, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    struct schedule_row row;
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, sql, "i", id);
    while ((rc = db_step(reader.db, stmt, err)) > 0) {
        row_read(stmt, &row);
        if (!each(arg, &row))
            return 0;
    }
    return rc;
}

int store_schedules(struct store *store, int64_t after, store_schedule_each *each, void *arg,
                    struct err *err)
{
    return rows_give(store, LIST, after, each, arg, err);
}

int store_schedule(struct store *store, int64_t id, store_schedule_each *each, void *arg,
                   struct err *err)
{
    return rows_give(store, GET, id, each, arg, err);
}

int store_schedule_find(struct store *store, const char *user, const char *name, int64_t *id,
                        struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };

    if (!reader.db || db_int(reader.db, 0, id, err, FIND, "tt", user, name) < 0)
        return -1;
    return *id ? 0 : 1;
}

int store_schedule_spec(struct store *store, int64_t id, int version, struct buf *out,
                        struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;
    int rc;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, GET_SPEC, "ii", id, (int64_t)version);
    rc = db_step(reader.db, stmt, err);
    if (rc <= 0)
        return rc < 0 ? -1 : 1;
    if (buf_puts(out, col_text(stmt, 0)) < 0)
        return err_set(err, FAULT_INVALID, "the description is larger than there is room for");
    return 0;
}
