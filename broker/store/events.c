/* SPDX-License-Identifier: Apache-2.0 */
/* events.c - what happened, in order.
 *
 * Rows are written by the transaction they tell of.  Ids are given out in the order of commits, so
 * a reader that goes on from the last id it saw misses nothing.  A row with a span stands for as
 * many events: the jobs of one submission, whose ids follow each other as the events' ids do. */
#include "store/internal.h"

static const char ADD_EVENT[] =
    "INSERT INTO events (id, at, job, idx, attempt, worker, span, kind, user, project, site, state,"
    " reason, detail) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
#define EVENT_COLUMNS                                                                            \
    "e.id, e.at, e.job, e.idx, e.attempt, e.worker, e.span, e.kind, e.user, e.project, e.site, " \
    "e.state, e.reason, e.detail"
static const char EVENTS_AFTER[] = "SELECT " EVENT_COLUMNS " FROM events e WHERE e.id > ?1 "
                                   "ORDER BY e.id";
/* The span that begins before the place to go on from, and may reach past it. */
static const char EVENT_ACROSS[] = "SELECT " EVENT_COLUMNS " FROM events e WHERE e.id <= ?1 "
                                   "ORDER BY e.id DESC LIMIT 1";
static const char EVENTS_OF_JOB[] = "SELECT " EVENT_COLUMNS " FROM events e WHERE e.job = ?1 "
                                    "AND e.job > 0 AND e.span = 1 AND e.id > ?2 ORDER BY e.id";
static const char SPAN_OF_JOB[] = "SELECT " EVENT_COLUMNS " FROM events e WHERE e.span > 1 "
                                  "AND e.job <= ?1 ORDER BY e.job DESC LIMIT 1";

/* ---- writing */

static const char *or_null(const char *text)
{
    return text && *text ? text : NULL;
}

int tx_event_span(struct tx *tx, const struct event_row *event, int64_t span, struct err *err)
{
    int64_t id = tx->store->next_event;

    tx->store->next_event += span;
    tx->events = true;
    return db_run(tx->db, err, ADD_EVENT, "iiiiiiittttttt", id,
                  event->at_ms ? event->at_ms : tx->now_ms, event->job, event->index,
                  event->attempt, event->worker, span, event->kind, or_null(event->user),
                  or_null(event->project), or_null(event->site), or_null(event->state),
                  or_null(event->reason), or_null(event->detail));
}

int tx_event(struct tx *tx, const struct event_row *event, struct err *err)
{
    return tx_event_span(tx, event, 1, err);
}

struct event_op {
    struct op op;
    const struct event_row *event;
};

static int64_t event_apply(struct tx *tx, struct op *op, struct err *err)
{
    return tx_event(tx, ((struct event_op *)op)->event, err);
}

int store_event_add(struct store *store, const struct event_row *event, struct err *err)
{
    struct event_op op = { .op.apply = event_apply, .event = event };

    return (int)writer_call(store, &op.op, err);
}

/* ---- reading */

struct event_reader {
    const struct event_filter *filter;
    store_event_each *each;
    void *arg;
    int64_t after, left;
};

static int64_t event_row_read(sqlite3_stmt *stmt, struct event_row *out)
{
    *out = (struct event_row){
        .id = col_int(stmt, 0),
        .at_ms = col_int(stmt, 1),
        .job = col_int(stmt, 2),
        .index = col_int(stmt, 3),
        .attempt = col_int(stmt, 4),
        .worker = col_int(stmt, 5),
        .kind = col_text(stmt, 7),
        .user = col_text(stmt, 8),
        .project = col_text(stmt, 9),
        .site = col_text(stmt, 10),
        .state = col_text(stmt, 11),
        .reason = col_text(stmt, 12),
        .detail = col_text(stmt, 13),
    };
    return col_int(stmt, 6);
}

static bool may_see(const struct event_filter *filter, const struct event_row *row)
{
    if (!filter->user)
        return true;
    if (row->user && strcmp(row->user, filter->user) == 0)
        return true;
    for (size_t i = 0; row->project && filter->projects && filter->projects[i]; i++)
        if (strcmp(row->project, filter->projects[i]) == 0)
            return true;
    return false;
}

/* false: enough. */
static bool event_give(struct event_reader *reader, sqlite3_stmt *stmt)
{
    struct event_row row;
    int64_t span = event_row_read(stmt, &row);

    if (!may_see(reader->filter, &row))
        return true;
    for (int64_t i = 0; i<span; i++, row.id++, row.job += row.job> 0) {
        if (row.id <= reader->after || (reader->filter->job && row.job != reader->filter->job))
            continue;
        if (reader->left == 0 || !reader->each(reader->arg, &row))
            return false;
        reader->left--;
    }
    return true;
}

static int events_give(struct event_reader *reader, struct conn *db, sqlite3_stmt *stmt,
                       struct err *err)
{
    int rc;

    while ((rc = db_step(db, stmt, err)) > 0)
        if (reader->left == 0 || !event_give(reader, stmt))
            return 1;
    return rc;
}

int store_events(struct store *store, const struct event_filter *filter, store_event_each *each,
                 void *arg, struct err *err)
{
    own_reader struct reader borrowed = { store, reader_take(store, err) };
    own_stmt sqlite3_stmt *first = NULL, *rest = NULL;
    struct event_reader reader = {
        .filter = filter, .each = each, .arg = arg, .after = filter->after, .left = filter->limit
    };
    struct conn *db = borrowed.db;
    int rc;

    if (!db)
        return -1;
    first = filter->job ? db_query(db, SPAN_OF_JOB, "i", filter->job)
                        : db_query(db, EVENT_ACROSS, "i", filter->after);
    rc = events_give(&reader, db, first, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    /* what `first` gave, if anything, is a span; the rest does not meet it again */
    rest = filter->job ? db_query(db, EVENTS_OF_JOB, "ii", filter->job, filter->after)
                       : db_query(db, EVENTS_AFTER, "i", filter->after);
    return events_give(&reader, db, rest, err) < 0 ? -1 : 0;
}

int64_t store_event_last(struct store *store)
{
    return atomic_load(&store->event_last);
}
