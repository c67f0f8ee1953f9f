/* SPDX-License-Identifier: Apache-2.0 */
/* logs.c - what a task wrote, whole or as it is written. */
#include <inttypes.h>
#include <string.h>

#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "api/stream.h"

#define PIECE    ((size_t)64 * 1024)
#define SMALL    (4 * PIECE) /* answered from memory */
#define AGAIN_MS 2000        /* a follower looks by itself, should a ring be missed */

static const char *const names[] = { "stdout", "stderr" };

struct log {
    struct stream stream; /* when followed */
    struct store *store;
    struct target target;
    int64_t attempt; /* id; 0: none yet */
    int number, which;
    int64_t node; /* of a gang */
    int64_t offset, size, cut;
    bool ended;
};

/* ---- which one is meant */

struct wanted {
    int64_t number, node, id;
};

static bool match_number(void *arg, const struct attempt_row *row)
{
    struct wanted *wanted = arg;

    if (row->number == wanted->number && row->rank == wanted->node)
        wanted->id = row->id;
    return wanted->id == 0;
}

static int find_attempt(struct log *log, int64_t number, struct err *err)
{
    struct wanted wanted = { .number = number, .node = log->node };

    if (store_attempts(log->store, log->target, match_number, &wanted, err) < 0)
        return -1;
    if (!wanted.id && log->node)
        return err_set(err, FAULT_NOT_FOUND, "attempt %" PRId64 " had no node %" PRId64, number,
                       log->node);
    if (!wanted.id)
        return err_set(err, FAULT_NOT_FOUND, "there was no attempt %" PRId64, number);
    log->attempt = wanted.id;
    log->number = (int)number;
    return 0;
}

/* The task's last attempt.  Sets `ended` when there is none and will be none. */
static int last_attempt(struct log *log, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(1 << 20);
    struct task_row task;
    int rc = store_task(log->store, log->target, &task, &strings, err);

    if (rc < 0)
        return -1;
    if (rc > 0)
        return err_set(err, FAULT_NOT_FOUND, "job %" PRId64 " has no task %" PRId64,
                       log->target.job, log->target.index);
    log->attempt = task.attempt;
    log->number = task.attempt ? task.attempts : 0;
    log->ended = !task.attempt && task_state_final(task.state);
    return log->node && task.attempt ? find_attempt(log, task.attempts, err) : 0;
}

static int read_request(struct request *request, struct log *log, bool *follow, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(4 * (size_t)JOB_BYTES_MOST);
    struct job_detail detail;
    int64_t number = 0;

    log->store = request->api->store;
    if (request_target(request, &log->target, &detail, &strings, err) < 0)
        return -1;
    log->which = strcmp(request->params[1], names[1]) == 0;
    if (strcmp(request->params[1], names[log->which]) != 0)
        return err_set(err, FAULT_NOT_FOUND, "no such log: there are stdout and stderr");
    request->fault_status = 400;
    if (query_i64(&request->query, "offset", 0, INT64_MAX, &log->offset, err) < 0 ||
        query_i64(&request->query, "attempt", 1, INT32_MAX, &number, err) < 0 ||
        query_i64(&request->query, "node", 0, INT32_MAX, &log->node, err) < 0 ||
        query_bool(&request->query, "follow", follow, err) < 0)
        return -1;
    request->fault_status = 0;
    if (detail.job.array && log->target.index < 0)
        return err_set(err, FAULT_INVALID,
                       "job %" PRId64 " is an array: say which task, as in %" PRId64 ".%" PRId64,
                       log->target.job, log->target.job, detail.task.index);
    if (!detail.job.array)
        log->target.index = 0;
    return number ? find_attempt(log, number, err) : last_attempt(log, err);
}

/* ---- whole */

static int read_log(struct log *log, int64_t offset, size_t most, struct buf *out, struct err *err)
{
    if (!log->attempt)
        return 0;
    return store_log_read(log->store, log->attempt, log->which, offset, most, out, &log->size,
                          &log->cut, &log->ended, err);
}

static ssize_t read_block(void *cls, uint64_t at, char *out, size_t most)
{
    struct log *log = cls;
    own_buf struct buf piece = BUF_INIT(most);
    struct err err = ERR_INIT;

    if (read_log(log, log->offset + (int64_t)at, most, &piece, &err) < 0 || piece.length == 0)
        return MHD_CONTENT_READER_END_WITH_ERROR; /* it was pruned meanwhile */
    memcpy(out, piece.data, piece.length);
    return (ssize_t)piece.length;
}

static void tell_headers(struct request *request, const struct log *log)
{
    int64_t nodes = 0;

    if (!log->node && store_attempt_nodes(log->store, log->attempt, &nodes, NULL) == 0 && nodes)
        reply_header(request, "Spillway-Nodes", "%" PRId64, nodes);
    reply_header(request, "Spillway-Log-Size", "%" PRId64, log->size);
    reply_header(request, "Spillway-Log-Cut", "%" PRId64, log->cut);
    reply_header(request, "Spillway-Attempt", "%d", log->number);
}

/* `log` is taken when it is too large to be answered from memory. */
static int reply_whole(struct request *request, struct log **slot, struct err *err)
{
    struct buf *body = &request->reply.body;
    struct log *log = *slot;
    int64_t left = log->size - log->offset;

    if (left > (int64_t)SMALL) {
        *slot = NULL;
        return reply_response(
            request, 200, "application/octet-stream",
            MHD_create_response_from_callback((uint64_t)left, PIECE, read_block, log, free));
    }
    body->cap = SMALL + 1;
    if (left > 0 && read_log(log, log->offset, (size_t)left, body, err) < 0)
        return -1;
    return reply_body(request, 200, "application/octet-stream");
}

/* ---- followed */

static enum stream_more follow_more(struct stream *stream)
{
    struct log *log = list_item(stream, struct log, stream);
    struct err err = ERR_INIT;

    if (!log->attempt && last_attempt(log, &err) < 0)
        return STREAM_END;
    if (read_log(log, log->offset, PIECE, &stream->ready, &err) < 0)
        return STREAM_END;
    log->offset += (int64_t)stream->ready.length;
    stream->log = log->attempt;
    if (stream->ready.length > 0)
        return STREAM_MORE;
    return log->ended ? STREAM_END : STREAM_WAIT;
}

static void free_log(struct stream *stream)
{
    free(list_item(stream, struct log, stream));
}

static int reply_followed(struct request *request, struct log *log, struct err *err)
{
    log->stream.fill = follow_more;
    log->stream.free = free_log;
    log->stream.wait_ms = AGAIN_MS;
    log->stream.ready = (struct buf)BUF_INIT(2 * PIECE);
    return stream_reply(request, &log->stream, "application/octet-stream", err);
}

int job_log(struct request *request, struct err *err)
{
    struct log *log = xcalloc(1, sizeof *log);
    bool follow = false;
    int rc = read_request(request, log, &follow, err);

    /* Nothing read: what there is now. */
    if (rc == 0)
        rc = read_log(log, log->offset, 0, &request->reply.body, err);
    if (rc < 0) {
        free(log);
        return -1;
    }
    tell_headers(request, log);
    if (follow && !request->head)
        return reply_followed(request, log, err);
    rc = reply_whole(request, &log, err);
    free(log);
    return rc;
}
