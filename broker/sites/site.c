/* SPDX-License-Identifier: Apache-2.0 */
/* site.c - the registry of drivers, and what every call to one has around it. */
#include "sites/site.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/own.h"
#include "base/parse.h"
#include "sites/heat/driver.h"
#include "sites/kubernetes/driver.h"
#include "sites/local.h"
#include "sites/magnum/driver.h"
#include "sites/openstack/driver.h"
#include "sites/slurm/driver.h"
#include "sites/ssh.h"

static const struct site_driver *const drivers[] = {
    &local_driver,      &slurm_driver, &ssh_driver,    &openstack_driver,
    &kubernetes_driver, &heat_driver,  &magnum_driver,
};

struct shape_breaker {
    char *shape;
    struct breaker breaker;
    int64_t memory, disk; /* as a worker of it had; 0: none joined yet */
};

struct site {
    const struct site_conf *conf;
    const struct site_driver *driver;
    void *self;
    pthread_mutex_t lock; /* all below */
    struct site_offer *offer;
    struct site_freed freed; /* of what `offer` counts */
    struct site_health health;
    const char *faulty; /* the call that the last fault came from */
    struct map shapes;  /* name -> struct shape_breaker */
};

static uint64_t next_generation(void)
{
    static atomic_ullong last = 0;

    return atomic_fetch_add(&last, 1) + 1;
}

static const struct site_driver *driver_find(const char *type)
{
    for (size_t i = 0; i < array_len(drivers); i++)
        if (strcmp(drivers[i]->type, type) == 0)
            return drivers[i];
    return NULL;
}

static int no_driver(const struct site_conf *conf, struct err *err)
{
    char known[128] = "";
    size_t at = 0;

    for (size_t i = 0; i < array_len(drivers) && at < sizeof known; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "",
                               drivers[i]->type);
    return site_conf_error(conf, "/type", err, "no driver for type '%s'; there is %s", conf->type,
                           known);
}

void probe_free(struct probe *probe)
{
    for (size_t i = 0; i < probe->shape_count; i++) {
        free(probe->shapes[i].name);
        free(probe->shapes[i].gpu_model);
    }
    for (size_t i = 0; i < probe->quota_count; i++)
        free(probe->quotas[i].name);
    for (size_t i = 0; probe->images && probe->images[i]; i++)
        free(probe->images[i]);
    for (size_t i = 0; i < probe->awaited_count; i++) {
        free(probe->awaited[i].name);
        free(probe->awaited[i].why);
    }
    for (size_t i = 0; probe->counted && probe->counted[i]; i++)
        free(probe->counted[i]);
    free(probe->shapes);
    free(probe->quotas);
    free(probe->images);
    free(probe->awaited);
    free(probe->counted);
    json_decref(probe->more);
    memset(probe, 0, sizeof *probe);
}

void resource_list_free(struct resources_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->list[i].kind);
        free(list->list[i].id);
        free(list->list[i].name);
        free(list->list[i].detail);
    }
    free(list->list);
    memset(list, 0, sizeof *list);
}

struct resource *resource_list_add(struct resources_list *list, const char *kind, const char *id,
                                   const char *name)
{
    struct resource *resource;

    list->list = xrealloc(list->list, (list->count + 1) * sizeof *list->list);
    resource = &list->list[list->count++];
    *resource = (struct resource){ .kind = xstrdup(kind),
                                   .id = xstrdup(id),
                                   .name = name ? xstrdup(name) : NULL };
    return resource;
}

void sites_kept(const char *state, void (*each)(void *arg, const char *name), void *arg)
{
    own_str char *path = xasprintf("%s/sites", state);
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        own_str char *mark = xasprintf("%s/%s/" SITE_KEEPS, path, entry->d_name);

        if (entry->d_name[0] != '.' && access(mark, F_OK) == 0)
            each(arg, entry->d_name);
    }
    if (dir)
        closedir(dir);
}

int site_open(const struct site_conf *conf, const char *state, struct site **out, struct err *err)
{
    own_str char *dir = xasprintf("%s/sites/%s", state, conf->name);
    const struct site_driver *driver = driver_find(conf->type);
    struct site *site;
    void *self = NULL;

    if (conf->fault)
        return err_set(err, FAULT_INVALID, "%s", conf->fault);
    if (!driver)
        return no_driver(conf, err);
    if (driver->other)
        driver = driver->other(conf);
    if (conf->burst.on && !driver->home)
        return site_conf_error(conf, "/burst", err,
                               "a site of type %s has no queue of its own to take jobs from",
                               conf->type);
    for (size_t i = 0; !driver->uploads && i < conf->image_count; i++)
        if (conf->images[i].from)
            return site_conf_error(conf, "/images", err,
                                   "images cannot be brought to a site of type %s; give the name "
                                   "that '%s' has there",
                                   conf->type, conf->images[i].name);
    if (driver->open(conf, dir, &self, err) < 0)
        return -1;
    site = xcalloc(1, sizeof *site);
    site->conf = conf;
    site->driver = driver;
    site->self = self;
    site->shapes.strings = true;
    site->health.mode = conf->enabled ? SITE_ENABLED : SITE_DISABLED;
    pthread_mutex_init(&site->lock, NULL);
    site->offer = xcalloc(1, sizeof *site->offer);
    site->offer->references = 1;
    site->offer->generation = next_generation();
    *out = site;
    return 0;
}

/* With the lock held. */
static void offer_drop(struct site_offer *offer)
{
    if (--offer->references > 0)
        return;
    probe_free(&offer->probe);
    free(offer);
}

void site_close(struct site *site)
{
    struct shape_breaker *shape;

    if (!site)
        return;
    site->driver->close(site->self);
    offer_drop(site->offer);
    for (size_t i = 0; (shape = map_next(&site->shapes, &i));) {
        free(shape->shape);
        free(shape);
    }
    map_fini(&site->shapes);
    pthread_mutex_destroy(&site->lock);
    free(site);
}

const struct site_conf *site_conf_of(const struct site *site)
{
    return site->conf;
}

const char *site_name(const struct site *site)
{
    return site->conf->name;
}

const struct site_driver *site_traits(const struct site *site)
{
    return site->driver;
}

bool site_calls(struct site *site, int *last_minute, int *most)
{
    if (!site->driver->calls)
        return false;
    site->driver->calls(site->self, last_minute, most);
    return true;
}

int site_watch_fd(struct site *site)
{
    return site->driver->watch_fd ? site->driver->watch_fd(site->self) : -1;
}

struct site_offer *site_offer(struct site *site)
{
    struct site_offer *offer;

    pthread_mutex_lock(&site->lock);
    offer = site->offer;
    offer->references++;
    pthread_mutex_unlock(&site->lock);
    return offer;
}

void site_offer_put(struct site *site, struct site_offer *offer)
{
    pthread_mutex_lock(&site->lock);
    offer_drop(offer);
    pthread_mutex_unlock(&site->lock);
}

/* What the least of its shapes takes of a line. */
static int64_t least_of(const struct probe *probe, const struct quota *line)
{
    int64_t cpus = INT64_MAX, memory = INT64_MAX;

    for (size_t i = 0; i < probe->shape_count; i++) {
        if (probe->shapes[i].cpus < cpus)
            cpus = probe->shapes[i].cpus;
        if (probe->shapes[i].memory < memory)
            memory = probe->shapes[i].memory;
    }
    return strcmp(line->name, "cores") == 0    ? cpus
           : strcmp(line->name, "memory") == 0 ? memory
                                               : line->per_worker;
}

bool site_filled_by_others(struct site *site)
{
    struct site_offer *offer = site_offer(site);
    bool full = false;

    for (size_t i = 0; i < offer->probe.quota_count; i++) {
        const struct quota *line = &offer->probe.quotas[i];
        int64_t least = strcmp(line->name, "instances") == 0 ? 1 : least_of(&offer->probe, line);

        full |= line->limit >= 0 && line->others > 0 && least > 0 &&
                line->limit - line->ours - line->others < least;
    }
    site_offer_put(site, offer);
    return full;
}

static bool is_counted(const struct probe *probe, const char *name)
{
    for (size_t i = 0; probe->counted && probe->counted[i]; i++)
        if (strcmp(probe->counted[i], name) == 0)
            return true;
    return false;
}

void site_gone(struct site *site, const char *name, const char *shape)
{
    const struct probe *probe;

    pthread_mutex_lock(&site->lock);
    probe = &site->offer->probe;
    for (size_t i = 0; i < probe->shape_count && is_counted(probe, name); i++) {
        const struct shape *from = &probe->shapes[i];

        if (strcmp(from->name, shape) != 0)
            continue;
        site->freed.workers++;
        site->freed.cpus += from->cpus;
        site->freed.memory += from->memory;
        site->freed.disk += from->disk;
        break;
    }
    pthread_mutex_unlock(&site->lock);
}

void site_freed(struct site *site, const struct site_offer *offer, struct site_freed *out)
{
    pthread_mutex_lock(&site->lock);
    *out = site->offer == offer ? site->freed : (struct site_freed){ .workers = 0 };
    pthread_mutex_unlock(&site->lock);
}

void site_health(struct site *site, struct site_health *out)
{
    pthread_mutex_lock(&site->lock);
    *out = site->health;
    pthread_mutex_unlock(&site->lock);
}

void site_set_mode(struct site *site, enum site_mode mode)
{
    pthread_mutex_lock(&site->lock);
    site->health.mode = mode;
    pthread_mutex_unlock(&site->lock);
}

/* With the lock held; makes it when it is new. */
static struct shape_breaker *shape_get(struct site *site, const char *name)
{
    struct shape_breaker *shape = map_get_str(&site->shapes, name);

    if (!shape) {
        shape = xcalloc(1, sizeof *shape);
        shape->shape = xstrdup(name);
        map_put_str(&site->shapes, shape->shape, shape);
    }
    return shape;
}

static struct breaker *shape_of(struct site *site, const char *name)
{
    return &shape_get(site, name)->breaker;
}

void site_shape_breaker(struct site *site, const char *name, struct breaker *out)
{
    pthread_mutex_lock(&site->lock);
    *out = *shape_of(site, name);
    pthread_mutex_unlock(&site->lock);
}

void site_breakers(struct site *site, site_breaker_each *each, void *arg)
{
    const struct shape_breaker *shape;

    pthread_mutex_lock(&site->lock);
    each(arg, NULL, &site->health.breaker);
    for (size_t i = 0; (shape = map_next(&site->shapes, &i));)
        each(arg, shape->shape, &shape->breaker);
    pthread_mutex_unlock(&site->lock);
}

void site_breaker_restore(struct site *site, const char *shape, const struct breaker *breaker)
{
    pthread_mutex_lock(&site->lock);
    *(shape ? shape_of(site, shape) : &site->health.breaker) = *breaker;
    if (!shape)
        snprintf(site->health.why, sizeof site->health.why, "%s", breaker->why);
    pthread_mutex_unlock(&site->lock);
}

/* ---- calls ------------------------------------------------------------------------------------
 */

/* Whose fault it is decides what closes: the flavor alone, the whole site, or nothing. */
static void note_fault(struct site *site, const char *shape, const struct err *err)
{
    int64_t now = clock_wall_ms();

    switch (err->fault) {
    case FAULT_NO_CAPACITY:
        if (shape)
            breaker_fault(shape_of(site, shape), now, true, err->text);
        break;
    case FAULT_AUTH:
    case FAULT_THROTTLED:
        breaker_fault(&site->health.breaker, now, true, err->text);
        break;
    case FAULT_UNAVAILABLE:
    case FAULT_TIMEOUT:
    case FAULT_INTERNAL:
        breaker_fault(&site->health.breaker, now, false, err->text);
        break;
    default:
        if (shape)
            breaker_fault(shape_of(site, shape), now, false, err->text);
        break;
    }
}

/* The outcome of one call, as the driver gave it. */
static int settle(struct site *site, const char *what, const char *shape, int rc, struct err *err)
{
    pthread_mutex_lock(&site->lock);
    site->health.calls++;
    if (rc < 0) {
        site->health.faults++;
        site->health.fault = err->fault;
        site->health.fault_ms = clock_wall_ms();
        snprintf(site->health.why, sizeof site->health.why, "%.200s", err->text);
        site->faulty = what;
        site->health.up = err->fault != FAULT_UNAVAILABLE && err->fault != FAULT_TIMEOUT;
        note_fault(site, shape, err);
    } else {
        site->health.up = true;
        /* A site that can be listed may still be one that cannot be probed. */
        if (!shape &&
            (!site->faulty || strcmp(site->faulty, what) == 0 || strcmp(what, "probe") == 0)) {
            site->faulty = NULL;
            site->health.why[0] = '\0';
            breaker_success(&site->health.breaker);
        }
    }
    pthread_mutex_unlock(&site->lock);
    return rc < 0 ? err_wrap(err, "site %s: %s", site->conf->name, what) : rc;
}

/* With the lock held.  A task that asks for all that a flavor promises would else have one worker
 * after another made, each a little too small for it. */
static void put_seen(struct site *site, struct probe *probe)
{
    for (size_t i = 0; i < probe->shape_count; i++) {
        struct shape *shape = &probe->shapes[i];
        const struct shape_breaker *seen = map_get_str(&site->shapes, shape->name);

        if (!seen)
            continue;
        shape->memory_seen = seen->memory < shape->memory ? seen->memory : 0;
        shape->disk_seen = seen->disk < shape->disk ? seen->disk : 0;
    }
}

/* What came after `asked_ms` may not be in it. */
static void publish(struct site *site, struct probe *probe, int64_t asked_ms)
{
    struct site_offer *offer = xcalloc(1, sizeof *offer);

    pthread_mutex_lock(&site->lock);
    put_seen(site, probe);
    offer->probe = *probe;
    offer->references = 1;
    offer->generation = next_generation();
    offer->probed_ms = asked_ms;
    offer_drop(site->offer);
    site->offer = offer;
    site->freed = (struct site_freed){ .workers = 0 };
    pthread_mutex_unlock(&site->lock);
}

int site_probe(struct site *site, int64_t deadline_mono_ms, struct err *err)
{
    struct probe probe = { .latency_ms = 0 };
    int64_t began = clock_mono_ms(), asked_ms = clock_wall_ms();
    int rc = site->driver->probe(site->self, deadline_mono_ms, &probe, err);

    if (rc == 0) {
        probe.latency_ms = clock_mono_ms() - began;
        publish(site, &probe, asked_ms);
    } else {
        probe_free(&probe);
    }
    return settle(site, "probe", NULL, rc, err);
}

/* Where the site has just said that its quota is used up, the rest of a batch would only hear the
 * same. */
static void create_each(struct site *site, const struct order *orders, size_t count,
                        struct err *errs)
{
    bool full = false;

    for (size_t i = 0; i < count; i++) {
        if (full)
            err_set(&errs[i], FAULT_QUOTA, "not asked for: the quota was used up a moment ago");
        else if (site->driver->create(site->self, &orders[i], &errs[i]) < 0)
            full = errs[i].fault == FAULT_QUOTA;
    }
}

/* One that is refused for quota says as much as the rest of its batch: three of them must not look
 * like a flavor that fails again and again. */
static void settle_all(struct site *site, const struct order *orders, size_t count,
                       struct err *errs)
{
    bool full = false;

    for (size_t i = 0; i < count; i++) {
        if (full && errs[i].fault == FAULT_QUOTA)
            err_wrap(&errs[i], "site %s: create", site->conf->name);
        else
            settle(site, "create", orders[i].shape, errs[i].fault ? -1 : 0, &errs[i]);
        full |= errs[i].fault == FAULT_QUOTA;
    }
}

void site_create(struct site *site, const struct order *orders, size_t count, struct err *errs)
{
    const struct site_driver *driver = site->driver;

    pthread_mutex_lock(&site->lock);
    breaker_try(&site->health.breaker, clock_wall_ms());
    for (size_t i = 0; i < count; i++)
        breaker_try(shape_of(site, orders[i].shape), clock_wall_ms());
    pthread_mutex_unlock(&site->lock);
    if (count > 1 && driver->create_many)
        driver->create_many(site->self, orders, count, errs);
    else
        create_each(site, orders, count, errs);
    settle_all(site, orders, count, errs);
}

int site_list(struct site *site, const char *broker, int64_t deadline_mono_ms,
              struct resources_list *out, struct err *err)
{
    int rc = site->driver->list(site->self, broker, deadline_mono_ms, out, err);

    if (rc < 0)
        resource_list_free(out);
    return settle(site, "list", NULL, rc, err);
}

int site_inspect(struct site *site, const char *name, int64_t deadline_mono_ms,
                 enum instance_state *out, struct buf *detail, struct err *err)
{
    return settle(site, "inspect", NULL,
                  site->driver->inspect(site->self, name, deadline_mono_ms, out, detail, err), err);
}

int site_diagnose(struct site *site, const char *name, int64_t deadline_mono_ms, struct buf *out,
                  struct err *err)
{
    if (!site->driver->diagnose)
        return 0;
    return settle(site, "diagnose", NULL,
                  site->driver->diagnose(site->self, name, deadline_mono_ms, out, err), err);
}

int site_audit(struct site *site, int64_t deadline_mono_ms, json_t *findings, struct err *err)
{
    if (!site->driver->audit)
        return 0;
    return settle(site, "audit", NULL,
                  site->driver->audit(site->self, deadline_mono_ms, findings, err), err);
}

int site_destroy(struct site *site, const char *name, int64_t deadline_mono_ms, struct err *err)
{
    return settle(site, "destroy", NULL,
                  site->driver->destroy(site->self, name, deadline_mono_ms, err), err);
}

void site_destroy_many(struct site *site, const char *const *names, size_t count, int64_t call_ms,
                       struct err *errs)
{
    const struct site_driver *driver = site->driver;
    bool at_once = count > 1 && driver->destroy_many;

    if (at_once)
        driver->destroy_many(site->self, names, count, clock_mono_ms() + call_ms, errs);
    for (size_t i = 0; i < count; i++) {
        struct err err = at_once ? errs[i] : (struct err)ERR_INIT;
        int rc = at_once ? settle(site, "destroy", NULL, err.fault ? -1 : 0, &err)
                         : site_destroy(site, names[i], clock_mono_ms() + call_ms, &err);

        errs[i] = rc < 0 ? err : (struct err)ERR_INIT;
    }
}

/* With the lock held; NULL: the shape is no longer offered. */
static const struct shape *promised(const struct site *site, const char *name)
{
    const struct probe *probe = &site->offer->probe;

    for (size_t i = 0; i < probe->shape_count; i++)
        if (strcmp(probe->shapes[i].name, name) == 0)
            return &probe->shapes[i];
    return NULL;
}

int site_joined(struct site *site, const char *name, const struct seen *seen, struct err *err)
{
    const struct shape *offered;
    struct shape_breaker *shape;
    int rc = 0;

    if (site->driver->single)
        return 0;
    pthread_mutex_lock(&site->lock);
    offered = promised(site, name);
    shape = shape_get(site, name);
    if (offered && ((seen->memory < offered->memory && seen->memory != shape->memory) ||
                    (seen->disk < offered->disk && seen->disk != shape->disk)))
        rc = SITE_JOINED_LESS;
    shape->memory = seen->memory;
    shape->disk = seen->disk;
    if (offered && seen->gpus < offered->gpus)
        rc = err_set(err, FAULT_INVALID, "%s promises %d GPU%s, its agent found %d", name,
                     offered->gpus, offered->gpus > 1 ? "s" : "", seen->gpus);
    if (rc < 0)
        breaker_fault(&shape->breaker, clock_wall_ms(), true, err->text);
    else
        breaker_success(&shape->breaker);
    pthread_mutex_unlock(&site->lock);
    return rc;
}

void site_failed(struct site *site, const char *shape, enum fault fault, const char *why)
{
    pthread_mutex_lock(&site->lock);
    breaker_fault(shape_of(site, shape), clock_wall_ms(),
                  fault == FAULT_NO_CAPACITY || fault == FAULT_INVALID, why);
    pthread_mutex_unlock(&site->lock);
}

/* ---- the site's own queue --------------------------------------------------------------------- */

const struct site_home *site_home(const struct site *site, void **self)
{
    *self = site->self;
    return site->driver->home;
}
