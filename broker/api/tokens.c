/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.c - bearer tokens: kept as hashes, shown once. */
#include <inttypes.h>
#include <string.h>

#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "api/task_json.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"

#define TOKEN_PREFIX \
    "spillway_" /* so that scanners for leaked secrets know one when they see it \
                 */
#define TOKEN_RANDOM  32
#define PROJECTS_MOST 64

/* ---- the list */

struct listing {
    struct buf *out;
    size_t count;
};

static void put_projects(struct buf *out, const char *projects)
{
    own_str char *copy = xstrdup(projects ? projects : "");
    const char *separator = "";
    char *rest = copy;

    buf_puts(out, ",\"projects\":[");
    while (rest && *rest) {
        buf_puts(out, separator);
        buf_put_json(out, strsep(&rest, ","));
        separator = ",";
    }
    buf_putc(out, ']');
}

static bool put_token(void *arg, const struct token_row *row)
{
    struct listing *listing = arg;
    struct buf *out = listing->out;

    buf_printf(out, "%s{\"id\":%" PRId64, listing->count++ ? "," : "", row->id);
    put_str(out, "name", row->name);
    put_str(out, "user", row->user);
    put_str(out, "role", role_name(row->role));
    put_projects(out, row->projects);
    put_time(out, "created", row->created_ms);
    put_time(out, "expires", row->expires_ms);
    put_time(out, "revoked", row->revoked_ms);
    put_time(out, "used", row->used_ms);
    buf_putc(out, '}');
    return true;
}

int tokens_list(struct request *request, struct err *err)
{
    struct listing listing = { .out = &request->reply.body };

    buf_puts(listing.out, "{\"tokens\":[");
    if (store_tokens(request->api->store, put_token, &listing, err) < 0)
        return -1;
    buf_puts(listing.out, "]}");
    return reply_body(request, 200, NULL);
}

/* ---- a new one */

static int bad_field(struct request *request, const char *field, const char *what, struct err *err)
{
    own_str char *pointer = xasprintf("/%s", field);

    request_field(request, pointer);
    return err_set(err, FAULT_INVALID, "%s: %s", field, what);
}

static int read_projects(struct request *request, const json_t *body, struct buf *out,
                         struct err *err)
{
    const json_t *list = NULL;

    if (json_opt_array(body, "projects", &list, err) < 0)
        return -1;
    if (json_array_size(list) > PROJECTS_MOST)
        return bad_field(request, "projects", "too many", err);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        if (!name || !name_is_fit(name))
            return bad_field(request, "projects", "must be a list of projects' names", err);
        buf_printf(out, "%s%s", i ? "," : "", name);
    }
    return 0;
}

static int read_expiry(struct request *request, const json_t *body, int64_t *out, struct err *err)
{
    const char *text = NULL;

    *out = 0;
    if (json_opt_str(body, "expires", &text, err) < 0)
        return -1;
    if (text && parse_time(text, out, err) < 0)
        return bad_field(request, "expires", "must be a time such as 2027-01-31T00:00:00Z", err);
    if (text && *out <= clock_wall_ms())
        return bad_field(request, "expires", "lies in the past", err);
    return 0;
}

static int read_token(struct request *request, const json_t *body, struct token_row *row,
                      struct buf *projects, struct err *err)
{
    static const char *const keys[] = { "name", "user", "role", "projects", "expires", NULL };
    const char *role = "user", *key;
    json_t *value;

    json_object_foreach((json_t *)body, key, value)
    {
        size_t i = 0;

        while (keys[i] && strcmp(keys[i], key) != 0)
            i++;
        if (!keys[i])
            return bad_field(request, key, "unknown key", err);
    }
    if (json_get_str(body, "name", &row->name, err) < 0 ||
        json_get_str(body, "user", &row->user, err) < 0 ||
        json_opt_str(body, "role", &role, err) < 0 ||
        read_expiry(request, body, &row->expires_ms, err) < 0 ||
        read_projects(request, body, projects, err) < 0)
        return -1;
    if (!name_is_fit(row->name))
        return bad_field(request, "name", "1 to 128 printable bytes, no ',' or '/'", err);
    if (!name_is_fit(row->user))
        return bad_field(request, "user", "1 to 128 printable bytes, no ',' or '/'", err);
    row->role = role_find(role);
    if (row->role == ROLE_NONE)
        return bad_field(request, "role", "must be user, operator or admin", err);
    row->projects = buf_text(projects);
    row->created_ms = clock_wall_ms();
    return 0;
}

int token_add(struct request *request, struct err *err)
{
    own_json json_t *body = request_json(request, err);
    own_buf struct buf projects = BUF_INIT(16384);
    char text[sizeof TOKEN_PREFIX + 2 * TOKEN_RANDOM] = TOKEN_PREFIX;
    unsigned char hash[SHA256_BYTES];
    struct token_row row = { .id = 0 };
    int64_t id = 0;

    if (!body || read_token(request, body, &row, &projects, err) < 0)
        return -1;
    io_random_hex(text + strlen(TOKEN_PREFIX), TOKEN_RANDOM);
    sha256_of(text, strlen(text), hash);
    if (store_token_add(request->api->store, &row, hash, &id, err) < 0)
        return -1;
    log_info("token=%" PRId64 " added user=\"%s\" role=%s by=\"%s\"", id, row.user,
             role_name(row.role), request->caller->user);
    buf_printf(&request->reply.body, "{\"id\":%" PRId64 ",\"token\":\"%s\"", id, text);
    explicit_bzero(text, sizeof text);
    put_str(&request->reply.body, "name", row.name);
    put_str(&request->reply.body, "user", row.user);
    put_str(&request->reply.body, "role", role_name(row.role));
    put_projects(&request->reply.body, row.projects);
    put_time(&request->reply.body, "expires", row.expires_ms);
    buf_putc(&request->reply.body, '}');
    return reply_body(request, 201, NULL);
}

/* ---- gone */

int token_revoke(struct request *request, struct err *err)
{
    int64_t id;

    if (parse_i64(request->params[0], 1, INT64_MAX, &id, err) < 0)
        return err_set(err, FAULT_NOT_FOUND, "no token '%s': tokens have numbers",
                       request->params[0]);
    if (store_token_revoke(request->api->store, id, err) < 0)
        return -1;
    auth_forget(request->api->auth);
    log_info("token=%" PRId64 " revoked by=\"%s\"", id, request->caller->user);
    return reply_json(request, 200, json_pack("{s:I}", "id", (json_int_t)id));
}
