/* SPDX-License-Identifier: Apache-2.0 */
/* reports.c - reading an agent's reports: nothing in them is trusted. */
#include "reports.h"

#include <string.h>

#include "base/arena.h"
#include "base/io.h"
#include "base/json.h"
#include "base/own.h"
#include "spillway/wire.h"

#define DETAIL_MOST 1000

/* Strings are copied: the body belongs to the thread that read it, and jansson's counts are not all
 * atomic. */
struct reports {
    struct arena arena;
    struct report *list;
    size_t count;
};

static int read_state(const json_t *object, struct report *report, struct err *err)
{
    const char *state = NULL;

    if (json_get_str(object, "state", &state, err) < 0)
        return -1;
    if (strcmp(state, "running") == 0)
        report->state = TASK_RUNNING;
    else if (strcmp(state, "completing") == 0)
        report->state = TASK_COMPLETING;
    else if (strcmp(state, "returned") == 0)
        report->state = TASK_PENDING;
    else if (strcmp(state, "finished") == 0)
        report->state = TASK_SUCCEEDED;
    else
        return err_set(err, FAULT_INVALID, "state: unknown value '%.20s'", state);
    return 0;
}

/* The final state follows from the reason; an exit status that is not 0 is the user's own, whatever
 * the agent forgot to say. */
static int read_end(const json_t *object, struct report *report, struct err *err)
{
    const char *reason = "";
    int64_t exit_code = -1, signal = 0;
    int found;

    if (json_opt_str(object, "reason", &reason, err) < 0 ||
        json_opt_i64(object, "exit_code", 0, 255, &exit_code, err) < 0 ||
        json_opt_i64(object, "signal", 0, 64, &signal, err) < 0)
        return -1;
    found = reason_find(reason);
    if (found < 0 || found >= REASON_NO_SITE)
        return err_set(err, FAULT_INVALID, "reason: unknown value '%.20s'", reason);
    report->reason = (enum reason)found;
    report->exit_code = (int)exit_code;
    report->signal = (int)signal;
    if (report->reason == REASON_NONE && exit_code != 0)
        report->reason = exit_code > 0 ? REASON_USER_EXIT : signal ? REASON_SIGNAL : REASON_LOST;
    if (report->reason == REASON_CANCELLED || report->reason == REASON_DEADLINE)
        report->state = TASK_CANCELLED;
    else if (report->reason != REASON_NONE)
        report->state = TASK_FAILED;
    return 0;
}

static int read_times(const json_t *object, struct report *report, struct err *err)
{
    const struct {
        const char *key;
        int64_t *out;
    } fields[] = {
        { "started", &report->started_ms },    { "finished", &report->finished_ms },
        { "wall_ms", &report->wall_ms },       { "cpu_ms", &report->cpu_ms },
        { "max_rss_bytes", &report->max_rss },
    };

    for (size_t i = 0; i < array_len(fields); i++)
        if (json_opt_i64(object, fields[i].key, 0, INT64_MAX, fields[i].out, err) < 0)
            return -1;
    return 0;
}

static int read_log(struct reports *reports, const json_t *logs, const char *stream,
                    struct log_row *row, struct err *err)
{
    const json_t *log = NULL;
    const char *data = NULL, *sha256 = "";
    struct buf bytes = BUF_INIT(WIRE_LOG_INLINE);
    void *copy;

    row->sha256 = "";
    if (json_opt_object(logs, stream, &log, err) < 0)
        return -1;
    if (!log)
        return 0;
    if (json_opt_i64(log, "size", 0, INT64_MAX, &row->size, err) < 0 ||
        json_opt_i64(log, "cut", 0, INT64_MAX, &row->cut, err) < 0 ||
        json_opt_str(log, "sha256", &sha256, err) < 0 || json_opt_str(log, "data", &data, err) < 0)
        return err_wrap(err, "logs/%s", stream);
    if (*sha256 && !sha256_is_hex(sha256))
        return err_set(err, FAULT_INVALID, "logs/%s/sha256: not a SHA-256", stream);
    row->sha256 = arena_strdup(&reports->arena, sha256);
    if (!data)
        return 0;
    if (strlen(data) > WIRE_LOG_INLINE * 2 || buf_put_unbase64(&bytes, data, strlen(data)) < 0 ||
        (int64_t)bytes.length != row->size) {
        buf_free(&bytes);
        return err_set(err, FAULT_INVALID, "logs/%s/data: not base64 of `size` bytes, at most %d",
                       stream, WIRE_LOG_INLINE);
    }
    copy = arena_alloc(&reports->arena, bytes.length + 1);
    if (bytes.length)
        memcpy(copy, bytes.data, bytes.length);
    row->data = copy;
    buf_free(&bytes);
    return 0;
}

static int read_output(struct reports *reports, const json_t *object, struct output_row *row,
                       struct err *err)
{
    int64_t mode = 0;

    if (json_get_str(object, "path", &row->path, err) < 0 ||
        json_get_str(object, "sha256", &row->sha256, err) < 0 ||
        json_get_i64(object, "size", 0, INT64_MAX, &row->size, err) < 0 ||
        json_opt_i64(object, "mode", 0, 07777, &mode, err) < 0)
        return -1;
    row->mode = (int)mode & 0777;
    if (!io_path_is_below(row->path))
        return err_set(err, FAULT_INVALID, "path: not a relative path that stays below its folder");
    if (!sha256_is_hex(row->sha256))
        return err_set(err, FAULT_INVALID, "sha256: not a SHA-256");
    row->path = arena_strdup(&reports->arena, row->path);
    row->sha256 = arena_strdup(&reports->arena, row->sha256);
    return 0;
}

static int read_outputs(struct reports *reports, const json_t *object, struct report *report,
                        struct err *err)
{
    const json_t *list = NULL;
    struct output_row *rows;
    size_t count;

    if (json_opt_array(object, "outputs", &list, err) < 0)
        return -1;
    count = json_array_size(list);
    if (count > WIRE_OUTPUTS_MOST)
        return err_set(err, FAULT_INVALID, "outputs: more than %d files", WIRE_OUTPUTS_MOST);
    rows = arena_alloc(&reports->arena, count * sizeof *rows);
    for (size_t i = 0; i < count; i++)
        if (read_output(reports, json_array_get(list, i), &rows[i], err) < 0)
            return err_wrap(err, "outputs/%zu", i);
    report->outputs = rows;
    report->output_count = count;
    return 0;
}

static int read_report(struct reports *reports, const json_t *object, struct report *report,
                       struct err *err)
{
    const json_t *logs = NULL;

    report->exit_code = -1;
    report->logs[0].sha256 = report->logs[1].sha256 = "";
    if (!json_is_object(object))
        return err_set(err, FAULT_INVALID, "must be an object");
    if (json_get_i64(object, "attempt", 1, INT64_MAX, &report->attempt, err) < 0 ||
        read_state(object, report, err) < 0 || read_times(object, report, err) < 0 ||
        json_opt_str(object, "detail", &report->detail, err) < 0)
        return -1;
    if (report->detail && strlen(report->detail) > DETAIL_MOST)
        return err_set(err, FAULT_INVALID, "detail: longer than %d bytes", DETAIL_MOST);
    if (report->detail)
        report->detail = arena_strdup(&reports->arena, report->detail);
    if (report->state != TASK_SUCCEEDED)
        return 0;
    if (read_end(object, report, err) < 0 || json_opt_object(object, "logs", &logs, err) < 0 ||
        read_log(reports, logs, "stdout", &report->logs[0], err) < 0 ||
        read_log(reports, logs, "stderr", &report->logs[1], err) < 0)
        return -1;
    return read_outputs(reports, object, report, err);
}

int reports_parse(const json_t *body, struct reports **out, struct err *err)
{
    const json_t *list = NULL;
    struct reports *reports;

    *out = NULL;
    if (json_opt_array(body, "reports", &list, err) < 0)
        return -1;
    if (json_array_size(list) == 0)
        return 0;
    if (json_array_size(list) > WIRE_REPORTS_MOST)
        return err_set(err, FAULT_INVALID, "reports: more than %d", WIRE_REPORTS_MOST);
    reports = xcalloc(1, sizeof *reports);
    reports->count = json_array_size(list);
    reports->list = xcalloc(reports->count, sizeof *reports->list);
    for (size_t i = 0; i < reports->count; i++) {
        if (read_report(reports, json_array_get(list, i), &reports->list[i], err) < 0) {
            reports_free(reports);
            return err_wrap(err, "reports/%zu", i);
        }
    }
    *out = reports;
    return 0;
}

void reports_free(struct reports *reports)
{
    if (!reports)
        return;
    arena_free(&reports->arena);
    free(reports->list);
    free(reports);
}

size_t reports_count(const struct reports *reports)
{
    return reports ? reports->count : 0;
}

/* Results are acknowledged by hash: what is named must have arrived before. */
static void check_outputs(struct reports *reports, struct store *store, struct report *report)
{
    char owner[40];

    snprintf(owner, sizeof owner, "attempt:%lld", (long long)report->attempt);
    for (size_t i = 0; i < report->output_count; i++) {
        if (store_blob_owned(store, owner, report->outputs[i].sha256))
            continue;
        report->state = TASK_FAILED;
        report->reason = REASON_NETWORK;
        report->detail = arena_printf(&reports->arena, "output '%.200s' did not arrive",
                                      report->outputs[i].path);
        report->output_count = 0;
    }
}

void reports_commit(struct reports *reports, struct store *store, int64_t worker,
                    store_judge *judge, void *arg, store_done *done, void *done_arg)
{
    for (size_t i = 0; i < reports->count; i++)
        check_outputs(reports, store, &reports->list[i]);
    store_report_async(store, worker, reports->list, reports->count, judge, arg, done, done_arg);
}

void reports_put_settled(const struct reports *reports, struct buf *out)
{
    const char *comma = "";

    buf_puts(out, ",\"settled\":[");
    for (size_t i = 0; i < reports_count(reports); i++) {
        if (!reports->list[i].settled)
            continue;
        buf_printf(out, "%s%lld", comma, (long long)reports->list[i].attempt);
        comma = ",";
    }
    buf_putc(out, ']');
}
