/* SPDX-License-Identifier: Apache-2.0 */
/* reconcile.c - make a site and our record of it agree.
 *
 * The site's list is the truth about what exists, our rows about what should.  The list is taken
 * before the rows: a worker created in between is then absent from the list but present as an
 * intent, and is left alone; the other order would delete it. */
#include "reconcile.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"

#define CALL_MS        60000 /* one call to the site */
#define EACH_MS        10000 /* more for each further worker that is made with it */
#define DIAGNOSE_MOST  16384
#define RETRY_FIRST_MS 1000
#define RETRY_MOST_MS  300000
#define WANTED_MS      10000 /* between looks at a quota that others hold while work waits for it */
#define FREED_MS       200   /* from room that is known to be free to a look at the whole quota */

struct make_item {
    struct list link;
    int64_t worker;
    char *name, *shape, *image, *project, *container, *token;
};

/* Somebody waits for this thread to do one thing. */
struct ask {
    struct list link;
    uint64_t number;
    bool audit, reap, done;
    reconcile_task *call; /* NULL: a probe or an audit */
    void *arg;
    bool running; /* a call's asker must not leave now: its argument is in use */
    int rc;
    json_t *answer;
    struct err err;
};

/* When a worker's removal is tried again. */
struct retry {
    int64_t worker, at_mono_ms, wait_ms;
    char name[96], shape[64];
};

struct reconcile {
    struct reconcile_options options;
    char *url, *pin;
    pthread_t thread;
    pthread_mutex_t lock; /* makes, asks, stop, probe_now */
    pthread_cond_t answered;
    struct list makes, asks;
    uint64_t last_ask;
    bool stop, look, probe_now;
    int wake;
    int64_t probe_mono_ms, list_mono_ms; /* next */
    int64_t probed_mono_ms;              /* last */
    struct map retries;                  /* worker id -> struct retry */
    struct map said, saying;             /* what the last look, and this one, found fault with */
};

/* A worker's row as the list is compared with it. */
struct row {
    int64_t id, created_ms, joined_ms;
    enum worker_state state;
    char name[96];
    char shape[64];
    bool for_class; /* it was made for one class alone */
};

static const char *name_of(const struct reconcile *r)
{
    return site_name(r->options.site);
}

const char *reconcile_site(const struct reconcile *r)
{
    return name_of(r);
}

static const struct site_conf *conf_of(const struct reconcile *r)
{
    return site_conf_of(r->options.site);
}

/* ---- making */

static void make_free(struct make_item *item)
{
    list_del(&item->link);
    free(item->name);
    free(item->shape);
    free(item->image);
    free(item->project);
    free(item->container);
    free(item->token);
    free(item);
}

static char *copy_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

void reconcile_make(struct reconcile *r, const struct make *make)
{
    struct make_item *item = xcalloc(1, sizeof *item);

    item->worker = make->worker;
    item->name = xstrdup(make->name);
    item->shape = xstrdup(make->shape ? make->shape : "");
    item->image = copy_or_null(make->image);
    item->project = copy_or_null(make->project);
    item->container = copy_or_null(make->container);
    item->token = xstrdup(make->token);
    pthread_mutex_lock(&r->lock);
    list_add_tail(&r->makes, &item->link);
    pthread_mutex_unlock(&r->lock);
    reconcile_poke(r);
}

static char *boot_payload(const struct reconcile *r, const struct make_item *item)
{
    own_json json_t *boot =
        json_pack("{s:s, s:s, s:s, s:I, s:s*}", "url", r->url, "worker", item->name, "token",
                  item->token, "orphan_ms", (json_int_t)r->options.orphan_ms, "pin", r->pin);

    return json_dumps(boot, JSON_COMPACT);
}

/* The end of a worker: its attempts go back to the queue, then it is removed. */
static void end_worker(struct reconcile *r, int64_t id, enum reason reason, const char *detail)
{
    struct err err = ERR_INIT;

    if (store_worker_set(r->options.store, id, WORKER_DESTROYING, reason, detail, &err) < 0)
        log_error("site %s: worker %lld: %s", name_of(r), (long long)id, err.text);
    r->look = true;
}

static void note_fault(struct reconcile *r, int64_t worker, const char *what)
{
    struct event_row event = { .kind = "site.fault", .index = -1, .worker = worker };

    event.site = name_of(r);
    event.detail = what;
    store_event_add(r->options.store, &event, NULL);
    log_warn("%s", what);
}

/* What stays as it is from look to look is said at the first alone. */
static void note_new_fault(struct reconcile *r, const char *what)
{
    char *text;

    if (map_get_str(&r->saying, what))
        return;
    text = map_del_str(&r->said, what);
    if (!text) {
        text = xstrdup(what);
        note_fault(r, 0, what);
    }
    map_put_str(&r->saying, text, text);
}

static void forget_said(struct reconcile *r)
{
    char *text;

    for (size_t i = 0; (text = map_next(&r->said, &i));)
        free(text);
    map_fini(&r->said);
    r->said = r->saying;
    r->saying = (struct map)MAP_INIT_STR;
}

/* Takes from the queue of makes.  0: none are there. */
static size_t next_makes(struct reconcile *r, struct make_item **items, size_t most)
{
    size_t count = 0;

    pthread_mutex_lock(&r->lock);
    while (count < most && !list_empty(&r->makes) && !r->stop) {
        items[count] = list_item(r->makes.next, struct make_item, link);
        list_del(&items[count]->link);
        count++;
    }
    pthread_mutex_unlock(&r->lock);
    return count;
}

/* Said before the call: an agent may be quicker to join than the call to return. */
static bool say_booting(struct reconcile *r, const struct make_item *item)
{
    struct err err = ERR_INIT;

    if (store_worker_set(r->options.store, item->worker, WORKER_BOOTING, REASON_NONE, NULL, &err) ==
        0)
        return true;
    log_error("site %s: worker %s: %s", name_of(r), item->name, err.text);
    return false;
}

static void make_all(struct reconcile *r, struct make_item *const *items, size_t count)
{
    own_mem struct order *orders = xcalloc(count, sizeof *orders);
    own_mem struct err *errs = xcalloc(count, sizeof *errs);
    bool one_by_one = !site_traits(r->options.site)->create_many;
    int64_t now = clock_mono_ms();

    for (size_t i = 0; i < count; i++)
        orders[i] =
            (struct order){ .name = items[i]->name,
                            .broker = store_uuid(r->options.store),
                            .worker = items[i]->worker,
                            .shape = items[i]->shape,
                            .image = items[i]->image,
                            .project = items[i]->project,
                            .container = items[i]->container,
                            .boot = boot_payload(r, items[i]),
                            .deadline_mono_ms =
                                now + (one_by_one ? CALL_MS * ((int64_t)i + 1)
                                                  : CALL_MS + EACH_MS * ((int64_t)count - 1)) };
    site_create(r->options.site, orders, count, errs);
    for (size_t i = 0; i < count; i++) {
        free((char *)orders[i].boot);
        if (errs[i].fault == FAULT_NONE)
            continue;
        if (errs[i].fault == FAULT_QUOTA)
            r->probe_mono_ms = 0; /* somebody else was quicker: how much is left? */
        note_fault(r, items[i]->worker, errs[i].text);
        end_worker(r, items[i]->worker, REASON_BOOT, errs[i].text);
        r->options.changed(r->options.arg);
    }
}

/* As many in one call as wait by now. */
static void make_waiting(struct reconcile *r)
{
    struct make_item *items[SITE_CREATES_MOST];
    size_t taken;

    while ((taken = next_makes(r, items, array_len(items))) > 0) {
        size_t count = 0;

        for (size_t i = 0; i < taken; i++) {
            if (say_booting(r, items[i]))
                items[count++] = items[i];
            else
                make_free(items[i]);
        }
        if (count > 0)
            make_all(r, items, count);
        for (size_t i = 0; i < count; i++)
            make_free(items[i]);
    }
}

int reconcile_joined(struct reconcile *r, struct qworker *worker, struct err *err)
{
    struct seen seen = { worker->gpus, worker->memory, worker->disk };
    int rc = site_joined(r->options.site, worker->shape ? worker->shape : "", &seen, err);

    if (rc < 0)
        worker->state = WORKER_DESTROYING;
    if (rc != SITE_JOINED_LESS)
        return rc < 0 ? -1 : 0;
    pthread_mutex_lock(&r->lock);
    r->probe_now = true;
    pthread_mutex_unlock(&r->lock);
    reconcile_poke(r);
    return 0;
}

/* ---- removing */

static bool retry_due(struct reconcile *r, int64_t worker)
{
    const struct retry *retry = map_get(&r->retries, (uint64_t)worker);

    return !retry || retry->at_mono_ms <= clock_mono_ms();
}

static void retry_later(struct reconcile *r, const struct row *row)
{
    struct retry *retry = map_get(&r->retries, (uint64_t)row->id);

    if (!retry) {
        retry = xcalloc(1, sizeof *retry);
        retry->worker = row->id;
        snprintf(retry->name, sizeof retry->name, "%s", row->name);
        snprintf(retry->shape, sizeof retry->shape, "%s", row->shape);
        map_put(&r->retries, (uint64_t)row->id, retry);
    }
    retry->wait_ms = retry->wait_ms ? retry->wait_ms * 2 : RETRY_FIRST_MS;
    if (retry->wait_ms > RETRY_MOST_MS)
        retry->wait_ms = RETRY_MOST_MS;
    retry->at_mono_ms = clock_mono_ms() + retry->wait_ms;
}

static void retry_done(struct reconcile *r, int64_t worker)
{
    free(map_del(&r->retries, (uint64_t)worker));
}

static void destroy_some(struct reconcile *r, const struct row *const *rows, size_t count)
{
    const char *names[SITE_DESTROYS_MOST] = { NULL };
    struct err errs[SITE_DESTROYS_MOST] = { ERR_INIT };

    for (size_t i = 0; i < count; i++)
        names[i] = rows[i]->name;
    site_destroy_many(r->options.site, names, count, CALL_MS, errs);
    for (size_t i = 0; i < count; i++) {
        if (errs[i].fault != FAULT_NONE)
            note_fault(r, rows[i]->id, errs[i].text);
        /* Also after success: what is still listed by then is asked to go again. */
        retry_later(r, rows[i]);
    }
}

/* ---- comparing */

static size_t copy_rows(struct reconcile *r, struct row **out)
{
    struct queue *queue = r->options.queue;
    struct qworker *worker;
    size_t count = 0;

    pthread_mutex_lock(&queue->lock);
    *out = xcalloc(queue->workers.count + 1, sizeof **out);
    for (size_t i = 0; (worker = map_next(&queue->workers, &i));) {
        struct row *row = &(*out)[count];

        if (strcmp(worker->site, name_of(r)) != 0)
            continue;
        row->id = worker->id;
        row->created_ms = worker->created_ms;
        row->joined_ms = worker->joined_ms;
        row->state = worker->state;
        row->for_class = worker->class_id != 0;
        snprintf(row->name, sizeof row->name, "%s", worker->name);
        snprintf(row->shape, sizeof row->shape, "%s", worker->shape ? worker->shape : "");
        count++;
    }
    pthread_mutex_unlock(&queue->lock);
    return count;
}

static const struct row *row_find(const struct row *rows, size_t count, const char *name)
{
    for (size_t i = 0; name && i < count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

/* The queue may lag behind the store by a moment: what neither knows is nobody's. */
static bool has_row(struct reconcile *r, const char *name)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct worker_row row;
    int rc = store_worker_find(r->options.store, name, &row, &strings, NULL);

    return rc < 0 || (rc == 0 && row.state != WORKER_GONE);
}

static void reap_stray(struct reconcile *r, const struct resource *resource)
{
    struct err err = ERR_INIT;
    own_str char *what = NULL;

    if (!resource->name || has_row(r, resource->name))
        return;
    what = xasprintf("site %s: %s %s bears our mark but has no worker: removed", name_of(r),
                     resource->kind, resource->id);
    note_new_fault(r, what);
    if (site_destroy(r->options.site, resource->name, clock_mono_ms() + CALL_MS, &err) < 0)
        note_new_fault(r, err.text);
}

static void keep_diagnosis(struct reconcile *r, const struct row *row, enum reason reason,
                           enum fault fault, const char *words)
{
    own_buf struct buf text = BUF_INIT(DIAGNOSE_MOST);
    struct err err = ERR_INIT;

    buf_printf(&text, "%s", words);
    if (!row->joined_ms) {
        buf_puts(&text, "\n");
        site_diagnose(r->options.site, row->name, clock_mono_ms() + CALL_MS, &text, &err);
        /* An image that a job named says nothing of the shape. */
        if ((reason != REASON_IMAGE && reason != REASON_NO_IMAGE) || !row->for_class)
            site_failed(r->options.site, row->shape, fault, words);
    }
    end_worker(r, row->id, reason, buf_text(&text));
}

/* A worker that should be there. */
static void check_live(struct reconcile *r, const struct row *row, const struct resource *resource,
                       int64_t listed_ms)
{
    enum reason reason = row->joined_ms ? REASON_LOST : REASON_BOOT;

    if (resource && resource->state == INSTANCE_FAILED && resource->reason)
        reason = resource->reason;
    if (resource && (resource->state == INSTANCE_FAILED || resource->state == INSTANCE_GONE))
        keep_diagnosis(r, row, reason, resource->fault,
                       resource->detail ? resource->detail : "the site says it failed");
    else if (!resource && row->created_ms + site_traits(r->options.site)->settle_ms < listed_ms)
        keep_diagnosis(r, row, reason, FAULT_NOT_FOUND, "the site no longer lists it");
    else if (!row->joined_ms && resource && resource->refused)
        keep_diagnosis(r, row, REASON_BOOT, resource->fault, resource->detail);
    else if (!row->joined_ms && resource && resource->state == INSTANCE_BOOTING &&
             resource->start_ms > row->created_ms + conf_of(r)->boot_deadline_ms)
        keep_diagnosis(r, row, REASON_BOOT, FAULT_NO_CAPACITY,
                       resource->detail ? resource->detail : "the site would start it too late");
    else if (!row->joined_ms && clock_wall_ms() - row->created_ms > conf_of(r)->boot_deadline_ms)
        keep_diagnosis(r, row, REASON_BOOT, FAULT_TIMEOUT, "its agent did not join in time");
}

/* Is it to be asked to go, now? */
static bool check_row(struct reconcile *r, const struct row *row, const struct resource *resource,
                      int64_t listed_ms)
{
    struct err err = ERR_INIT;

    if (row->state == WORKER_INTENT)
        return false;
    if (row->state != WORKER_DESTROYING) {
        check_live(r, row, resource, listed_ms);
        return false;
    }
    r->look = true;
    if (resource || !map_get(&r->retries, (uint64_t)row->id))
        return retry_due(r, row->id);
    if (store_worker_absent(r->options.store, row->id, listed_ms,
                            site_traits(r->options.site)->settle_ms + 50, &err) < 0)
        log_error("site %s: worker %s: %s", name_of(r), row->name, err.text);
    return false;
}

static void check_rows(struct reconcile *r, const struct row *rows, size_t count,
                       const struct map *by_resource, int64_t listed_ms)
{
    const struct row *leaving[SITE_DESTROYS_MOST];
    size_t left = 0;

    for (size_t i = 0; i < count; i++) {
        if (check_row(r, &rows[i], map_get_str(by_resource, rows[i].name), listed_ms))
            leaving[left++] = &rows[i];
        if (left == array_len(leaving) || i + 1 == count) {
            destroy_some(r, leaving, left);
            left = 0;
        }
    }
}

/* What workers shared goes after the last of them. */
static void drop_shared(struct reconcile *r, const struct resources_list *list)
{
    struct err err = ERR_INIT;

    for (size_t i = 0; site_traits(r->options.site)->shares && i < list->count; i++) {
        if (list->list[i].name || list->list[i].kept)
            continue;
        if (site_destroy(r->options.site, NULL, clock_mono_ms() + CALL_MS, &err) < 0)
            note_new_fault(r, err.text);
        r->look = true;
        return;
    }
}

/* Of what bears a worker's name, the first in the list says how it is. */
static void compare(struct reconcile *r, const struct resources_list *list, int64_t listed_ms)
{
    own_mem struct row *rows = NULL;
    size_t count = copy_rows(r, &rows);
    struct map by_row = MAP_INIT_STR, by_resource = MAP_INIT_STR;

    for (size_t i = 0; i < count; i++)
        map_put_str(&by_row, rows[i].name, &rows[i]);
    for (size_t i = 0; i < list->count; i++) {
        struct resource *one = &list->list[i];

        if (!one->name)
            continue;
        if (!map_get_str(&by_row, one->name))
            reap_stray(r, one);
        else if (!map_get_str(&by_resource, one->name))
            map_put_str(&by_resource, one->name, one);
    }
    check_rows(r, rows, count, &by_resource, listed_ms);
    map_fini(&by_row);
    map_fini(&by_resource);
    if (count == 0)
        drop_shared(r, list);
    forget_said(r);
}

static void forget_retries(struct reconcile *r)
{
    struct queue *queue = r->options.queue;
    struct retry *retry;
    bool freed = false;

    for (size_t i = 0; (retry = map_next(&r->retries, &i));) {
        bool gone;

        pthread_mutex_lock(&queue->lock);
        gone = !queue_worker(queue, retry->worker);
        pthread_mutex_unlock(&queue->lock);
        if (gone) {
            site_gone(r->options.site, retry->name, retry->shape);
            retry_done(r, retry->worker);
            freed = true;
            i = 0;
        }
    }
    if (!freed)
        return;
    /* Others may wait for what it held: they go first, then the site is asked how much there is. */
    r->options.changed(r->options.arg);
    if (r->probe_mono_ms > clock_mono_ms() + FREED_MS)
        r->probe_mono_ms = clock_mono_ms() + FREED_MS;
}

static void look(struct reconcile *r)
{
    struct resources_list list = { .list = NULL };
    struct err err = ERR_INIT;
    int64_t listed_ms = clock_wall_ms();

    r->look = false;
    if (site_list(r->options.site, store_uuid(r->options.store), clock_mono_ms() + CALL_MS, &list,
                  &err) < 0) {
        note_fault(r, 0, err.text);
    } else {
        compare(r, &list, listed_ms);
        resource_list_free(&list);
    }
    forget_retries(r);
    r->list_mono_ms = clock_mono_ms() + (r->look ? site_traits(r->options.site)->settle_ms + 60
                                                 : conf_of(r)->reconcile_ms);
}

static int probe(struct reconcile *r, struct err *err)
{
    int rc = site_probe(r->options.site, clock_mono_ms() + CALL_MS, err);

    r->probed_mono_ms = clock_mono_ms();
    r->probe_mono_ms = r->probed_mono_ms + conf_of(r)->probe_ms;
    r->options.changed(r->options.arg);
    return rc;
}

/* ---- questions */

static json_t *resource_json(struct reconcile *r, const struct row *row,
                             const struct resource *resource, bool owned)
{
    static const char *const states[] = { "booting", "active", "failed", "gone" };
    int64_t age = resource->created_ms > 0 ? clock_wall_ms() - resource->created_ms : -1;
    double cost =
        site_conf_cost(conf_of(r), resource->kind, row ? row->shape : NULL, resource->bytes, age);

    return json_pack("{s:s, s:s, s:s?, s:s, s:s?, s:o, s:b, s:o}", "kind", resource->kind, "id",
                     resource->id, "worker", resource->name, "state", states[resource->state],
                     "detail", resource->detail, "age_s",
                     age >= 0 ? json_integer(age / 1000) : json_null(), "owned", owned, "cost",
                     cost >= 0 ? json_real(cost) : json_null());
}

static int reap(struct reconcile *r, const struct resource *resource, struct err *err)
{
    return (resource->name || site_traits(r->options.site)->shares) &&
           site_destroy(r->options.site, resource->name, clock_mono_ms() + CALL_MS, err) == 0;
}

static int audit(struct reconcile *r, bool reaping, json_t **out, struct err *err)
{
    struct resources_list list = { .list = NULL };
    own_json json_t *resources = json_array(), *findings = json_array();
    own_mem struct row *rows = NULL;
    int64_t reaped = 0;
    size_t count;

    if (site_list(r->options.site, store_uuid(r->options.store), clock_mono_ms() + CALL_MS, &list,
                  err) < 0 ||
        site_audit(r->options.site, clock_mono_ms() + CALL_MS, findings, err) < 0) {
        resource_list_free(&list);
        return -1;
    }
    count = copy_rows(r, &rows);
    for (size_t i = 0; i < list.count; i++) {
        const struct resource *resource = &list.list[i];
        bool owned = resource->name
                         ? has_row(r, resource->name)
                         : resource->kept || (count > 0 && site_traits(r->options.site)->shares);

        json_array_append_new(
            resources, resource_json(r, row_find(rows, count, resource->name), resource, owned));
        if (reaping && !owned)
            reaped += reap(r, resource, err);
    }
    resource_list_free(&list);
    *out = json_pack("{s:s, s:O, s:O, s:I, s:s?}", "site", name_of(r), "resources", resources,
                     "findings", findings, "reaped", (json_int_t)reaped, "currency",
                     conf_of(r)->currency);
    return 0;
}

/* The asker waits; when it gave up it took its question out of the list. */
static int ask(struct reconcile *r, struct ask *question, int64_t deadline_mono_ms, struct err *err)
{
    int rc = 0;

    pthread_mutex_lock(&r->lock);
    question->number = ++r->last_ask;
    list_add_tail(&r->asks, &question->link);
    reconcile_poke(r);
    while (!question->done && !r->stop && rc == 0) {
        struct timespec until = clock_cond_until(deadline_mono_ms);

        rc = pthread_cond_timedwait(&r->answered, &r->lock, &until);
    }
    list_del(&question->link);
    pthread_mutex_unlock(&r->lock);
    if (!question->done)
        return err_set(err, FAULT_TIMEOUT, "site %s did not answer in time; try again later",
                       name_of(r));
    if (question->rc < 0 && err)
        *err = question->err;
    return question->rc;
}

int reconcile_probe(struct reconcile *r, int64_t deadline_mono_ms, struct err *err)
{
    struct ask question = { .audit = false };

    list_init(&question.link);
    return ask(r, &question, deadline_mono_ms, err);
}

int reconcile_audit(struct reconcile *r, bool reap, int64_t deadline_mono_ms, json_t **out,
                    struct err *err)
{
    struct ask question = { .audit = true, .reap = reap };
    int rc;

    list_init(&question.link);
    rc = ask(r, &question, deadline_mono_ms, err);
    *out = question.answer;
    return rc;
}

int reconcile_call(struct reconcile *r, reconcile_task *call, void *arg, struct err *err)
{
    struct ask question = { .call = call, .arg = arg };

    list_init(&question.link);
    pthread_mutex_lock(&r->lock);
    question.number = ++r->last_ask;
    list_add_tail(&r->asks, &question.link);
    reconcile_poke(r);
    while (!question.done && (!r->stop || question.running))
        pthread_cond_wait(&r->answered, &r->lock);
    list_del(&question.link);
    pthread_mutex_unlock(&r->lock);
    if (!question.done)
        return err_set(err, FAULT_UNAVAILABLE, "its thread is about to end");
    if (question.rc < 0 && err)
        *err = question.err;
    return question.rc;
}

/* The question stays on the asker's stack: it is only touched with the lock held. */
static void answer_asks(struct reconcile *r)
{
    for (;;) {
        struct ask *question;
        uint64_t number;
        bool is_audit, reap;
        reconcile_task *call;
        void *arg;
        json_t *answer = NULL;
        struct err err = ERR_INIT;
        int rc;

        pthread_mutex_lock(&r->lock);
        if (list_empty(&r->asks) || r->stop) {
            pthread_mutex_unlock(&r->lock);
            return;
        }
        question = list_item(r->asks.next, struct ask, link);
        question->running = true;
        call = question->call;
        arg = question->arg;
        number = question->number;
        is_audit = question->audit;
        reap = question->reap;
        pthread_mutex_unlock(&r->lock);
        rc = call       ? call(r->options.site, arg, &err)
             : is_audit ? audit(r, reap, &answer, &err)
                        : probe(r, &err);
        pthread_mutex_lock(&r->lock);
        question = list_item(r->asks.next, struct ask, link);
        if (!list_empty(&r->asks) && question->number == number) {
            list_del(&question->link);
            question->rc = rc;
            question->answer = answer;
            question->err = err;
            question->done = true;
            answer = NULL;
        }
        pthread_cond_broadcast(&r->answered);
        pthread_mutex_unlock(&r->lock);
        json_decref(answer);
    }
}

/* ---- the thread */

void reconcile_poke(struct reconcile *r)
{
    uint64_t one = 1;

    (void)!write(r->wake, &one, sizeof one);
}

/* Whether any of its workers is on its way out, so that the next listing is due soon. */
static bool has_leaving(struct reconcile *r)
{
    struct queue *queue = r->options.queue;
    struct qworker *worker;
    bool found = false;

    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; (worker = map_next(&queue->workers, &i));)
        found |= worker->state == WORKER_DESTROYING && strcmp(worker->site, name_of(r)) == 0;
    pthread_mutex_unlock(&queue->lock);
    return found;
}

static bool work_waits(struct reconcile *r)
{
    struct queue *queue = r->options.queue;
    struct qclass *class;
    bool waits = false;

    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; !waits && (class = map_next(&queue->classes, &i));)
        waits = class->ready > 0;
    pthread_mutex_unlock(&queue->lock);
    return waits;
}

/* When it could be looked at for work that waits; INT64_MAX: that is not so. */
static int64_t wanted_mono_ms(struct reconcile *r)
{
    return site_traits(r->options.site)->single || !site_filled_by_others(r->options.site)
               ? INT64_MAX
               : r->probed_mono_ms + WANTED_MS;
}

/* True: the driver saw a worker change. */
static bool wait_for_work(struct reconcile *r)
{
    int watch = site_watch_fd(r->options.site);
    struct pollfd fds[2] = { { .fd = r->wake, .events = POLLIN },
                             { .fd = watch, .events = POLLIN } };
    int64_t now = clock_mono_ms();
    int64_t next = r->probe_mono_ms < r->list_mono_ms ? r->probe_mono_ms : r->list_mono_ms;
    int64_t wanted = wanted_mono_ms(r);
    uint64_t count;

    if (wanted <= now) /* work may come meanwhile */
        wanted = now + WANTED_MS;
    if (wanted < next)
        next = wanted;

    if (poll(fds, watch >= 0 ? 2 : 1,
             next > now ? (int)(next - now < 60000 ? next - now : 60000) : 0) < 0)
        return false;
    if (fds[0].revents)
        (void)!read(r->wake, &count, sizeof count);
    return watch >= 0 && fds[1].revents;
}

static bool stopping(struct reconcile *r)
{
    bool stop;

    pthread_mutex_lock(&r->lock);
    stop = r->stop;
    pthread_mutex_unlock(&r->lock);
    return stop;
}

static bool probe_due(struct reconcile *r)
{
    bool now;

    pthread_mutex_lock(&r->lock);
    now = r->probe_now;
    r->probe_now = false;
    pthread_mutex_unlock(&r->lock);
    return now || clock_mono_ms() >= r->probe_mono_ms ||
           (clock_mono_ms() >= wanted_mono_ms(r) && work_waits(r));
}

static void *run(void *arg)
{
    struct reconcile *r = arg;
    struct err err = ERR_INIT;

    if (probe(r, &err) < 0)
        note_fault(r, 0, err.text);
    while (!stopping(r)) {
        bool seen = wait_for_work(r);

        make_waiting(r);
        answer_asks(r);
        if (seen || clock_mono_ms() >= r->list_mono_ms || (!r->look && has_leaving(r)))
            look(r);
        if (probe_due(r) && probe(r, &err) < 0)
            note_fault(r, 0, err.text);
    }
    return NULL;
}

static void reconcile_free(struct reconcile *r)
{
    struct retry *retry;

    list_each_safe(at, &r->makes) make_free(list_item(at, struct make_item, link));
    for (size_t i = 0; (retry = map_next(&r->retries, &i));)
        free(retry);
    map_fini(&r->retries);
    forget_said(r);
    close(r->wake);
    pthread_cond_destroy(&r->answered);
    pthread_mutex_destroy(&r->lock);
    free(r->url);
    free(r->pin);
    free(r);
}

int reconcile_start(const struct reconcile_options *options, struct reconcile **out,
                    struct err *err)
{
    struct reconcile *r = xcalloc(1, sizeof *r);

    r->options = *options;
    r->url = xstrdup(options->url);
    r->pin = copy_or_null(options->pin);
    r->said.strings = r->saying.strings = true;
    list_init(&r->makes);
    list_init(&r->asks);
    r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&r->lock, NULL);
    clock_cond_init(&r->answered);
    if (r->wake < 0 || (errno = pthread_create(&r->thread, NULL, run, r))) {
        err_sys(err, "start the thread of site %s", name_of(r));
        reconcile_free(r);
        return -1;
    }
    *out = r;
    return 0;
}

void reconcile_stop(struct reconcile *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->answered);
    pthread_mutex_unlock(&r->lock);
    reconcile_poke(r);
    pthread_join(r->thread, NULL);
    reconcile_free(r);
}
