/* SPDX-License-Identifier: Apache-2.0 */
/* task_json.c - tasks and jobs as JSON text.
 *
 * Written straight into a buffer: a list of ten thousand tasks is a common answer. */
#include "api/task_json.h"

#include <inttypes.h>
#include <string.h>

#include "base/parse.h"

#define RANGES_SHOWN 8

void put_str(struct buf *out, const char *key, const char *value)
{
    buf_printf(out, ",\"%s\":", key);
    if (value)
        buf_put_json(out, value);
    else
        buf_puts(out, "null");
}

void put_i64(struct buf *out, const char *key, int64_t value)
{
    buf_printf(out, ",\"%s\":%" PRId64, key, value);
}

void put_i64_or_null(struct buf *out, const char *key, int64_t value, bool known)
{
    if (known)
        put_i64(out, key, value);
    else
        buf_printf(out, ",\"%s\":null", key);
}

void put_time(struct buf *out, const char *key, int64_t ms)
{
    char text[FORMAT_BYTES];

    if (ms)
        buf_printf(out, ",\"%s\":\"%s\"", key, format_time(ms, text, sizeof text));
    else
        buf_printf(out, ",\"%s\":null", key);
}

void put_state(struct buf *out, enum task_state state, enum reason reason)
{
    buf_printf(out, ",\"state\":\"%s\"", task_state_name(state));
    put_str(out, "reason", reason == REASON_NONE ? NULL : reason_name(reason));
}

void task_id_put(struct buf *out, int64_t job, int64_t index, bool array)
{
    buf_printf(out, "%" PRId64, job);
    if (array)
        buf_printf(out, ".%" PRId64, index);
}

/* Members first .. first + count - 1 of one range. */
static void put_range(struct buf *out, const struct index_range *range, int64_t first,
                      int64_t count)
{
    int64_t from = range->first + first * range->step;

    buf_printf(out, "%" PRId64, from);
    if (count > 1)
        buf_printf(out, "-%" PRId64, from + (count - 1) * range->step);
    if (count > 1 && range->step > 1)
        buf_printf(out, ":%" PRId64, range->step);
}

void rest_id_put(struct buf *out, const struct job_row *job, int64_t first, int64_t count)
{
    struct index_set set = { .ranges = NULL };
    int64_t before = 0;
    int shown = 0;

    buf_printf(out, "%" PRId64 ".[", job->id);
    if (!job->array || index_set_parse(job->array, &set, NULL) < 0)
        set.count = 0;
    for (size_t i = 0; i < set.count && count > 0; i++) {
        const struct index_range *range = &set.ranges[i];
        int64_t size = (range->last - range->first) / range->step + 1;
        int64_t skip = first - before, here;

        before += size;
        if (skip >= size)
            continue;
        here = size - skip < count ? size - skip : count;
        if (shown == RANGES_SHOWN) {
            buf_puts(out, ",...");
            break;
        }
        buf_puts(out, shown++ ? "," : "");
        put_range(out, range, skip, here);
        first += here;
        count -= here;
    }
    buf_putc(out, ']');
    index_set_free(&set);
}

static void put_who(struct buf *out, const struct job_row *job)
{
    put_str(out, "name", job->name);
    put_str(out, "project", job->project);
    put_str(out, "user", job->user);
}

static void put_run(struct buf *out, const struct job_row *job, const struct task_row *task)
{
    put_state(out, task->state, task->reason);
    put_str(out, "detail", task->detail);
    put_i64_or_null(out, "exit_code", task->exit_code, task->exit_code >= 0 && task->attempt);
    put_i64_or_null(out, "signal", task->signal, task->signal > 0);
    put_str(out, "site", task->site);
    put_str(out, "worker", task->worker_name);
    put_i64(out, "attempt", task->attempts);
    put_time(out, "submitted", job->submitted_ms);
    put_time(out, "started", task->started_ms);
    put_time(out, "finished", task->finished_ms);
    if (task->finished_ms && task->attempt)
        buf_printf(out, ",\"cpu_seconds\":%.3f", (double)task->cpu_ms / 1000);
    else
        buf_puts(out, ",\"cpu_seconds\":null");
    put_i64_or_null(out, "max_rss_bytes", task->max_rss, task->max_rss > 0);
    put_i64(out, "user_retries_used", task->user_retries);
    put_i64(out, "infra_retries_used", task->infra_retries);
    put_i64(out, "preempt_retries_used", task->preempt_retries);
    put_i64(out, "priority", job->priority);
}

void task_put_open(struct buf *out, const struct job_row *job, const struct task_row *task)
{
    buf_puts(out, "{\"id\":\"");
    task_id_put(out, job->id, task->index, job->array != NULL);
    buf_printf(out, "\",\"job\":%" PRId64, job->id);
    put_i64_or_null(out, "index", task->index, job->array != NULL);
    put_who(out, job);
    put_run(out, job, task);
}

void task_put(struct buf *out, const struct ls_row *row)
{
    bool rest = row->count > 1;

    if (!rest) {
        task_put_open(out, &row->job, &row->task);
        buf_putc(out, '}');
        return;
    }
    buf_puts(out, "{\"id\":\"");
    rest_id_put(out, &row->job, row->first, row->count);
    buf_printf(out, "\",\"job\":%" PRId64 ",\"index\":null,\"tasks\":%" PRId64, row->job.id,
               row->count);
    put_who(out, &row->job);
    put_run(out, &row->job, &row->task);
    buf_putc(out, '}');
}

enum task_state job_state(const int64_t counts[TASK_STATE_COUNT])
{
    /* The first that any task is in; ends only when all have ended. */
    static const enum task_state order[] = { TASK_RUNNING, TASK_COMPLETING, TASK_UNREACHABLE,
                                             TASK_LEASED,  TASK_PENDING,    TASK_HELD,
                                             TASK_FAILED,  TASK_CANCELLED };

    for (size_t i = 0; i < array_len(order); i++)
        if (counts[order[i]] > 0)
            return order[i];
    return TASK_SUCCEEDED;
}

static void put_counts(struct buf *out, const int64_t counts[TASK_STATE_COUNT])
{
    const char *separator = "";

    buf_puts(out, ",\"counts\":{");
    for (int i = 0; i < TASK_STATE_COUNT; i++) {
        if (counts[i] == 0)
            continue;
        buf_printf(out, "%s\"%s\":%" PRId64, separator, task_state_name((enum task_state)i),
                   counts[i]);
        separator = ",";
    }
    buf_putc(out, '}');
}

void job_put(struct buf *out, const struct job_detail *detail)
{
    const struct job_row *job = &detail->job;
    struct task_row whole = { .job = job->id, .exit_code = -1 };

    if (!job->array) {
        task_put_open(out, job, &detail->task);
        return;
    }
    whole.state = job_state(detail->counts);
    whole.finished_ms = job->finished_ms;
    whole.reason = whole.state == job->rest_state ? job->rest_reason : REASON_NONE;
    buf_printf(out, "{\"id\":\"%" PRId64 "\",\"job\":%" PRId64 ",\"index\":null", job->id, job->id);
    put_i64(out, "tasks", job->tasks);
    put_str(out, "array", job->array);
    put_counts(out, detail->counts);
    put_who(out, job);
    put_run(out, job, &whole);
}
