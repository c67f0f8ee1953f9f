/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - calls to the broker, and what to do when no answer comes. */
#include "cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/list.h"
#include "base/parse.h"
#include "net/hash.h"

#define CONNECT_TIMEOUT_MS 10000
#define REPEATS_MOST       8
#define BACKOFF_FIRST_MS   100
#define LARGE              65536
#define BACKOFF_MOST_MS    5000
#define PATIENCE_MS        60000 /* the usual one */
#define UNAVAILABLE_MOST   3 /* repeats of a call answered 503: a full disk stays full for long */

struct client {
    struct endpoint endpoint;
    char *token, *cacert;
    char pin[SHA256_HEX]; /* "": none */
    CURL *easy;
    CURLM *multi;
    int64_t patience_ms;
    bool was_there; /* something answered once */
    bool unreachable;
};

struct stream {
    struct client *client;
    CURL *easy;
    struct curl_slist *headers;
    struct buf data;
    enum stream_end end;
    CURLcode code;
    long os_errno;
};

/* ---- one handle --------------------------------------------------------------------------------
 */

/* The certificate itself is named by the pin: whoever signed it, and for what name, says nothing.
 */
static int verify_pin(X509_STORE_CTX *context, void *arg)
{
    const struct client *client = arg;
    X509 *leaf = X509_STORE_CTX_get0_cert(context);
    unsigned char *der = NULL;
    int length = leaf ? i2d_X509(leaf, &der) : -1;
    char hash[SHA256_HEX] = "";

    if (length > 0)
        sha256_hex_of(der, (size_t)length, hash);
    OPENSSL_free(der);
    if (!bytes_equal_secret(hash, client->pin, SHA256_HEX)) {
        X509_STORE_CTX_set_error(context, X509_V_ERR_CERT_REJECTED);
        return 0;
    }
    X509_STORE_CTX_set_error(context, X509_V_OK);
    return 1;
}

static CURLcode use_pin(CURL *easy, void *tls, void *arg)
{
    (void)easy;
    SSL_CTX_set_cert_verify_callback(tls, verify_pin, arg);
    return CURLE_OK;
}

static void set_tls(struct client *client, CURL *easy)
{
    if (client->cacert)
        curl_easy_setopt(easy, CURLOPT_CAINFO, client->cacert);
    if (!client->pin[0])
        return;
    /* No authority is asked, so a machine that has none installed will do. */
    if (!client->cacert) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, use_pin);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, client);
}

static void set_common(struct client *client, CURL *easy, const char *path)
{
    own_str char *url = xasprintf("%s%s", client->endpoint.base, path);

    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "spillway/" SPILLWAY_VERSION);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (client->endpoint.socket) {
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->endpoint.socket);
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    }
    if (client->endpoint.tls)
        set_tls(client, easy);
    if (client->token) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, client->token);
    }
}

static int64_t header_number(CURL *easy, const char *name)
{
    struct curl_header *header;
    int64_t value;

    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
        parse_i64(header->value, 0, INT64_MAX, &value, NULL) < 0)
        return -1;
    return value;
}

/* ---- faults ------------------------------------------------------------------------------------
 */

static int no_broker(const struct client *client, long os_errno, const char *what, struct err *err)
{
    own_buf struct buf where = BUF_INIT(0);
    const char *why = os_errno ? strerror((int)os_errno) : what;

    endpoint_put(&client->endpoint, &where);
    if (client->endpoint.socket && (os_errno == EACCES || os_errno == EPERM))
        return err_set(err, FAULT_AUTH, "no permission to use the broker's socket %s",
                       buf_text(&where));
    if (client->endpoint.guessed)
        return err_set(err, FAULT_UNAVAILABLE,
                       "no broker answers at %s (%s); start one with `spillwayd &`, or set "
                       "SPILLWAY_URL to where it is",
                       buf_text(&where), why);
    if (client->endpoint.socket)
        return err_set(err, FAULT_UNAVAILABLE,
                       "no broker answers at %s (%s); start it with `spillwayd --state %.*s`, or "
                       "correct SPILLWAY_URL",
                       buf_text(&where), why,
                       (int)(strrchr(client->endpoint.socket, '/') - client->endpoint.socket),
                       client->endpoint.socket);
    return err_set(
        err, FAULT_UNAVAILABLE,
        "no broker answers at %s (%s); check SPILLWAY_URL, and that spillwayd runs there",
        buf_text(&where), why);
}

static bool never_sent(CURLcode code)
{
    return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
}

static bool answer_lost(CURLcode code)
{
    return code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
           code == CURLE_PARTIAL_FILE || code == CURLE_OPERATION_TIMEDOUT;
}

static int transport_fault(const struct client *client, CURLcode code, long os_errno,
                           struct err *err)
{
    const char *what = curl_easy_strerror(code);

    if (never_sent(code))
        return no_broker(client, os_errno, what, err);
    /* No list of authorities on this machine: to us the same as one that does not name the broker's. */
    if (code == CURLE_SSL_CACERT_BADFILE && !client->cacert)
        code = CURLE_PEER_FAILED_VERIFICATION;
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(err, FAULT_TIMEOUT,
                       "the broker gave no answer in time; try again, or see "
                       "`spillway doctor`");
    case CURLE_PEER_FAILED_VERIFICATION:
        if (client->pin[0])
            return err_set(err, FAULT_AUTH,
                           "the broker's certificate is not the one that SPILLWAY_PIN names; "
                           "compare it with the pin in the broker's log");
        return err_set(err, FAULT_AUTH,
                       "the broker's certificate is not trusted; set SPILLWAY_CACERT to its CA's "
                       "file, or SPILLWAY_PIN to the certificate's SHA-256");
    case CURLE_SSL_CACERT_BADFILE:
        return err_set(err, FAULT_INVALID, "SPILLWAY_CACERT: %s cannot be read as certificates",
                       client->cacert);
    case CURLE_WRITE_ERROR:
        return err_set(err, FAULT_INVALID, "the answer is larger than %d MiB; ask for less",
                       CLIENT_BODY_MOST / 1048576);
    default:
        return err_set(err, FAULT_UNAVAILABLE, "the connection to the broker was lost (%s)%s", what,
                       client->endpoint.socket || client->endpoint.tls
                           ? ""
                           : "; does it want https:// and not http://?");
    }
}

static enum fault fault_of_status(long status)
{
    switch (status) {
    case 400:
    case 413:
    case 415:
    case 422:
        return FAULT_INVALID;
    case 401:
    case 403:
        return FAULT_AUTH;
    case 404:
    case 410:
        return FAULT_NOT_FOUND;
    case 409:
    case 412:
        return FAULT_CONFLICT;
    case 429:
        return FAULT_THROTTLED;
    case 502:
    case 503:
        return FAULT_UNAVAILABLE;
    case 408:
    case 504:
        return FAULT_TIMEOUT;
    default:
        return FAULT_INTERNAL;
    }
}

static int problem_fault(long status, const json_t *problem, struct err *err)
{
    const char *type = json_string_value(json_object_get(problem, "type"));
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    const char *field = json_string_value(json_object_get(problem, "field"));
    enum fault fault = FAULT_COUNT;

    if (!detail)
        detail = json_string_value(json_object_get(problem, "title"));
    if (type && strncmp(type, "urn:spillway:fault:", 19) == 0)
        fault = fault_find(type + 19);
    if (fault == FAULT_COUNT || fault == FAULT_NONE)
        fault = fault_of_status(status);
    if (!detail)
        return err_set(err, fault, "the broker answered with HTTP status %ld", status);
    if (field && *field && !strstr(detail, field))
        return err_set(err, fault, "%s: %s", field, detail);
    return err_set(err, fault, "%s", detail);
}

/* ---- calls -------------------------------------------------------------------------------------
 */

struct transfer {
    const struct call *call;
    struct reply *reply;
    CURL *easy;
    size_t sent;
    bool delivered; /* the sink has had some: not to be repeated from here */
    bool sink_ended;
};

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->call->sink && status >= 200 && status < 300) {
        transfer->delivered = true;
        if (transfer->call->sink(transfer->call->arg, data, size * count))
            return size * count;
        transfer->sink_ended = true;
        return 0;
    }
    return buf_put(&transfer->reply->body, data, size * count) < 0 ? 0 : size * count;
}

static size_t give_body(char *out, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    size_t left = transfer->call->body_length - transfer->sent;
    size_t length = size * count < left ? size * count : left;

    memcpy(out, (const char *)transfer->call->body + transfer->sent, length);
    transfer->sent += length;
    return length;
}

static void set_method(CURL *easy, const struct call *call, struct transfer *transfer)
{
    const char *method = call->method ? call->method : "GET";

    if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(method, "PUT") == 0) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->body_length);
    } else if (strcmp(method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body ? call->body : "");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_length);
    } else {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    }
    if (call->from > 0) {
        char range[32];

        snprintf(range, sizeof range, "%lld-", (long long)call->from);
        curl_easy_setopt(easy, CURLOPT_RANGE, range);
    }
}

static struct curl_slist *call_headers(const struct call *call)
{
    /* No "100 Continue" round trip: the bodies are small or wanted. */
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");

    if (call->body || (call->method && strcmp(call->method, "POST") == 0)) {
        own_str char *type =
            xasprintf("Content-Type: %s", call->type ? call->type : "application/json");

        headers = curl_slist_append(headers, type);
    }
    if (call->key) {
        own_str char *key = xasprintf("Idempotency-Key: %s", call->key);

        headers = curl_slist_append(headers, key);
    }
    return headers;
}

static void read_headers(CURL *easy, struct reply *out)
{
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &out->status);
    out->upload_offset = header_number(easy, "Upload-Offset");
    out->log_size = header_number(easy, "Spillway-Log-Size");
    out->log_cut = header_number(easy, "Spillway-Log-Cut");
    out->attempt = header_number(easy, "Spillway-Attempt");
    out->nodes = header_number(easy, "Spillway-Nodes");
}

/* One try. */
static CURLcode perform(struct client *client, const struct call *call, struct transfer *transfer)
{
    CURL *easy = client->easy;
    int64_t timeout = call->timeout_ms ? call->timeout_ms : CLIENT_TIMEOUT_MS;
    struct curl_slist *headers = call_headers(call);
    CURLcode code;

    curl_easy_reset(easy); /* keeps the connection */
    transfer->easy = easy;
    transfer->sent = 0;
    buf_clear(&transfer->reply->body);
    set_common(client, easy, call->path);
    set_method(easy, call, transfer);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    if (call->sink || call->body_length > LARGE) { /* may take long, but must not stand still */
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)(timeout / 1000));
    } else {
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout);
    }
    code = curl_easy_perform(easy);
    read_headers(easy, transfer->reply);
    curl_slist_free_all(headers);
    return code;
}

static bool repeatable(const struct call *call)
{
    return !call->method || strcmp(call->method, "POST") != 0 || call->key || call->repeats;
}

/* How long to wait before the next try; -1: there is none.  A broker that was never there is told
 * at once; one that went away during the command may be starting again. */
static int64_t next_wait(struct client *client, const struct transfer *transfer, CURLcode code,
                         int tries)
{
    bool patient = client->patience_ms > PATIENCE_MS;
    int64_t backoff = BACKOFF_FIRST_MS << (tries < 6 ? tries : 6), asked;
    unsigned char jitter;

    if ((tries >= REPEATS_MOST && !patient) || transfer->delivered || transfer->sink_ended)
        return -1;
    if (code == CURLE_OK) {
        if (transfer->reply->status != 429 &&
            (transfer->reply->status != 503 || (tries >= UNAVAILABLE_MOST && !patient)))
            return -1;
        asked = header_number(client->easy, "Retry-After") * 1000;
        if (asked > client->patience_ms)
            return -1;
        backoff = asked > backoff ? asked : backoff;
    } else if (never_sent(code)) {
        if (!client->was_there)
            return -1;
    } else if (!answer_lost(code) || !repeatable(transfer->call)) {
        return -1;
    }
    io_random(&jitter, 1);
    backoff = backoff < BACKOFF_MOST_MS || code == CURLE_OK ? backoff : BACKOFF_MOST_MS;
    return backoff + backoff * jitter / 1024;
}

static CURLcode perform_with_patience(struct client *client, const struct call *call,
                                      struct transfer *transfer)
{
    int64_t waited = 0;
    CURLcode code;

    for (int tries = 0;; tries++) {
        int64_t wait;

        code = perform(client, call, transfer);
        client->was_there = client->was_there || !never_sent(code);
        wait = next_wait(client, transfer, code, tries);
        if (wait < 0 || waited + wait > client->patience_ms)
            return code;
        clock_sleep_ms(wait);
        waited += wait;
    }
}

int client_call(struct client *client, const struct call *call, struct reply *out, struct err *err)
{
    struct transfer transfer = { .call = call, .reply = out };
    CURLcode code = perform_with_patience(client, call, &transfer);

    client->unreachable = false;
    if (code == CURLE_WRITE_ERROR && transfer.sink_ended)
        return err_set(err, FAULT_INTERNAL, "stopped");
    if (code != CURLE_OK) {
        long os_errno = 0;

        curl_easy_getinfo(client->easy, CURLINFO_OS_ERRNO, &os_errno);
        transport_fault(client, code, os_errno, err);
        client->unreachable = !err || err->fault == FAULT_UNAVAILABLE;
        return -1;
    }
    if (out->status >= 200 && out->status < 300)
        return 0;
    if (out->status == 404 && call->wants_404)
        return 1;
    out->problem = json_parse(buf_text(&out->body), out->body.length, NULL);
    return problem_fault(out->status, out->problem, err);
}

int client_json(struct client *client, const struct call *call, json_t **out, struct err *err)
{
    own_reply struct reply reply = REPLY_INIT;

    if (client_call(client, call, &reply, err) < 0)
        return -1;
    *out = json_parse(buf_text(&reply.body), reply.body.length, err);
    return *out ? 0 : err_wrap(err, "the broker's answer to %s", call->path);
}

void reply_free(struct reply *reply)
{
    buf_free(&reply->body);
    json_decref(reply->problem);
    reply->problem = NULL;
}

/* ---- streams -----------------------------------------------------------------------------------
 */

static size_t take_stream(char *data, size_t size, size_t count, void *arg)
{
    struct stream *stream = arg;

    return buf_put(&stream->data, data, size * count) < 0 ? 0 : size * count;
}

struct stream *stream_open(struct client *client, const char *path, bool sse, const char *last_id)
{
    struct stream *stream = xcalloc(1, sizeof *stream);

    *stream = (struct stream){ .client = client, .data = BUF_INIT(CLIENT_BODY_MOST) };
    stream->easy = curl_easy_init();
    if (!stream->easy)
        abort();
    set_common(client, stream->easy, path);
    if (sse)
        stream->headers = curl_slist_append(stream->headers, "Accept: text/event-stream");
    if (last_id && *last_id) {
        own_str char *header = xasprintf("Last-Event-ID: %s", last_id);

        stream->headers = curl_slist_append(stream->headers, header);
    }
    curl_easy_setopt(stream->easy, CURLOPT_HTTPHEADER, stream->headers);
    curl_easy_setopt(stream->easy, CURLOPT_WRITEFUNCTION, take_stream);
    curl_easy_setopt(stream->easy, CURLOPT_WRITEDATA, stream);
    curl_easy_setopt(stream->easy, CURLOPT_PRIVATE, stream);
    curl_multi_add_handle(client->multi, stream->easy);
    return stream;
}

void stream_close(struct stream *stream)
{
    if (!stream)
        return;
    curl_multi_remove_handle(stream->client->multi, stream->easy);
    curl_easy_cleanup(stream->easy);
    curl_slist_free_all(stream->headers);
    buf_free(&stream->data);
    free(stream);
}

enum stream_end stream_state(const struct stream *stream)
{
    return stream->end;
}

static long stream_status(const struct stream *stream)
{
    long status = 0;

    curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

bool stream_connected(const struct stream *stream)
{
    long status = stream_status(stream);

    return status >= 200 && status < 300;
}

struct buf *stream_data(struct stream *stream)
{
    return &stream->data;
}

int64_t stream_header(struct stream *stream, const char *name)
{
    return header_number(stream->easy, name);
}

void stream_fault(struct stream *stream, struct err *err)
{
    own_json json_t *problem = NULL;

    if (stream->end != STREAM_REFUSED) {
        transport_fault(stream->client, stream->code, stream->os_errno, err);
        return;
    }
    problem = json_parse(buf_text(&stream->data), stream->data.length, NULL);
    problem_fault(stream_status(stream), problem, err);
}

static void note_end(struct stream *stream, CURLcode code)
{
    long status = stream_status(stream);

    stream->code = code;
    curl_easy_getinfo(stream->easy, CURLINFO_OS_ERRNO, &stream->os_errno);
    if (code != CURLE_OK || status == 429 || status == 502 || status == 503)
        stream->end = STREAM_BROKEN;
    else
        stream->end = status >= 200 && status < 300 ? STREAM_ENDED : STREAM_REFUSED;
}

/* Whether any has ended. */
static bool note_ends(struct client *client)
{
    int left = 0;
    bool any = false;
    CURLMsg *message;

    while ((message = curl_multi_info_read(client->multi, &left))) {
        struct stream *stream = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&stream);
        note_end(stream, message->data.result);
        any = true;
    }
    return any;
}

void streams_pump(struct client *client, int64_t wait_ms)
{
    int running = 0;

    curl_multi_perform(client->multi, &running);
    if (note_ends(client)) /* refused at once: there is nothing left to wait for */
        return;
    curl_multi_poll(client->multi, NULL, 0, (int)(wait_ms < 60000 ? wait_ms : 60000), NULL);
    curl_multi_perform(client->multi, &running);
    note_ends(client);
}

/* ---- open and close ----------------------------------------------------------------------------
 */

/* What goes into a header must be one line of plain text. */
static int check_token(const char *token, struct err *err)
{
    for (const char *s = token; *s; s++)
        if (*s <= ' ' || *s >= 127)
            return err_set(err, FAULT_INVALID,
                           "the token has a character in it that no token has; "
                           "copy it again from `spillway token add`");
    return 0;
}

int client_open(struct endpoint *endpoint, const struct client_options *options,
                struct client **out, struct err *err)
{
    struct client *client;
    char pin[SHA256_HEX] = "";

    if (options->token && check_token(options->token, err) < 0)
        return -1;
    if (options->pin && pin_parse(options->pin, pin, err) < 0)
        return err_wrap(err, "SPILLWAY_PIN");
    /* Over a socket there is no TLS to make ready, which takes longer than the call. */
    if (curl_global_init(endpoint->tls ? CURL_GLOBAL_SSL : CURL_GLOBAL_NOTHING) != CURLE_OK)
        return err_set(err, FAULT_INTERNAL, "libcurl cannot be used");
    client = xcalloc(1, sizeof *client);
    client->endpoint = *endpoint;
    *endpoint = (struct endpoint){ .socket = NULL };
    client->token = options->token ? xstrdup(options->token) : NULL;
    client->cacert = options->cacert ? xstrdup(options->cacert) : NULL;
    memcpy(client->pin, pin, sizeof pin);
    client->patience_ms = PATIENCE_MS;
    client->easy = curl_easy_init();
    client->multi = curl_multi_init();
    if (!client->easy || !client->multi)
        abort(); /* no memory */
    *out = client;
    return 0;
}

void client_free(struct client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->easy);
    curl_multi_cleanup(client->multi);
    endpoint_free(&client->endpoint);
    free(client->token);
    free(client->cacert);
    free(client);
    curl_global_cleanup();
}

const struct endpoint *client_endpoint(const struct client *client)
{
    return &client->endpoint;
}

void client_set_patience(struct client *client, int64_t ms)
{
    client->patience_ms = ms;
}

bool client_unreachable(const struct client *client)
{
    return client->unreachable;
}
