/* SPDX-License-Identifier: Apache-2.0 */
/* http_stream.c - libcurl's multi interface, for answers that go on. */
#include "net/http_stream.h"

#include <string.h>

#include "base/list.h"
#include "base/own.h"
#include "net/http_trust.h"
#include "net/post.h"

#define CONNECT_MS 10000L
#define WORDS_MOST 4096
#define PROBE_S    20L /* a silent connection is asked whether it lives */

struct http_streams {
    CURLM *multi;
    struct http_trust trust;
    struct list open;
};

struct http_stream {
    struct list node;
    CURL *curl;
    struct curl_slist *headers, *connect_to;
    http_line *line;
    void *arg;
    struct buf rest;  /* a line that has not ended */
    struct buf words; /* of an answer that is no 2xx */
    char *url;
    char detail[CURL_ERROR_SIZE];
    bool up, ended, given_up;
    CURLcode code;
};

int http_streams_new(const struct http_options *options, struct http_streams **out, struct err *err)
{
    struct http_streams *streams = xcalloc(1, sizeof *streams);

    post_init();
    list_init(&streams->open);
    streams->multi = curl_multi_init();
    if (!streams->multi) {
        free(streams);
        return err_set(err, FAULT_INTERNAL, "libcurl does not start");
    }
    http_trust_init(&streams->trust, options);
    *out = streams;
    return 0;
}

void http_stream_close(struct http_streams *streams, struct http_stream *stream)
{
    if (!stream)
        return;
    list_del(&stream->node);
    curl_multi_remove_handle(streams->multi, stream->curl);
    curl_easy_cleanup(stream->curl);
    curl_slist_free_all(stream->headers);
    curl_slist_free_all(stream->connect_to);
    buf_free(&stream->rest);
    buf_free(&stream->words);
    free(stream->url);
    free(stream);
}

void http_streams_free(struct http_streams *streams)
{
    if (!streams)
        return;
    list_each_safe(at, &streams->open)
        http_stream_close(streams, list_item(at, struct http_stream, node));
    curl_multi_cleanup(streams->multi);
    http_trust_fini(&streams->trust);
    free(streams);
}

void http_streams_identity(struct http_streams *streams, const char *cacert, const char *cert,
                           const char *key)
{
    http_trust_identity(&streams->trust, cacert, cert, key);
}

/* Whole lines are handed on from where they lie; only a broken one is kept. */
static bool take_lines(struct http_stream *stream, char *data, size_t length)
{
    while (length) {
        char *end = memchr(data, '\n', length);
        size_t part = end ? (size_t)(end - data) : length;

        if (buf_put(&stream->rest, data, part) < 0)
            return false;
        if (!end)
            return true;
        if (stream->rest.length &&
            stream->line(stream->arg, stream->rest.data, stream->rest.length) < 0) {
            stream->given_up = true;
            return false;
        }
        buf_clear(&stream->rest);
        data += part + 1;
        length -= part + 1;
    }
    return true;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct http_stream *stream = arg;
    long status = 0;

    curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299) {
        buf_put(&stream->words, data, size * count);
        return size * count;
    }
    return take_lines(stream, data, size * count) ? size * count : 0;
}

static size_t take_header(char *data, size_t size, size_t count, void *arg)
{
    struct http_stream *stream = arg;
    long status = 0;

    (void)data;
    curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &status);
    stream->up = status >= 200 && status <= 299;
    return size * count;
}

int http_stream_open(struct http_streams *streams, const char *url, const char *const *headers,
                     size_t line_most, int64_t most_ms, http_line *line, void *arg,
                     struct http_stream **out, struct err *err)
{
    struct http_stream *stream = xcalloc(1, sizeof *stream);
    CURL *curl = stream->curl = curl_easy_init();

    list_add_tail(&streams->open, &stream->node);
    stream->line = line;
    stream->arg = arg;
    stream->rest.cap = line_most;
    stream->words.cap = WORDS_MOST;
    stream->url = xstrdup(url);
    for (; headers && *headers; headers++)
        stream->headers = curl_slist_append(stream->headers, *headers);
    http_trust_set(&streams->trust, curl, url, &stream->headers, &stream->connect_to);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, stream->headers);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, PROBE_S);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, PROBE_S / 2);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)most_ms);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, stream->detail);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, stream);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, stream);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, stream);
    if (curl_multi_add_handle(streams->multi, curl) != CURLM_OK) {
        http_stream_close(streams, stream);
        return err_set(err, FAULT_INTERNAL, "libcurl refuses a call");
    }
    *out = stream;
    return 0;
}

void http_streams_turn(struct http_streams *streams, int64_t wait_ms)
{
    int running = 0, left = 0;
    CURLMsg *message;

    curl_multi_perform(streams->multi, &running);
    curl_multi_poll(streams->multi, NULL, 0, (int)wait_ms, NULL);
    curl_multi_perform(streams->multi, &running);
    while ((message = curl_multi_info_read(streams->multi, &left))) {
        char *private = NULL;
        struct http_stream *stream;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        stream = (struct http_stream *)(void *)private;
        stream->ended = true;
        stream->code = message->data.result;
    }
}

void http_streams_wake(struct http_streams *streams)
{
    curl_multi_wakeup(streams->multi);
}

bool http_stream_up(const struct http_stream *stream)
{
    return stream->up && !stream->ended;
}

static void why_ended(const struct http_stream *stream, struct err *err)
{
    const char *words = stream->detail[0] ? stream->detail : curl_easy_strerror(stream->code);

    *err = (struct err)ERR_INIT;
    if (stream->code == CURLE_OK || stream->given_up)
        return;
    if (stream->rest.failed)
        err_set(err, FAULT_INVALID, "%s: a line of more than %zu bytes", stream->url,
                stream->rest.cap);
    else
        err_set(err, http_fault_of(stream->code), "%s: %s", stream->url, words);
}

bool http_stream_ended(const struct http_stream *stream, long *status, const char **words,
                       int64_t *retry_after_ms, struct err *err)
{
    curl_off_t after = 0;

    if (!stream->ended)
        return false;
    curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, status);
    curl_easy_getinfo(stream->curl, CURLINFO_RETRY_AFTER, &after);
    *retry_after_ms = after > 0 ? (int64_t)(after < 600 ? after : 600) * 1000 : 0;
    *words = buf_text(&stream->words);
    why_ended(stream, err);
    return true;
}
