/* SPDX-License-Identifier: Apache-2.0 */
/* events.c - what happened: a page of it as JSON, or as it happens as Server-Sent Events.
 *
 * A stream goes on from an id, so that a client that was cut off misses nothing: by Last-Event-ID,
 * by ?after=, or from now. */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "api/glance.h"
#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "api/stream.h"
#include "api/task_json.h"
#include "base/parse.h"

#define PAGE_DEFAULT 1000
#define PAGE_MOST    10000
#define STREAM_PAGE  200
#define READY_MOST   ((size_t)16 * 1024 * 1024)

struct events {
    struct stream stream;
    struct store *store;
    struct caller *caller;
    struct glances glances;
    struct event_filter filter;
    size_t count; /* of the page */
    int64_t last; /* id of its last */
};

/* ---- one event */

static void put_event(struct events *events, struct buf *out, const struct event_row *row)
{
    char at[FORMAT_BYTES];

    buf_printf(out, "{\"id\":%" PRId64 ",\"time\":\"%s\"", row->id,
               format_time(row->at_ms, at, sizeof at));
    put_str(out, "kind", row->kind);
    put_i64_or_null(out, "job", row->job, row->job > 0);
    if (row->job > 0) {
        buf_puts(out, ",\"task\":\"");
        glance_put_id(&events->glances, out, row->job, row->index);
        buf_putc(out, '"');
    } else {
        buf_puts(out, ",\"task\":null");
    }
    put_i64_or_null(out, "attempt", row->attempt, row->attempt > 0);
    put_i64_or_null(out, "worker", row->worker, row->worker > 0);
    put_str(out, "user", row->user);
    put_str(out, "project", row->project);
    put_str(out, "site", row->site);
    put_str(out, "state", row->state);
    put_str(out, "reason", row->reason);
    put_str(out, "detail", row->detail);
    buf_putc(out, '}');
}

static void seen(struct events *events, const struct event_row *row)
{
    events->count++;
    events->last = row->id;
}

/* ---- a stream */

static bool stream_event(void *arg, const struct event_row *row)
{
    struct events *events = arg;
    struct buf *out = &events->stream.ready;

    seen(events, row);
    buf_printf(out, "id: %" PRId64 "\nevent: %s\ndata: ", row->id, row->kind);
    put_event(events, out, row);
    buf_puts(out, "\n\n");
    return true;
}

static enum stream_more more_events(struct stream *stream)
{
    struct events *events = list_item(stream, struct events, stream);
    /* Read first: what is committed in between is past it, and given next time. */
    int64_t newest = store_event_last(events->store);

    events->count = 0;
    events->filter.limit = STREAM_PAGE;
    if (store_events(events->store, &events->filter, stream_event, events, NULL) < 0)
        return STREAM_END;
    if (events->count > 0 && events->last > events->filter.after)
        events->filter.after = events->last;
    if (events->count < STREAM_PAGE && newest > events->filter.after)
        events->filter.after = newest; /* the rest is not for this caller */
    return events->count > 0 ? STREAM_MORE : STREAM_WAIT;
}

static void keep_alive(struct stream *stream)
{
    buf_puts(&stream->ready, ":\n\n");
}

static void free_events(struct stream *stream)
{
    struct events *events = list_item(stream, struct events, stream);

    glances_free(&events->glances);
    caller_unref(events->caller);
    free(events);
}

static int reply_stream(struct request *request, struct events *events, struct err *err)
{
    events->stream.fill = more_events;
    events->stream.beat = keep_alive;
    events->stream.free = free_events;
    events->stream.wait_ms = STREAM_BEAT_MS;
    events->stream.ready = (struct buf)BUF_INIT(READY_MOST);
    /* The client learns at once that it is connected, and from where it goes on: cut off before the
     * first event, it misses none. */
    buf_printf(&events->stream.ready, "id: %" PRId64 "\nretry: 2000\n\n", events->filter.after);
    return stream_reply(request, &events->stream, "text/event-stream", err);
}

/* ---- a page */

static bool page_event(void *arg, const struct event_row *row)
{
    struct events *events = arg;

    if (events->count)
        buf_putc(&events->stream.ready, ',');
    seen(events, row);
    put_event(events, &events->stream.ready, row);
    return true;
}

static int reply_page(struct request *request, struct events *events, struct err *err)
{
    struct buf *out = &events->stream.ready;
    int64_t newest = store_event_last(events->store);

    buf_puts(out, "{\"events\":[");
    if (store_events(events->store, &events->filter, page_event, events, err) < 0)
        return -1;
    if ((int64_t)events->count < events->filter.limit && newest > events->last)
        events->last = newest;
    buf_printf(out, "],\"cursor\":\"%" PRId64 "\"}",
               events->last > events->filter.after ? events->last : events->filter.after);
    request->reply.body = *out;
    *out = (struct buf)BUF_INIT(0);
    return reply_body(request, 200, NULL);
}

/* ---- what is asked for */

/* What Accept asks for; where it leaves that open, a place or a size asks for a page. */
static int wants_stream(struct request *request, bool usual, bool *out, struct err *err)
{
    const char *accept =
        MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Accept");

    if (accept && strcasestr(accept, "text/event-stream"))
        *out = true;
    else if (accept && strcasestr(accept, "application/json"))
        *out = false;
    else
        *out =
            usual && !query_get(&request->query, "after") && !query_get(&request->query, "limit");
    return query_bool(&request->query, "follow", out, err);
}

static int read_place(struct request *request, struct events *events, bool stream, struct err *err)
{
    const char *last =
        MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Last-Event-ID");

    if (stream)
        events->filter.after = store_event_last(events->store);
    if (query_i64(&request->query, "after", 0, INT64_MAX, &events->filter.after, err) < 0 ||
        query_i64(&request->query, "limit", 1, PAGE_MOST, &events->filter.limit, err) < 0)
        return -1;
    if (stream && last && parse_i64(last, 0, INT64_MAX, &events->filter.after, err) < 0)
        return err_wrap(err, "Last-Event-ID");
    return 0;
}

static void free_page(struct events *events)
{
    buf_free(&events->stream.ready);
    free_events(&events->stream);
}

/* `usual`: it is a stream unless a page is asked for. */
static int serve_events(struct request *request, int64_t job, bool usual, struct err *err)
{
    struct events *events = xcalloc(1, sizeof *events);
    bool stream = false;
    int rc;

    events->store = request->api->store;
    events->caller = caller_ref(request->caller);
    events->glances = (struct glances)GLANCES_INIT(events->store, events->caller);
    events->filter = (struct event_filter){ .job = job, .limit = PAGE_DEFAULT };
    events->stream.ready = (struct buf)BUF_INIT((size_t)256 * 1024 * 1024);
    if (events->caller->role < ROLE_OPERATOR) {
        events->filter.user = events->caller->user;
        events->filter.projects = events->caller->projects;
    }
    request->fault_status = 400;
    rc = wants_stream(request, usual, &stream, err);
    rc = rc < 0 ? rc : read_place(request, events, stream, err);
    if (rc == 0) {
        request->fault_status = 0;
        if (stream && !request->head)
            return reply_stream(request, events, err);
        rc = reply_page(request, events, err);
    }
    free_page(events);
    return rc;
}

int events_get(struct request *request, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(4 * (size_t)JOB_BYTES_MOST);
    struct job_detail detail;
    int64_t job = 0;

    if (query_i64(&request->query, "job", 1, INT64_MAX, &job, err) < 0) {
        request->fault_status = 400;
        return -1;
    }
    if (job && request_job(request, job, &detail, &strings, err) < 0)
        return -1;
    return serve_events(request, job, true, err);
}

int job_events(struct request *request, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(4 * (size_t)JOB_BYTES_MOST);
    struct target target;

    if (request_target(request, &target, NULL, &strings, err) < 0)
        return -1;
    return serve_events(request, target.job, false, err);
}
