/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - lists and watches, and the index they feed. */
#include "sites/kubernetes/watch.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "net/http_stream.h"

#define LIST_MS       60000 /* one whole list */
#define WATCH_S       290   /* the server ends a watch after so long, and we take it up again */
#define LINE_MOST     ((size_t)8 << 20)
#define TURN_MS       1000
#define SIGNAL_MS     250  /* changes that come together wake the site's thread once */
#define FRESH_MS      5000 /* a watch that broke off is no broken link before this */
#define PAUSE_MS      500  /* before the first try to take it up again, then twice that ... */
#define PAUSE_MOST_MS 5000
#define FORGET_MS     60000 /* what only events spoke of */

enum { JOBS, PODS, EVENTS, CONFIGMAPS, KINDS };

/* Metadata is all that is needed of ConfigMaps, which hold megabytes. */
#define META_OF(kind) "application/json;as=" kind ";g=meta.k8s.io;v=v1"

static const struct {
    const char *words, *path, *list_accept, *watch_accept;
} kinds[KINDS] = {
    [JOBS] = { "jobs", "/apis/batch/v1/namespaces/%s/jobs?labelSelector=%s", NULL, NULL },
    [PODS] = { "pods", "/api/v1/namespaces/%s/pods?labelSelector=%s", NULL, NULL },
    [EVENTS] = { "events", "/api/v1/namespaces/%s/events?fieldSelector=type%%3DWarning", NULL,
                 NULL },
    [CONFIGMAPS] = { "configmaps", "/api/v1/namespaces/%s/configmaps?labelSelector=%s",
                     META_OF("PartialObjectMetadataList"), META_OF("PartialObjectMetadata") },
};

struct worker {
    char *name;
    char *uid, *pod, *node, *shape;
    char *first; /* the pod that speaks for the worker: its name, also once it is gone */
    char *extra; /* another, which the Job made in its place: it only has to go too */
    struct asked asked;
    bool job_leaves, pod_leaves, pod_lost;
    bool pod_taken; /* it was told to go before it ended */
    int64_t created_ms, touched_mono_ms, made_mono_ms, waits_mono_ms;
    struct verdict job, now, event;      /* now: of its pod */
    bool has_event, told;                /* told: the site's thread was woken for its end */
    bool job_seen, pod_seen, extra_seen; /* by the list under way */
};

struct configmap {
    char *name;
    bool seen;
};

struct kind {
    struct watch *watch;
    int number;
    char *path, *version; /* version: NULL: must be listed */
    struct http_stream *stream;
    int64_t retry_mono_ms, pause_ms;
    int64_t cut_mono_ms; /* since when it is not followed; 0: it is */
    int64_t listed_mono_ms;
    bool gone; /* 410 */
    struct err why;
};

struct watch {
    struct watch_options options;
    char *namespace, *broker, *stem, *site;
    struct client *client;
    struct http_streams *streams;
    struct identity identity;
    pthread_t thread;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    bool stop, dirty;
    int64_t signalled_mono_ms;
    struct kind kinds[KINDS];
    struct map workers;
    struct map configmaps;
};

/* ---- the index, with the lock held ----------------------------------------------------------- */

static void worker_free(struct worker *worker)
{
    free(worker->name);
    free(worker->uid);
    free(worker->pod);
    free(worker->node);
    free(worker->shape);
    free(worker->first);
    free(worker->extra);
    free(worker);
}

static void replace(char **slot, const char *text)
{
    char *fresh = text ? xstrdup(text) : NULL;

    free(*slot);
    *slot = fresh;
}

static struct worker *worker_of(struct watch *watch, const char *name)
{
    struct worker *worker = map_get_str(&watch->workers, name);

    if (!worker) {
        worker = xcalloc(1, sizeof *worker);
        worker->name = xstrdup(name);
        map_put_str(&watch->workers, worker->name, worker);
    }
    worker->touched_mono_ms = clock_mono_ms();
    return worker;
}

static bool is_ours(const struct watch *watch, const char *name)
{
    return name && strncmp(name, watch->stem, strlen(watch->stem)) == 0;
}

static void worker_drop(struct watch *watch, struct worker *worker)
{
    map_del_str(&watch->workers, worker->name);
    worker_free(worker);
    watch->dirty = true;
}

static void drop_if_empty(struct watch *watch, struct worker *worker)
{
    if (!worker->uid && !worker->pod && !worker->extra)
        worker_drop(watch, worker);
}

static bool leaves(const json_t *object)
{
    return kube_at(object, "metadata", "deletionTimestamp", NULL) != NULL;
}

static void put_job(struct watch *watch, const json_t *job)
{
    const json_t *meta = json_object_get(job, "metadata");
    const char *name = kube_text(meta, "name"), *uid = kube_text(meta, "uid");
    struct worker *worker;
    enum instance_state before;

    if (!is_ours(watch, name) || !uid)
        return;
    worker = worker_of(watch, name);
    before = worker->job.state;
    replace(&worker->uid, uid);
    replace(&worker->shape, kube_text(json_object_get(meta, "annotations"), NOTE_SHAPE));
    worker->job_leaves = leaves(job);
    worker->job_seen = true;
    worker->created_ms = kube_time(json_object_get(meta, "creationTimestamp"));
    judge_job(job, &worker->job);
    watch->dirty |= worker->job.state == INSTANCE_FAILED && before != INSTANCE_FAILED;
}

static void del_job(struct watch *watch, const char *name)
{
    struct worker *worker = name ? map_get_str(&watch->workers, name) : NULL;

    if (!worker)
        return;
    replace(&worker->uid, NULL);
    watch->dirty = true;
    drop_if_empty(watch, worker);
}

/* Between two tries of a pull there is but a back-off, which says less than what it follows. */
static void keep_cause(struct verdict *now, const struct verdict *before)
{
    static const char back_off[] = "ImagePullBackOff";

    if (now->waits == WAITS_REGISTRY && before->waits == WAITS_REGISTRY &&
        strncmp(now->words, back_off, sizeof back_off - 1) == 0)
        memcpy(now->words, before->words, sizeof now->words);
}

/* A Job whose pod was deleted makes another at once, which is of no use: the join token died with the
 * first. */
static void put_pod(struct watch *watch, const json_t *pod)
{
    const json_t *meta = json_object_get(pod, "metadata");
    const char *name = kube_text(meta, "name");
    const char *of = kube_text(json_object_get(meta, "labels"), LABEL_WORKER);
    struct worker *worker;
    struct verdict before;

    if (!is_ours(watch, of) || !name)
        return;
    worker = worker_of(watch, of);
    if (!worker->first)
        replace(&worker->first, name);
    if (strcmp(worker->first, name) != 0) {
        replace(&worker->extra, name);
        worker->extra_seen = true;
        return;
    }
    before = worker->now;
    replace(&worker->pod, name);
    replace(&worker->node, kube_text(json_object_get(pod, "spec"), "nodeName"));
    worker->pod_leaves = leaves(pod);
    worker->pod_seen = true;
    pod_asks(pod, &worker->asked);
    judge_pod(pod, &worker->now);
    keep_cause(&worker->now, &before);
    worker->pod_taken |= worker->pod_leaves && before.state != INSTANCE_FAILED;
    if (worker->now.waits == WAITS_NOT)
        worker->waits_mono_ms = 0;
    else if (!worker->waits_mono_ms)
        worker->waits_mono_ms = clock_mono_ms();
    watch->dirty |= worker->now.state == INSTANCE_FAILED && before.state != INSTANCE_FAILED;
}

/* A pod that goes while its Job stays: somebody or something took it. */
static void lose_pod(struct watch *watch, struct worker *worker)
{
    if (worker->now.state != INSTANCE_FAILED && worker->uid && !worker->job_leaves)
        worker->pod_lost = true;
    replace(&worker->pod, NULL);
    watch->dirty = true;
    drop_if_empty(watch, worker);
}

static void lose_extra(struct watch *watch, struct worker *worker)
{
    replace(&worker->extra, NULL);
    watch->dirty = true;
    drop_if_empty(watch, worker);
}

static void del_pod(struct watch *watch, const json_t *pod)
{
    const json_t *meta = json_object_get(pod, "metadata");
    const char *name = kube_text(meta, "name");
    const char *of = kube_text(json_object_get(meta, "labels"), LABEL_WORKER);
    struct worker *worker = of ? map_get_str(&watch->workers, of) : NULL;

    if (worker && name && worker->pod && strcmp(worker->pod, name) == 0)
        lose_pod(watch, worker);
    else if (worker && name && worker->extra && strcmp(worker->extra, name) == 0)
        lose_extra(watch, worker);
}

static void put_event(struct watch *watch, const json_t *event)
{
    const char *of = kube_text(json_object_get(event, "involvedObject"), "name");
    struct verdict verdict;
    struct worker *worker;

    if (!is_ours(watch, of) || !judge_event(event, &verdict))
        return;
    worker = map_get_str(&watch->workers, of);
    if (!worker || worker->pod)
        return; /* of one that is gone, or that has its pod by now */
    worker->event = verdict;
    worker->has_event = true;
    watch->dirty = true;
}

static void put_configmap(struct watch *watch, const json_t *object)
{
    const char *name = kube_text(json_object_get(object, "metadata"), "name");
    struct configmap *map = name ? map_get_str(&watch->configmaps, name) : NULL;

    if (!name || strlen(name) > 63)
        return;
    if (!map) {
        map = xcalloc(1, sizeof *map);
        map->name = xstrdup(name);
        map_put_str(&watch->configmaps, map->name, map);
    }
    map->seen = true;
}

static void del_configmap(struct watch *watch, const char *name)
{
    struct configmap *map = name ? map_del_str(&watch->configmaps, name) : NULL;

    if (map)
        free(map->name);
    free(map);
}

static void put(struct watch *watch, int kind, const json_t *object)
{
    if (kind == JOBS)
        put_job(watch, object);
    else if (kind == PODS)
        put_pod(watch, object);
    else if (kind == EVENTS)
        put_event(watch, object);
    else
        put_configmap(watch, object);
}

static void del(struct watch *watch, int kind, const json_t *object)
{
    const char *name = kube_text(json_object_get(object, "metadata"), "name");

    if (kind == JOBS)
        del_job(watch, name);
    else if (kind == PODS)
        del_pod(watch, object);
    else if (kind == CONFIGMAPS)
        del_configmap(watch, name);
}

/* ---- listing --------------------------------------------------------------------------------- */

static void begin_list(struct watch *watch, int kind)
{
    struct worker *worker;
    struct configmap *map;

    for (size_t i = 0; kind != CONFIGMAPS && (worker = map_next(&watch->workers, &i));) {
        worker->job_seen &= kind != JOBS;
        worker->pod_seen &= kind != PODS;
        worker->extra_seen &= kind != PODS;
    }
    for (size_t i = 0; kind == CONFIGMAPS && (map = map_next(&watch->configmaps, &i));)
        map->seen = false;
}

/* What a list did not show is gone; but what we made after it was asked for. */
static bool sweep_one(struct watch *watch, int kind, int64_t asked_mono_ms)
{
    struct worker *worker;
    struct configmap *map;

    for (size_t i = 0; kind == CONFIGMAPS && (map = map_next(&watch->configmaps, &i));)
        if (!map->seen) {
            del_configmap(watch, map->name);
            return true;
        }
    for (size_t i = 0; kind != CONFIGMAPS && (worker = map_next(&watch->workers, &i));) {
        if (kind == JOBS && worker->uid && !worker->job_seen &&
            worker->made_mono_ms < asked_mono_ms) {
            del_job(watch, worker->name);
            return true;
        }
        if (kind == PODS && worker->pod && !worker->pod_seen) {
            lose_pod(watch, worker);
            return true;
        }
        if (!worker->uid && !worker->pod && worker->touched_mono_ms + FORGET_MS < asked_mono_ms) {
            worker_drop(watch, worker);
            return true;
        }
    }
    return false;
}

static void list_one(void *arg, const json_t *item)
{
    struct kind *kind = arg;

    pthread_mutex_lock(&kind->watch->lock);
    put(kind->watch, kind->number, item);
    pthread_mutex_unlock(&kind->watch->lock);
}

static int list_kind(struct kind *kind, struct err *err)
{
    struct watch *watch = kind->watch;
    int64_t asked = clock_mono_ms();
    char *version = NULL;

    pthread_mutex_lock(&watch->lock);
    begin_list(watch, kind->number);
    pthread_mutex_unlock(&watch->lock);
    if (client_list(watch->client, kind->path, kinds[kind->number].list_accept, asked + LIST_MS,
                    list_one, kind, &version, err) < 0)
        return -1;
    pthread_mutex_lock(&watch->lock);
    while (kind->number != EVENTS && sweep_one(watch, kind->number, asked))
        ;
    free(kind->version);
    kind->version = version;
    kind->gone = false;
    watch->dirty = true;
    pthread_mutex_unlock(&watch->lock);
    return 0;
}

/* ---- watching -------------------------------------------------------------------------------- */

static int take_error(struct kind *kind, const json_t *status)
{
    long long code = json_integer_value(json_object_get(status, "code"));
    const char *words = kube_text(status, "message");

    kind->gone = code == 410;
    err_set(&kind->why, kind->gone ? FAULT_NONE : FAULT_UNAVAILABLE,
            "the watch of %s: %lld: %.300s", kinds[kind->number].words, code, words ? words : "");
    return -1;
}

static int take_line(void *arg, char *line, size_t length)
{
    struct kind *kind = arg;
    own_json json_t *event = json_loadb(line, length, 0, NULL);
    const json_t *object = json_object_get(event, "object");
    const char *type = kube_text(event, "type");
    const char *version = kube_text(json_object_get(object, "metadata"), "resourceVersion");

    if (!type || !object)
        return take_error(kind, NULL);
    if (strcmp(type, "ERROR") == 0)
        return take_error(kind, object);
    pthread_mutex_lock(&kind->watch->lock);
    if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)
        put(kind->watch, kind->number, object);
    else if (strcmp(type, "DELETED") == 0)
        del(kind->watch, kind->number, object);
    if (version) /* BOOKMARK is nothing but this */
        replace(&kind->version, version);
    pthread_mutex_unlock(&kind->watch->lock);
    return 0;
}

static void note_cut(struct kind *kind, const struct err *why)
{
    struct watch *watch = kind->watch;
    int64_t now = clock_mono_ms();

    pthread_mutex_lock(&watch->lock);
    if (!kind->cut_mono_ms)
        kind->cut_mono_ms = now;
    kind->why = *why;
    kind->pause_ms = kind->pause_ms ? kind->pause_ms * 2 : PAUSE_MS;
    if (kind->pause_ms > PAUSE_MOST_MS)
        kind->pause_ms = PAUSE_MOST_MS;
    kind->retry_mono_ms = now + kind->pause_ms;
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
    log_debug("site %s: %s", watch->site, why->text);
}

static int open_stream(struct kind *kind, struct err *err)
{
    struct watch *watch = kind->watch;
    const char *kind_accept = kinds[kind->number].watch_accept;
    own_str char *accept = xasprintf("Accept: %s", kind_accept ? kind_accept : "application/json");
    const char *headers[3] = { accept, NULL, NULL };
    own_buf struct buf url = BUF_INIT(65536);
    uint64_t before = watch->identity.generation;

    if (login_get(watch->options.login, clock_mono_ms() + LIST_MS, &watch->identity, err) < 0)
        return -1;
    if (before != watch->identity.generation)
        http_streams_identity(watch->streams, watch->identity.ca, watch->identity.cert,
                              watch->identity.key);
    headers[1] = watch->identity.header;
    buf_printf(&url, "%s%s&watch=1&allowWatchBookmarks=true&timeoutSeconds=%d&resourceVersion=",
               watch->options.conf->server, kind->path, WATCH_S);
    put_query(&url, kind->version);
    return http_stream_open(watch->streams, buf_text(&url), headers, LINE_MOST,
                            (WATCH_S + 30) * 1000L, take_line, kind, &kind->stream, err);
}

static void begin_kind(struct kind *kind)
{
    struct err err = ERR_INIT;

    if (clock_mono_ms() < kind->retry_mono_ms)
        return;
    if (((!kind->version || kind->gone) && list_kind(kind, &err) < 0) ||
        open_stream(kind, &err) < 0) {
        err_wrap(&err, "%s", kinds[kind->number].words);
        note_cut(kind, &err);
    }
}

static void note_up(struct kind *kind)
{
    struct watch *watch = kind->watch;

    pthread_mutex_lock(&watch->lock);
    if (kind->cut_mono_ms) {
        kind->cut_mono_ms = 0;
        watch->dirty = true;
        pthread_cond_broadcast(&watch->changed);
    }
    kind->pause_ms = 0;
    kind->why = (struct err)ERR_INIT;
    pthread_mutex_unlock(&watch->lock);
}

/* It ended: by the server's clock, by a fault, or because what it began from is no longer kept. */
static void end_kind(struct kind *kind)
{
    struct watch *watch = kind->watch;
    const char *words = "";
    struct err err = ERR_INIT;
    int64_t after = 0;
    long status = 0;

    if (!http_stream_ended(kind->stream, &status, &words, &after, &err))
        return;
    if (status == 401)
        login_refused(watch->options.login, watch->identity.generation);
    if (status >= 300 && err.fault == FAULT_NONE)
        kube_fault(kinds[kind->number].words, status, words, strlen(words), &err);
    if (status == 410)
        kind->gone = true;
    if (err.fault == FAULT_NONE && !kind->gone && kind->why.fault != FAULT_NONE)
        err = kind->why;
    http_stream_close(watch->streams, kind->stream);
    kind->stream = NULL;
    if (kind->gone)
        log_info("site %s: what the watch of %s began from is no longer kept: listing anew",
                 watch->site, kinds[kind->number].words);
    else if (err.fault != FAULT_NONE)
        note_cut(kind, &err);
    if (after)
        kind->retry_mono_ms = clock_mono_ms() + after;
}

static bool used(const struct watch *watch, int kind)
{
    return kind != CONFIGMAPS || watch->options.configmaps;
}

static void turn_kinds(struct watch *watch)
{
    for (int i = 0; i < KINDS; i++) {
        struct kind *kind = &watch->kinds[i];

        if (!used(watch, i))
            continue;
        if (kind->stream && http_stream_up(kind->stream))
            note_up(kind);
        if (kind->stream)
            end_kind(kind);
        if (!kind->stream)
            begin_kind(kind);
    }
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static bool waited_too_long(const struct watch *watch, const struct worker *worker)
{
    int64_t most =
        worker->now.waits == WAITS_ROOM ? watch->options.room_ms : watch->options.registry_ms;

    return worker->waits_mono_ms && worker->pod && clock_mono_ms() - worker->waits_mono_ms > most;
}

static void verdict_of(const struct watch *watch, const struct worker *worker, struct verdict *out)
{
    struct signs signs = { .job = worker->uid ? &worker->job : NULL,
                           .pod = worker->pod ? &worker->now : NULL,
                           .event = worker->has_event ? &worker->event : NULL,
                           .last = &worker->now,
                           .pod_leaves = worker->pod_leaves,
                           .pod_taken = worker->pod_lost ||
                                        (worker->pod_taken && worker->uid && !worker->job_leaves) };

    judge_worker(&signs, out);
    if (out->state != INSTANCE_FAILED && !(worker->pod && worker->pod_leaves) &&
        waited_too_long(watch, worker)) {
        out->state = INSTANCE_FAILED;
        out->reason = worker->now.waits == WAITS_ROOM ? REASON_NONE : REASON_IMAGE;
        out->fault = worker->now.waits == WAITS_ROOM ? FAULT_NO_CAPACITY : FAULT_UNAVAILABLE;
    }
}

/* Wake the site's thread for what changed, and for what time alone has changed. */
static void signal_site(struct watch *watch)
{
    int64_t now = clock_mono_ms();
    uint64_t one = 1;
    struct worker *worker;

    pthread_mutex_lock(&watch->lock);
    for (size_t i = 0; (worker = map_next(&watch->workers, &i));)
        if (!worker->told && waited_too_long(watch, worker))
            worker->told = watch->dirty = true;
    if (watch->dirty && now - watch->signalled_mono_ms >= SIGNAL_MS) {
        watch->dirty = false;
        watch->signalled_mono_ms = now;
        (void)!write(watch->options.wake, &one, sizeof one);
    }
    pthread_mutex_unlock(&watch->lock);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static bool stopping(struct watch *watch, bool *dirty)
{
    bool stop;

    pthread_mutex_lock(&watch->lock);
    stop = watch->stop;
    *dirty = watch->dirty;
    pthread_mutex_unlock(&watch->lock);
    return stop;
}

static void *run(void *arg)
{
    struct watch *watch = arg;
    bool dirty = false;

    while (!stopping(watch, &dirty)) {
        turn_kinds(watch);
        signal_site(watch);
        http_streams_turn(watch->streams, dirty ? SIGNAL_MS : TURN_MS);
    }
    return NULL;
}

static void watch_free(struct watch *watch)
{
    struct worker *worker;
    struct configmap *map;

    http_streams_free(watch->streams);
    client_free(watch->client);
    identity_fini(&watch->identity);
    for (size_t i = 0; (worker = map_next(&watch->workers, &i));)
        worker_free(worker);
    for (size_t i = 0; (map = map_next(&watch->configmaps, &i));) {
        free(map->name);
        free(map);
    }
    map_fini(&watch->workers);
    map_fini(&watch->configmaps);
    for (int i = 0; i < KINDS; i++) {
        free(watch->kinds[i].path);
        free(watch->kinds[i].version);
    }
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->lock);
    free(watch->namespace);
    free(watch->broker);
    free(watch->stem);
    free(watch->site);
    free(watch);
}

static void set_paths(struct watch *watch)
{
    own_str char *label = xasprintf(LABEL_BROKER "=%s", watch->broker);
    own_buf struct buf selector = BUF_INIT(1024);

    put_query(&selector, label);
    for (int i = 0; i < KINDS; i++) {
        own_buf struct buf path = BUF_INIT(4096);
        const char *format = kinds[i].path, *at;

        for (at = format; *at; at++) {
            if (at[0] != '%')
                buf_putc(&path, *at);
            else if (at[1] == '%')
                buf_putc(&path, *at++);
            else
                buf_puts(&path,
                         at++ < strchr(format, '?') ? watch->namespace : buf_text(&selector));
        }
        watch->kinds[i].watch = watch;
        watch->kinds[i].number = i;
        watch->kinds[i].cut_mono_ms = used(watch, i) ? 1 : 0; /* since ever */
        watch->kinds[i].path = buf_take(&path);
    }
}

int watch_start(const struct watch_options *options, struct watch **out, struct err *err)
{
    struct watch *watch = xcalloc(1, sizeof *watch);
    struct http_options http = { .insecure = options->conf->insecure,
                                 .server_name = options->conf->server_name,
                                 .proxy = options->conf->proxy };

    watch->options = *options;
    watch->namespace = xstrdup(options->namespace);
    watch->broker = xstrdup(options->broker);
    watch->site = xstrdup(options->site);
    watch->stem = xasprintf("spillway-%.8s-", options->broker);
    watch->workers.strings = watch->configmaps.strings = true;
    pthread_mutex_init(&watch->lock, NULL);
    clock_cond_init(&watch->changed);
    set_paths(watch);
    if (client_new(options->conf, options->login, 0, 0, &watch->client, err) < 0 ||
        http_streams_new(&http, &watch->streams, err) < 0) {
        watch_free(watch);
        return -1;
    }
    if ((errno = pthread_create(&watch->thread, NULL, run, watch))) {
        err_sys(err, "start a thread");
        watch_free(watch);
        return -1;
    }
    *out = watch;
    return 0;
}

void watch_stop(struct watch *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->stop = true;
    pthread_mutex_unlock(&watch->lock);
    http_streams_wake(watch->streams);
    pthread_join(watch->thread, NULL);
    watch_free(watch);
}

/* ---- questions ------------------------------------------------------------------------------- */

/* The kind that is not followed; NULL: all are. */
static struct kind *cut_kind(struct watch *watch)
{
    int64_t now = clock_mono_ms();

    for (int i = 0; i < KINDS; i++) {
        struct kind *kind = &watch->kinds[i];

        if (kind->cut_mono_ms && now - kind->cut_mono_ms > FRESH_MS)
            return kind;
    }
    return NULL;
}

int watch_ready(struct watch *watch, int64_t deadline_mono_ms, struct err *err)
{
    struct kind *cut;
    int rc = 0;

    pthread_mutex_lock(&watch->lock);
    while ((cut = cut_kind(watch)) && cut->why.fault == FAULT_NONE && rc == 0) {
        struct timespec until = clock_cond_until(deadline_mono_ms);

        rc = pthread_cond_timedwait(&watch->changed, &watch->lock, &until);
    }
    rc = !cut ? 0
         : cut->why.fault != FAULT_NONE
             ? err_set(err, cut->why.fault, "%s", cut->why.text)
             : err_set(err, FAULT_TIMEOUT, "the watch of %s did not come up in time",
                       kinds[cut->number].words);
    pthread_mutex_unlock(&watch->lock);
    return rc;
}

static void tell(const struct watch *watch, const struct worker *worker, watch_each_worker *each,
                 void *arg)
{
    struct tracked tracked = { .name = worker->name,
                               .uid = worker->uid,
                               .job_leaves = worker->job_leaves,
                               .pod = worker->pod ? worker->pod : worker->extra,
                               .pod_leaves = worker->pod_leaves,
                               .node = worker->node,
                               .shape = worker->shape,
                               .asked = worker->asked,
                               .created_ms = worker->created_ms };

    verdict_of(watch, worker, &tracked.verdict);
    each(arg, &tracked);
}

void watch_each(struct watch *watch, watch_each_worker *each, void *arg)
{
    struct worker *worker;

    pthread_mutex_lock(&watch->lock);
    for (size_t i = 0; (worker = map_next(&watch->workers, &i));)
        if (worker->uid || worker->pod || worker->extra)
            tell(watch, worker, each, arg);
    pthread_mutex_unlock(&watch->lock);
}

bool watch_find(struct watch *watch, const char *name, watch_each_worker *each, void *arg)
{
    struct worker *worker;
    bool found;

    pthread_mutex_lock(&watch->lock);
    worker = map_get_str(&watch->workers, name);
    found = worker && (worker->uid || worker->pod || worker->extra);
    if (found)
        tell(watch, worker, each, arg);
    pthread_mutex_unlock(&watch->lock);
    return found;
}

void watch_made(struct watch *watch, const json_t *job)
{
    const char *name = kube_text(json_object_get(job, "metadata"), "name");
    struct worker *worker;

    pthread_mutex_lock(&watch->lock);
    /* Its event may have come before the answer, and even its end. */
    if (is_ours(watch, name) && !map_get_str(&watch->workers, name)) {
        put_job(watch, job);
        if ((worker = map_get_str(&watch->workers, name)))
            worker->made_mono_ms = clock_mono_ms();
    }
    pthread_mutex_unlock(&watch->lock);
}

size_t watch_configmaps(struct watch *watch, char names[][64], size_t most)
{
    struct configmap *map;
    size_t count = 0;

    pthread_mutex_lock(&watch->lock);
    for (size_t i = 0; (map = map_next(&watch->configmaps, &i)); count++)
        if (count < most)
            snprintf(names[count], 64, "%s", map->name);
    pthread_mutex_unlock(&watch->lock);
    return count;
}
