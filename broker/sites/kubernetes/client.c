/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - calls with a credential, and what the answers mean. */
#include "sites/kubernetes/client.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "net/http.h"

#define TRIES          3 /* of a call that may be repeated */
#define FIRST_PAUSE_MS 250
#define ANSWER_MOST    ((size_t)64 << 20)
#define PAGE_MOST      500
#define PAGES_MOST     2000

struct client {
    const struct kube_conf *conf;
    struct login *login;
    struct identity identity;
    struct http_pool *pool;
};

int client_new(const struct kube_conf *conf, struct login *login, double calls_per_second,
               int burst, struct client **out, struct err *err)
{
    struct client *client = xcalloc(1, sizeof *client);
    struct http_options options = {
        .insecure = conf->insecure,
        .server_name = conf->server_name,
        .proxy = conf->proxy,
        .calls_per_second = calls_per_second,
        .burst = burst,
    };

    client->conf = conf;
    client->login = login;
    if (http_pool_new(&options, &client->pool, err) < 0) {
        client_free(client);
        return -1;
    }
    *out = client;
    return 0;
}

void client_free(struct client *client)
{
    if (!client)
        return;
    http_pool_free(client->pool);
    identity_fini(&client->identity);
    free(client);
}

void call_fini(struct call *call)
{
    json_decref(call->answer);
    call->answer = NULL;
    buf_free(&call->text);
}

/* ---- one call -------------------------------------------------------------------------------- */

static int get_identity(struct client *client, int64_t deadline_mono_ms, struct err *err)
{
    uint64_t before = client->identity.generation;

    if (login_get(client->login, deadline_mono_ms, &client->identity, err) < 0)
        return -1;
    if (before != client->identity.generation)
        http_pool_identity(client->pool, client->identity.ca, client->identity.cert,
                           client->identity.key);
    return 0;
}

static int take_answer(struct call *call, struct http_answer *got, const char *what,
                       struct err *err)
{
    call->status = got->status;
    if (got->status < 200 || got->status > 299)
        return kube_fault(what, got->status, buf_text(&got->body), got->body.length, err);
    if (call->wants_text) {
        buf_puts(&call->text, buf_text(&got->body));
        return 0;
    }
    call->answer = got->body.length ? json_loadb(got->body.data, got->body.length, 0, NULL) : NULL;
    if (!call->answer)
        return err_set(err, FAULT_UNAVAILABLE, "%s: the answer is no JSON", what);
    return 0;
}

/* A request and what it borrows. */
struct sent {
    struct http_request request;
    char *url, *accept, *what, *body;
    const char *headers[4];
};

static void sent_fini(struct sent *sent)
{
    if (sent->body)
        explicit_bzero(sent->body, strlen(sent->body));
    free(sent->body);
    free(sent->url);
    free(sent->accept);
    free(sent->what);
}

static void sent_init(struct sent *sent, const struct client *client, const struct call *call)
{
    sent->url = xasprintf("%s%s", client->conf->server, call->path);
    sent->accept = xasprintf("Accept: %s", call->accept ? call->accept : "application/json");
    sent->what = xasprintf("%s %.*s", call->method, (int)strcspn(call->path, "?"), call->path);
    sent->body = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
    sent->headers[0] = sent->accept;
    sent->headers[1] = "Content-Type: application/json";
    sent->headers[2] = client->identity.header;
    sent->request = (struct http_request){ .method = call->method,
                                           .url = sent->url,
                                           .headers = sent->headers,
                                           .body = sent->body,
                                           .length = sent->body ? strlen(sent->body) : 0,
                                           .answer_most = ANSWER_MOST };
}

static int once(struct client *client, struct call *call, int64_t deadline_mono_ms, struct err *err)
{
    own_http_answer struct http_answer got = { .status = 0 };
    struct sent sent = { .url = NULL };
    int rc;

    if (get_identity(client, deadline_mono_ms, err) < 0)
        return -1;
    sent_init(&sent, client, call);
    rc = http_call(client->pool, &sent.request, deadline_mono_ms, &got, err);
    call->maybe_done = rc < 0 && got.maybe_done;
    if (rc == 0)
        rc = take_answer(call, &got, sent.what, err);
    sent_fini(&sent);
    return rc;
}

void client_calls(struct client *client, struct call *calls, size_t count, int64_t deadline_mono_ms,
                  struct err *errs)
{
    own_mem struct sent *sent = xcalloc(count + 1, sizeof *sent);
    own_mem struct http_request *requests = xcalloc(count + 1, sizeof *requests);
    own_mem struct http_answer *answers = xcalloc(count + 1, sizeof *answers);
    struct err why = ERR_INIT;

    if (get_identity(client, deadline_mono_ms, &why) < 0) {
        for (size_t i = 0; i < count; i++)
            errs[i] = why;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        sent_init(&sent[i], client, &calls[i]);
        requests[i] = sent[i].request;
    }
    http_calls(client->pool, requests, count, deadline_mono_ms, answers, errs);
    for (size_t i = 0; i < count; i++) {
        calls[i].maybe_done = errs[i].fault != FAULT_NONE && answers[i].maybe_done;
        if (errs[i].fault == FAULT_NONE)
            take_answer(&calls[i], &answers[i], sent[i].what, &errs[i]);
        http_answer_free(&answers[i]);
        sent_fini(&sent[i]);
    }
}

static bool may_repeat(const struct call *call, const struct err *err)
{
    bool harmless = strcmp(call->method, "GET") == 0 || strcmp(call->method, "DELETE") == 0;

    return (harmless && (err->fault == FAULT_UNAVAILABLE || err->fault == FAULT_TIMEOUT)) ||
           err->fault == FAULT_THROTTLED;
}

int client_call(struct client *client, struct call *call, int64_t deadline_mono_ms, struct err *err)
{
    struct err why = ERR_INIT;
    int64_t pause = FIRST_PAUSE_MS;
    bool renewed = false;
    int rc = -1;

    for (int tries = 0; tries < TRIES; tries++) {
        call->status = 0;
        rc = once(client, call, deadline_mono_ms, &why);
        if (rc == 0)
            break;
        if (call->status == 401 && !renewed &&
            login_refused(client->login, client->identity.generation)) {
            renewed = true;
            continue;
        }
        if (!may_repeat(call, &why) || !http_pause(pause, deadline_mono_ms))
            break;
        pause *= 2;
    }
    if (rc < 0 && err)
        *err = why;
    return rc;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static char *page_path(const char *path, const char *next)
{
    own_buf struct buf out = BUF_INIT(65536);

    buf_printf(&out, "%s%climit=%d", path, strchr(path, '?') ? '&' : '?', PAGE_MOST);
    if (next) {
        buf_puts(&out, "&continue=");
        put_query(&out, next);
    }
    return buf_take(&out);
}

int client_list(struct client *client, const char *path, const char *accept,
                int64_t deadline_mono_ms, client_each *each, void *arg, char **version,
                struct err *err)
{
    own_str char *next = NULL;

    for (int page = 0; page < PAGES_MOST; page++) {
        own_str char *url = page_path(path, next);
        own_call struct call call = { .method = "GET", .path = url, .accept = accept };
        const json_t *item, *meta;
        const char *more;
        size_t i;

        if (client_call(client, &call, deadline_mono_ms, err) < 0)
            return -1;
        json_array_foreach(json_object_get(call.answer, "items"), i, item)
        {
            each(arg, item);
        }
        meta = json_object_get(call.answer, "metadata");
        more = kube_text(meta, "continue");
        if (!more) {
            const char *at = kube_text(meta, "resourceVersion");

            if (version)
                *version = xstrdup(at ? at : "0");
            return 0;
        }
        free(next);
        next = xstrdup(more);
    }
    return err_set(err, FAULT_INVALID, "GET %s: more than %d pages", path, PAGES_MOST);
}
