/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - token, catalogue, versions, and calls with them. */
#include "sites/openstack/session.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"

#define TOKEN_MARGIN_MS \
    300000                  /* renewed this long before its end, or at nine tenths of its life \
                             */
#define TRIES             3 /* of a call that may be repeated */
#define FIRST_PAUSE_MS    200
#define LOGIN_ANSWER_MOST ((size_t)2 << 20)
/* Train's; every release since speaks it, and answers to it as Train did. */
#define COMPUTE_MINOR       79
#define COMPUTE_MINOR_LEAST 61 /* Queens: flavors come with their extra specs */
/* Queens': the first with what could be had by class and provider, and with the traits asked for. */
#define PLACEMENT_VERSION "OpenStack-API-Version: placement 1.17"
#define CONTAINER_VERSION \
    "OpenStack-API-Version: container-infra 1.7" /* Stein: \
                                                    a cluster can be resized */

static const struct {
    const char *type, *words, *override, *suffix; /* suffix NULL: the endpoint is taken as it is */
    const char *former;                           /* another name of the type, NULL: none */
} services[OS_SERVICES] = {
    [OS_COMPUTE] = { "compute", "Nova", "compute_endpoint_override", "/v2.1", NULL },
    [OS_NETWORK] = { "network", "Neutron", "network_endpoint_override", "/v2.0", NULL },
    [OS_IMAGE] = { "image", "Glance", "image_endpoint_override", "/v2", NULL },
    [OS_VOLUME] = { "block-storage", "Cinder", "block_storage_endpoint_override", NULL,
                    "volumev3" },
    [OS_PLACEMENT] = { "placement", "Placement", "placement_endpoint_override", NULL, NULL },
    [OS_ORCHESTRATION] = { "orchestration", "Heat", "orchestration_endpoint_override", NULL, NULL },
    [OS_CONTAINER] = { "container-infra", "Magnum", "container_infra_endpoint_override", NULL,
                       NULL },
};

struct session {
    struct cloud cloud;
    struct http_pool *pool;
    char *token, *project, *user;
    int64_t renew_ms; /* wall time */
    int64_t credential_end_ms;
    json_t *catalogue;
    char *endpoints[OS_SERVICES];
    int compute_minor; /* 0: not negotiated yet */
};

/* Whom it trusts, and as whom it comes. */
static struct http_options options_of(const struct cloud *cloud)
{
    return (struct http_options){
        .insecure = cloud->insecure, .cacert = cloud->cacert, .cert = cloud->cert, .key = cloud->key
    };
}

int session_new(struct cloud *cloud, double calls_per_second, int burst, struct session **out,
                struct err *err)
{
    struct session *session = xcalloc(1, sizeof *session);
    struct http_options options = options_of(cloud);

    options.calls_per_second = calls_per_second;
    options.burst = burst;

    session->cloud = *cloud;
    memset(cloud, 0, sizeof *cloud);
    if (http_pool_new(&options, &session->pool, err) < 0) {
        session_free(session);
        return -1;
    }
    *out = session;
    return 0;
}

static void forget_token(struct session *session)
{
    if (session->token)
        explicit_bzero(session->token, strlen(session->token));
    free(session->token);
    session->token = NULL;
}

static void forget_endpoints(struct session *session)
{
    for (size_t i = 0; i < OS_SERVICES; i++) {
        free(session->endpoints[i]);
        session->endpoints[i] = NULL;
    }
    session->compute_minor = 0;
    json_decref(session->catalogue);
    session->catalogue = NULL;
}

void session_free(struct session *session)
{
    if (!session)
        return;
    forget_token(session);
    forget_endpoints(session);
    http_pool_free(session->pool);
    cloud_fini(&session->cloud);
    free(session->project);
    free(session->user);
    free(session);
}

void os_call_fini(struct os_call *call)
{
    json_decref(call->answer);
    call->answer = NULL;
}

const char *session_project(const struct session *session)
{
    return session->project ? session->project : "";
}

int session_compute_minor(const struct session *session)
{
    return session->compute_minor;
}

int64_t session_credential_end(const struct session *session)
{
    return session->credential_end_ms;
}

int64_t session_requests(const struct session *session)
{
    return http_sent(session->pool);
}

/* ---- login ----------------------------------------------------------------------------------- */

/* Keystone leaves the zone out where it means UTC; 0: no time. */
static int64_t time_of(const json_t *value)
{
    const char *text = json_string_value(value);
    int64_t ms = 0;
    own_str char *zoned = NULL;

    if (!text)
        return 0;
    if (parse_time(text, &ms, NULL) == 0)
        return ms;
    zoned = xasprintf("%sZ", text);
    return parse_time(zoned, &ms, NULL) == 0 ? ms : 0;
}

static void replace(char **slot, const char *text)
{
    free(*slot);
    *slot = text ? xstrdup(text) : NULL;
}

static int take_token(struct session *session, const char *token, const json_t *body,
                      struct err *err)
{
    const json_t *inside = json_object_get(body, "token");
    const json_t *user = json_object_get(inside, "user");
    int64_t now = clock_wall_ms(), end = time_of(json_object_get(inside, "expires_at"));
    int64_t margin = (end - now) / 10;

    if (!token || !end)
        return err_set(err, FAULT_UNAVAILABLE, "%s: the answer to the login is no token",
                       session->cloud.auth_url);
    if (!json_is_array(json_object_get(inside, "catalog")))
        return err_set(err, FAULT_AUTH, "%s: the login is of no project; name one: project_name",
                       session->cloud.auth_url);
    forget_token(session);
    forget_endpoints(session);
    session->token = xstrdup(token);
    session->renew_ms = end - (margin < TOKEN_MARGIN_MS ? margin : TOKEN_MARGIN_MS);
    session->catalogue = json_incref(json_object_get(inside, "catalog"));
    replace(&session->project,
            json_string_value(json_object_get(json_object_get(inside, "project"), "id")));
    replace(&session->user, json_string_value(json_object_get(user, "id")));
    session->credential_end_ms = session->cloud.auth_type == CLOUD_TOKEN
                                     ? end
                                     : time_of(json_object_get(user, "password_expires_at"));
    return 0;
}

/* A token that was handed to us and names no project: its own scope is asked for. */
static bool asks_for_scope(const struct cloud *cloud)
{
    return cloud->auth_type == CLOUD_TOKEN && !json_object_get(cloud->auth, "project_id") &&
           !json_object_get(cloud->auth, "project_name");
}

static int login(struct session *session, int64_t deadline_mono_ms, struct err *err)
{
    const struct cloud *cloud = &session->cloud;
    own_str char *url = xasprintf("%s/auth/tokens", cloud->auth_url);
    own_json json_t *body = session_login_body(cloud);
    own_str char *text = json_dumps(body, JSON_COMPACT);
    const char *given = json_string_value(json_object_get(cloud->auth, "token"));
    own_str char *auth = xasprintf("X-Auth-Token: %s", given ? given : "");
    own_str char *subject = xasprintf("X-Subject-Token: %s", given ? given : "");
    const char *const plain[] = { "Content-Type: application/json", "Accept: application/json",
                                  NULL };
    const char *const bearing[] = { "Accept: application/json", auth, subject, NULL };
    bool ask = asks_for_scope(cloud);
    struct http_request request = {
        .method = ask ? "GET" : "POST",
        .url = url,
        .headers = ask ? bearing : plain,
        .body = ask ? NULL : text,
        .length = strlen(text),
        .want_header = "X-Subject-Token",
        .answer_most = LOGIN_ANSWER_MOST,
    };
    own_http_answer struct http_answer answer = { .status = 0 };
    own_json json_t *token = NULL;

    if (http_call(session->pool, &request, deadline_mono_ms, &answer, err) < 0)
        return err_wrap(err, "Keystone");
    if (answer.status != 200 && answer.status != 201) {
        os_fault("Keystone refuses the login", answer.status, answer.body.data, answer.body.length,
                 err);
        /* A 404 here is a wrong auth_url, not a thing that is gone. */
        if (err && err->fault == FAULT_NOT_FOUND)
            err->fault = FAULT_INVALID;
        return -1;
    }
    token = json_parse(buf_text(&answer.body), answer.body.length, NULL);
    return take_token(session, ask ? given : answer.header, token, err);
}

/* An application credential may end before its user's password does; who may not ask is not told.
 */
static void ask_credential_end(struct session *session, int64_t deadline_mono_ms)
{
    const char *id =
        json_string_value(json_object_get(session->cloud.auth, "application_credential_id"));
    own_str char *url = NULL, *auth = NULL;
    own_http_answer struct http_answer answer = { .status = 0 };
    own_json json_t *body = NULL;

    if (session->cloud.auth_type != CLOUD_APPLICATION || !id || !session->user)
        return;
    url = xasprintf("%s/users/%s/application_credentials/%s", session->cloud.auth_url,
                    session->user, id);
    auth = xasprintf("X-Auth-Token: %s", session->token);
    if (http_call(session->pool,
                  &(struct http_request){ .method = "GET",
                                          .url = url,
                                          .headers = (const char *const[]){ auth, NULL },
                                          .answer_most = LOGIN_ANSWER_MOST },
                  deadline_mono_ms, &answer, NULL) < 0 ||
        answer.status != 200)
        return;
    body = json_parse(buf_text(&answer.body), answer.body.length, NULL);
    session->credential_end_ms =
        time_of(json_object_get(json_object_get(body, "application_credential"), "expires_at"));
}

int session_ready(struct session *session, int64_t deadline_mono_ms, struct err *err)
{
    if (session->token && clock_wall_ms() < session->renew_ms)
        return 0;
    if (login(session, deadline_mono_ms, err) < 0)
        return -1;
    ask_credential_end(session, deadline_mono_ms);
    return 0;
}

/* ---- endpoints and versions ------------------------------------------------------------------ */

/* Without a trailing '/' and without what follows the version ("/v2.1/PROJECT"); with a version. */
static char *endpoint_url(enum os_service service, const char *found)
{
    static const char *const versions[] = { "/v2.1", "/v2.0", "/v2", NULL };
    size_t length = strlen(found);

    while (length && found[length - 1] == '/')
        length--;
    if (!services[service].suffix)
        return xstrndup(found, length);
    for (const char *const *version = versions; *version; version++) {
        const char *at = strstr(found, *version);
        char next = at ? at[strlen(*version)] : 'x';

        if (at && (next == '/' || next == '\0'))
            return xasprintf("%.*s%s", (int)(at - found), found, *version);
    }
    return xasprintf("%.*s%s", (int)length, found, services[service].suffix);
}

static char *in_catalogue(const struct session *session, enum os_service service, struct err *err)
{
    const struct cloud *cloud = &session->cloud;
    char *found = catalogue_find(session->catalogue, services[service].type, cloud->interface,
                                 cloud->region, err);

    return found || !services[service].former
               ? found
               : catalogue_find(session->catalogue, services[service].former, cloud->interface,
                                cloud->region, err);
}

static int find_endpoint(struct session *session, enum os_service service, struct err *err)
{
    const struct cloud *cloud = &session->cloud;
    const char *override =
        json_string_value(json_object_get(cloud->merged, services[service].override));
    own_str char *found = NULL;

    if (session->endpoints[service])
        return 0;
    found = override && *override ? xstrdup(override) : in_catalogue(session, service, err);
    if (!found)
        return -1;
    session->endpoints[service] = endpoint_url(service, found);
    return 0;
}

bool session_has(struct session *session, enum os_service service)
{
    return find_endpoint(session, service, NULL) == 0;
}

static int read_compute_version(struct session *session, const struct http_answer *answer,
                                struct err *err)
{
    own_json json_t *body = json_parse(buf_text(&answer->body), answer->body.length, NULL);
    const char *most =
        json_string_value(json_object_get(json_object_get(body, "version"), "version"));
    int major = 0, minor = 0;

    if (answer->status != 200 || !most || sscanf(most, "%d.%d", &major, &minor) != 2)
        return os_fault("Nova's version", answer->status == 200 ? 502 : answer->status,
                        answer->body.data, answer->body.length, err);
    if (major != 2 || minor < COMPUTE_MINOR_LEAST)
        return err_set(err, FAULT_INVALID,
                       "Nova speaks up to %s; at least 2.%d is needed (OpenStack Queens)", most,
                       COMPUTE_MINOR_LEAST);
    session->compute_minor = minor < COMPUTE_MINOR ? minor : COMPUTE_MINOR;
    return 0;
}

static int negotiate(struct session *session, int64_t deadline_mono_ms, struct err *err)
{
    own_str char *url = xasprintf("%s/", session->endpoints[OS_COMPUTE]);
    own_str char *auth = xasprintf("X-Auth-Token: %s", session->token);
    own_http_answer struct http_answer answer = { .status = 0 };
    struct http_request request = {
        .method = "GET",
        .url = url,
        .headers = (const char *const[]){ auth, "Accept: application/json", NULL },
        .answer_most = LOGIN_ANSWER_MOST,
    };

    if (session->compute_minor)
        return 0;
    if (http_call(session->pool, &request, deadline_mono_ms, &answer, err) < 0)
        return err_wrap(err, "Nova");
    return read_compute_version(session, &answer, err);
}

static int prepare(struct session *session, const struct os_call *calls, const bool *open,
                   size_t count, int64_t deadline_mono_ms, struct err *err)
{
    if (session_ready(session, deadline_mono_ms, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (!open[i])
            continue;
        if (find_endpoint(session, calls[i].service, err) < 0)
            return -1;
        if (calls[i].service == OS_COMPUTE && negotiate(session, deadline_mono_ms, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* One call as it is sent. */
struct letter {
    char *url, *text, *auth, *version, *type;
    const char *headers[6];
    struct http_request request;
};

static void letter_write(struct letter *letter, const struct session *session,
                         const struct os_call *call)
{
    size_t at = 0;

    letter->url = xasprintf("%s%s", session->endpoints[call->service], call->path);
    letter->text = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
    letter->auth = xasprintf("X-Auth-Token: %s", session->token);
    letter->version = xasprintf("X-OpenStack-Nova-API-Version: 2.%d", session->compute_minor);
    letter->headers[at++] = letter->auth;
    letter->headers[at++] = "Accept: application/json";
    letter->type =
        xasprintf("Content-Type: %s", call->content_type ? call->content_type : "application/json");
    if (call->body)
        letter->headers[at++] = letter->type;
    if (call->service == OS_COMPUTE)
        letter->headers[at++] = letter->version;
    if (call->service == OS_PLACEMENT)
        letter->headers[at++] = PLACEMENT_VERSION;
    if (call->service == OS_CONTAINER)
        letter->headers[at++] = CONTAINER_VERSION;
    letter->headers[at] = NULL;
    letter->request = (struct http_request){
        .method = call->method,
        .url = letter->url,
        .headers = letter->headers,
        .body = letter->text,
        .length = letter->text ? strlen(letter->text) : 0,
        .once = strcmp(call->method, "POST") == 0,
    };
}

static void letter_burn(struct letter *letter)
{
    if (letter->auth)
        explicit_bzero(letter->auth, strlen(letter->auth));
    if (letter->text) /* a boot payload holds a token */
        explicit_bzero(letter->text, strlen(letter->text));
    free(letter->auth);
    free(letter->text);
    free(letter->url);
    free(letter->version);
    free(letter->type);
}

/* The path without its query, for words about a fault. */
static char *what_of(const struct os_call *call)
{
    return xasprintf("%s %s %.*s", services[call->service].words, call->method,
                     (int)strcspn(call->path, "?"), call->path);
}

static int take_answer(struct os_call *call, const struct http_answer *answer, struct err *err)
{
    own_str char *what = what_of(call);
    struct err words = ERR_INIT;

    call->status = answer->status;
    call->maybe_done = answer->maybe_done && answer->status >= 500;
    if (answer->status < 200 || answer->status >= 300)
        return os_fault(what, answer->status, answer->body.data, answer->body.length, err);
    json_decref(call->answer);
    call->answer = NULL;
    if (answer->body.length == 0)
        return 0;
    call->answer = json_loadb(answer->body.data, answer->body.length, 0, NULL);
    if (call->answer)
        return 0;
    call->maybe_done = true;
    json_decref(json_parse(answer->body.data, answer->body.length, &words));
    return err_set(err, FAULT_UNAVAILABLE, "%s: an answer that is no JSON: %.200s", what,
                   words.text);
}

/* Send all that are marked; a mark is cleared once that call was answered well. */
static void send_round(struct session *session, struct os_call *calls, bool *open, struct err *errs,
                       size_t count, int64_t deadline_mono_ms)
{
    own_mem struct letter *letters = xcalloc(count, sizeof *letters);
    own_mem struct http_request *requests = xcalloc(count, sizeof *requests);
    own_mem struct http_answer *answers = xcalloc(count, sizeof *answers);
    own_mem struct err *faults = xcalloc(count, sizeof *faults);
    own_mem size_t *places = xcalloc(count, sizeof *places);
    size_t sent = 0;

    for (size_t i = 0; i < count; i++) {
        if (!open[i])
            continue;
        letter_write(&letters[sent], session, &calls[i]);
        requests[sent] = letters[sent].request;
        places[sent++] = i;
    }
    http_calls(session->pool, requests, sent, deadline_mono_ms, answers, faults);
    for (size_t k = 0; k < sent; k++) {
        struct os_call *call = &calls[places[k]];
        struct err *err = &errs[places[k]];

        *err = faults[k];
        call->status = 0;
        call->maybe_done = answers[k].maybe_done;
        if (err->fault == FAULT_NONE)
            open[places[k]] = take_answer(call, &answers[k], err) < 0;
        else
            err_wrap(err, "%s", services[call->service].words);
        http_answer_free(&answers[k]);
        letter_burn(&letters[k]);
    }
}

static bool may_repeat(const struct os_call *call, const struct err *err)
{
    bool harmless = strcmp(call->method, "GET") == 0 || strcmp(call->method, "DELETE") == 0;

    return harmless && err->fault == FAULT_UNAVAILABLE;
}

/* A little longer each time, and never the same for two brokers. */
static int64_t pause_ms(int round)
{
    uint16_t random = 0;

    io_random(&random, sizeof random);
    return ((int64_t)FIRST_PAUSE_MS << round) * (50 + random % 100) / 100;
}

/* Leaves open what is worth another round. */
static void judge(const struct os_call *calls, bool *open, const struct err *errs, size_t count,
                  int round, bool renewed, bool *refused)
{
    *refused = false;
    for (size_t i = 0; i < count; i++) {
        if (!open[i])
            continue;
        if (calls[i].status == 401 && !renewed)
            *refused = true;
        else
            open[i] = may_repeat(&calls[i], &errs[i]) && round + 1 < TRIES;
    }
}

static bool any(const bool *open, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (open[i])
            return true;
    return false;
}

/* False: that would be too late. */
static bool rest(int round, int64_t deadline_mono_ms)
{
    return http_pause(pause_ms(round), deadline_mono_ms);
}

void session_calls(struct session *session, struct os_call *calls, size_t count,
                   int64_t deadline_mono_ms, struct err *errs)
{
    own_mem bool *open = xcalloc(count + 1, sizeof *open);
    bool renewed = false, refused;

    memset(open, true, count);
    for (int round = 0;; round++) {
        struct err err = ERR_INIT;

        if (prepare(session, calls, open, count, deadline_mono_ms, &err) < 0) {
            for (size_t i = 0; i < count; i++)
                if (open[i])
                    errs[i] = err;
            return;
        }
        send_round(session, calls, open, errs, count, deadline_mono_ms);
        judge(calls, open, errs, count, round, renewed, &refused);
        if (!any(open, count))
            return;
        if (refused) {
            renewed = true;
            forget_token(session);
        } else if (!rest(round, deadline_mono_ms)) {
            return;
        }
    }
}

int session_call(struct session *session, struct os_call *call, int64_t deadline_mono_ms,
                 struct err *err)
{
    struct err own = ERR_INIT;

    session_calls(session, call, 1, deadline_mono_ms, &own);
    if (own.fault == FAULT_NONE)
        return 0;
    if (err)
        *err = own;
    return -1;
}

/* The carry borrows all of these for this one run. */
static int run_carry(struct carry *carry, const char *url, const char *auth,
                     const struct http_options *options, int64_t deadline_mono_ms, struct err *err)
{
    int rc;

    carry->url = url;
    carry->options = options;
    carry->headers = (const char *const[]){ auth, "Content-Type: application/octet-stream", NULL };
    rc = carry_run(carry, deadline_mono_ms, err);
    carry->url = NULL;
    carry->options = NULL;
    carry->headers = NULL;
    return rc;
}

int session_carry(struct session *session, enum os_service service, const char *path,
                  struct carry *carry, int64_t deadline_mono_ms, struct err *err)
{
    const struct http_options options = options_of(&session->cloud);
    const struct os_call what = { .service = service, .method = "PUT", .path = path };
    own_str char *words = what_of(&what), *url = NULL, *auth = NULL;
    int rc;

    if (session_ready(session, deadline_mono_ms, err) < 0 ||
        find_endpoint(session, service, err) < 0)
        return -1;
    url = xasprintf("%s%s", session->endpoints[service], path);
    auth = xasprintf("X-Auth-Token: %s", session->token);
    rc = run_carry(carry, url, auth, &options, deadline_mono_ms, err);
    explicit_bzero(auth, strlen(auth));
    if (rc < 0)
        return -1;
    if (carry->answer.status == 401) /* the next try logs in anew */
        forget_token(session);
    return carry->answer.status >= 200 && carry->answer.status < 300
               ? 0
               : os_fault(words, carry->answer.status, carry->answer.body.data,
                          carry->answer.body.length, err);
}
