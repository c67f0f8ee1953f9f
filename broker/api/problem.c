/* SPDX-License-Identifier: Apache-2.0 */
/* problem.c - the one place where a fault becomes a status. */
#include "api/problem.h"

#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

unsigned problem_status(enum fault fault, bool known)
{
    switch (fault) {
    case FAULT_INVALID:
        return 422;
    case FAULT_NOT_FOUND:
        return 404;
    case FAULT_AUTH:
        return known ? 403 : 401;
    case FAULT_CONFLICT:
        return 409;
    case FAULT_THROTTLED:
        return 429;
    case FAULT_UNAVAILABLE:
        return 503;
    case FAULT_TIMEOUT:
        return 504;
    default:
        return 500;
    }
}

static const char *title(unsigned status)
{
    switch (status) {
    case 400:
        return "Not well-formed";
    case 401:
        return "Not authenticated";
    case 403:
        return "Not allowed";
    case 404:
        return "Not found";
    case 405:
        return "Method not allowed";
    case 409:
        return "Conflict";
    case 413:
        return "Too large";
    case 416:
        return "Range not satisfiable";
    case 422:
        return "Not valid";
    case 429:
        return "Too many requests";
    case 503:
        return "Not available now";
    case 504:
        return "No answer in time";
    default:
        return "Internal fault";
    }
}

static void put_member(struct buf *out, const char *key, const char *json)
{
    buf_putc(out, ',');
    buf_put_json(out, key);
    buf_putc(out, ':');
    buf_puts(out, json);
}

void problem_write(struct buf *out, const struct err *err, unsigned status, const json_t *extra)
{
    char plain[ERR_TEXT_BYTES];
    const char *key, *detail = err->text;
    json_t *value;

    /* What a stranger sent may be in the words. */
    if (!utf8_valid(detail, strlen(detail)))
        detail = text_for_terminal(detail, plain, sizeof plain);
    buf_printf(out,
               "{\"type\":\"urn:spillway:fault:%s\",\"title\":\"%s\",\"status\":%u,\"detail\":",
               fault_name(err->fault), title(status), status);
    buf_put_json(out, detail);
    json_object_foreach((json_t *)extra, key, value)
    {
        own_str char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

        put_member(out, key, text);
    }
    buf_putc(out, '}');
}

void problem_errors(json_t *list, const struct problems *problems, const char *prefix)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];
        own_str char *pointer = xasprintf("%s%s", prefix, problem->pointer);
        json_t *entry = json_pack("{s:s, s:s}", "pointer", pointer, "detail", problem->text);

        if (entry && problem->suggestion)
            json_object_set_new(entry, "suggestion", json_string(problem->suggestion));
        if (entry)
            json_array_append_new(list, entry);
    }
}
