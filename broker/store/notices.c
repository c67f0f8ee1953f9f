/* SPDX-License-Identifier: Apache-2.0 */
/* notices.c - notices are made inside the transaction that ends what they tell of. */
#include "store/notices.h"

#include "base/json.h"
#include "base/parse.h"
#include "store/notices_tx.h"

#define SETTLE_MOST 500

static const char ADD[] =
    "INSERT INTO notices (at, due, done, kind, state, tries, target, user, project, event) "
    "VALUES (?1,?1,0,?2,0,0,?3,?4,?5,?6)";
static const char ADD_WATCH[] = "INSERT INTO watches (job, started, notify) VALUES (?, 0, ?)";
static const char HAS_NEWS[] =
    "SELECT 1 FROM watches w LEFT JOIN jobs j ON j.id = w.job WHERE j.id IS NULL OR "
    "j.finished > 0 OR (w.started = 0 AND j.done + j.leased + j.running > 0) LIMIT 1";
static const char LIST_NEWS[] =
    "SELECT w.job, w.started, w.notify, j.finished, j.name, j.project, j.user, j.tasks,"
    " j.succeeded, j.failed, j.cancelled FROM watches w LEFT JOIN jobs j ON j.id = w.job "
    "WHERE j.id IS NULL OR j.finished > 0 OR (w.started = 0 AND j.done + j.leased + j.running > 0) "
    "ORDER BY w.job LIMIT ?";
static const char SET_STARTED[] = "UPDATE watches SET started = 1 WHERE job = ?";
static const char DROP_WATCH[] = "DELETE FROM watches WHERE job = ?";
#define COLUMNS                                                                               \
    "SELECT id, at, due, done, kind, state, tries, target, event, user, project, error FROM " \
    "notices "
static const char LIST_DUE[] =
    COLUMNS "WHERE state = 0 AND due <= ? ORDER BY kind, target, id LIMIT ?";
static const char LIST[] = COLUMNS "WHERE id > ? ORDER BY id";
static const char NOTE[] = "UPDATE notices SET state = ?2, due = ?3, error = ?4, done = ?5,"
                           " tries = tries + 1 WHERE id = ?1 AND state = 0";
static const char REPLAY[] =
    "UPDATE notices SET state = 0, due = ?2, tries = 0 WHERE id = ?1 AND state = 2";
static const char CHANGES[] = "SELECT changes()";
static const char PRUNE[] =
    "DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE (state = 1 AND done < ?1) OR "
    "(state = 2 AND done < ?2) LIMIT 5000)";

/* ---- making ---------------------------------------------------------------------------------- */

/* Without `on:`, what asks for somebody. */
static bool is_wanted(const json_t *notify, const char *event)
{
    static const char *const usual[] = { "failed", "recovered", "late" };
    const json_t *on = json_object_get(notify, "on");

    if (json_is_string(on))
        return strcmp(json_string_value(on), event) == 0;
    for (size_t i = 0; on && i < json_array_size(on); i++) {
        const char *word = json_string_value(json_array_get(on, i));

        if (word && strcmp(word, event) == 0)
            return true;
    }
    for (size_t i = 0; !on && i < array_len(usual); i++)
        if (strcmp(usual[i], event) == 0)
            return true;
    return false;
}

static int add_target(struct tx *tx, enum notice_kind kind, const char *target,
                      const struct notice_event *event, const char *text, struct err *err)
{
    if (!target)
        return 0;
    return db_run(tx->db, err, ADD, "iitttt", tx->now_ms, (int64_t)kind, target,
                  event->to_operator ? "" : event->user, event->to_operator ? "" : event->project,
                  text);
}

static int add_targets(struct tx *tx, enum notice_kind kind, const json_t *targets,
                       const struct notice_event *event, const char *text, struct err *err)
{
    if (json_is_string(targets))
        return add_target(tx, kind, json_string_value(targets), event, text, err);
    for (size_t i = 0; i < json_array_size(targets); i++)
        if (add_target(tx, kind, json_string_value(json_array_get(targets, i)), event, text, err) <
            0)
            return -1;
    return 0;
}

static void put_text(struct buf *out, const char *key, const char *value)
{
    buf_printf(out, ",\"%s\":", key);
    if (value)
        buf_put_json(out, value);
    else
        buf_puts(out, "null");
}

static void put_time(struct buf *out, const char *key, int64_t ms)
{
    char text[FORMAT_BYTES];

    put_text(out, key, ms ? format_time(ms, text, sizeof text) : NULL);
}

static void event_text(const struct tx *tx, const struct notice_event *event, struct buf *out)
{
    buf_printf(out, "{\"event\":\"%s\"", event->event);
    put_time(out, "at", tx->now_ms);
    buf_printf(out, ",\"job\":%lld", (long long)event->job);
    put_text(out, "name", event->name);
    put_text(out, "user", event->user);
    put_text(out, "project", event->project);
    put_text(out, "schedule", event->schedule);
    put_time(out, "scheduled_time", event->instant * 1000);
    put_time(out, "finished", event->finished_ms);
    buf_printf(out,
               ",\"tasks\":%lld,\"succeeded\":%lld,\"failed\":%lld,\"cancelled\":%lld,"
               "\"failures_in_a_row\":%lld,\"schedule_paused\":%s",
               (long long)event->tasks, (long long)event->succeeded, (long long)event->failed,
               (long long)event->cancelled, (long long)event->failures,
               event->paused ? "true" : "false");
    put_text(out, "site", event->site);
    put_text(out, "why", event->why);
    buf_putc(out, '}');
}

static int tell_all(struct tx *tx, const json_t *wanted, const struct notice_event *event,
                    struct err *err)
{
    own_buf struct buf text = BUF_INIT(0);

    event_text(tx, event, &text);
    if (add_targets(tx, NOTICE_WEBHOOK, json_object_get(wanted, "webhook"), event, buf_text(&text),
                    err) < 0 ||
        add_targets(tx, NOTICE_MAIL, json_object_get(wanted, "mail"), event, buf_text(&text), err) <
            0)
        return -1;
    return 1;
}

int tx_notices(struct tx *tx, const char *notify, const struct notice_event *event, struct err *err)
{
    own_json json_t *wanted = notify ? json_parse(notify, strlen(notify), NULL) : NULL;

    return wanted && is_wanted(wanted, event->event) ? tell_all(tx, wanted, event, err) : 0;
}

void store_set_operator(struct store *store, const char *notify)
{
    pthread_mutex_lock(&store->operator_lock);
    free(store->operator_notify);
    store->operator_notify = notify ? xstrdup(notify) : NULL;
    pthread_mutex_unlock(&store->operator_lock);
}

int tx_operator(struct tx *tx, const struct notice_event *event, struct err *err)
{
    struct notice_event copy = *event;
    own_json json_t *wanted = NULL;

    copy.to_operator = true;
    pthread_mutex_lock(&tx->store->operator_lock);
    if (tx->store->operator_notify)
        wanted = json_parse(tx->store->operator_notify, strlen(tx->store->operator_notify), NULL);
    pthread_mutex_unlock(&tx->store->operator_lock);
    return wanted && tell_all(tx, wanted, &copy, err) < 0 ? -1 : 0;
}

/* ---- credentials ----------------------------------------------------------------------------- */

static const char GET_TOLD[] = "SELECT CAST(value AS INTEGER) FROM learned WHERE key = ?";
static const char SET_TOLD[] = "INSERT OR REPLACE INTO learned (key, value) VALUES (?, ?)";

struct credential_op {
    struct op op;
    const struct credential_end *end;
};

static int64_t credential_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct credential_end *end = ((const struct credential_op *)op)->end;
    const char *key = arena_printf(&tx->arena, "credential/%s", end->site);
    char stamp[FORMAT_BYTES];
    const char *why = arena_printf(&tx->arena, "it ends at %s, before a run of schedule %s",
                                   format_time(end->end_ms, stamp, sizeof stamp), end->schedule);
    struct event_row event = {
        .kind = "credential.ending", .index = -1, .site = end->site, .detail = why
    };
    struct notice_event notice = { .event = "credential",
                                   .name = end->site,
                                   .site = end->site,
                                   .user = end->user,
                                   .project = end->project,
                                   .schedule = end->schedule,
                                   .instant = end->run_s,
                                   .finished_ms = end->end_ms,
                                   .why = why };
    int64_t told = 0;

    if (db_int(tx->db, 0, &told, err, GET_TOLD, "t", key) < 0)
        return -1;
    if (told == end->end_ms)
        return 1;
    if (db_run(tx->db, err, SET_TOLD, "tt", key,
               arena_printf(&tx->arena, "%lld", (long long)end->end_ms)) < 0 ||
        tx_operator(tx, &notice, err) < 0)
        return -1;
    return tx_event(tx, &event, err);
}

int store_credential_ending(struct store *store, const struct credential_end *end, struct err *err)
{
    struct credential_op op = { .op.apply = credential_apply, .end = end };

    return (int)writer_call(store, &op.op, err);
}

int tx_watch(struct tx *tx, int64_t job, const char *notify, struct err *err)
{
    return notify ? db_run(tx->db, err, ADD_WATCH, "it", job, notify) : 0;
}

/* ---- jobs that began or ended ---------------------------------------------------------------- */

struct news {
    int64_t job;
    bool started, is_gone;
    const char *notify;
    struct notice_event event;
};

static int news_read(struct tx *tx, struct news *list, size_t *count, struct err *err)
{
    own_stmt sqlite3_stmt *stmt = db_query(tx->db, LIST_NEWS, "i", (int64_t)SETTLE_MOST);
    int rc;

    *count = 0;
    while (*count < SETTLE_MOST && (rc = db_step(tx->db, stmt, err)) > 0)
        list[(*count)++] = (struct news){
            .job = col_int(stmt, 0),
            .started = col_int(stmt, 1) != 0,
            .is_gone = sqlite3_column_type(stmt, 3) == SQLITE_NULL,
            .notify = tx_strdup(tx, col_text(stmt, 2)),
            .event = { .job = col_int(stmt, 0),
                       .finished_ms = col_int(stmt, 3),
                       .name = tx_strdup(tx, col_text(stmt, 4)),
                       .project = tx_strdup(tx, col_text(stmt, 5)),
                       .user = tx_strdup(tx, col_text(stmt, 6)),
                       .tasks = col_int(stmt, 7),
                       .succeeded = col_int(stmt, 8),
                       .failed = col_int(stmt, 9),
                       .cancelled = col_int(stmt, 10) },
        };
    return rc < 0 ? -1 : 0;
}

static const char *end_word(const struct notice_event *event)
{
    if (event->succeeded == event->tasks)
        return "succeeded";
    return event->failed ? "failed" : "cancelled";
}

static int news_tell(struct tx *tx, struct news *news, struct err *err)
{
    if (news->is_gone)
        return db_run(tx->db, err, DROP_WATCH, "i", news->job);
    if (!news->started) {
        news->event.event = "started";
        if (tx_notices(tx, news->notify, &news->event, err) < 0)
            return -1;
    }
    if (!news->event.finished_ms)
        return db_run(tx->db, err, SET_STARTED, "i", news->job);
    news->event.event = end_word(&news->event);
    if (tx_notices(tx, news->notify, &news->event, err) < 0)
        return -1;
    return db_run(tx->db, err, DROP_WATCH, "i", news->job);
}

struct settle_op {
    struct op op;
    size_t count;
};

static int64_t settle_apply(struct tx *tx, struct op *op, struct err *err)
{
    struct settle_op *settle = (struct settle_op *)op;
    struct news *list = arena_alloc(&tx->arena, SETTLE_MOST * sizeof *list);

    if (news_read(tx, list, &settle->count, err) < 0)
        return -1;
    for (size_t i = 0; i < settle->count; i++)
        if (news_tell(tx, &list[i], err) < 0)
            return -1;
    return settle->count == SETTLE_MOST;
}

int store_notices_settle(struct store *store, struct err *err)
{
    struct settle_op op = { .op.apply = settle_apply };
    int64_t found = 0;

    {
        own_reader struct reader reader = { store, reader_take(store, err) };

        if (!reader.db || db_int(reader.db, 0, &found, err, HAS_NEWS, "") < 0)
            return -1;
    }
    return found ? (int)writer_call(store, &op.op, err) : 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int rows_give(struct conn *db, sqlite3_stmt *stmt, store_notice_each *each, void *arg,
                     struct err *err)
{
    int rc;

    while ((rc = db_step(db, stmt, err)) > 0) {
        struct notice_row row = {
            .id = col_int(stmt, 0),
            .at_ms = col_int(stmt, 1),
            .due_ms = col_int(stmt, 2),
            .done_ms = col_int(stmt, 3),
            .kind = (enum notice_kind)col_int(stmt, 4),
            .state = (enum notice_state)col_int(stmt, 5),
            .tries = (int)col_int(stmt, 6),
            .target = col_text(stmt, 7),
            .event = col_text(stmt, 8),
            .user = col_text(stmt, 9),
            .project = col_text(stmt, 10),
            .error = col_text(stmt, 11),
        };

        if (!each(arg, &row))
            return 0;
    }
    return rc;
}

int store_notices_due(struct store *store, int64_t now_ms, int64_t limit, store_notice_each *each,
                      void *arg, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, LIST_DUE, "ii", now_ms, limit);
    return rows_give(reader.db, stmt, each, arg, err);
}

int store_notices(struct store *store, int64_t after, store_notice_each *each, void *arg,
                  struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *stmt = NULL;

    if (!reader.db)
        return -1;
    stmt = db_query(reader.db, LIST, "i", after);
    return rows_give(reader.db, stmt, each, arg, err);
}

/* ---- what became of them --------------------------------------------------------------------- */

struct note_op {
    struct op op;
    const struct notice_result *list;
    size_t count;
};

static int64_t note_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct note_op *note = (const struct note_op *)op;

    for (size_t i = 0; i < note->count; i++) {
        const struct notice_result *result = &note->list[i];

        if (db_run(tx->db, err, NOTE, "iiiti", result->id, (int64_t)result->state, result->due_ms,
                   result->error, result->state == NOTICE_PENDING ? 0 : tx->now_ms) < 0)
            return -1;
    }
    return 0;
}

int store_notices_note(struct store *store, const struct notice_result *list, size_t count,
                       struct err *err)
{
    struct note_op op = { .op.apply = note_apply, .list = list, .count = count };

    return (int)writer_call(store, &op.op, err);
}

struct care_op {
    struct op op;
    int64_t id, done_before, dead_before;
};

static int64_t replay_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct care_op *care = (const struct care_op *)op;
    int64_t changed = 0;

    if (db_run(tx->db, err, REPLAY, "ii", care->id, tx->now_ms) < 0 ||
        db_int(tx->db, 0, &changed, err, CHANGES, "") < 0)
        return -1;
    return changed ? 0 : 1;
}

int store_notice_replay(struct store *store, int64_t id, struct err *err)
{
    struct care_op op = { .op.apply = replay_apply, .id = id };

    return (int)writer_call(store, &op.op, err);
}

static int64_t prune_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct care_op *care = (const struct care_op *)op;

    return db_run(tx->db, err, PRUNE, "ii", care->done_before, care->dead_before);
}

int store_notices_prune(struct store *store, int64_t done_before_ms, int64_t dead_before_ms,
                        struct err *err)
{
    struct care_op op = { .op.apply = prune_apply,
                          .done_before = done_before_ms,
                          .dead_before = dead_before_ms };

    return (int)writer_call(store, &op.op, err);
}
