/* SPDX-License-Identifier: Apache-2.0 */
/* job_read.c - lists of tasks, one job, its attempts, why it waits. */
#include <inttypes.h>
#include <string.h>

#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "api/task_json.h"

#define LIST_DEFAULT 1000
#define LIST_MOST    10000
#define STATES_ENDED (1u << TASK_SUCCEEDED | 1u << TASK_FAILED | 1u << TASK_CANCELLED)
#define STRINGS_MOST (4 * (size_t)JOB_BYTES_MOST)
#define ANSWER_MOST  ((size_t)256 * 1024 * 1024)

/* ---- the list */

struct listing {
    struct broker *broker;
    struct buf *out;
    const char *user; /* only hers, when set: what the store's filter cannot say */
    size_t count;
};

/* What the record does not know of a task that waits: which of its own conditions is open. */
static enum reason waits_for(struct broker *broker, int64_t job, int64_t index,
                             enum task_state state, enum reason known)
{
    if (known != REASON_NONE || (state != TASK_PENDING && state != TASK_HELD))
        return known;
    return broker_wait_reason(broker, (struct target){ job, index });
}

static bool list_task(void *arg, const struct ls_row *row)
{
    struct listing *listing = arg;
    bool untouched = row->first >= row->job.next_position && row->task.attempts == 0;
    struct ls_row told = *row;

    if (listing->user && strcmp(listing->user, row->job.user) != 0)
        return true;
    if (listing->count++)
        buf_putc(listing->out, ',');
    told.task.reason = waits_for(listing->broker, row->job.id, untouched ? -1 : row->task.index,
                                 row->task.state, row->task.reason);
    task_put(listing->out, &told);
    return true;
}

static int read_order(const struct query *query, bool *newest_first, struct err *err)
{
    const char *order = query_get(query, "order");

    *newest_first = order && strcmp(order, "desc") == 0;
    if (!order || *newest_first || strcmp(order, "asc") == 0)
        return 0;
    return err_set(err, FAULT_INVALID, "order: asc (oldest first) or desc (newest first)");
}

static int read_filter(struct request *request, struct ls_filter *filter, struct err *err)
{
    const struct query *query = &request->query;

    request->fault_status = 400;
    if (query_bool(query, "all", &filter->all, err) < 0 ||
        query_states(query, "state", &filter->states, err) < 0 ||
        query_i64(query, "job", 1, INT64_MAX, &filter->job, err) < 0 ||
        query_i64(query, "limit", 1, LIST_MOST, &filter->limit, err) < 0 ||
        read_order(query, &filter->newest_first, err) < 0)
        return -1;
    request->fault_status = 0;
    filter->all |= (filter->states & STATES_ENDED) != 0;
    filter->name = query_get(query, "name");
    filter->project = query_get(query, "project");
    filter->user = query_get(query, "user");
    filter->cursor = query_get(query, "cursor");
    return 0;
}

/* A user sees her own jobs and her projects'; asking for another user's narrows that further. */
static void restrict_to_caller(const struct request *request, struct ls_filter *filter,
                               struct listing *listing)
{
    if (request->caller->role >= ROLE_OPERATOR)
        return;
    listing->user = filter->user;
    filter->user = request->caller->user;
    filter->projects = request->caller->projects;
}

static void put_cursor(struct buf *out, const struct buf *cursor)
{
    buf_puts(out, "],\"cursor\":");
    if (cursor->length)
        buf_put_json(out, buf_text(cursor));
    else
        buf_puts(out, "null");
    buf_putc(out, '}');
}

int jobs_list(struct request *request, struct err *err)
{
    struct ls_filter filter = { .limit = LIST_DEFAULT };
    own_buf struct buf cursor = BUF_INIT(1024);
    struct listing listing = { .broker = request->broker, .out = &request->reply.body };

    if (read_filter(request, &filter, err) < 0)
        return -1;
    restrict_to_caller(request, &filter, &listing);
    listing.out->cap = ANSWER_MOST;
    buf_puts(listing.out, "{\"tasks\":[");
    if (store_ls(request->api->store, &filter, list_task, &listing, &cursor, err) < 0)
        return -1;
    put_cursor(listing.out, &cursor);
    return reply_body(request, 200, NULL);
}

/* ---- one */

struct rows {
    struct buf *out;
    size_t count;
    bool more; /* than the answer holds */
};

static bool put_dependency(void *arg, const struct dependency_row *row)
{
    static const char *const outcomes[] = {
        [ON_SUCCESS] = "success", [ON_FAILURE] = "failure", [ON_ANY] = "any"
    };
    struct rows *rows = arg;

    buf_printf(rows->out, "%s{\"job\":%" PRId64 ",\"on\":\"%s\",\"each\":%s}",
               rows->count++ ? "," : "", row->on_job, outcomes[row->on],
               row->each ? "true" : "false");
    return true;
}

static int put_description(struct request *request, const struct job_detail *detail,
                           struct err *err)
{
    struct buf *out = &request->reply.body;
    struct rows rows = { .out = out };

    put_time(out, "deadline", detail->job.deadline_ms);
    buf_printf(out, ",\"description\":%s,\"dependencies\":[", detail->spec ? detail->spec : "null");
    if (store_dependencies(request->api->store, detail->job.id, put_dependency, &rows, err) < 0)
        return -1;
    buf_puts(out, "]}");
    return reply_body(request, 200, NULL);
}

int job_show(struct request *request, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(STRINGS_MOST), of_task = BUF_INIT(STRINGS_MOST);
    struct target target;
    struct job_detail detail;
    struct task_row task;
    int rc;

    if (request_target(request, &target, &detail, &strings, err) < 0)
        return -1;
    detail.job.rest_reason =
        waits_for(request->broker, target.job, -1, detail.job.rest_state, detail.job.rest_reason);
    detail.task.reason =
        waits_for(request->broker, target.job, detail.task.attempts ? detail.task.index : -1,
                  detail.task.state, detail.task.reason);
    if (target.index < 0) {
        job_put(&request->reply.body, &detail);
        return put_description(request, &detail, err);
    }
    rc = store_task(request->api->store, target, &task, &of_task, err);
    if (rc < 0)
        return -1;
    if (rc > 0)
        return err_set(err, FAULT_NOT_FOUND, "job %" PRId64 " has no task %" PRId64, target.job,
                       target.index);
    task.reason = waits_for(request->broker, target.job, target.index, task.state, task.reason);
    task_put_open(&request->reply.body, &detail.job, &task);
    return put_description(request, &detail, err);
}

int job_explain(struct request *request, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(STRINGS_MOST), id = BUF_INIT(64);
    struct job_detail detail;
    struct target target;
    json_t *answer = NULL;

    if (request_target(request, &target, &detail, &strings, err) < 0 ||
        broker_explain(request->broker, target, &answer, err) < 0)
        return -1;
    task_id_put(&id, target.job, target.index, detail.job.array && target.index >= 0);
    json_object_set_new(answer, "id", json_string(buf_text(&id)));
    return reply_json(request, 200, answer);
}

/* ---- its attempts */

static const char *budget_name(enum blame blame)
{
    static const char *const names[] = { [BLAME_NONE] = NULL,
                                         [BLAME_USER] = "user",
                                         [BLAME_INFRA] = "infra",
                                         [BLAME_PREEMPT] = "preempt" };

    return names[blame];
}

static bool put_attempt(void *arg, const struct attempt_row *row)
{
    struct rows *list = arg;
    struct buf *out = list->out;
    bool ended = row->finished_ms != 0;

    if (list->count == LIST_MOST) {
        list->more = true;
        return false;
    }
    buf_printf(out, "%s{\"attempt\":%d,\"id\":%" PRId64 ",\"index\":%" PRId64,
               list->count++ ? "," : "", row->number, row->id, row->index);
    put_i64_or_null(out, "node", row->rank, row->gang > 0);
    put_state(out, row->state, row->reason);
    put_str(out, "detail", row->detail);
    put_str(out, "budget", budget_name(row->budget));
    put_str(out, "site", row->site);
    put_str(out, "worker", row->worker_name);
    put_i64_or_null(out, "exit_code", row->exit_code, ended && row->exit_code >= 0);
    put_i64_or_null(out, "signal", row->signal, row->signal > 0);
    put_time(out, "leased", row->leased_ms);
    put_time(out, "started", row->started_ms);
    put_time(out, "finished", row->finished_ms);
    put_i64_or_null(out, "wall_ms", row->wall_ms, ended);
    put_i64_or_null(out, "cpu_ms", row->cpu_ms, ended);
    put_i64_or_null(out, "max_rss_bytes", row->max_rss, row->max_rss > 0);
    buf_printf(out, ",\"decision\":%s}", row->decision ? row->decision : "null");
    return true;
}

int job_attempts(struct request *request, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(STRINGS_MOST);
    struct rows list = { .out = &request->reply.body };
    struct target target;

    if (request_target(request, &target, NULL, &strings, err) < 0)
        return -1;
    buf_puts(list.out, "{\"attempts\":[");
    if (store_attempts(request->api->store, target, put_attempt, &list, err) < 0)
        return -1;
    buf_puts(list.out, list.more ? "],\"more\":true}" : "],\"more\":false}");
    return reply_body(request, 200, NULL);
}
