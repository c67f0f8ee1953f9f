/* SPDX-License-Identifier: Apache-2.0 */
/* attempts.c - what agents bring and fetch for their attempts: logs, outputs, inputs.
 *
 * An agent reaches its own worker's attempts, and what these name as inputs; a request for
 * another's is 403 and logged. */
#include <inttypes.h>
#include <string.h>

#include "api/files.h"
#include "api/handlers.h"
#include "api/server.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"

#define STRINGS_MOST (2 * (size_t)JOB_BYTES_MOST)

static int not_yours(const struct request *request, struct err *err)
{
    log_warn("refused worker=%" PRId64 " from=\"%s\" %s=\"%s\" why=\"another worker's\"",
             request->caller->worker, request->peer->address, request->route->pattern,
             request->params[0]);
    return err_set(err, FAULT_AUTH, "this is not of one of your attempts");
}

/* The {id} of the route, of an attempt of the caller's worker. */
static int own_attempt(struct request *request, int64_t *attempt, struct err *err)
{
    own_buf struct buf strings = BUF_INIT(STRINGS_MOST);
    struct attempt_row row;
    int rc;

    if (parse_i64(request->params[0], 1, INT64_MAX, attempt, err) < 0) {
        request->fault_status = 404;
        return -1;
    }
    rc = store_attempt(request->api->store, *attempt, &row, &strings, err);
    if (rc < 0)
        return -1;
    if (rc > 0 || row.worker != request->caller->worker)
        return not_yours(request, err);
    return 0;
}

/* ---- logs */

struct growing {
    int64_t attempt, offset;
    int stream;
};

static int open_log(struct request *request, struct err *err)
{
    struct growing *log;
    int64_t attempt, offset = 0;
    int stream = strcmp(request->params[1], "stderr") == 0;

    if (request->state)
        return 0;
    if (!stream && strcmp(request->params[1], "stdout") != 0)
        return err_set(err, FAULT_NOT_FOUND, "no such log: there are stdout and stderr");
    request->fault_status = 400;
    if (query_i64(&request->query, "offset", 0, INT64_MAX, &offset, err) < 0)
        return -1;
    request->fault_status = 0;
    if (own_attempt(request, &attempt, err) < 0)
        return -1;
    request->state = log = xmalloc(sizeof *log);
    request->free_state = free;
    *log = (struct growing){ .attempt = attempt, .offset = offset, .stream = stream };
    return 0;
}

static int append(struct request *request, const void *data, size_t length, struct err *err)
{
    struct growing *log = request->state;
    int64_t at = log->offset;

    if (!data)
        return 0;
    if (store_log_append(request->api->store, log->attempt, log->stream, &at, data, length, err) <
        0) {
        if (err->fault == FAULT_CONFLICT)
            request_extra(request, "size", json_integer(at));
        return -1;
    }
    log->offset += (int64_t)length;
    return 0;
}

int attempt_log_sink(struct request *request, const void *data, size_t length, struct err *err)
{
    return open_log(request, err) < 0 ? -1 : append(request, data, length, err);
}

int attempt_log_put(struct request *request, struct err *err)
{
    const struct growing *log;

    /* Without a body it asks whether the offset is right. */
    if (open_log(request, err) < 0 || (request->received == 0 && append(request, "", 0, err) < 0))
        return -1;
    log = request->state;
    watch_log(request->api->watch, log->attempt);
    buf_printf(&request->reply.body, "{\"size\":%" PRId64 "}", log->offset);
    return reply_body(request, 200, NULL);
}

/* ---- outputs */

static int check_output(struct request *request, char owner[40], struct err *err)
{
    int64_t attempt;

    if (!io_path_is_below(request->params[1]))
        return request_bad(request, err, "not a path below the job's directory");
    if (own_attempt(request, &attempt, err) < 0)
        return -1;
    snprintf(owner, 40, "attempt:%" PRId64, attempt);
    return 0;
}

static int open_output(struct request *request, struct err *err)
{
    struct policy *policy;
    char owner[40];
    int64_t most;

    if (request->state)
        return 0;
    if (check_output(request, owner, err) < 0)
        return -1;
    policy = api_policy(request->api);
    most = policy_output_most(policy);
    policy_unref(policy);
    return incoming_open(request, owner, query_get(&request->query, "sha256"), most, err);
}

int attempt_output_sink(struct request *request, const void *data, size_t length, struct err *err)
{
    return open_output(request, err) < 0 ? -1 : incoming_put(request, data, length, err);
}

int attempt_output_put(struct request *request, struct err *err)
{
    return open_output(request, err) < 0 ? -1 : incoming_end(request, err);
}

int attempt_output_head(struct request *request, struct err *err)
{
    char owner[40];
    struct upload upload = { .owner = owner, .sha256 = query_get(&request->query, "sha256") };
    int64_t here = 0;

    if (check_output(request, owner, err) < 0)
        return -1;
    /* Pieces are kept by content: without its hash the first PUT tells where to go on. */
    if (upload.sha256 && !sha256_is_hex(upload.sha256))
        return request_bad(request, err, "sha256: 64 lower-case hex digits are needed");
    if (upload.sha256 && store_upload_offset(request->api->store, &upload, &here, err) < 0)
        return -1;
    reply_header(request, "Upload-Offset", "%" PRId64, here);
    return reply_body(request, 200, NULL);
}

/* ---- inputs */

int agent_blob_get(struct request *request, struct err *err)
{
    const char *sha256 = request->params[0];
    int rc;

    if (!sha256_is_hex(sha256))
        return request_bad(request, err, "sha256: 64 lower-case hex digits are needed");
    rc = store_worker_needs(request->api->store, request->caller->worker, sha256, err);
    if (rc > 0)
        return not_yours(request, err);
    return rc < 0 ? -1 : blob_reply(request, sha256, err);
}
