/* SPDX-License-Identifier: Apache-2.0 */
/* outputs.c - the files that tasks left. */
#include <inttypes.h>
#include <string.h>

#include "api/files.h"
#include "api/handlers.h"
#include "api/server.h"
#include "api/task_json.h"
#include "base/io.h"

#define TASKS_DEFAULT 500
#define TASKS_MOST    5000
#define STRINGS_MOST  (4 * (size_t)JOB_BYTES_MOST)
#define ANSWER_MOST   ((size_t)256 * 1024 * 1024)

struct ended_task {
    int64_t index, attempt;
};
struct gathering {
    struct buf *out;
    struct ended_task *tasks;
    size_t count;
    int64_t job;
    bool array;
    const struct ended_task *now; /* whose outputs are being written */
    size_t written;
};

/* Gathered first: a reader is not used again inside its own callback. */
static bool gather(void *arg, const struct ls_row *row)
{
    struct gathering *all = arg;

    if (row->count == 1 && row->task.attempt)
        all->tasks[all->count++] = (struct ended_task){ row->task.index, row->task.attempt };
    return true;
}

static bool put_output(void *arg, const struct output_row *row)
{
    struct gathering *all = arg;

    buf_printf(all->out, "%s{\"task\":\"", all->written++ ? "," : "");
    task_id_put(all->out, all->job, all->now->index, all->array);
    buf_puts(all->out, "\",\"path\":");
    buf_put_json(all->out, row->path);
    put_i64(all->out, "size", row->size);
    put_str(all->out, "sha256", row->sha256);
    buf_printf(all->out, ",\"mode\":%d}", row->mode);
    return true;
}

/* What tasks to look at: one, or a page of the job's. */
static int gather_tasks(struct request *request, struct target target, struct gathering *all,
                        struct buf *cursor, struct err *err)
{
    struct ls_filter filter = { .all = true, .job = target.job, .limit = TASKS_DEFAULT };
    own_buf struct buf strings = BUF_INIT(STRINGS_MOST);
    struct task_row task;
    int rc;

    request->fault_status = 400;
    if (query_i64(&request->query, "limit", 1, TASKS_MOST, &filter.limit, err) < 0)
        return -1;
    request->fault_status = 0;
    filter.cursor = query_get(&request->query, "cursor");
    all->tasks = xcalloc((size_t)filter.limit + 1, sizeof *all->tasks);
    if (all->array && target.index < 0)
        return store_ls(request->api->store, &filter, gather, all, cursor, err);
    target.index = all->array ? target.index : 0;
    rc = store_task(request->api->store, target, &task, &strings, err);
    if (rc > 0)
        return err_set(err, FAULT_NOT_FOUND, "job %" PRId64 " has no task %" PRId64, target.job,
                       target.index);
    if (rc == 0 && task.attempt)
        all->tasks[all->count++] = (struct ended_task){ task.index, task.attempt };
    return rc;
}

static int write_outputs(struct request *request, struct gathering *all, struct err *err)
{
    buf_puts(all->out, "{\"outputs\":[");
    for (size_t i = 0; i < all->count; i++) {
        all->now = &all->tasks[i];
        if (all->out->length > ANSWER_MOST / 2)
            return err_set(err, FAULT_INVALID, "too many files for one answer: say limit=%zu",
                           i > 1 ? i / 2 : 1);
        if (store_outputs(request->api->store, all->now->attempt, put_output, all, err) < 0)
            return -1;
    }
    buf_puts(all->out, "],\"cursor\":");
    return 0;
}

int outputs_list(struct request *request, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(STRINGS_MOST);
    own_buf struct buf cursor = BUF_INIT(1024);
    struct gathering all = { .out = &request->reply.body };
    struct job_detail detail;
    struct target target;
    int rc;

    if (request_target(request, &target, &detail, &strings, err) < 0)
        return -1;
    all.out->cap = ANSWER_MOST;
    all.job = target.job;
    all.array = detail.job.array != NULL;
    rc = gather_tasks(request, target, &all, &cursor, err);
    if (rc == 0)
        rc = write_outputs(request, &all, err);
    free(all.tasks);
    if (rc < 0)
        return -1;
    if (cursor.length)
        buf_put_json(all.out, buf_text(&cursor));
    else
        buf_puts(all.out, "null");
    buf_putc(all.out, '}');
    return reply_body(request, 200, NULL);
}

/* ---- one file */

struct looking {
    const char *path;
    char sha256[SHA256_HEX];
    bool found;
};

static bool match_path(void *arg, const struct output_row *row)
{
    struct looking *looking = arg;

    if (strcmp(row->path, looking->path) != 0)
        return true;
    snprintf(looking->sha256, sizeof looking->sha256, "%s", row->sha256);
    looking->found = true;
    return false;
}

static int find_output(struct request *request, struct target target,
                       const struct job_detail *detail, struct looking *looking, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(STRINGS_MOST);
    struct task_row task;
    int rc;

    if (detail->job.array && target.index < 0)
        return err_set(err, FAULT_INVALID,
                       "job %" PRId64 " is an array: say which task, as in "
                       "%" PRId64 ".0",
                       target.job, target.job);
    target.index = detail->job.array ? target.index : 0;
    rc = store_task(request->api->store, target, &task, &strings, err);
    if (rc < 0)
        return -1;
    if (rc == 0 && task.attempt &&
        store_outputs(request->api->store, task.attempt, match_path, looking, err) < 0)
        return -1;
    if (!looking->found)
        return err_set(err, FAULT_NOT_FOUND, "it left no file '%s'; GET the list of its outputs",
                       looking->path);
    return 0;
}

int output_get(struct request *request, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(STRINGS_MOST);
    struct looking looking = { .path = request->params[1] };
    struct job_detail detail;
    struct target target;

    if (!io_path_is_below(looking.path))
        return request_bad(request, err, "not a path below the job's directory");
    if (request_target(request, &target, &detail, &strings, err) < 0 ||
        find_output(request, target, &detail, &looking, err) < 0)
        return -1;
    return blob_reply(request, looking.sha256, err);
}
