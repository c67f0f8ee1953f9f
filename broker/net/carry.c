/* SPDX-License-Identifier: Apache-2.0 */
/* carry.c - two transfers of libcurl, or a file and one, with a ring of bytes between them.
 *
 * Who finds the ring full, or with nothing to take, pauses; the loop wakes it when that has changed. */
#include "net/carry.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/own.h"
#include "net/http_trust.h"
#include "net/post.h"

#define RING_BYTES     ((size_t)1 << 20)
#define PIECE_BYTES    ((size_t)1 << 16)
#define WORDS_MOST     ((size_t)1 << 16)
#define CONNECT_MS     10000L
#define REDIRECTS_MOST 5L
#define TURN_MS        200
#define MOVED_LEAST    65536 /* in stall_ms */

struct side {
    CURL *curl;
    struct curl_slist *headers, *connect_to;
    char words[CURL_ERROR_SIZE];
    bool waits, done;
};

struct pipe {
    struct carry *carry;
    CURLM *multi;
    struct side from, to;
    struct http_trust trust;
    int fd;       /* of a file, or -1 */
    int64_t size; /* < 0: not known */
    unsigned char *ring;
    size_t at, length;
    int64_t come, gone;
    bool whole; /* all has come, and is what it must be */
    struct digest *sha256, *sha512;
    struct err fault; /* of a callback, or of the source */
    int64_t marked, marked_ms, sent_ms;
};

static bool is_url(const char *from)
{
    return strncasecmp(from, "https://", 8) == 0 || strncasecmp(from, "http://", 7) == 0;
}

/* ---- the ring -------------------------------------------------------------------------------- */

static void ring_put(struct pipe *pipe, const unsigned char *data, size_t length)
{
    size_t end = (pipe->at + pipe->length) % RING_BYTES;
    size_t first = length < RING_BYTES - end ? length : RING_BYTES - end;

    memcpy(pipe->ring + end, data, first);
    memcpy(pipe->ring, data + first, length - first);
    pipe->length += length;
    pipe->come += (int64_t)length;
    digest_add(pipe->sha256, data, length);
    digest_add(pipe->sha512, data, length);
    if (pipe->come > pipe->carry->most)
        err_set(&pipe->fault, FAULT_INVALID, "%s: more than %lld bytes", pipe->carry->from,
                (long long)pipe->carry->most);
}

static size_t ring_take(struct pipe *pipe, char *out, size_t room)
{
    size_t count = pipe->whole ? pipe->length : pipe->length > 0 ? pipe->length - 1 : 0;
    size_t first;

    count = count < room ? count : room;
    first = count < RING_BYTES - pipe->at ? count : RING_BYTES - pipe->at;
    memcpy(out, pipe->ring + pipe->at, first);
    memcpy(out + first, pipe->ring, count - first);
    pipe->at = (pipe->at + count) % RING_BYTES;
    pipe->length -= count;
    pipe->gone += (int64_t)count;
    return count;
}

static void check_sum(struct pipe *pipe, const char *name, const char *wanted, const char *is)
{
    if (wanted && strcmp(wanted, is) != 0)
        err_set(&pipe->fault, FAULT_INVALID, "%s: its %s is %s, where %s was expected",
                pipe->carry->from, name, is, wanted);
}

/* All has come. */
static void end_source(struct pipe *pipe)
{
    struct carry *carry = pipe->carry;

    if (pipe->fault.fault != FAULT_NONE)
        return;
    digest_end_hex(take_ptr(pipe->sha256), carry->is_sha256);
    digest_end_hex(take_ptr(pipe->sha512), carry->is_sha512);
    if (pipe->size >= 0 && pipe->come != pipe->size)
        err_set(&pipe->fault, FAULT_UNAVAILABLE, "%s: %lld bytes came, of %lld", carry->from,
                (long long)pipe->come, (long long)pipe->size);
    check_sum(pipe, "SHA-256", carry->sha256, carry->is_sha256);
    check_sum(pipe, "SHA-512", carry->sha512, carry->is_sha512);
    carry->bytes = pipe->come;
    pipe->whole = pipe->fault.fault == FAULT_NONE;
}

/* ---- the source ------------------------------------------------------------------------------ */

static int open_file(struct pipe *pipe, struct err *err)
{
    const char *path = pipe->carry->from;
    struct stat is;

    pipe->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not stop us */
    if (pipe->fd < 0 || fstat(pipe->fd, &is) < 0) {
        err_sys(err, "open %s", path);
        if (err)
            err->fault = FAULT_INVALID;
        return -1;
    }
    if (!S_ISREG(is.st_mode))
        return err_set(err, FAULT_INVALID, "%s is no file", path);
    pipe->size = is.st_size;
    return 0;
}

static void read_file(struct pipe *pipe)
{
    unsigned char piece[PIECE_BYTES];
    ssize_t got = read(pipe->fd, piece, sizeof piece);

    if (got < 0)
        err_sys(&pipe->fault, "read %s", pipe->carry->from);
    else if (got == 0)
        end_source(pipe);
    else
        ring_put(pipe, piece, (size_t)got);
}

static size_t take(char *data, size_t size, size_t count, void *arg)
{
    struct pipe *pipe = arg;

    if (RING_BYTES - pipe->length < size * count) {
        pipe->from.waits = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    ring_put(pipe, (const unsigned char *)data, size * count);
    return pipe->fault.fault == FAULT_NONE ? size * count : 0;
}

static int begin_from(struct pipe *pipe, struct err *err)
{
    /* As OpenSSL's own tools have it. */
    const char *authorities = getenv("SSL_CERT_FILE");
    const struct http_options options = { .cacert =
                                              authorities && *authorities ? authorities : NULL };
    struct http_trust trust;
    CURL *curl = pipe->from.curl = curl_easy_init();

    if (!curl)
        return err_set(err, FAULT_INTERNAL, "libcurl does not start");
    http_trust_init(&trust, &options);
    http_trust_set(&trust, curl, pipe->carry->from, &pipe->from.headers, &pipe->from.connect_to);
    http_trust_fini(&trust);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MOST);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, pipe->from.words);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, pipe);
    return curl_multi_add_handle(pipe->multi, curl) == CURLM_OK
               ? 0
               : err_set(err, FAULT_INTERNAL, "libcurl refuses a call");
}

static void from_ended(struct pipe *pipe, CURLcode code)
{
    pipe->from.done = true;
    if (code == CURLE_OK)
        end_source(pipe);
    else if (pipe->fault.fault == FAULT_NONE)
        err_set(&pipe->fault, http_fault_of(code), "%s: %s", pipe->carry->from,
                pipe->from.words[0] ? pipe->from.words : curl_easy_strerror(code));
}

/* ---- the PUT --------------------------------------------------------------------------------- */

static size_t give(char *out, size_t size, size_t count, void *arg)
{
    struct pipe *pipe = arg;
    size_t taken;

    /* Two: one is held back. */
    while (pipe->fd >= 0 && !pipe->whole && pipe->length < 2 && pipe->fault.fault == FAULT_NONE)
        read_file(pipe);
    if (pipe->fault.fault != FAULT_NONE)
        return CURL_READFUNC_ABORT;
    taken = ring_take(pipe, out, size * count);
    if (taken > 0 || pipe->whole)
        return taken;
    pipe->to.waits = true;
    return CURL_READFUNC_PAUSE;
}

static size_t take_answer(char *data, size_t size, size_t count, void *arg)
{
    return buf_put(arg, data, size * count) < 0 ? 0 : size * count;
}

static int begin_to(struct pipe *pipe, struct err *err)
{
    struct carry *carry = pipe->carry;
    CURL *curl = pipe->to.curl = curl_easy_init();

    if (!curl)
        return err_set(err, FAULT_INTERNAL, "libcurl does not start");
    for (const char *const *header = carry->headers; header && *header; header++)
        pipe->to.headers = curl_slist_append(pipe->to.headers, *header);
    pipe->to.headers = curl_slist_append(pipe->to.headers, "Expect:");
    http_trust_set(&pipe->trust, curl, carry->url, &pipe->to.headers, &pipe->to.connect_to);
    carry->answer.body.cap = WORDS_MOST;
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)pipe->size); /* < 0: in chunks */
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, pipe->to.headers);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, pipe->to.words);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
    curl_easy_setopt(curl, CURLOPT_READDATA, pipe);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &carry->answer.body);
    return curl_multi_add_handle(pipe->multi, curl) == CURLM_OK
               ? 0
               : err_set(err, FAULT_INTERNAL, "libcurl refuses a call");
}

static void to_ended(struct pipe *pipe, CURLcode code)
{
    struct carry *carry = pipe->carry;

    pipe->to.done = true;
    curl_easy_getinfo(pipe->to.curl, CURLINFO_RESPONSE_CODE, &carry->answer.status);
    /* One that refuses before it has taken all may end the connection as well. */
    if (code == CURLE_OK || carry->answer.status >= 400 || pipe->fault.fault != FAULT_NONE)
        return;
    err_set(&pipe->fault, http_fault_of(code), "%s: %s", carry->url,
            pipe->to.words[0] ? pipe->to.words : curl_easy_strerror(code));
}

/* ---- both ------------------------------------------------------------------------------------ */

static void take_ended(struct pipe *pipe)
{
    CURLMsg *message;
    int left = 0;

    while ((message = curl_multi_info_read(pipe->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        if (message->easy_handle == pipe->from.curl)
            from_ended(pipe, message->data.result);
        else
            to_ended(pipe, message->data.result);
    }
}

/* The source's size is known with its first byte. */
static int begin_when_known(struct pipe *pipe, struct err *err)
{
    curl_off_t size = -1;

    if (pipe->to.curl || (pipe->fd < 0 && pipe->come == 0 && !pipe->whole))
        return 0;
    if (pipe->from.curl && pipe->whole)
        pipe->size = pipe->come;
    else if (pipe->from.curl &&
             curl_easy_getinfo(pipe->from.curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size) ==
                 CURLE_OK)
        pipe->size = size;
    return begin_to(pipe, err);
}

static void wake(struct pipe *pipe)
{
    if (pipe->from.waits && !pipe->from.done && pipe->length < RING_BYTES / 2) {
        pipe->from.waits = false;
        curl_easy_pause(pipe->from.curl, CURLPAUSE_CONT);
    }
    if (pipe->to.waits && !pipe->to.done && (pipe->length > 1 || pipe->whole)) {
        pipe->to.waits = false;
        curl_easy_pause(pipe->to.curl, CURLPAUSE_CONT);
    }
}

/* libcurl's own watch for slow transfers knows nothing of a pause that the other side is at fault for. */
static int check_pace(struct pipe *pipe, int64_t deadline_mono_ms, struct err *err)
{
    struct carry *carry = pipe->carry;
    int64_t now = clock_mono_ms(), moved = pipe->come + pipe->gone;
    bool sent = pipe->whole && pipe->length == 0;

    if (!carry->go_on(carry->arg, pipe->gone, pipe->size))
        return err_set(err, FAULT_CONFLICT, "%s: given up", carry->from);
    if (now > deadline_mono_ms)
        return err_set(err, FAULT_TIMEOUT, "%s: not done in time: %lld bytes were sent",
                       carry->from, (long long)pipe->gone);
    if (moved - pipe->marked >= MOVED_LEAST || (sent && pipe->sent_ms == 0) || !pipe->marked_ms) {
        pipe->marked = moved;
        pipe->marked_ms = now;
        pipe->sent_ms = sent ? now : 0;
    }
    if (sent && now - pipe->sent_ms > carry->answer_ms)
        return err_set(err, FAULT_TIMEOUT, "%s: all was sent, and no answer came in %lld s",
                       carry->url, (long long)carry->answer_ms / 1000);
    if (!sent && now - pipe->marked_ms > carry->stall_ms)
        return err_set(err, FAULT_TIMEOUT, "%s in %lld s: %s",
                       pipe->to.waits || !pipe->to.curl ? "next to nothing came"
                                                        : "next to nothing was taken",
                       (long long)carry->stall_ms / 1000,
                       pipe->to.waits || !pipe->to.curl ? carry->from : carry->url);
    return 0;
}

static int move(struct pipe *pipe, int64_t deadline_mono_ms, struct err *err)
{
    int running;

    for (;;) {
        if (curl_multi_perform(pipe->multi, &running) != CURLM_OK)
            return err_set(err, FAULT_INTERNAL, "libcurl lost a transfer");
        take_ended(pipe);
        if (pipe->to.done && pipe->carry->answer.status)
            return 0;
        if (pipe->fault.fault != FAULT_NONE) {
            if (err)
                *err = pipe->fault;
            return -1;
        }
        if (begin_when_known(pipe, err) < 0 || check_pace(pipe, deadline_mono_ms, err) < 0)
            return -1;
        wake(pipe);
        curl_multi_poll(pipe->multi, NULL, 0, TURN_MS, NULL);
    }
}

static void side_fini(struct pipe *pipe, struct side *side)
{
    if (side->curl) {
        curl_multi_remove_handle(pipe->multi, side->curl);
        curl_easy_cleanup(side->curl);
    }
    curl_slist_free_all(side->headers);
    curl_slist_free_all(side->connect_to);
}

static void pipe_fini(struct pipe *pipe)
{
    side_fini(pipe, &pipe->from);
    side_fini(pipe, &pipe->to);
    if (pipe->multi)
        curl_multi_cleanup(pipe->multi);
    if (pipe->fd >= 0)
        close(pipe->fd);
    http_trust_fini(&pipe->trust);
    digest_free(pipe->sha256);
    digest_free(pipe->sha512);
    free(pipe->ring);
}

int carry_run(struct carry *carry, int64_t deadline_mono_ms, struct err *err)
{
    own(pipe_fini) struct pipe pipe = { .carry = carry, .fd = -1, .size = -1, .fault = ERR_INIT };

    post_init();
    http_trust_init(&pipe.trust, carry->options);
    pipe.ring = xmalloc(RING_BYTES);
    pipe.sha256 = digest_new("sha256");
    pipe.sha512 = digest_new("sha512");
    pipe.multi = curl_multi_init();
    if (!pipe.multi || !pipe.sha256 || !pipe.sha512)
        return err_set(err, FAULT_INTERNAL, "libcurl or OpenSSL does not start");
    if ((is_url(carry->from) ? begin_from(&pipe, err) : open_file(&pipe, err)) < 0)
        return -1;
    return move(&pipe, deadline_mono_ms, err);
}

void carry_fini(struct carry *carry)
{
    http_answer_free(&carry->answer);
}
