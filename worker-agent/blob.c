/* SPDX-License-Identifier: Apache-2.0 */
/* blob.c - the cache of inputs, and how they are fetched.
 *
 * A fetch goes on where a cut connection left it (Range), and is checked by SHA-256 at its end.
 * From the broker it is tried as long as the agent lives; from elsewhere a few times, as what is
 * not there today is the job's trouble. */
#include "blob.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "backoff.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"

#define URL_TRIES      6
#define MISMATCH_MOST  3
#define REDIRECTS_MOST 5

enum blob_state { BLOB_FETCHING, BLOB_READY, BLOB_FAILED };

struct blob {
    struct blobs *blobs;
    char *key; /* its hash; of one without, its URL */
    char *path, *url;
    char sha256[DIGEST_HEX]; /* "" when not known */
    int64_t size;            /* as promised, < 0 not known; once ready, as it is */
    enum blob_state state;
    struct list waits; /* of all that want or hold it */
    struct list node;  /* of ready ones, the longest unused first */
    struct err err;
    struct later tell;
    /* the file as we left it; a change of any of these is not ours */
    ino_t inode;
    struct timespec changed;
    /* fetching */
    struct http_request request;
    bool is_asking;
    struct http *http; /* of another server than the broker */
    struct server server;
    int redirects, mismatches;
    int fd;
    int64_t have;
    bool checked_answer;
    struct digest digest;
    struct backoff backoff;
    struct timer retry;
};

struct blobs {
    struct agent *agent;
    char *dir;
    struct map by_key;
    struct list ready;
    int64_t bytes, bytes_most;
    unsigned long next;
};

static void ask(struct blob *blob);

/* ---- life ------------------------------------------------------------------------------------ */

static void end_fetch(struct blob *blob)
{
    if (blob->is_asking)
        http_cancel(&blob->request);
    blob->is_asking = false;
    http_request_fini(&blob->request);
    http_free(take_ptr(blob->http));
    url_free(&blob->server.url);
    timer_clear(blob->blobs->agent->loop, &blob->retry);
    if (blob->fd >= 0)
        close(take_fd(&blob->fd));
}

static void blob_free(struct blob *blob)
{
    end_fetch(blob);
    later_drop(&blob->tell);
    if (map_get_str(&blob->blobs->by_key, blob->key) == blob)
        map_del_str(&blob->blobs->by_key, blob->key);
    if (blob->state == BLOB_READY)
        blob->blobs->bytes -= blob->size;
    list_del(&blob->node);
    unlink(blob->path);
    free(blob->key);
    free(blob->path);
    free(blob->url);
    free(blob);
}

/* All that wait for it.  A callback may let go of its wait, so the list is held open by one of
 * ours. */
static void tell_ready(struct blob *blob)
{
    struct blob_wait hold = { .blob = blob }, *wait;

    list_add_tail(&blob->waits, &hold.node);
    do {
        void (*ready)(struct blob_wait *, const struct err *) = NULL;

        list_each(at, &blob->waits)
        {
            wait = list_item(at, struct blob_wait, node);
            ready = take_ptr(wait->ready);
            if (ready)
                break;
        }
        if (!ready)
            break;
        ready(wait, NULL);
    } while (true);
    blob_let_go(&hold);
}

static void tell_failed(struct blob *blob)
{
    while (!list_empty(&blob->waits)) {
        struct blob_wait *wait = list_item(blob->waits.next, struct blob_wait, node);

        list_del(&wait->node);
        wait->blob = NULL;
        wait->ready(wait, &blob->err);
    }
    blob_free(blob);
}

static void tell_waits(struct later *later)
{
    struct blob *blob = list_item(later, struct blob, tell);

    if (blob->state == BLOB_READY)
        tell_ready(blob);
    else
        tell_failed(blob);
}

static void settle(struct blob *blob, enum blob_state state)
{
    end_fetch(blob);
    blob->state = state;
    later_ask(blob->blobs->agent->loop, &blob->tell);
}

static void give_up(struct blob *blob)
{
    map_del_str(&blob->blobs->by_key, blob->key); /* who asks from now on starts anew */
    settle(blob, BLOB_FAILED);
}

void blobs_shrink(struct blobs *blobs)
{
    list_each_safe(at, &blobs->ready)
    {
        struct blob *blob = list_item(at, struct blob, node);

        if (list_empty(&blob->waits) && !blob->tell.asked)
            blob_free(blob);
    }
}

static void shrink_to_limit(struct blobs *blobs)
{
    list_each_safe(at, &blobs->ready)
    {
        struct blob *blob = list_item(at, struct blob, node);

        if (blobs->bytes <= blobs->bytes_most)
            return;
        if (list_empty(&blob->waits) && !blob->tell.asked)
            blob_free(blob);
    }
}

/* ---- the fetch ------------------------------------------------------------------------------- */

static int start_over(struct blob *blob)
{
    blob->have = 0;
    digest_init(&blob->digest);
    return ftruncate(blob->fd, 0);
}

static void completed(struct blob *blob)
{
    char hex[DIGEST_HEX];
    struct stat status;

    digest_hex(&blob->digest, hex);
    if (blob->sha256[0] && strcmp(hex, blob->sha256) != 0) {
        if (++blob->mismatches < MISMATCH_MOST && start_over(blob) == 0) {
            timer_set(blob->blobs->agent->loop, &blob->retry,
                      clock_mono_ms() + backoff_next_ms(&blob->backoff));
            return;
        }
        err_set(&blob->err, FAULT_INVALID, "its SHA-256 is %s, not %s", hex, blob->sha256);
        give_up(blob);
        return;
    }
    if (fchmod(blob->fd, 0400) < 0 || fstat(blob->fd, &status) < 0) {
        err_sys(&blob->err, "keep it");
        give_up(blob);
        return;
    }
    blob->inode = status.st_ino;
    blob->changed = status.st_ctim;
    blob->size = blob->have;
    blob->blobs->bytes += blob->size;
    list_add_tail(&blob->blobs->ready, &blob->node);
    settle(blob, BLOB_READY);
    shrink_to_limit(blob->blobs);
}

/* One that goes on after a cut must go on where we are. */
static int check_answer(struct blob *blob)
{
    const struct http_request *request = &blob->request;

    blob->checked_answer = true;
    if (request->status == 206 && request->offset == blob->have)
        return 0;
    if (request->status == 206)
        return err_set(&blob->request.err, FAULT_INVALID,
                       "the server sent another part than asked");
    return blob->have && start_over(blob) < 0 ? err_sys(&blob->request.err, "write the cache") : 0;
}

/* Once more with the cache emptied of what nobody holds. */
static bool write_piece(struct blob *blob, const char *data, size_t length)
{
    errno = ENOSPC; /* of a short write */
    if (pwrite(blob->fd, data, length, blob->have) == (ssize_t)length)
        return true;
    blobs_shrink(blob->blobs);
    errno = ENOSPC;
    return pwrite(blob->fd, data, length, blob->have) == (ssize_t)length;
}

static int take_piece(struct http_request *request, const char *data, size_t length)
{
    struct blob *blob = list_item(request, struct blob, request);

    if (!blob->checked_answer && check_answer(blob) < 0)
        return -1;
    if (blob->size >= 0 && blob->have + (int64_t)length > blob->size) {
        err_set(&blob->err, FAULT_INVALID, "it is larger than the %" PRId64 " bytes promised",
                blob->size);
    } else if (!write_piece(blob, data, length)) {
        err_sys(&blob->err, "no room for it on the worker's disk");
    }
    if (blob->err.fault) { /* ends the request too */
        request->err = blob->err;
        return -1;
    }
    digest_add(&blob->digest, data, length);
    blob->have += (int64_t)length;
    backoff_reset(&blob->backoff);
    return 0;
}

static void try_again(struct timer *timer)
{
    ask(list_item(timer, struct blob, retry));
}

static void wait_then_retry(struct blob *blob)
{
    int64_t wait = backoff_next_ms(&blob->backoff);

    if (blob->url && blob->backoff.tries > URL_TRIES) {
        if (blob->request.status)
            err_set(&blob->err, FAULT_UNAVAILABLE, "status %d, tried %d times",
                    blob->request.status, URL_TRIES);
        else
            blob->err = blob->request.err;
        give_up(blob);
        return;
    }
    if (blob->request.retry_ms > wait)
        wait = blob->request.retry_ms;
    timer_set(blob->blobs->agent->loop, &blob->retry, clock_mono_ms() + wait);
}

/* Another server, or the same by another path. */
static int point_at(struct blob *blob, const char *url, struct err *err)
{
    struct agent *agent = blob->blobs->agent;
    own_url struct url next = URL_INIT;

    if (url_parse(url, &next, err) < 0)
        return -1;
    if (next.scheme == URL_UNIX || (next.scheme == URL_HTTP && !blob->sha256[0]))
        return err_set(err, FAULT_INVALID, "must be https://, or http:// with a checksum");
    http_free(take_ptr(blob->http));
    url_free(&blob->server.url);
    blob->server.url = next;
    next = (struct url)URL_INIT;
    blob->server.trust = blob->sha256[0] && !tls_has_authorities() ? TLS_BY_CONTENT : TLS_BY_SYSTEM;
    blob->http = http_new(agent->loop, agent->resolver, &blob->server, 1);
    return 0;
}

static void redirect(struct blob *blob)
{
    const struct url *here = &blob->server.url;
    own_str char *url = NULL;

    if (blob->request.location[0] == '/')
        url = xasprintf("%s://%s:%d%s", here->scheme == URL_HTTPS ? "https" : "http", here->host,
                        here->port, blob->request.location);
    else
        url = xstrdup(blob->request.location);
    if (++blob->redirects > REDIRECTS_MOST) {
        err_set(&blob->err, FAULT_INVALID, "more than %d redirects", REDIRECTS_MOST);
        give_up(blob);
    } else if (point_at(blob, url, &blob->err) < 0) {
        err_wrap(&blob->err, "redirect");
        give_up(blob);
    } else {
        ask(blob);
    }
}

static bool is_passing(int status)
{
    return status == 0 || status == 408 || status == 429 || status >= 500;
}

static void fetched(struct http_request *request)
{
    struct blob *blob = list_item(request, struct blob, request);
    int status = request->status;

    blob->is_asking = false;
    if (blob->err.fault) {
        give_up(blob);
    } else if (status == 200 || status == 206) {
        if (blob->size >= 0 && blob->have < blob->size)
            wait_then_retry(blob);
        else
            completed(blob);
    } else if (blob->url && status >= 301 && status <= 308 && request->location[0]) {
        redirect(blob);
    } else if ((status == 416 && start_over(blob) == 0) || is_passing(status)) {
        wait_then_retry(blob);
    } else {
        err_set(&blob->err, FAULT_NOT_FOUND, "%s answers status %d",
                blob->url ? blob->server.url.host : "the broker", status);
        give_up(blob);
    }
}

static void ask(struct blob *blob)
{
    struct agent *agent = blob->blobs->agent;
    char *target =
        blob->url ? xstrdup(blob->server.url.target) : xasprintf("/v1/blobs/%s", blob->sha256);

    if (blob->size >= 0 && blob->have == blob->size && blob->have > 0) {
        free(target);
        completed(blob);
        return;
    }
    http_request_fini(&blob->request);
    http_request_init(&blob->request, "GET", target);
    blob->request.token = blob->url ? NULL : agent->boot.session;
    blob->request.piece = take_piece;
    blob->request.done = fetched;
    blob->request.range_from = blob->have;
    blob->checked_answer = false;
    blob->is_asking = true;
    http_send(blob->url ? blob->http : agent->bulk, &blob->request);
}

/* ---- what stage.c asks for ------------------------------------------------------------------- */

static bool is_intact(const struct blob *blob)
{
    struct stat status;

    return lstat(blob->path, &status) == 0 && status.st_ino == blob->inode &&
           status.st_size == blob->size && status.st_ctim.tv_sec == blob->changed.tv_sec &&
           status.st_ctim.tv_nsec == blob->changed.tv_nsec;
}

static struct blob *blob_new(struct blobs *blobs, const struct source *source)
{
    struct blob *blob = xcalloc(1, sizeof *blob);

    blob->blobs = blobs;
    blob->key = xstrdup(source->sha256 ? source->sha256 : source->url);
    blob->path = xasprintf("%s/%lu", blobs->dir, blobs->next++);
    blob->url = source->url ? xstrdup(source->url) : NULL;
    if (source->sha256)
        snprintf(blob->sha256, sizeof blob->sha256, "%s", source->sha256);
    blob->size = source->size;
    blob->tell.run = tell_waits;
    blob->retry.fire = try_again;
    blob->backoff = (struct backoff){ .first_ms = 200, .most_ms = 30000 };
    list_init(&blob->waits);
    list_init(&blob->node);
    digest_init(&blob->digest);
    http_request_init(&blob->request, "GET", NULL);
    blob->fd = open(blob->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    map_put_str(&blobs->by_key, blob->key, blob);
    return blob;
}

void blob_want(struct blobs *blobs, const struct source *source, struct blob_wait *wait)
{
    const char *key = source->sha256 ? source->sha256 : source->url;
    struct blob *blob = map_get_str(&blobs->by_key, key);

    if (blob && blob->state == BLOB_READY && !is_intact(blob)) {
        map_del_str(&blobs->by_key, key);
        if (list_empty(&blob->waits) && !blob->tell.asked)
            blob_free(blob);
        blob = NULL;
    }
    if (!blob) {
        blob = blob_new(blobs, source);
        if (blob->fd < 0) {
            err_sys(&blob->err, "no room for it in the worker's cache");
            give_up(blob);
        } else if (blob->url && point_at(blob, blob->url, &blob->err) < 0) {
            give_up(blob);
        } else {
            ask(blob);
        }
    }
    wait->blob = blob;
    list_add_tail(&blob->waits, &wait->node);
    if (blob->state == BLOB_READY) {
        list_del(&blob->node); /* used last */
        list_add_tail(&blobs->ready, &blob->node);
        later_ask(blobs->agent->loop, &blob->tell);
    }
}

void blob_let_go(struct blob_wait *wait)
{
    struct blob *blob = wait->blob;

    if (!blob)
        return;
    list_del(&wait->node);
    wait->blob = NULL;
    if (!list_empty(&blob->waits) || blob->tell.asked)
        return;
    /* What nobody waits for is not fetched; what has no checksum is not used again; what was
     * replaced is of no use. */
    if (blob->state != BLOB_READY || !blob->sha256[0] ||
        map_get_str(&blob->blobs->by_key, blob->key) != blob)
        blob_free(blob);
    else
        shrink_to_limit(blob->blobs);
}

int blob_open_file(const struct blob_wait *wait)
{
    if (is_intact(wait->blob))
        return open(wait->blob->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    errno = ESTALE;
    return -1;
}

int64_t blob_size(const struct blob_wait *wait)
{
    return wait->blob->size;
}

struct blobs *blobs_open(struct agent *agent, struct err *err)
{
    own_str char *dir = xasprintf("%s/cache", agent->boot.dir);
    struct blobs *blobs;

    if (io_remove_tree(dir, err) < 0 || io_mkdirs(dir, 0700, err) < 0)
        return NULL;
    blobs = xcalloc(1, sizeof *blobs);
    blobs->agent = agent;
    blobs->dir = take_ptr(dir);
    blobs->by_key = (struct map)MAP_INIT_STR;
    blobs->bytes_most = agent->facts.disk / 4;
    list_init(&blobs->ready);
    return blobs;
}
