/* SPDX-License-Identifier: Apache-2.0 */
/* world_sites.c - sites in the scheduler's words: shapes, ledger, images, health, boots. */
#include <string.h>

#include "base/own.h"
#include "world_parts.h"

static enum sched_quota_kind quota_kind(const char *name)
{
    static const struct {
        const char *name;
        enum sched_quota_kind kind;
    } kinds[] = {
        { "instances", SCHED_QUOTA_WORKERS }, { "workers", SCHED_QUOTA_WORKERS },
        { "pods", SCHED_QUOTA_WORKERS },      { "jobs", SCHED_QUOTA_WORKERS },
        { "cores", SCHED_QUOTA_CORES },       { "memory", SCHED_QUOTA_MEMORY },
        { "disk", SCHED_QUOTA_DISK },         { "gpus", SCHED_QUOTA_GPUS },
    };

    for (size_t i = 0; i < array_len(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0 ||
            (kinds[i].kind == SCHED_QUOTA_GPUS && strncmp(name, "gpus:", 5) == 0))
            return kinds[i].kind;
    return SCHED_QUOTA_OTHER;
}

/* What our workers there take of a line, all together and those that a probe cannot have seen yet.
 */
struct taken {
    struct room all, unseen;
    int64_t workers, unseen_workers;
};

const struct shape *shape_find(const struct site_offer *offer, const char *name)
{
    for (size_t i = 0; name && i < offer->probe.shape_count; i++)
        if (strcmp(offer->probe.shapes[i].name, name) == 0)
            return &offer->probe.shapes[i];
    return NULL;
}

static struct taken taken_at(struct queue *queue, const struct site_offer *offer, const char *site)
{
    struct taken taken = { .workers = 0 };
    struct qworker *worker;

    for (size_t i = 0; (worker = map_next(&queue->workers, &i));) {
        const struct shape *shape = shape_find(offer, worker->shape);
        struct room room = { worker->cpus, worker->memory, worker->disk, worker->gpus };

        if (strcmp(worker->site, site) != 0)
            continue;
        if (shape)
            room = (struct room){ shape->cpus, shape->memory, shape->disk, shape->gpus };
        taken.workers++;
        taken.all.cpus += room.cpus;
        taken.all.memory += room.memory;
        taken.all.disk += room.disk;
        taken.all.gpus += room.gpus;
        if (worker->created_ms < offer->probed_ms && worker->state != WORKER_INTENT)
            continue;
        taken.unseen_workers++;
        taken.unseen.cpus += room.cpus;
        taken.unseen.memory += room.memory;
        taken.unseen.disk += room.disk;
        taken.unseen.gpus += room.gpus;
    }
    return taken;
}

static int64_t part(const struct sched_quota *quota, const struct room *room, int64_t workers)
{
    switch (quota->kind) {
    case SCHED_QUOTA_CORES:
        return room->cpus;
    case SCHED_QUOTA_MEMORY:
        return room->memory;
    case SCHED_QUOTA_DISK:
        return room->disk;
    case SCHED_QUOTA_GPUS:
        return room->gpus;
    case SCHED_QUOTA_OTHER:
        return workers * quota->per_worker;
    default:
        return workers;
    }
}

static void add_limit(struct world *world, struct sched_quota *quotas, size_t *count,
                      const char *name, int64_t limit, const struct taken *taken, const char *model)
{
    struct sched_quota *quota = &quotas[*count];

    if (limit < 0)
        return;
    *quota = (struct sched_quota){ .name = name, .kind = quota_kind(name), .limit = limit };
    quota->per_worker = 1;
    quota->ours = part(quota, &taken->all, taken->workers);
    quota->gpu_model = names_number(&world->names, model);
    ++*count;
}

/* The site's own ledger, and below it what the operator lends. */
static void put_quotas(struct world *world, struct queue *queue, struct site *from,
                       const struct site_offer *offer, struct sched_site *site)
{
    const struct site_conf *conf = site_conf_of(from);
    struct taken taken = taken_at(queue, offer, conf->name);
    struct site_freed gone;
    struct room freed;
    size_t count = 0, most = offer->probe.quota_count + 5 + conf->limits.model_count;
    struct sched_quota *quotas = arena_alloc(&world->arena, most * sizeof *quotas);

    site_freed(from, offer, &gone);
    freed = (struct room){ gone.cpus, gone.memory, gone.disk, 0 };
    for (size_t i = 0; i < offer->probe.quota_count; i++) {
        const struct quota *line = &offer->probe.quotas[i];
        struct sched_quota *quota = &quotas[count++];

        /* The offer may be replaced while the snapshot lives. */
        *quota = (struct sched_quota){ .name = arena_strdup(&world->arena, line->name),
                                       .kind = quota_kind(line->name) };
        quota->per_worker = line->per_worker;
        quota->limit = line->limit;
        quota->ours = line->ours - part(quota, &freed, gone.workers);
        if (quota->ours < 0)
            quota->ours = 0;
        quota->others = line->others;
        quota->reserved = part(quota, &taken.unseen, taken.unseen_workers);
        if (strncmp(line->name, "gpus:", 5) == 0)
            quota->gpu_model = names_number(&world->names, line->name + 5);
        count -= quota->kind == SCHED_QUOTA_OTHER && !line->per_worker; /* only to be shown */
    }
    add_limit(world, quotas, &count, "workers", conf->limits.workers, &taken, NULL);
    add_limit(world, quotas, &count, "cores", conf->limits.cores, &taken, NULL);
    add_limit(world, quotas, &count, "memory", conf->limits.memory, &taken, NULL);
    add_limit(world, quotas, &count, "disk", conf->limits.disk, &taken, NULL);
    add_limit(world, quotas, &count, "gpus", conf->limits.gpus, &taken, NULL);
    for (size_t i = 0; i < conf->limits.model_count; i++)
        add_limit(world, quotas, &count, "gpus", conf->limits.models[i].count, &taken,
                  conf->limits.models[i].model);
    site->quotas = quotas;
    site->quota_count = count;
}

static void put_shapes(struct world *world, struct site *from, const struct site_offer *offer,
                       struct sched_site *site)
{
    const struct site_conf *conf = site_conf_of(from);
    size_t count = offer->probe.shape_count;

    if (count > SCHED_SHAPES_MOST)
        count = SCHED_SHAPES_MOST;
    site->shapes = arena_alloc(&world->arena, count * sizeof *site->shapes);
    site->shape_count = count;
    for (size_t i = 0; i < count; i++) {
        const struct shape *shape = &offer->probe.shapes[i];
        double price = site_conf_price(conf, shape->name);
        struct breaker breaker;

        site_shape_breaker(from, shape->name, &breaker);
        site->shapes[i] = (struct sched_shape){
            .name = shape->name,
            .room = { shape->cpus, shape->memory_seen ? shape->memory_seen : shape->memory,
                      shape->disk_seen ? shape->disk_seen : shape->disk, shape->gpus },
            .quota_memory = shape->memory,
            .quota_disk = shape->disk,
            .gpu_model = names_number(&world->names, shape->gpu_model),
            .gpu_memory = shape->gpu_memory,
            .price_hour = price >= 0 ? price : shape->price_hour,
            .closed_until_ms = breaker_closed_until(&breaker),
            .closed_why = breaker.why[0] ? arena_strdup(&world->arena, breaker.why) : NULL,
        };
    }
}

static void put_boots(struct world *world, size_t place, const struct site_offer *offer,
                      bool is_here, struct sched_site *site)
{
    /* a process of this machine */
    static const struct sched_boot at_once = { .shape = -1, .mean_ms = 1000, .high_ms = 2000 };
    const struct wboots *boots = learned_boots(world, place, offer);

    site->wait_ms = boots->wait_ms;
    site->boots = boots->count || !is_here ? boots->list : &at_once;
    site->boot_count = boots->count || !is_here ? boots->count : 1;
}

static void put_images(struct world *world, const struct site_conf *conf,
                       const struct site_offer *offer, struct sched_site *site)
{
    size_t count = conf->image_count, at = 0;
    uint32_t *images;

    for (size_t i = 0; offer->probe.images && offer->probe.images[i]; i++)
        count++;
    images = arena_alloc(&world->arena, count * sizeof *images);
    for (size_t i = 0; i < conf->image_count; i++)
        images[at++] = names_number(&world->names, conf->images[i].name);
    for (size_t i = 0; offer->probe.images && offer->probe.images[i]; i++)
        images[at++] = names_number(&world->names, offer->probe.images[i]);
    site->images = images;
    site->image_count = at;
    site->image = at ? images[0] : 0;
}

static void put_awaited(struct world *world, const struct site_offer *offer,
                        struct sched_site *site)
{
    size_t count = offer->probe.awaited_count;
    struct sched_awaited *awaited = arena_alloc(&world->arena, count * sizeof *awaited);

    for (size_t i = 0; i < count; i++)
        awaited[i] = (struct sched_awaited){
            .image = names_number(&world->names, offer->probe.awaited[i].name),
            .why = arena_strdup(&world->arena, offer->probe.awaited[i].why),
        };
    site->awaited = awaited;
    site->awaited_count = count;
}

void world_put_site(struct world *world, struct queue *queue, size_t place, struct sched_site *site)
{
    struct site *from = world->sites[place];
    const struct site_conf *conf = site_conf_of(from);
    struct site_offer *offer = site_offer(from);
    struct site_health health;
    bool single = site_traits(from)->single;

    site_health(from, &health);
    *site = (struct sched_site){
        .name = conf->name,
        .generation = offer->generation,
        .tier = conf->tier,
        .phase = conf->phase,
        .jurisdiction = names_number(&world->names, conf->jurisdiction),
        .cloud_act = conf->cloud_act,
        .local = single && conf->limits.workers <= 1,
        .containers = true,
        .container_bound = site_traits(from)->per_image,
        .any_project = conf->shared || single,
        .mode = health.mode,
        .health = offer->probed_ms && health.up ? SCHED_UP : SCHED_DOWN,
        .health_why = health.why[0] ? arena_strdup(&world->arena, health.why) : NULL,
        .closed_until_ms = breaker_closed_until(&health.breaker),
        .probed_ms = offer->probed_ms,
        .max_workers = single && conf->limits.workers < 0 ? 1 : conf->limits.workers,
        .credential_end_ms = offer->probe.credential_end_ms,
        .max_walltime_ms = conf->max_walltime_ms,
        .max_age_ms = conf->max_age_ms,
        .overflow_after_ms = conf->overflow_after_ms,
        .idle_ms = conf->idle_ms,
        .latency_ms = offer->probe.latency_ms,
        .wait_ms = -1,
        .creates_most = 8,
    };
    put_shapes(world, from, offer, site);
    put_images(world, conf, offer, site);
    put_awaited(world, offer, site);
    put_quotas(world, queue, from, offer, site);
    put_boots(world, place, offer, single, site);
    for (size_t i = 0; i < site->shape_count; i++) {
        world->whole.cpus += site->shapes[i].room.cpus;
        world->whole.memory += site->shapes[i].room.memory;
        world->whole.gpus += site->shapes[i].room.gpus;
        site->shapes[i].name = arena_strdup(&world->arena, site->shapes[i].name);
    }
    site_offer_put(from, offer);
}

int site_place(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (strcmp(site_name(world->sites[i]), name) == 0)
            return (int)i;
    return -1;
}
