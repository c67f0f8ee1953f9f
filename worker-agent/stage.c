/* SPDX-License-Identifier: Apache-2.0 */
/* stage.c - the inputs of an attempt, brought into its working directory before it waits for room.
 *
 * A few attempts are staged at a time, and no more ahead than soon can run: each holds a directory
 * and a part of the disk. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "agent.h"
#include "base/io.h"
#include "base/json.h"
#include "blob.h"

#define AT_ONCE    8
#define AHEAD      16
#define COPY_SLICE ((size_t)8 << 20) /* copied in one turn of the loop */

struct stage_cache {
    struct agent *agent;
    struct blobs *blobs;
    struct list waiting; /* stages that have not begun */
    int staging;         /* begun, not ready */
    int staged;          /* ready, not running yet */
};

struct stage {
    struct list node;
    struct stage_cache *cache;
    struct attempt *attempt;
    enum { STAGE_WAITING, STAGE_BEGUN, STAGE_DONE } state;
    size_t at; /* the input at hand */
    struct blob_wait wait;
    int from_fd, to_fd; /* a copy under way; -1 */
    int64_t copied;
    int refetched, squeezed;
    struct later later;
};

static void next_input(struct stage *s);

static void begin_some(struct stage_cache *cache)
{
    int ahead = AHEAD + 2 * (int)cache->agent->slots.cpus;

    while (!list_empty(&cache->waiting) && cache->staging < AT_ONCE &&
           cache->staging + cache->staged < ahead) {
        struct stage *s = list_item(cache->waiting.next, struct stage, node);

        list_del(&s->node);
        s->state = STAGE_BEGUN;
        cache->staging++;
        later_ask(cache->agent->loop, &s->later);
    }
}

static void close_copy(struct stage *s)
{
    if (s->from_fd >= 0)
        close(take_fd(&s->from_fd));
    if (s->to_fd >= 0)
        close(take_fd(&s->to_fd));
}

void stage_stop(struct attempt *a)
{
    struct stage *s = a->stage;
    struct stage_cache *cache;

    if (!s)
        return;
    cache = s->cache;
    if (s->state == STAGE_BEGUN)
        cache->staging--;
    else if (s->state == STAGE_DONE)
        cache->staged--;
    list_del(&s->node);
    later_drop(&s->later);
    blob_let_go(&s->wait);
    close_copy(s);
    a->stage = NULL;
    free(s);
    begin_some(cache);
}

static const char *name_of(const struct stage *s)
{
    const json_t *input = json_array_get(json_object_get(s->attempt->lease, "inputs"), s->at);
    const char *to = json_string_value(json_object_get(input, "to"));

    return to ? to : "?";
}

static void fail(struct stage *s, struct err *err)
{
    err_wrap(err, "input %.300s", name_of(s));
    lease_staged(s->attempt, err);
}

static void done(struct stage *s)
{
    s->state = STAGE_DONE;
    s->cache->staging--;
    s->cache->staged++;
    lease_staged(s->attempt, NULL);
    begin_some(s->cache);
}

/* ---- into the working directory -------------------------------------------------------------- */

static int make_parents(const struct attempt *a, const char *to, struct err *err)
{
    own_str char *path = xasprintf("%s/%s", a->place->job.path, to);

    *strrchr(path, '/') = '\0';
    return strcmp(path, a->place->job.path) == 0 ? 0 : io_mkdirs(path, 0755, err);
}

static int copy_fault(struct stage *s, struct err *err)
{
    if (errno == ENOSPC || errno == EDQUOT) {
        if (!s->squeezed++) { /* once more, with the cache emptied of what nobody holds */
            blobs_shrink(s->cache->blobs);
            later_ask(s->cache->agent->loop, &s->later);
            return 1;
        }
        return err_set(err, FAULT_UNAVAILABLE,
                       "no room left on the worker's disk (%" PRId64 " of %" PRId64
                       " bytes written): ask for more with `disk:`",
                       s->copied, blob_size(&s->wait));
    }
    return err_sys(err, "write");
}

/* A slice; 0: it was the last, 1: more to come. */
static int copy_some(struct stage *s, struct err *err)
{
    ssize_t put;

    if (s->copied == blob_size(&s->wait))
        return 0;
    put = copy_file_range(s->from_fd, NULL, s->to_fd, NULL, COPY_SLICE, 0);
    if (put < 0 && (errno == EXDEV || errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP)) {
        static char data[1 << 16];

        put = read(s->from_fd, data, sizeof data);
        if (put > 0 && io_write_all(s->to_fd, data, (size_t)put) < 0) {
            lseek(s->from_fd, s->copied, SEEK_SET);
            lseek(s->to_fd, s->copied, SEEK_SET);
            return copy_fault(s, err);
        }
    }
    if (put < 0)
        return copy_fault(s, err);
    s->copied += put;
    if (put > 0 && s->copied < blob_size(&s->wait)) {
        later_ask(s->cache->agent->loop, &s->later);
        return 1;
    }
    return s->copied == blob_size(&s->wait)
               ? 0
               : err_set(err, FAULT_UNAVAILABLE, "the cached copy is cut short");
}

static void copy_on(struct stage *s)
{
    struct err err = ERR_INIT;
    int rc = copy_some(s, &err);

    if (rc < 0) {
        fail(s, &err);
        return;
    }
    if (rc > 0)
        return;
    close_copy(s);
    blob_let_go(&s->wait);
    s->at++;
    s->refetched = s->squeezed = 0;
    later_ask(s->cache->agent->loop, &s->later);
}

static int open_target(struct stage *s, const json_t *input, struct err *err)
{
    struct attempt *a = s->attempt;
    const char *to = json_string_value(json_object_get(input, "to"));
    int64_t mode = json_integer_value(json_object_get(input, "mode")) & 0777;

    if (!a->place) {
        if (place_take(a->agent->places, &a->place, err) < 0)
            return -1;
        a->place_is_clean = true;
    }
    if (make_parents(a, to, err) < 0)
        return -1;
    s->to_fd =
        openat(a->place->job.fd, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (s->to_fd < 0)
        return errno == EEXIST ? err_set(err, FAULT_INVALID, "two inputs have this name")
                               : err_sys(err, "create");
    return fchmod(s->to_fd, mode ? (mode_t)mode : 0644) < 0 ? err_sys(err, "chmod") : 0;
}

static void blob_ready(struct blob_wait *wait, const struct err *why)
{
    struct stage *s = list_item(wait, struct stage, wait);
    const json_t *input = json_array_get(json_object_get(s->attempt->lease, "inputs"), s->at);
    struct err err = ERR_INIT;

    if (why) {
        err = *why;
        fail(s, &err);
        return;
    }
    s->from_fd = blob_open_file(wait);
    if (s->from_fd < 0 && errno == ESTALE && s->refetched++ < 3) {
        blob_let_go(wait);
        later_ask(s->cache->agent->loop, &s->later);
        return;
    }
    if (s->from_fd < 0) {
        err_sys(&err, "open the cached copy");
        fail(s, &err);
        return;
    }
    if (open_target(s, input, &err) < 0) {
        fail(s, &err);
        return;
    }
    s->copied = 0;
    if (ioctl(s->to_fd, FICLONE, s->from_fd) == 0)
        s->copied = blob_size(wait); /* shared until one is written to: costs nothing */
    copy_on(s);
}

/* ---- one after another ----------------------------------------------------------------------- */

static int read_input(const json_t *input, struct source *source, struct err *err)
{
    const char *to = NULL;

    *source = (struct source){ .size = -1 };
    if (json_get_str(input, "to", &to, err) < 0 ||
        json_opt_str(input, "sha256", &source->sha256, err) < 0 ||
        json_opt_str(input, "url", &source->url, err) < 0 ||
        json_opt_i64(input, "size", 0, INT64_MAX / 2, &source->size, err) < 0)
        return -1;
    if (source->sha256 && !*source->sha256)
        source->sha256 = NULL;
    if (!io_path_is_below(to))
        return err_set(err, FAULT_INVALID, "must be a path below the working directory");
    if (source->sha256 && !digest_is_hex(source->sha256))
        return err_set(err, FAULT_INVALID, "sha256: not 64 hex digits");
    if (!source->sha256 && !source->url)
        return err_set(err, FAULT_INVALID, "neither a sha256 nor a url");
    if (source->url) /* its size is the other server's to say */
        source->size = -1;
    return 0;
}

static void next_input(struct stage *s)
{
    const json_t *inputs = json_object_get(s->attempt->lease, "inputs");
    struct source source;
    struct err err = ERR_INIT;

    if (s->at >= json_array_size(inputs)) {
        done(s);
        return;
    }
    if (read_input(json_array_get(inputs, s->at), &source, &err) < 0) {
        fail(s, &err);
        return;
    }
    s->wait.ready = blob_ready;
    blob_want(s->cache->blobs, &source, &s->wait);
}

static void go_on(struct later *later)
{
    struct stage *s = list_item(later, struct stage, later);

    if (s->to_fd >= 0)
        copy_on(s);
    else
        next_input(s);
}

void stage_start(struct attempt *a)
{
    struct stage_cache *cache = a->agent->cache;
    struct stage *s = xcalloc(1, sizeof *s);

    s->cache = cache;
    s->attempt = a;
    s->from_fd = s->to_fd = -1;
    s->later.run = go_on;
    list_init(&s->wait.node);
    a->stage = s;
    list_add_tail(&cache->waiting, &s->node);
    begin_some(cache);
}

struct stage_cache *stage_open(struct agent *agent, struct err *err)
{
    struct stage_cache *cache = xcalloc(1, sizeof *cache);

    cache->agent = agent;
    list_init(&cache->waiting);
    cache->blobs = blobs_open(agent, err);
    if (cache->blobs)
        return cache;
    free(cache);
    return NULL;
}
