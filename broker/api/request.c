/* SPDX-License-Identifier: Apache-2.0 */
/* request.c - replies, faults and what the caller may see. */
#include "api/request.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "api/problem.h"
#include "api/server.h"
#include "base/json.h"
#include "base/log.h"

#define DEPTH_MOST 64 /* of a JSON body */

int reply_json(struct request *request, unsigned status, json_t *value)
{
    own_str char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    json_decref(value);
    buf_clear(&request->reply.body);
    if (!text || buf_puts(&request->reply.body, text) < 0)
        abort(); /* only what we made ourselves gets here: a defect */
    return reply_body(request, status, NULL);
}

int reply_body(struct request *request, unsigned status, const char *type)
{
    request->reply.status = status;
    request->reply.type = type;
    return 0;
}

void reply_header(struct request *request, const char *name, const char *format, ...)
{
    struct reply *reply = &request->reply;
    va_list args;

    if (reply->header_count == REPLY_HEADERS_MOST)
        return;
    reply->headers[reply->header_count].name = name;
    va_start(args, format);
    vsnprintf(reply->headers[reply->header_count++].value, sizeof reply->headers[0].value, format,
              args);
    va_end(args);
}

int reply_response(struct request *request, unsigned status, const char *type,
                   struct MHD_Response *response)
{
    request->reply.response = response;
    return reply_body(request, status, type);
}

/* ---- lists in pages ---------------------------------------------------------------------------- */

int page_begin(struct page *page, const char *list, int64_t least, struct err *err)
{
    const struct query *query = &page->request->query;

    if (query_i64(query, "limit", 1, page->most, &page->limit, err) < 0 ||
        query_i64(query, "cursor", least, INT64_MAX, &page->after, err) < 0)
        return -1;
    buf_printf(&page->request->reply.body, "{\"%s\":[", list);
    return 0;
}

bool page_takes(struct page *page, int64_t number)
{
    page->more = page->count == page->limit;
    if (page->more)
        return false;
    page->last = number;
    if (page->count++)
        buf_putc(&page->request->reply.body, ',');
    return true;
}

int page_end(const struct page *page)
{
    struct buf *out = &page->request->reply.body;

    if (page->more)
        buf_printf(out, "],\"cursor\":\"%" PRId64 "\"}", page->last);
    else
        buf_puts(out, "],\"cursor\":null}");
    return reply_body(page->request, 200, NULL);
}

int request_bad(struct request *request, struct err *err, const char *format, ...)
{
    char text[ERR_TEXT_BYTES / 2];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    request->fault_status = 400;
    return err_set(err, FAULT_INVALID, "%s", text);
}

void request_extra(struct request *request, const char *key, json_t *value)
{
    if (!request->extra)
        request->extra = json_object();
    json_object_set_new(request->extra, key, value);
}

void request_field(struct request *request, const char *field)
{
    request_extra(request, "field", json_string(field));
}

void request_errors(struct request *request, json_t *errors)
{
    const json_t *first = json_array_get(errors, 0);

    request_extra(request, "field", json_incref(json_object_get(first, "pointer")));
    request_extra(request, "errors", errors);
}

json_t *request_json(struct request *request, struct err *err)
{
    const struct buf *body = &request->body;
    json_t *value;

    if (body->length == 0)
        return json_object();
    request->fault_status = 400;
    if (json_depth(body->data, body->length) > DEPTH_MOST) {
        err_set(err, FAULT_INVALID, "the body nests deeper than %d levels", DEPTH_MOST);
        return NULL;
    }
    value = json_parse(body->data, body->length, err);
    if (!value)
        return NULL;
    if (!json_is_object(value)) {
        err_set(err, FAULT_INVALID, "the body must be a JSON object");
        json_decref(value);
        return NULL;
    }
    request->fault_status = 0;
    return value;
}

void request_park(struct request *request)
{
    server_stay(request->api);
    atomic_store(&request->parked, true);
    MHD_suspend_connection(request->connection);
}

bool request_resume(struct request *request)
{
    struct api *api = request->api;

    if (!atomic_exchange(&request->parked, false))
        return false;
    MHD_resume_connection(request->connection);
    server_leave(api);
    return true;
}

void request_done(struct request *request, int rc, const struct err *err)
{
    if (rc < 0)
        server_fault(request, err);
    request_resume(request);
}

bool caller_sees(const struct caller *caller, const char *user, const char *project)
{
    if (caller->role >= ROLE_OPERATOR || (user && strcmp(user, caller->user) == 0))
        return caller->role != ROLE_NONE;
    for (const char **at = caller->projects; project && *at; at++)
        if (strcmp(*at, project) == 0)
            return true;
    return false;
}

int request_job(struct request *request, int64_t job, struct job_detail *out, struct buf *strings,
                struct err *err)
{
    int rc = store_job(broker_store(request->broker), job, out, strings, err);

    if (rc < 0)
        return -1;
    if (rc == 0 && caller_sees(request->caller, out->job.user, out->job.project))
        return 0;
    if (rc == 0)
        log_warn("refused user=\"%s\" job=%" PRId64 " of=\"%s\" why=\"someone else's job\"",
                 request->caller->user, job, out->job.user);
    return err_set(err, FAULT_NOT_FOUND,
                   "no job %" PRId64 ": it was never submitted, was pruned, or is not yours", job);
}

int request_target(struct request *request, struct target *out, struct job_detail *detail,
                   struct buf *strings, struct err *err)
{
    struct job_detail unwanted;

    if (target_parse(request->params[0], out, err) < 0)
        return -1;
    return request_job(request, out->job, detail ? detail : &unwanted, strings, err);
}
