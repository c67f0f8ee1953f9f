/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - libcurl's multi interface behind a small one. */
#include "net/http.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "net/http_trust.h"
#include "net/post.h"

#define CONNECT_MS       10000
#define CONNECTIONS_MOST 8
#define IDLE_S           60L /* connections that were idle for longer are not used again */
#define RETRY_MOST_MS    600000
#define ANSWER_MOST      ((size_t)16 << 20)
#define SLICE_MS         200 /* a wait looks this often whether the end has come */

/* http_end_by(): libcurl's wake-up needs to know whom to wake, and this is one for all. */
static atomic_llong end_mono_ms;

struct http_pool {
    CURLM *multi;
    struct http_trust trust;
    double per_second, burst;
    double tokens;
    int64_t filled_ms;     /* when `tokens` was last right */
    int64_t not_before_ms; /* a Retry-After lasts until then */
    int64_t sent;
};

/* One call on its way. */
struct flight {
    CURL *curl;
    struct curl_slist *headers, *connect_to;
    const struct http_request *request;
    struct http_answer *answer;
    struct err *err;
    char detail[CURL_ERROR_SIZE];
    bool done;
};

int http_pool_new(const struct http_options *options, struct http_pool **out, struct err *err)
{
    struct http_pool *pool = xcalloc(1, sizeof *pool);

    post_init();
    pool->multi = curl_multi_init();
    if (!pool->multi) {
        free(pool);
        return err_set(err, FAULT_INTERNAL, "libcurl does not start");
    }
    curl_multi_setopt(pool->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MOST);
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MOST);
    http_trust_init(&pool->trust, options);
    pool->per_second = options->calls_per_second;
    pool->burst = options->burst > 0 ? options->burst : 1;
    pool->tokens = pool->burst;
    pool->filled_ms = clock_mono_ms();
    *out = pool;
    return 0;
}

void http_pool_free(struct http_pool *pool)
{
    if (!pool)
        return;
    curl_multi_cleanup(pool->multi);
    http_trust_fini(&pool->trust);
    free(pool);
}

void http_pool_identity(struct http_pool *pool, const char *cacert, const char *cert,
                        const char *key)
{
    http_trust_identity(&pool->trust, cacert, cert, key);
}

void http_answer_free(struct http_answer *answer)
{
    buf_free(&answer->body);
    free(answer->header);
    memset(answer, 0, sizeof *answer);
}

int64_t http_sent(const struct http_pool *pool)
{
    return pool->sent;
}

/* ---- pace ------------------------------------------------------------------------------------ */

/* How long the next call has to wait; 0: it may go, and a token was taken for it. */
static int64_t wait_of(struct http_pool *pool, int64_t now)
{
    if (pool->not_before_ms > now)
        return pool->not_before_ms - now;
    if (pool->per_second <= 0)
        return 0;
    pool->tokens += (double)(now - pool->filled_ms) * pool->per_second / 1000;
    if (pool->tokens > pool->burst)
        pool->tokens = pool->burst;
    pool->filled_ms = now;
    if (pool->tokens < 1)
        return (int64_t)((1 - pool->tokens) * 1000 / pool->per_second) + 1;
    pool->tokens -= 1;
    return 0;
}

void http_end_by(int64_t mono_ms)
{
    atomic_store(&end_mono_ms, mono_ms);
}

static bool has_ended(void)
{
    int64_t end = atomic_load(&end_mono_ms);

    return end && clock_mono_ms() >= end;
}

static int no_time(const char *url, struct err *err)
{
    return err_set(err, FAULT_UNAVAILABLE,
                   "%s: not waited for: the broker ends, or reads its "
                   "configuration anew",
                   url);
}

bool http_pause(int64_t ms, int64_t deadline_mono_ms)
{
    int64_t until = clock_mono_ms() + ms;

    if (until >= deadline_mono_ms)
        return false;
    for (int64_t left = ms; left > 0 && !has_ended(); left = until - clock_mono_ms())
        clock_sleep_ms(left < SLICE_MS ? left : SLICE_MS);
    return !has_ended();
}

static int pace(struct http_pool *pool, int64_t deadline_mono_ms, struct err *err)
{
    for (;;) {
        int64_t now = clock_mono_ms(), wait = wait_of(pool, now);

        if (wait == 0)
            return 0;
        if (now + wait > deadline_mono_ms)
            return err_set(err, FAULT_THROTTLED,
                           "the site asked for a pause, or calls_per_second is used up; "
                           "%lld s to go",
                           (long long)(wait + 999) / 1000);
        if (!http_pause(wait, INT64_MAX))
            return err_set(err, FAULT_UNAVAILABLE, "the broker ends");
    }
}

static void note_retry_after(struct http_pool *pool, const struct http_answer *answer)
{
    int64_t until = clock_mono_ms() + answer->retry_after_ms;

    if ((answer->status == 429 || answer->status == 503 || answer->status == 413) &&
        answer->retry_after_ms > 0 && until > pool->not_before_ms)
        pool->not_before_ms = until;
}

/* ---- one call -------------------------------------------------------------------------------- */

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    return buf_put(arg, data, size * count) < 0 ? 0 : size * count;
}

static void set_body(CURL *curl, const struct http_request *request)
{
    if (strcmp(request->method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (request->body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->length);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    } else if (strcmp(request->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static int flight_begin(struct http_pool *pool, struct flight *flight, int64_t deadline_mono_ms)
{
    const struct http_request *request = flight->request;
    int64_t left;
    CURL *curl;

    if (has_ended())
        return no_time(request->url, flight->err);
    if (pace(pool, deadline_mono_ms, flight->err) < 0)
        return -1;
    left = deadline_mono_ms - clock_mono_ms();
    if (left <= 0)
        return err_set(flight->err, FAULT_TIMEOUT, "no time is left to ask %s", request->url);
    flight->curl = curl = curl_easy_init();
    if (!curl)
        return err_set(flight->err, FAULT_INTERNAL, "libcurl does not start");
    flight->answer->body.cap = request->answer_most ? request->answer_most : ANSWER_MOST;
    for (const char *const *header = request->headers; header && *header; header++)
        flight->headers = curl_slist_append(flight->headers, *header);
    flight->headers = curl_slist_append(flight->headers, "Expect:"); /* no wait for 100 Continue */
    http_trust_set(&pool->trust, curl, request->url, &flight->headers, &flight->connect_to);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, IDLE_S);
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, flight->request->once ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, flight->headers);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, left < CONNECT_MS ? left : (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)left);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, flight->detail);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &flight->answer->body);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, flight);
    set_body(curl, request);
    if (curl_multi_add_handle(pool->multi, curl) != CURLM_OK)
        return err_set(flight->err, FAULT_INTERNAL, "libcurl refuses a call");
    pool->sent++;
    return 0;
}

/* The request left us, at least in part: what came of it is not known. */
static bool was_sent(CURL *curl, CURLcode code)
{
    curl_off_t up = 0;
    long bytes = 0;

    curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &bytes);
    curl_easy_getinfo(curl, CURLINFO_SIZE_UPLOAD_T, &up);
    return code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST &&
           (bytes > 0 || up > 0);
}

static int call_fault(struct flight *flight, CURLcode code)
{
    const char *words = flight->detail[0] ? flight->detail : curl_easy_strerror(code);

    if (flight->answer->body.failed)
        return err_set(flight->err, FAULT_INVALID, "%s: an answer of more than %zu bytes",
                       flight->request->url, flight->answer->body.cap);
    return err_set(flight->err, http_fault_of(code), "%s: %s", flight->request->url, words);
}

static void flight_end(struct http_pool *pool, struct flight *flight, CURLcode code)
{
    struct http_answer *answer = flight->answer;
    struct curl_header *header = NULL;
    curl_off_t after = 0;

    flight->done = true;
    answer->maybe_done = was_sent(flight->curl, code);
    if (code != CURLE_OK) {
        call_fault(flight, code);
        return;
    }
    curl_easy_getinfo(flight->curl, CURLINFO_RESPONSE_CODE, &answer->status);
    curl_easy_getinfo(flight->curl, CURLINFO_RETRY_AFTER, &after);
    answer->retry_after_ms = after <= 0                     ? 0
                             : after > RETRY_MOST_MS / 1000 ? RETRY_MOST_MS
                                                            : (int64_t)after * 1000;
    note_retry_after(pool, answer);
    if (flight->request->want_header && curl_easy_header(flight->curl, flight->request->want_header,
                                                         0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        answer->header = xstrdup(header->value);
}

static void flight_free(struct http_pool *pool, struct flight *flight)
{
    if (flight->curl) {
        curl_multi_remove_handle(pool->multi, flight->curl);
        curl_easy_cleanup(flight->curl);
    }
    curl_slist_free_all(flight->headers);
    curl_slist_free_all(flight->connect_to);
}

/* ---- many ------------------------------------------------------------------------------------ */

static void take_ended(struct http_pool *pool)
{
    CURLMsg *message;
    int left = 0;

    while ((message = curl_multi_info_read(pool->multi, &left))) {
        CURLcode code = message->data.result;
        char *flight = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &flight);
        flight_end(pool, (struct flight *)(void *)flight, code);
    }
}

void http_calls(struct http_pool *pool, const struct http_request *requests, size_t count,
                int64_t deadline_mono_ms, struct http_answer *answers, struct err *errs)
{
    own_mem struct flight *flights = xcalloc(count + 1, sizeof *flights);
    int running = 0;

    for (size_t i = 0; i < count; i++) {
        flights[i] =
            (struct flight){ .request = &requests[i], .answer = &answers[i], .err = &errs[i] };
        errs[i] = (struct err)ERR_INIT;
        if (flight_begin(pool, &flights[i], deadline_mono_ms) < 0)
            flights[i].done = true;
    }
    do {
        if (curl_multi_perform(pool->multi, &running) != CURLM_OK)
            break;
        take_ended(pool);
        if (running && has_ended())
            break;
        if (running)
            curl_multi_poll(pool->multi, NULL, 0, SLICE_MS, NULL);
    } while (running);
    for (size_t i = 0; i < count; i++) {
        if (!flights[i].done && running && has_ended()) {
            answers[i].maybe_done = was_sent(flights[i].curl, CURLE_OPERATION_TIMEDOUT);
            no_time(requests[i].url, &errs[i]);
        } else if (!flights[i].done)
            err_set(&errs[i], FAULT_INTERNAL, "%s: libcurl lost the call", requests[i].url);
        flight_free(pool, &flights[i]);
    }
}

int http_call(struct http_pool *pool, const struct http_request *request, int64_t deadline_mono_ms,
              struct http_answer *answer, struct err *err)
{
    struct err one = ERR_INIT;

    http_calls(pool, request, 1, deadline_mono_ms, answer, &one);
    if (one.fault == FAULT_NONE)
        return 0;
    if (err)
        *err = one;
    return -1;
}
