/* SPDX-License-Identifier: Apache-2.0 */
/* usage.c - accounting, and who stands where in the fair share. */
#include <inttypes.h>

#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "api/task_json.h"
#include "base/clock.h"

#define DEFAULT_MS  (30 * (int64_t)86400000)
#define MS_PER_HOUR 3600000.0

struct summing {
    const struct caller *caller;
    struct buf *out;
    size_t count;
};

static void put_hours(struct buf *out, const char *key, int64_t ms)
{
    buf_printf(out, ",\"%s\":%.4f", key, (double)ms / MS_PER_HOUR);
}

static bool put_usage(void *arg, const struct usage_row *row)
{
    struct summing *summing = arg;
    struct buf *out = summing->out;

    if (!caller_sees(summing->caller, row->user, row->project))
        return true;
    buf_puts(out, summing->count++ ? ",{\"project\":" : "{\"project\":");
    buf_put_json(out, row->project);
    put_str(out, "user", row->user);
    put_str(out, "site", row->site);
    put_i64(out, "tasks", row->tasks);
    put_i64(out, "succeeded", row->succeeded);
    put_i64(out, "failed", row->failed);
    put_i64(out, "cancelled", row->cancelled);
    put_hours(out, "wall_hours", row->wall_ms);
    put_hours(out, "cpu_hours", row->cpu_ms);
    put_hours(out, "core_hours", row->cpu_wall_ms);
    put_hours(out, "gpu_hours", row->gpu_wall_ms);
    buf_putc(out, '}');
    return true;
}

int usage_get(struct request *request, struct err *err)
{
    struct summing summing = { .caller = request->caller, .out = &request->reply.body };
    int64_t to = clock_wall_ms(), from;

    request->fault_status = 400;
    if (query_time(&request->query, "to", &to, err) < 0)
        return -1;
    from = to - DEFAULT_MS;
    if (query_time(&request->query, "from", &from, err) < 0)
        return -1;
    if (from > to)
        return err_set(err, FAULT_INVALID, "from: lies after `to`");
    request->fault_status = 0;
    buf_puts(summing.out, "{\"usage\":[");
    if (store_usage(request->api->store, from, to, put_usage, &summing, err) < 0)
        return -1;
    buf_putc(summing.out, ']');
    put_time(summing.out, "from", from);
    put_time(summing.out, "to", to);
    buf_putc(summing.out, '}');
    return reply_body(request, 200, NULL);
}

int shares_get(struct request *request, struct err *err)
{
    json_t *shares = broker_shares(request->broker);

    (void)err;
    return reply_json(request, 200,
                      json_is_object(shares) ? shares : json_pack("{s:o}", "shares", shares));
}
