/* SPDX-License-Identifier: Apache-2.0 */
/* notices.c - what was told to whom, what waits, and dead letters. */
#include <inttypes.h>
#include <string.h>

#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "api/task_json.h"
#include "base/parse.h"
#include "store/notices.h"

#define PAGE_MOST 10000

static const char *const states[] = { "pending", "done", "dead", NULL };

struct listing {
    struct page page;
    int state; /* -1: any */
};

static bool put_notice(void *arg, const struct notice_row *row)
{
    struct listing *listing = arg;
    struct request *request = listing->page.request;
    struct buf *out = &request->reply.body;

    if (!caller_sees(request->caller, row->user, NULL) ||
        (listing->state >= 0 && listing->state != (int)row->state))
        return true;
    if (!page_takes(&listing->page, row->id))
        return false;
    buf_printf(out, "{\"id\":%" PRId64, row->id);
    put_str(out, "state", (size_t)row->state < array_len(states) - 1 ? states[row->state] : NULL);
    put_str(out, "kind", row->kind == NOTICE_MAIL ? "mail" : "webhook");
    put_str(out, "target", row->target);
    put_str(out, "user", row->user);
    put_str(out, "project", row->project);
    put_time(out, "created", row->at_ms);
    put_time(out, "due", row->state == NOTICE_PENDING ? row->due_ms : 0);
    put_time(out, "ended", row->done_ms);
    put_i64(out, "tries", row->tries);
    put_str(out, "error", row->error);
    buf_printf(out, ",\"event\":%s}", row->event);
    return true;
}

static int read_state(struct request *request, int *out, struct err *err)
{
    const char *text = query_get(&request->query, "state");

    *out = -1;
    for (int i = 0; text && states[i]; i++)
        if (strcmp(states[i], text) == 0)
            *out = i;
    if (!text || *out >= 0)
        return 0;
    request_field(request, "state");
    return err_set(err, FAULT_INVALID, "state: must be pending, done or dead");
}

int notices_list(struct request *request, struct err *err)
{
    struct listing listing = { .page = { .request = request, .limit = 1000, .most = PAGE_MOST } };
    struct page *page = &listing.page;

    if (read_state(request, &listing.state, err) < 0 || page_begin(page, "notices", 0, err) < 0 ||
        store_notices(request->api->store, page->after, put_notice, &listing, err) < 0)
        return -1;
    return page_end(page);
}

/* ---- replay ---------------------------------------------------------------------------------- */

struct sought {
    const struct caller *caller;
    int64_t id;
    bool found;
};

static bool is_sought(void *arg, const struct notice_row *row)
{
    struct sought *sought = arg;

    sought->found = row->id == sought->id && caller_sees(sought->caller, row->user, NULL);
    return false;
}

int notice_replay(struct request *request, struct err *err)
{
    struct sought sought = { .caller = request->caller };
    int rc;

    if (parse_i64(request->params[0], 1, INT64_MAX, &sought.id, err) < 0)
        return err_set(err, FAULT_NOT_FOUND, "no notice '%s': notices have numbers",
                       request->params[0]);
    if (store_notices(request->api->store, sought.id - 1, is_sought, &sought, err) < 0)
        return -1;
    if (!sought.found)
        return err_set(err, FAULT_NOT_FOUND, "no notice %" PRId64 ", or not yours", sought.id);
    rc = store_notice_replay(request->api->store, sought.id, err);
    if (rc > 0)
        return err_set(err, FAULT_CONFLICT,
                       "notice %" PRId64 " is not dead: it was delivered, or "
                       "is still being tried",
                       sought.id);
    return rc < 0 ? -1 : reply_json(request, 200, json_pack("{s:I}", "id", (json_int_t)sought.id));
}
