/* SPDX-License-Identifier: Apache-2.0 */
/* workers.c - workers, and the tasks that they run. */
#include <inttypes.h>

#include "api/glance.h"
#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "api/task_json.h"
#include "base/log.h"

#define LIST_DEFAULT 1000
#define LIST_MOST    10000
#define ANSWER_MOST  ((size_t)256 * 1024 * 1024)

struct listing {
    struct request *request;
    struct glances glances;
    struct buf *out;
    struct err *err;
    size_t workers, tasks;
    int rc;
};

/* Of other people's tasks she sees that there are workers, not what they do. */
static bool put_task_id(void *arg, const struct attempt_row *row)
{
    struct listing *listing = arg;

    if (!glance_at(&listing->glances, row->job).visible)
        return true;
    buf_puts(listing->out, listing->tasks++ ? ",\"" : "\"");
    glance_put_id(&listing->glances, listing->out, row->job, row->index);
    buf_putc(listing->out, '"');
    return true;
}

static int put_worker(struct listing *listing, const struct worker_row *row)
{
    struct buf *out = listing->out;

    buf_printf(out, "%s{\"id\":%" PRId64, listing->workers++ ? "," : "", row->id);
    put_str(out, "name", row->name);
    put_str(out, "site", row->site);
    put_str(out, "shape", row->shape);
    put_str(out, "image", row->image);
    put_str(out, "state", worker_state_name(row->state));
    put_str(out, "project", row->project);
    put_time(out, "created", row->created_ms);
    put_time(out, "joined", row->joined_ms);
    put_time(out, "gone", row->gone_ms);
    put_str(out, "reason", row->reason == REASON_NONE ? NULL : reason_name(row->reason));
    put_str(out, "detail", row->detail);
    buf_printf(out, ",\"facts\":%s,\"attempts\":[", row->facts ? row->facts : "null");
    listing->tasks = 0;
    if (row->state != WORKER_GONE && store_worker_attempts(listing->request->api->store, row->id,
                                                           put_task_id, listing, listing->err) < 0)
        return -1;
    buf_puts(out, "]}");
    return 0;
}

static bool list_worker(void *arg, const struct worker_row *row)
{
    struct listing *listing = arg;

    listing->rc = put_worker(listing, row);
    return listing->rc == 0;
}

static struct listing listing_of(struct request *request, struct err *err)
{
    request->reply.body.cap = ANSWER_MOST;
    return (struct listing){ .request = request,
                             .glances = GLANCES_INIT(request->api->store, request->caller),
                             .out = &request->reply.body,
                             .err = err };
}

int api_workers_list(struct request *request, struct err *err)
{
    struct listing listing = listing_of(request, err);
    int64_t limit = LIST_DEFAULT;
    bool all = false;
    int rc;

    request->fault_status = 400;
    if (query_bool(&request->query, "all", &all, err) < 0 ||
        query_i64(&request->query, "limit", 1, LIST_MOST, &limit, err) < 0)
        return -1;
    request->fault_status = 0;
    buf_puts(listing.out, "{\"workers\":[");
    rc = store_workers(request->api->store, query_get(&request->query, "site"), all, limit,
                       list_worker, &listing, err);
    glances_free(&listing.glances);
    if (rc < 0 || listing.rc < 0)
        return -1;
    buf_puts(listing.out, "]}");
    return reply_body(request, 200, NULL);
}

int api_worker_show(struct request *request, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(1 << 20);
    struct listing listing = listing_of(request, err);
    struct worker_row row;
    int rc = store_worker_find(request->api->store, request->params[0], &row, &strings, err);

    if (rc == 0)
        rc = put_worker(&listing, &row);
    else if (rc > 0)
        rc = err_set(err, FAULT_NOT_FOUND, "no worker '%s'; `spillway workers` lists them",
                     request->params[0]);
    glances_free(&listing.glances);
    return rc < 0 ? -1 : reply_body(request, 200, NULL);
}

static int done(struct request *request, const char *what)
{
    log_info("worker=\"%s\" %s by=\"%s\"", request->params[0], what, request->caller->user);
    return reply_json(request, 200, json_pack("{s:s}", "name", request->params[0]));
}

int api_worker_drain(struct request *request, struct err *err)
{
    if (broker_worker_drain(request->broker, request->params[0], err) < 0)
        return -1;
    return done(request, "draining");
}

int api_worker_inspect(struct request *request, struct err *err)
{
    json_t *answer = NULL;

    if (broker_worker_inspect(request->broker, request->params[0], &answer, err) < 0)
        return -1;
    return reply_json(request, 200, answer);
}

int api_worker_rm(struct request *request, struct err *err)
{
    if (broker_worker_rm(request->broker, request->params[0], err) < 0)
        return -1;
    return done(request, "removed");
}
