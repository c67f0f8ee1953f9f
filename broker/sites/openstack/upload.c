/* SPDX-License-Identifier: Apache-2.0 */
/* upload.c - images of the site file that are brought to the cloud, in a thread of their own.
 *
 * An upload takes as long as it takes, and the site's own thread must not wait for it: this one has a
 * session of its own.  An image bears our mark from its first moment; what it holds is marked once
 * that was seen to be right, by our own sum and by the service's.  So one that was killed half way
 * bears the first mark alone, and the next try removes it before it begins. */
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/parse.h"
#include "sites/openstack/openstack.h"

#define CALL_MS        60000
#define UPLOAD_MOST_MS (12 * 3600000LL)
#define IMAGE_MOST     (1LL << 40) /* bytes */
#define STALL_MS       60000
#define ANSWER_MS      600000 /* some stores copy it once more */
#define LOOK_MS        1000
#define RETRY_FIRST_MS 60000
#define RETRY_MOST_MS  3600000
#define LAST_WORDS_MS  3000 /* to remove what was begun, when the broker stops */

enum upload_state { UPLOAD_UNKNOWN, UPLOAD_WANTED, UPLOAD_SENDING, UPLOAD_THERE };

struct upload {
    const struct image_name *image;
    char *from;
    struct uploads *all;
    enum upload_state state;
    int64_t done, size;             /* bytes; size < 0: not known */
    int64_t came_mono_ms;           /* when it was seen there */
    int64_t retry_mono_ms, wait_ms; /* after a fault */
    char why[400];                  /* that fault; "" */
};

struct uploads {
    const struct site_conf *conf;
    struct openstack os; /* the thread's: a session, nothing else */
    pthread_t thread;
    pthread_mutex_t lock; /* all below, and what changes of each upload */
    pthread_cond_t wake;
    bool started, stop, came;
    char broker[64];
    struct upload *list;
    size_t count;
};

static bool stopping(struct uploads *uploads)
{
    bool stop;

    pthread_mutex_lock(&uploads->lock);
    stop = uploads->stop;
    pthread_mutex_unlock(&uploads->lock);
    return stop;
}

/* ---- one image ------------------------------------------------------------------------------- */

/* 1: it is there after all.  What an earlier try left goes. */
static int look_before(struct upload *upload, int64_t deadline, struct err *err)
{
    struct openstack *os = &upload->all->os;
    own_buf struct buf path = BUF_INIT(8192);
    own_json json_t *answer = NULL;
    const json_t *each;
    size_t i;

    if (session_ready(os->session, deadline, err) < 0)
        return -1;
    buf_puts(&path, "/images?limit=100&name=");
    put_url(&path, upload->image->here);
    buf_printf(&path, "&owner=%s&" MARK_BROKER "=%s&" MARK_SITE "=", session_project(os->session),
               os->broker);
    put_url(&path, upload->all->conf->name);
    if (os_get(os, OS_IMAGE, buf_text(&path), deadline, &answer, err) < 0)
        return -1;
    json_array_foreach(json_object_get(answer, "images"), i, each)
    {
        const char *id = os_text(each, "id"), *status = os_text(each, "status");
        own_str char *one = id ? xasprintf("/images/%s", id) : NULL;

        if (status && strcmp(status, "active") == 0 &&
            image_is(each, upload->image, session_project(os->session)))
            return 1;
        if (!one || os_text(each, MARK_CONTENT))
            continue;
        log_info("site %s: image %s (%s) was begun and is not whole: removed",
                 upload->all->conf->name, upload->image->here, id);
        if (os_delete(os, OS_IMAGE, one, deadline, err) < 0)
            return -1;
    }
    return 0;
}

static int make_record(struct upload *upload, int64_t deadline, char **id, struct err *err)
{
    struct openstack *os = &upload->all->os;
    own_json json_t *body =
        upload->image->properties ? json_copy(upload->image->properties) : json_object();
    own_json json_t *own =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", upload->image->here, "disk_format",
                  upload->image->disk_format, "container_format", "bare", "visibility", "private",
                  MARK_BROKER, os->broker, MARK_SITE, upload->all->conf->name);
    own_os_call struct os_call call = {
        .service = OS_IMAGE, .method = "POST", .path = "/images", .body = body
    };
    const char *made;

    json_object_update(body, own);
    if (session_call(os->session, &call, deadline, err) < 0)
        return -1;
    made = os_text(call.answer, "id");
    if (!made)
        return err_set(err, FAULT_UNAVAILABLE, "Glance made an image and did not say its id");
    *id = xstrdup(made);
    return 0;
}

static bool go_on(void *arg, int64_t done, int64_t size)
{
    struct upload *upload = arg;
    bool stop;

    pthread_mutex_lock(&upload->all->lock);
    upload->done = done;
    upload->size = size;
    stop = upload->all->stop;
    pthread_mutex_unlock(&upload->all->lock);
    return !stop;
}

/* What the service holds, by its own sum where it is one of those that we have. */
static int compare(const json_t *image, const struct carry *carry, struct err *err)
{
    const char *algorithm = os_text(image, "os_hash_algo"), *is = os_text(image, "os_hash_value");
    int64_t size = json_integer_value(json_object_get(image, "size"));
    const char *ours = !algorithm                         ? NULL
                       : strcmp(algorithm, "sha512") == 0 ? carry->is_sha512
                       : strcmp(algorithm, "sha256") == 0 ? carry->is_sha256
                                                          : NULL;

    if (size != carry->bytes)
        return err_set(err, FAULT_UNAVAILABLE, "Glance has %lld bytes of it, %lld were sent",
                       (long long)size, (long long)carry->bytes);
    if (ours && (!is || strcmp(ours, is) != 0))
        return err_set(err, FAULT_UNAVAILABLE, "Glance's %s of it is %s, ours is %s", algorithm,
                       is ? is : "not told", ours);
    return 0;
}

static int wait_active(struct upload *upload, const char *path, const struct carry *carry,
                       struct err *err)
{
    struct openstack *os = &upload->all->os;
    int64_t end = clock_mono_ms() + ANSWER_MS;

    while (clock_mono_ms() < end && !stopping(upload->all)) {
        own_json json_t *image = NULL;
        const char *status;

        if (os_get(os, OS_IMAGE, path, clock_mono_ms() + CALL_MS, &image, err) < 0)
            return -1;
        status = os_text(image, "status");
        if (status && strcmp(status, "active") == 0)
            return compare(image, carry, err);
        if (!status || (strcmp(status, "saving") != 0 && strcmp(status, "importing") != 0))
            return err_set(err, FAULT_UNAVAILABLE, "after all was sent, Glance has it as %s",
                           status ? status : "nothing");
        clock_sleep_ms(LOOK_MS);
    }
    return err_set(err, FAULT_TIMEOUT, "all was sent, and Glance did not make it active");
}

static int mark_content(struct upload *upload, const char *path, struct err *err)
{
    const struct image_name *image = upload->image;
    own_str char *content = xasprintf("%s:%s", image->sha512 ? "sha512" : "sha256",
                                      image->sha512 ? image->sha512 : image->sha256);
    own_json json_t *body =
        json_pack("[{s:s, s:s, s:s}]", "op", "add", "path", "/" MARK_CONTENT, "value", content);
    own_os_call struct os_call call = { .service = OS_IMAGE,
                                        .method = "PATCH",
                                        .path = path,
                                        .body = body,
                                        .content_type =
                                            "application/openstack-images-v2.1-json-patch" };

    return session_call(upload->all->os.session, &call, clock_mono_ms() + CALL_MS, err);
}

static int fill(struct upload *upload, const char *path, struct err *err)
{
    own_str char *file = xasprintf("%s/file", path);
    own(carry_fini) struct carry carry = { .from = upload->from,
                                           .sha256 = upload->image->sha256,
                                           .sha512 = upload->image->sha512,
                                           .most = IMAGE_MOST,
                                           .stall_ms = STALL_MS,
                                           .answer_ms = ANSWER_MS,
                                           .go_on = go_on,
                                           .arg = upload };

    return session_carry(upload->all->os.session, OS_IMAGE, file, &carry,
                         clock_mono_ms() + UPLOAD_MOST_MS, err) < 0 ||
                   wait_active(upload, path, &carry, err) < 0 || mark_content(upload, path, err) < 0
               ? -1
               : 0;
}

static int bring(struct upload *upload, struct err *err)
{
    struct uploads *uploads = upload->all;
    int64_t deadline = clock_mono_ms() + CALL_MS;
    own_str char *id = NULL, *path = NULL;
    struct err why = ERR_INIT;
    int rc = look_before(upload, deadline, err);

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    log_info("site %s: image %s: sending %s", uploads->conf->name, upload->image->here,
             upload->from);
    if (make_record(upload, deadline, &id, err) < 0)
        return -1;
    path = xasprintf("/images/%s", id);
    if (fill(upload, path, err) == 0) {
        log_info("site %s: image %s is there: %s", uploads->conf->name, upload->image->here, id);
        return 0;
    }
    deadline = clock_mono_ms() + (stopping(uploads) ? LAST_WORDS_MS : CALL_MS);
    if (os_delete(&uploads->os, OS_IMAGE, path, deadline, &why) < 0)
        log_warn("site %s: image %s, half made, stays until the next try: %s", uploads->conf->name,
                 id, why.text);
    return -1;
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* With the lock held; *until: when the next is due. */
static struct upload *next_due(struct uploads *uploads, int64_t *until)
{
    int64_t now = clock_mono_ms();

    *until = now + RETRY_MOST_MS;
    for (size_t i = 0; i < uploads->count; i++) {
        struct upload *upload = &uploads->list[i];

        if (upload->state != UPLOAD_WANTED)
            continue;
        if (upload->retry_mono_ms <= now)
            return upload;
        if (upload->retry_mono_ms < *until)
            *until = upload->retry_mono_ms;
    }
    return NULL;
}

/* With the lock held. */
static void note_end(struct upload *upload, int rc, const struct err *err)
{
    int64_t now = clock_mono_ms();

    upload->state = rc == 0 ? UPLOAD_THERE : UPLOAD_WANTED;
    if (rc == 0) {
        upload->why[0] = '\0';
        upload->wait_ms = upload->retry_mono_ms = 0;
        upload->came_mono_ms = now;
        upload->all->came = true;
        return;
    }
    upload->wait_ms = upload->wait_ms ? upload->wait_ms * 2 : RETRY_FIRST_MS;
    /* Gigabytes of what is not what was meant are not fetched every minute. */
    if (upload->wait_ms > RETRY_MOST_MS || err->fault == FAULT_INVALID)
        upload->wait_ms = RETRY_MOST_MS;
    upload->retry_mono_ms = now + upload->wait_ms;
    snprintf(upload->why, sizeof upload->why, "%.390s", err->text);
    if (!upload->all->stop)
        log_warn("site %s: image %s: %s", upload->all->conf->name, upload->image->here, err->text);
}

static void *run(void *arg)
{
    struct uploads *uploads = arg;

    pthread_mutex_lock(&uploads->lock);
    while (!uploads->stop) {
        int64_t until;
        struct upload *upload = next_due(uploads, &until);
        struct err err = ERR_INIT;
        int rc;

        if (!upload) {
            struct timespec end = clock_cond_until(until);

            pthread_cond_timedwait(&uploads->wake, &uploads->lock, &end);
            continue;
        }
        upload->state = UPLOAD_SENDING;
        upload->done = 0;
        upload->size = -1;
        snprintf(uploads->os.broker, sizeof uploads->os.broker, "%s", uploads->broker);
        pthread_mutex_unlock(&uploads->lock);
        rc = bring(upload, &err);
        pthread_mutex_lock(&uploads->lock);
        note_end(upload, rc, &err);
    }
    pthread_mutex_unlock(&uploads->lock);
    return NULL;
}

void uploads_close(struct uploads *uploads)
{
    if (!uploads)
        return;
    pthread_mutex_lock(&uploads->lock);
    uploads->stop = true;
    pthread_cond_signal(&uploads->wake);
    pthread_mutex_unlock(&uploads->lock);
    if (uploads->started)
        pthread_join(uploads->thread, NULL);
    for (size_t i = 0; i < uploads->count; i++)
        free(uploads->list[i].from);
    free(uploads->list);
    session_free(uploads->os.session);
    pthread_cond_destroy(&uploads->wake);
    pthread_mutex_destroy(&uploads->lock);
    free(uploads);
}

int uploads_open(const struct site_conf *conf, struct uploads **out, struct err *err)
{
    struct uploads *uploads = xcalloc(1, sizeof *uploads);
    int rc;

    uploads->conf = uploads->os.conf = conf;
    pthread_mutex_init(&uploads->lock, NULL);
    clock_cond_init(&uploads->wake);
    uploads->list = xcalloc(conf->image_count + 1, sizeof *uploads->list);
    for (size_t i = 0; i < conf->image_count; i++)
        if (conf->images[i].from)
            uploads->list[uploads->count++] =
                (struct upload){ .image = &conf->images[i],
                                 .from = site_conf_source(conf, &conf->images[i]),
                                 .all = uploads };
    rc = uploads->count ? os_session(conf, &uploads->os.session, err) : 0;
    if (rc < 0 || uploads->count == 0) {
        uploads_close(uploads);
        return rc;
    }
    uploads->started = pthread_create(&uploads->thread, NULL, run, uploads) == 0;
    if (!uploads->started) {
        uploads_close(uploads);
        return err_set(err, FAULT_INTERNAL, "no thread could be started for images");
    }
    *out = uploads;
    return 0;
}

/* ---- the site's side ------------------------------------------------------------------------- */

void uploads_want(struct openstack *os)
{
    struct uploads *uploads = os->uploads;

    if (!uploads || !os->broker[0] || !os->known_mono_ms)
        return;
    pthread_mutex_lock(&uploads->lock);
    snprintf(uploads->broker, sizeof uploads->broker, "%s", os->broker);
    for (size_t i = 0; i < uploads->count; i++) {
        struct upload *upload = &uploads->list[i];

        if (upload->state == UPLOAD_SENDING)
            continue;
        if (image_brought(os, upload->image))
            upload->state = UPLOAD_THERE;
        else if (upload->state == UPLOAD_UNKNOWN || upload->came_mono_ms < os->known_mono_ms)
            upload->state = UPLOAD_WANTED;
    }
    pthread_cond_signal(&uploads->wake);
    pthread_mutex_unlock(&uploads->lock);
}

bool uploads_came(struct uploads *uploads)
{
    bool came;

    if (!uploads)
        return false;
    pthread_mutex_lock(&uploads->lock);
    came = uploads->came;
    uploads->came = false;
    pthread_mutex_unlock(&uploads->lock);
    return came;
}

static char *words_of(const struct upload *upload)
{
    int64_t wait = upload->retry_mono_ms - clock_mono_ms();
    char span[FORMAT_BYTES];

    if (upload->state == UPLOAD_SENDING && upload->size > 0)
        return xasprintf("%lld of %lld MiB were sent", (long long)upload->done >> 20,
                         ((long long)upload->size + (1 << 20) - 1) >> 20);
    if (upload->state == UPLOAD_SENDING)
        return xasprintf("%lld MiB were sent", (long long)upload->done >> 20);
    if (upload->state == UPLOAD_WANTED && upload->why[0])
        return xasprintf("%s; it is tried again in %s", upload->why,
                         format_span(wait > 0 ? (wait + 999) / 1000 * 1000 : 0, span, sizeof span));
    return xstrdup(upload->state == UPLOAD_THERE ? "it came a moment ago"
                                                 : "it is about to be sent");
}

static json_t *upload_json(const struct upload *upload, bool there, const char *words)
{
    static const char *const states[] = { "waiting", "waiting", "sending", "there" };

    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s*}", "name", upload->image->name, "image",
                     upload->image->here, "from", upload->from, "state",
                     there                                              ? "there"
                     : upload->why[0] && upload->state == UPLOAD_WANTED ? "failed"
                                                                        : states[upload->state],
                     "sent_bytes", (json_int_t)upload->done, "size_bytes", (json_int_t)upload->size,
                     "why", there ? NULL : words);
}

void uploads_put(struct openstack *os, struct probe *out)
{
    struct uploads *uploads = os->uploads;
    json_t *list;

    if (!uploads)
        return;
    list = json_array();
    out->awaited = xcalloc(uploads->count, sizeof *out->awaited);
    pthread_mutex_lock(&uploads->lock);
    for (size_t i = 0; i < uploads->count; i++) {
        const struct upload *upload = &uploads->list[i];
        bool there = image_brought(os, upload->image) != NULL;
        own_str char *words = words_of(upload);

        json_array_append_new(list, upload_json(upload, there, words));
        if (!there)
            out->awaited[out->awaited_count++] =
                (struct awaited_image){ .name = xstrdup(upload->image->name),
                                        .why = take_ptr(words) };
    }
    pthread_mutex_unlock(&uploads->lock);
    json_object_set_new(out->more, "uploads", list);
}
