/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - from libmicrohttpd's callbacks to a handler and back.
 *
 * libmicrohttpd calls on_request() once the head is here, then with each piece of the body, then
 * once more: that is when the handler runs.  A request that is refused by its head is answered only
 * after its body was read (and dropped), so that a client that writes first and reads later sees
 * the answer; a body too large for that, or one that waits for "100 Continue", is answered at once
 * and the connection closed. */
#include "api/server.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "api/policy.h"
#include "api/problem.h"
#include "api/request.h"
#include "api/serve.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "spillway/wire.h"

#define DRAIN_MOST   ((uint64_t)WIRE_BODY_MOST) /* of a refused body */
#define SUBMIT_SMALL 65536                      /* parsed in place; larger ones go to the pool */
#define RETRY_S      2
#define UPLOAD_LARGE ((uint64_t)64 << 20)
#define STALL_RATE   1 /* one ms more for each so many bytes of a body that came */

const int64_t request_buckets_us[7] = { 500, 1000, 5000, 25000, 100000, 500000, 2500000 };

/* ---- connections */

static void name_address(struct peer *peer, const struct sockaddr *address)
{
    if (address && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr,
                  peer->address, sizeof peer->address);
    else if (address && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
                  peer->address, sizeof peer->address);
    else
        snprintf(peer->address, sizeof peer->address, "unknown");
}

static void name_peer(struct peer *peer, struct policy *policy)
{
    struct ucred who;
    socklen_t length = sizeof who;

    if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERCRED, &who, &length) < 0)
        return;
    peer->caller = auth_peer(peer->api->auth, policy, who.uid);
    snprintf(peer->address, sizeof peer->address, "uid:%lu", (unsigned long)who.uid);
}

/* With the lock: one user of the Unix socket may not take all connections from the others. */
static bool crowds(const struct api *api, const struct peer *peer)
{
    unsigned count = 0;

    if (!peer->caller || peer->caller->role == ROLE_ADMIN)
        return false;
    list_each(at, &api->peers) count +=
        strcmp(list_item(at, struct peer, link)->address, peer->address) == 0;
    return count >= api->address_most;
}

static struct peer *peer_new(struct api *api, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info;
    struct peer *peer = xcalloc(1, sizeof *peer);
    bool crowded;

    peer->api = api;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    peer->fd = info ? info->connect_fd : -1;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    name_address(peer, info ? info->client_addr : NULL);
    atomic_init(&peer->owes_ms, clock_mono_ms());
    atomic_init(&peer->owes_bytes, 0);
    if (!info || !info->client_addr || info->client_addr->sa_family == AF_UNIX) {
        struct policy *policy = api_policy(api);

        name_peer(peer, policy);
        policy_unref(policy);
    }
    pthread_mutex_lock(&api->peers_lock);
    crowded = crowds(api, peer);
    list_add_tail(&api->peers, &peer->link);
    pthread_mutex_unlock(&api->peers_lock);
    if (crowded)
        shutdown(peer->fd, SHUT_RDWR);
    atomic_fetch_add(&api->counts.connections, 1);
    return peer;
}

static void peer_free(struct peer *peer)
{
    pthread_mutex_lock(&peer->api->peers_lock);
    list_del(&peer->link);
    pthread_mutex_unlock(&peer->api->peers_lock);
    atomic_fetch_sub(&peer->api->counts.connections, 1);
    caller_unref(peer->caller);
    free(peer);
}

void serve_connection(void *cls, struct MHD_Connection *connection, void **slot,
                      enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *slot = peer_new(cls, connection);
    } else if (*slot) {
        peer_free(*slot);
        *slot = NULL;
    }
}

void serve_stalled(void *arg)
{
    struct api *api = arg;
    int64_t now_ms = clock_mono_ms();
    const char *address = NULL;
    int count = 0;

    pthread_mutex_lock(&api->peers_lock);
    list_each(at, &api->peers)
    {
        struct peer *peer = list_item(at, struct peer, link);
        int64_t since = atomic_load(&peer->owes_ms);

        /* Twice the time that a silent connection has: it is not silent, but slow. */
        if (!since || now_ms - since <
                          2000 * (int64_t)api->idle_s + atomic_load(&peer->owes_bytes) / STALL_RATE)
            continue;
        atomic_store(&peer->owes_ms, 0);
        atomic_fetch_add(&api->counts.stalled, 1);
        shutdown(peer->fd, SHUT_RDWR);
        address = peer->address;
        count++;
    }
    if (count) /* one line, however many */
        log_info("closing connections that are too slow count=%d last=\"%s\"", count, address);
    pthread_mutex_unlock(&api->peers_lock);
}

/* ---- a request begins */

static const char *header(struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static struct request *request_new(struct api *api, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct request *request = xcalloc(1, sizeof *request);

    request->api = api;
    request->broker = api->broker;
    request->connection = connection;
    request->peer = info->socket_context;
    request->began_us = clock_mono_us();
    request->length = -1;
    atomic_init(&request->parked, false);
    list_init(&request->watched.link);
    return request;
}

static int find_route(struct request *request, const char *method, const char *url,
                      struct route_params *params, struct err *err)
{
    char allow[80], shown[80];

    request->head = strcmp(method, "HEAD") == 0;
    switch (route_find(api_routes, method, url, &request->route, params, allow, sizeof allow)) {
    case ROUTE_FOUND:
        return 0;
    case ROUTE_NO_METHOD:
        request->fault_status = 405;
        reply_header(request, "Allow", "%s", allow);
        return err_set(err, FAULT_INVALID, "this path takes %s", allow);
    default:
        text_for_terminal(url, shown, sizeof shown);
        return err_set(err, FAULT_NOT_FOUND, "no such path: %s; see /v1/openapi.json", shown);
    }
}

static int decode_params(struct request *request, const struct route_params *params,
                         struct err *err)
{
    size_t room = 0, at = 0;

    for (size_t i = 0; i < params->count; i++)
        room += params->length[i] + 1;
    if (room > ROUTE_PARAM_BYTES * 3)
        return request_bad(request, err, "the path is too long");
    request->path = xmalloc(room + 1);
    for (size_t i = 0; i < params->count; i++) {
        if (url_decode(params->at[i], params->length[i], request->path + at, params->length[i] + 1,
                       err) < 0) {
            request->fault_status = 400;
            return err_wrap(err, "path");
        }
        request->params[i] = request->path + at;
        at += params->length[i] + 1;
    }
    return 0;
}

struct adding {
    struct request *request;
    struct err *err;
    int rc;
};

static enum MHD_Result add_parameter(void *cls, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    struct adding *adding = cls;
    struct request *request = adding->request;

    (void)kind;
    adding->rc = query_add(&request->query, request->route->query, name, value, adding->err);
    if (adding->rc == 0)
        return MHD_YES;
    request->fault_status = 400;
    request_field(request, name);
    return MHD_NO;
}

static int read_query(struct request *request, struct err *err)
{
    struct adding adding = { .request = request, .err = err, .rc = 0 };

    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, add_parameter, &adding);
    return adding.rc;
}

const char *request_bearer(struct request *request)
{
    const char *value = header(request, "Authorization");

    if (!value)
        return NULL;
    if (strncasecmp(value, "Bearer ", 7) != 0)
        return "";
    value += 7;
    return value + strspn(value, " ");
}

static struct caller *who_calls(struct request *request, struct err *err)
{
    struct auth *auth = request->api->auth;
    const char *token = request_bearer(request);

    if (request->route->access == ACCESS_PUBLIC)
        return request->peer->caller ? caller_ref(request->peer->caller)
                                     : caller_new(ROLE_NONE, "", "");
    if (token && request->route->access == ACCESS_AGENT)
        return auth_session(auth, token, request->peer->address, err);
    if (token)
        return auth_token(auth, token, request->peer->address, err);
    if (request->peer->caller && request->route->access != ACCESS_AGENT)
        return caller_ref(request->peer->caller);
    err_set(err, FAULT_AUTH, "no token: send Authorization: Bearer TOKEN (SPILLWAY_TOKEN)");
    return NULL;
}

static int check_access(struct request *request, struct err *err)
{
    static const enum role least[] = { [ACCESS_PUBLIC] = ROLE_NONE,
                                       [ACCESS_USER] = ROLE_USER,
                                       [ACCESS_OPERATOR] = ROLE_OPERATOR,
                                       [ACCESS_ADMIN] = ROLE_ADMIN,
                                       [ACCESS_AGENT] = ROLE_NONE };
    enum role needed = least[request->route->access];

    request->caller = who_calls(request, err);
    if (!request->caller)
        return -1;
    if (request->caller->role < needed) {
        log_warn("refused user=\"%s\" from=\"%s\" path=\"%s\" needs=%s", request->caller->user,
                 request->peer->address, request->route->pattern, role_name(needed));
        return err_set(err, FAULT_AUTH, "this takes the role '%s', and you are '%s'",
                       role_name(needed), role_name(request->caller->role));
    }
    if (request->route->access == ACCESS_PUBLIC || request->route->access == ACCESS_AGENT)
        return 0;
    return auth_rate(request->api->auth, request->caller->user, err);
}

static size_t body_most(const struct request *request)
{
    struct policy *policy;
    size_t most;

    if (!(request->route->flags & ROUTE_SUBMIT))
        return request->route->body_most;
    policy = api_policy(request->api);
    most = policy_body_most(policy);
    policy_unref(policy);
    return most;
}

static int too_large(struct request *request, size_t most, struct err *err)
{
    request->fault_status = 413;
    if (most == 0)
        return err_set(err, FAULT_INVALID, "this request takes no body");
    return err_set(err, FAULT_INVALID, "the body is larger than the limit of %zu bytes", most);
}

struct framing {
    int lengths, codings;
};

static enum MHD_Result count_framing(void *cls, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    struct framing *framing = cls;

    (void)kind;
    (void)value;
    framing->lengths += strcasecmp(name, "Content-Length") == 0;
    framing->codings += strcasecmp(name, "Transfer-Encoding") == 0;
    return MHD_YES;
}

/* Where the body ends must not be a matter of opinion: a proxy in between may have another. */
static int check_framing(struct request *request, struct err *err)
{
    struct framing framing = { .lengths = 0 };

    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_framing, &framing);
    if (framing.lengths + framing.codings <= 1)
        return 0;
    request->length = INT64_MAX; /* nobody knows: answer at once, and close */
    return request_bad(request, err, "more than one Content-Length or Transfer-Encoding");
}

static int check_length(struct request *request, struct err *err)
{
    const char *text = header(request, "Content-Length");
    size_t most = request->body_most = body_most(request);

    request->body.cap = most ? most : 1;
    if (check_framing(request, err) < 0)
        return -1;
    if (text && parse_i64(text, 0, INT64_MAX, &request->length, NULL) < 0)
        return request_bad(request, err, "Content-Length is not a number");
    if (request->length > 0 && (uint64_t)request->length > most)
        return too_large(request, most, err);
    return 0;
}

static int begin(struct request *request, const char *method, const char *url, struct err *err)
{
    struct route_params params;

    if (find_route(request, method, url, &params, err) < 0 || check_access(request, err) < 0 ||
        check_length(request, err) < 0 || decode_params(request, &params, err) < 0 ||
        read_query(request, err) < 0)
        return -1;
    if (!(request->route->flags & ROUTE_EARLY) && !broker_ready(request->broker))
        return err_set(err, FAULT_UNAVAILABLE, "the broker is starting: try again in a moment");
    return request->route->sink ? request->route->sink(request, NULL, 0, err) : 0;
}

/* ---- it ends */

/* A parameter whose value was refused: the words begin with its name. */
static void name_parameter(struct request *request, const struct err *err)
{
    const char *const *known = request->route ? request->route->query : NULL;
    size_t length = strcspn(err->text, ":");

    if (json_object_get(request->extra, "field"))
        return;
    for (; known && *known; known++)
        if (strlen(*known) == length && memcmp(*known, err->text, length) == 0)
            request_field(request, *known);
}

void server_fault(struct request *request, const struct err *err)
{
    bool known = request->caller && (request->caller->role != ROLE_NONE || request->caller->worker);
    unsigned status =
        request->fault_status ? request->fault_status : problem_status(err->fault, known);

    if (status == 500)
        log_error("request failed path=\"%s\" why=\"%s\"",
                  request->route ? request->route->pattern : "", err->text);
    if (request->reply.response)
        MHD_destroy_response(request->reply.response);
    request->reply.response = NULL;
    request->reply.body.cap = 0;
    buf_clear(&request->reply.body);
    if (status == 400)
        name_parameter(request, err);
    problem_write(&request->reply.body, err, status, request->extra);
    if (status == 401)
        reply_header(request, "WWW-Authenticate", "Bearer realm=\"spillway\"");
    if (status == 429 || status == 503)
        reply_header(request, "Retry-After", "%u", request->retry_s ? request->retry_s : RETRY_S);
    request->reply.status = status;
    request->reply.type = "application/problem+json";
    request->finish = NULL;
    atomic_fetch_add(&request->api->counts.refused, 1);
}

static struct MHD_Response *make_response(struct reply *reply)
{
    size_t length = reply->body.length;

    if (reply->response)
        return take_ptr(reply->response);
    return MHD_create_response_from_buffer(length, buf_take(&reply->body), MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result send_reply(struct request *request)
{
    struct reply *reply = &request->reply;
    struct MHD_Response *response;
    struct err err = ERR_INIT;
    enum MHD_Result rc;

    if (reply->hang_up)
        return MHD_NO;
    if (request->finish && request->finish(request, &err) < 0)
        server_fault(request, &err);
    response = make_response(reply);
    MHD_add_response_header(response, "Content-Type",
                            reply->type ? reply->type : "application/json");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    for (size_t i = 0; i < reply->header_count; i++)
        MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    rc = MHD_queue_response(request->connection, reply->status, response);
    MHD_destroy_response(response);
    request->queued = true;
    return rc;
}

static void count_request(struct request *request)
{
    struct api_counts *counts = &request->api->counts;
    int64_t us = clock_mono_us() - request->began_us;
    size_t bucket = 0;

    while (bucket < array_len(request_buckets_us) && us > request_buckets_us[bucket])
        bucket++;
    atomic_fetch_add(&counts->status[request->queued ? request->reply.status / 100 % 6 : 0], 1);
    atomic_fetch_add(&counts->us_sum, us);
    atomic_fetch_add(&counts->buckets[bucket], 1);
    atomic_fetch_add(&counts->bytes_in, (int64_t)request->received);
}

static void request_free(struct request *request)
{
    if (request->watched.ring)
        watch_remove(request->api->watch, &request->watched);
    if (request->free_state)
        request->free_state(request->state);
    if (request->reply.response)
        MHD_destroy_response(request->reply.response);
    buf_free(&request->reply.body);
    buf_free(&request->body);
    buf_free(&request->piece);
    query_free(&request->query);
    caller_unref(request->caller);
    json_decref(request->extra);
    free(request->path);
    free(request);
}

static void end_stream(struct peer *peer)
{
    pthread_mutex_lock(&peer->api->peers_lock);
    peer->streams = false;
    pthread_mutex_unlock(&peer->api->peers_lock);
}

void serve_completed(void *cls, struct MHD_Connection *connection, void **slot,
                     enum MHD_RequestTerminationCode code)
{
    struct request *request = *slot;

    (void)cls;
    (void)connection;
    (void)code;
    if (!request)
        return;
    count_request(request);
    if (request->watched.ring)
        end_stream(request->peer);
    atomic_store(&request->peer->owes_bytes, 0);
    atomic_store(&request->peer->owes_ms, clock_mono_ms());
    request_free(request);
    *slot = NULL;
}

/* ---- in between */

static void refuse(struct request *request, const struct err *err)
{
    server_fault(request, err);
    request->refused = true;
}

/* On a thread of the pool: what the sink refuses is the answer, once the body has come. */
static void sink_piece(struct request *request)
{
    struct err err = ERR_INIT;

    if (request->route->sink(request, request->piece.data, request->piece.length, &err) < 0)
        refuse(request, &err);
    buf_clear(&request->piece);
    request_resume(request);
}

/* A disk may stall: pieces are written by the pool, and the connection waits, not the thread.  They
 * are copied, since libmicrohttpd moves what it has read. */
static int sink_later(struct request *request, const void *data, size_t length, struct err *err)
{
    bool taken;

    if (!server_enter(request->api))
        return err_set(err, FAULT_UNAVAILABLE, "the broker is stopping");
    buf_put(&request->piece, data, length);
    request_park(request);
    taken = pool_put(request->api->pool, request);
    if (!taken) {
        buf_clear(&request->piece);
        err_set(err, FAULT_UNAVAILABLE, "too much to do at once: try again in a moment");
        refuse(request, err);
        request_resume(request);
    }
    server_leave(request->api);
    return 0;
}

static enum MHD_Result take_piece(struct request *request, const void *data, size_t length)
{
    struct err err = ERR_INIT;
    int rc;

    request->received += length;
    atomic_fetch_add(&request->peer->owes_bytes, (int64_t)length);
    if (request->refused)
        return request->received > DRAIN_MOST ? MHD_NO : MHD_YES;
    if (request->received > request->body_most)
        rc = too_large(request, request->body_most, &err);
    else if (request->route->sink)
        rc = sink_later(request, data, length, &err);
    else
        rc = buf_put(&request->body, data, length);
    if (rc < 0)
        refuse(request, &err);
    return MHD_YES;
}

void serve_pooled(void *item)
{
    struct request *request = item;
    struct err err = ERR_INIT;
    int rc;

    if (request->piece.length) {
        sink_piece(request);
        return;
    }
    rc = request->route->handle(request, &err);
    if (rc != REQUEST_LATER)
        request_done(request, rc, &err);
}

static struct pool *pool_for(const struct request *request)
{
    unsigned flags = request->route->flags;

    /* A large upload is hashed when it ends. */
    if (flags & ROUTE_SLOW || (request->route->sink && request->received > UPLOAD_LARGE))
        return request->api->slow;
    if (flags & ROUTE_POOL || (flags & ROUTE_SUBMIT && request->body.length > SUBMIT_SMALL))
        return request->api->pool;
    return NULL;
}

static enum MHD_Result run_entered(struct request *request)
{
    struct pool *pool = pool_for(request);
    struct err err = ERR_INIT;
    int rc;

    if (pool) {
        request_park(request);
        if (!pool_put(pool, request)) {
            err_set(&err, FAULT_UNAVAILABLE, "too much to do at once: try again in a moment");
            request_done(request, -1, &err);
        }
        return MHD_YES;
    }
    rc = request->route->handle(request, &err);
    if (rc == REQUEST_LATER)
        return MHD_YES;
    if (rc < 0)
        server_fault(request, &err);
    return send_reply(request);
}

static enum MHD_Result run(struct request *request)
{
    struct api *api = request->api;
    struct err err = ERR_INIT;
    enum MHD_Result rc;

    request->started = true;
    atomic_store(&request->peer->owes_ms, 0);
    if (request->refused)
        return send_reply(request);
    if (!server_enter(api)) {
        err_set(&err, FAULT_UNAVAILABLE, "the broker is stopping");
        server_fault(request, &err);
        return send_reply(request);
    }
    rc = run_entered(request);
    server_leave(api);
    return rc;
}

static enum MHD_Result serve_head(struct api *api, struct MHD_Connection *connection,
                                  const char *url, const char *method, void **slot)
{
    struct request *request = request_new(api, connection);
    struct err err = ERR_INIT;

    *slot = request;
    atomic_store(&request->peer->owes_ms, clock_mono_ms());
    if (begin(request, method, url, &err) == 0)
        return MHD_YES;
    refuse(request, &err);
    if (header(request, "Expect") ||
        (request->length > 0 && (uint64_t)request->length > DRAIN_MOST)) {
        request->started = true;
        return send_reply(request);
    }
    return MHD_YES;
}

enum MHD_Result serve_request(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **slot)
{
    struct request *request = *slot;

    (void)version;
    if (!request)
        return serve_head(cls, connection, url, method, slot);
    if (*size > 0) {
        size_t length = *size;

        *size = 0;
        return take_piece(request, data, length);
    }
    return request->started ? send_reply(request) : run(request);
}
