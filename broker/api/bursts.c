/* SPDX-License-Identifier: Apache-2.0 */
/* bursts.c - jobs that were taken from a site's own queue. */
#include <inttypes.h>
#include <string.h>

#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "api/task_json.h"
#include "base/parse.h"
#include "store/bursts.h"

#define PAGE_MOST 10000

static void put_row(struct buf *out, const struct burst_row *row)
{
    buf_printf(out, "{\"id\":%" PRId64, row->id);
    put_str(out, "site", row->site);
    put_str(out, "home", row->home);
    put_str(out, "name", row->name);
    put_str(out, "user", row->user);
    put_str(out, "project", row->project);
    put_str(out, "state", burst_state_name(row->state));
    put_i64_or_null(out, "job", row->job, row->job > 0);
    put_time(out, "submitted", row->submitted_ms);
    put_time(out, "taken", row->taken_ms);
    put_time(out, "changed", row->changed_ms);
    put_i64(out, "tries", row->tries);
    put_str(out, "why", row->why);
    buf_puts(out, "}");
}

static bool put_burst(void *arg, const struct burst_row *row)
{
    struct page *page = arg;

    if (!caller_sees(page->request->caller, row->user, row->project))
        return true;
    if (!page_takes(page, row->id))
        return false;
    put_row(&page->request->reply.body, row);
    return true;
}

int bursts_list(struct request *request, struct err *err)
{
    struct page page = { .request = request, .limit = 1000, .most = PAGE_MOST };
    bool all = false;

    if (query_bool(&request->query, "all", &all, err) < 0 ||
        page_begin(&page, "bursts", 0, err) < 0 ||
        store_bursts(request->api->store, page.after, all, put_burst, &page, err) < 0)
        return -1;
    return page_end(&page);
}

struct sought {
    const struct caller *caller;
    int64_t id;
    bool found;
    struct buf *out; /* NULL: only look */
};

static bool is_sought(void *arg, const struct burst_row *row)
{
    struct sought *sought = arg;

    sought->found = row->id == sought->id && caller_sees(sought->caller, row->user, row->project);
    if (sought->found && sought->out)
        put_row(sought->out, row);
    return false;
}

static int seek(struct request *request, struct sought *sought, struct err *err)
{
    sought->caller = request->caller;
    if (parse_i64(request->params[0], 1, INT64_MAX, &sought->id, err) < 0)
        return err_set(err, FAULT_NOT_FOUND, "no burst '%s': they have numbers",
                       request->params[0]);
    if (store_bursts(request->api->store, sought->id - 1, true, is_sought, sought, err) < 0)
        return -1;
    return sought->found
               ? 0
               : err_set(err, FAULT_NOT_FOUND, "no burst %" PRId64 ", or not yours", sought->id);
}

int burst_show(struct request *request, struct err *err)
{
    struct sought sought = { .out = &request->reply.body };

    return seek(request, &sought, err) < 0 ? -1 : reply_body(request, 200, NULL);
}

int burst_release_post(struct request *request, struct err *err)
{
    struct sought sought = { .out = NULL };
    int rc = seek(request, &sought, err);

    if (rc == 0)
        rc = store_burst_ask(request->api->store, sought.id, err);
    if (rc > 0)
        return err_set(err, FAULT_CONFLICT,
                       "burst %" PRId64 " has ended, or its results are home already", sought.id);
    return rc < 0 ? -1 : reply_json(request, 200, json_pack("{s:I}", "id", (json_int_t)sought.id));
}
