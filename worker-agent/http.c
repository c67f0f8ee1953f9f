/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - requests over kept connections. */
#include "http.h"

#include <errno.h>
#include <http_parser.h>
#include <strings.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/parse.h"

#define PIECE_BYTES  65536
#define HEADER_BYTES 64
#define VALUE_BYTES  2048

struct http {
    struct loop *loop;
    struct resolver *resolver;
    const struct server *server;
    int most, open;
    struct list conns;   /* all of them */
    struct list waiting; /* requests without a connection */
};

struct http_conn {
    struct list node;
    struct http *http;
    struct transport *transport;
    struct http_request *request; /* NULL: idle */
    struct timer timer;
    struct later begin; /* the first step of a request on a kept connection */
    int64_t started_ms, moved_ms;
    bool used;     /* has carried a request before */
    bool answered; /* a byte of this answer has come */
    bool complete, keep;
    struct buf out; /* not yet sent */
    size_t out_at;
    int64_t body_at, body_left; /* of request->body_fd */
    http_parser parser;
    char header[HEADER_BYTES], value[VALUE_BYTES];
    size_t header_length, value_length;
    bool in_value;
};

static void conn_event(void *arg);
static void conn_tick(struct timer *timer);

/* ---- what comes back: the parser's callbacks ------------------------------------------------- */

static int64_t number(const char *text, int64_t otherwise)
{
    int64_t value = otherwise;

    return parse_i64(text, 0, INT64_MAX, &value, NULL) < 0 ? otherwise : value;
}

static void take_header(struct http_conn *conn)
{
    struct http_request *request = conn->request;
    const char *value = conn->value;

    conn->header[conn->header_length] = conn->value[conn->value_length] = '\0';
    if (strcasecmp(conn->header, "Location") == 0) {
        snprintf(request->location, sizeof request->location, "%s", value);
    } else if (strcasecmp(conn->header, "Upload-Offset") == 0) {
        request->offset = number(value, -1);
    } else if (strcasecmp(conn->header, "Retry-After") == 0) {
        int64_t seconds = number(value, 0);

        request->retry_ms = (seconds > 3600 ? 3600 : seconds) * 1000;
    } else if (strcasecmp(conn->header, "Content-Range") == 0 && strncmp(value, "bytes ", 6) == 0) {
        char first[24];

        snprintf(first, sizeof first, "%.*s", (int)strcspn(value + 6, "-"), value + 6);
        request->offset = number(first, -1);
    }
    conn->header_length = conn->value_length = 0;
    conn->in_value = false;
}

static int on_header_field(http_parser *parser, const char *data, size_t length)
{
    struct http_conn *conn = parser->data;

    if (conn->in_value)
        take_header(conn);
    if (length > HEADER_BYTES - 1 - conn->header_length)
        length = HEADER_BYTES - 1 - conn->header_length; /* none that we read is so long */
    memcpy(conn->header + conn->header_length, data, length);
    conn->header_length += length;
    return 0;
}

static int on_header_value(http_parser *parser, const char *data, size_t length)
{
    struct http_conn *conn = parser->data;

    conn->in_value = true;
    if (length > VALUE_BYTES - 1 - conn->value_length)
        length = VALUE_BYTES - 1 - conn->value_length;
    memcpy(conn->value + conn->value_length, data, length);
    conn->value_length += length;
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct http_conn *conn = parser->data;

    if (conn->in_value)
        take_header(conn);
    conn->request->status = (int)parser->status_code;
    return strcmp(conn->request->method, "HEAD") == 0; /* 1: no body follows */
}

static int on_body(http_parser *parser, const char *data, size_t length)
{
    struct http_conn *conn = parser->data;
    struct http_request *request = conn->request;

    if (request->piece && (request->status == 200 || request->status == 206))
        return request->piece(request, data, length) < 0;
    if (buf_put(&request->answer, data, length) == 0)
        return 0;
    err_set(&request->err, FAULT_INVALID, "the answer is larger than %zu bytes",
            request->answer_most);
    return 1;
}

static int on_message_complete(http_parser *parser)
{
    struct http_conn *conn = parser->data;

    if (parser->status_code < 200) /* "100 Continue": the answer follows */
        return 0;
    conn->complete = true;
    conn->keep = http_should_keep_alive(parser);
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings settings = { .on_header_field = on_header_field,
                                               .on_header_value = on_header_value,
                                               .on_headers_complete = on_headers_complete,
                                               .on_body = on_body,
                                               .on_message_complete = on_message_complete };

/* ---- connections ----------------------------------------------------------------------------- */

static void conn_begins(struct later *later)
{
    conn_event(list_item(later, struct http_conn, begin));
}

static struct http_conn *conn_new(struct http *http)
{
    struct http_conn *conn = xcalloc(1, sizeof *conn);

    conn->http = http;
    conn->timer.fire = conn_tick;
    conn->begin.run = conn_begins;
    conn->transport = transport_open(http->loop, http->resolver, http->server, conn_event, conn);
    list_add_tail(&http->conns, &conn->node);
    http->open++;
    return conn;
}

static void conn_free(struct http_conn *conn)
{
    timer_clear(conn->http->loop, &conn->timer);
    later_drop(&conn->begin);
    transport_close(conn->transport);
    list_del(&conn->node);
    conn->http->open--;
    buf_free(&conn->out);
    free(conn);
}

static void put_head(struct http_conn *conn)
{
    const struct http_request *request = conn->request;
    const struct url *url = &conn->http->server->url;
    struct buf *out = &conn->out;
    int64_t length = request->body_fd >= 0 ? request->body_length : (int64_t)request->body.length;
    bool v6 = url->scheme != URL_UNIX && strchr(url->host, ':');

    buf_printf(out, "%s %s HTTP/1.1\r\nHost: %s%s%s", request->method, request->target,
               v6 ? "[" : "", url->scheme == URL_UNIX ? "localhost" : url->host, v6 ? "]" : "");
    if (url->scheme != URL_UNIX && url->port != (url->scheme == URL_HTTPS ? 443 : 80))
        buf_printf(out, ":%d", url->port);
    buf_puts(out, "\r\nUser-Agent: spillway-agent/" SPILLWAY_VERSION "\r\n");
    if (request->token)
        buf_printf(out, "Authorization: Bearer %s\r\n", request->token);
    if (request->type)
        buf_printf(out, "Content-Type: %s\r\n", request->type);
    if (request->range_from > 0)
        buf_printf(out, "Range: bytes=%lld-\r\n", (long long)request->range_from);
    if (length || request->method[0] == 'P')
        buf_printf(out, "Content-Length: %lld\r\n", (long long)length);
    buf_puts(out, "\r\n");
    if (request->body_fd < 0)
        buf_put(out, request->body.data, request->body.length);
}

static void set_timer(struct http_conn *conn)
{
    const struct http_request *request = conn->request;
    int64_t at = conn->moved_ms + request->idle_ms;

    if (request->whole_ms && conn->started_ms + request->whole_ms < at)
        at = conn->started_ms + request->whole_ms;
    timer_set(conn->http->loop, &conn->timer, at);
}

static void conn_begin(struct http_conn *conn, struct http_request *request)
{
    conn->request = request;
    request->conn = conn;
    conn->started_ms = conn->moved_ms = clock_mono_ms();
    conn->answered = conn->complete = conn->in_value = false;
    conn->header_length = conn->value_length = 0;
    conn->body_at = request->body_at;
    conn->body_left = request->body_fd >= 0 ? request->body_length : 0;
    buf_clear(&conn->out);
    conn->out_at = 0;
    http_parser_init(&conn->parser, HTTP_RESPONSE);
    conn->parser.data = conn;
    put_head(conn);
    set_timer(conn);
}

/* Give waiting requests to idle connections, then to new ones. */
static void dispatch(struct http *http)
{
    while (!list_empty(&http->waiting)) {
        struct http_request *request = list_item(http->waiting.next, struct http_request, node);
        struct http_conn *conn = NULL;

        list_each(at, &http->conns) if (!list_item(at, struct http_conn, node)->request) conn =
            list_item(at, struct http_conn, node);
        if (!conn && http->open >= http->most)
            return;
        list_del(&request->node);
        if (!conn)
            conn = conn_new(http);
        conn_begin(conn, request);
        if (conn->used) /* a new one tells when it is connected */
            later_ask(http->loop, &conn->begin);
    }
}

/* The request's end; the last thing done with the connection, as `done` may free everything. */
static void conn_finish(struct http_conn *conn, bool keep)
{
    struct http_request *request = conn->request;
    struct http *http = conn->http;

    conn->request = NULL;
    request->conn = NULL;
    conn->used = true;
    timer_clear(http->loop, &conn->timer);
    if (!keep)
        conn_free(conn);
    dispatch(http);
    request->done(request);
}

/* `err` of the request is set. */
static void conn_fault(struct http_conn *conn)
{
    struct http_request *request = conn->request;
    struct http *http = conn->http;

    if (conn->used && !conn->answered && !request->repeated) {
        request->repeated = true;
        request->conn = NULL;
        conn_free(conn);
        list_add_front(&http->waiting, &request->node);
        dispatch(http);
        return;
    }
    request->status = 0;
    conn_finish(conn, false);
}

static void conn_tick(struct timer *timer)
{
    struct http_conn *conn = list_item(timer, struct http_conn, timer);
    struct http_request *request = conn->request;
    int64_t now = clock_mono_ms();

    if (now < conn->moved_ms + request->idle_ms &&
        (!request->whole_ms || now < conn->started_ms + request->whole_ms)) {
        set_timer(conn);
        return;
    }
    err_set(&request->err, FAULT_TIMEOUT, "no answer from %s within %lld s",
            conn->http->server->url.host, (long long)(now - conn->started_ms + 999) / 1000);
    request->repeated = true; /* a server that is slow is not helped by asking twice */
    conn_fault(conn);
}

/* More of a file into `out`; -1 when the file cannot be read or is shorter than was said. */
static int refill(struct http_conn *conn, struct err *err)
{
    struct http_request *request = conn->request;
    size_t want = conn->body_left < PIECE_BYTES ? (size_t)conn->body_left : PIECE_BYTES;
    ssize_t got;

    buf_clear(&conn->out);
    conn->out_at = 0;
    if (!want)
        return 0;
    buf_reserve(&conn->out, want);
    got = pread(request->body_fd, conn->out.data, want, conn->body_at);
    if (got <= 0) {
        errno = got < 0 ? errno : EIO;
        return err_sys(err, "read what is to be sent");
    }
    conn->out.length = (size_t)got;
    conn->body_at += got;
    conn->body_left -= got;
    return 0;
}

/* 0: all is sent; IO_AGAIN; -1. */
static int conn_send(struct http_conn *conn, struct err *err)
{
    for (;;) {
        ssize_t put;

        if (conn->out_at == conn->out.length) {
            if (refill(conn, err) < 0)
                return -1;
            if (!conn->out.length)
                return 0;
        }
        put = transport_write(conn->transport, conn->out.data + conn->out_at,
                              conn->out.length - conn->out_at, err);
        if (put < 0)
            return (int)put;
        conn->out_at += (size_t)put;
        conn->moved_ms = clock_mono_ms();
    }
}

/* 0: the answer is complete; IO_AGAIN; -1. */
static int conn_receive(struct http_conn *conn)
{
    struct http_request *request = conn->request;
    static char data[PIECE_BYTES]; /* one thread */

    while (!conn->complete) {
        ssize_t got = transport_read(conn->transport, data, sizeof data, &request->err);
        size_t parsed;

        if (got < 0)
            return (int)got;
        parsed = http_parser_execute(&conn->parser, &settings, data, (size_t)got);
        if (conn->complete) {
            conn->keep = conn->keep && parsed >= (size_t)got;
            break;
        }
        if (got > 0) {
            conn->answered = true;
            conn->moved_ms = clock_mono_ms();
        }
        if (request->err.fault)
            return -1;
        if (HTTP_PARSER_ERRNO(&conn->parser) != HPE_OK)
            return err_set(&request->err, FAULT_UNAVAILABLE, "%s: not an HTTP answer: %s",
                           conn->http->server->url.host,
                           http_errno_description(HTTP_PARSER_ERRNO(&conn->parser)));
        if (got == 0)
            return err_set(&request->err, FAULT_UNAVAILABLE, "%s closed the connection",
                           conn->http->server->url.host);
    }
    return 0;
}

static void conn_event(void *arg)
{
    struct http_conn *conn = arg;
    struct err send_err = ERR_INIT;
    int rc, sent;

    if (!conn->request) { /* the server ended an idle connection */
        conn_free(conn);
        return;
    }
    rc = transport_connected(conn->transport, &conn->request->err);
    if (rc == IO_AGAIN)
        return;
    if (rc < 0) {
        conn_fault(conn);
        return;
    }
    sent = conn_send(conn, &send_err);
    /* Also when sending failed: a server that refuses a body early says why before it closes. */
    rc = conn_receive(conn);
    if (rc == 0) {
        conn_finish(conn, conn->keep && sent == 0);
    } else if (rc == -1 || sent == -1) {
        if (sent == -1)
            conn->request->err = send_err;
        conn_fault(conn);
    }
}

/* ---- requests -------------------------------------------------------------------------------- */

struct http *http_new(struct loop *loop, struct resolver *resolver, const struct server *server,
                      int connections_most)
{
    struct http *http = xcalloc(1, sizeof *http);

    http->loop = loop;
    http->resolver = resolver;
    http->server = server;
    http->most = connections_most;
    list_init(&http->conns);
    list_init(&http->waiting);
    return http;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    while (!list_empty(&http->waiting))
        list_del(http->waiting.next);
    list_each_safe(at, &http->conns)
    {
        struct http_conn *conn = list_item(at, struct http_conn, node);

        if (conn->request)
            conn->request->conn = NULL;
        conn_free(conn);
    }
    free(http);
}

void http_request_init(struct http_request *request, const char *method, char *target)
{
    *request = (struct http_request){ .method = method,
                                      .target = target,
                                      .body_fd = -1,
                                      .idle_ms = 60000,
                                      .answer_most = 65536,
                                      .offset = -1 };
    list_init(&request->node);
}

void http_request_fini(struct http_request *request)
{
    free(take_ptr(request->target));
    buf_free(&request->body);
    buf_free(&request->answer);
}

void http_send(struct http *http, struct http_request *request)
{
    request->status = 0;
    request->err = (struct err)ERR_INIT;
    request->offset = -1;
    request->retry_ms = 0;
    request->location[0] = '\0';
    request->repeated = false;
    buf_clear(&request->answer);
    request->answer.cap = request->answer_most;
    list_add_tail(&http->waiting, &request->node);
    dispatch(http);
}

void http_cancel(struct http_request *request)
{
    struct http_conn *conn = request->conn;
    struct http *http;

    list_del(&request->node);
    request->conn = NULL;
    if (!conn)
        return;
    http = conn->http;
    conn->request = NULL;
    conn_free(conn);
    dispatch(http);
}
