/* SPDX-License-Identifier: Apache-2.0 */
/* world_learned.c - between experience, which knows names, and snapshots, which know places.
 *
 * Boots and waits are put into the scheduler's words when one of them changed, not in each pass. */
#include <string.h>

#include "base/own.h"
#include "base/parse.h"
#include "sites/site.h"
#include "world_parts.h"

/* ---- boots and waits ---- */

void learned_forget(struct world *world)
{
    struct wclass *wclass;

    for (size_t i = 0; world->boots && i < world->site_count; i++)
        free(world->boots[i].list);
    free(take_ptr(world->boots));
    for (size_t i = 0; (wclass = map_next(&world->classes, &i));)
        free(take_ptr(wclass->waits));
    world->taken = 0;
}

/* "SITE/REST": the site's place, or -1. */
static int split(const struct world *world, const char *name, const char **rest)
{
    const char *slash = strchr(name, '/');
    own_str char *site = slash ? xstrdup(name) : NULL;

    if (!slash)
        return -1;
    site[slash - name] = '\0';
    *rest = slash + 1;
    return site_place(world, site);
}

static void take_wait(void *arg, const char *name, const struct learned *learned)
{
    struct world *world = arg;
    const char *rest;
    int site = split(world, name, &rest);
    struct wclass *wclass;
    int64_t class_id;

    if (site < 0)
        return;
    if (!*rest) {
        world->boots[site].wait_ms = learned_mean_ms(learned);
        return;
    }
    if (parse_i64(rest, 1, INT64_MAX, &class_id, NULL) < 0 ||
        !(wclass = map_get(&world->classes, (uint64_t)class_id)))
        return;
    if (!wclass->waits) {
        wclass->waits = xcalloc(world->site_count, sizeof *wclass->waits);
        for (size_t i = 0; i < world->site_count; i++)
            wclass->waits[i] = -1;
    }
    wclass->waits[site] = learned_mean_ms(learned);
}

void learned_refresh(struct world *world)
{
    uint64_t version = experience_version(world->experience);

    if (world->boots && world->taken == version)
        return;
    learned_forget(world);
    world->boots = xcalloc(world->site_count + 1, sizeof *world->boots);
    for (size_t i = 0; i < world->site_count; i++)
        world->boots[i].wait_ms = -1;
    experience_waits(world->experience, take_wait, world);
    world->taken = version;
}

struct boots_of {
    struct world *world;
    struct wboots *into;
    size_t place;
    const struct site_offer *offer;
};

/* "SITE/IMAGE/SHAPE": both may hold slashes, so the shape is one of those that there are. */
static void take_boot(void *arg, const char *name, const struct learned *learned)
{
    const struct boots_of *of = arg;
    const char *rest = NULL;
    int site = split(of->world, name, &rest);

    if (site < 0 || (size_t)site != of->place)
        return;
    for (size_t i = 0; i < of->offer->probe.shape_count && i < SCHED_SHAPES_MOST; i++) {
        const char *shape = of->offer->probe.shapes[i].name;
        size_t length = strlen(rest), tail = strlen(shape);
        own_str char *image = NULL;

        if (length <= tail || rest[length - tail - 1] != '/' ||
            strcmp(rest + length - tail, shape) != 0)
            continue;
        image = xstrdup(rest);
        image[length - tail - 1] = '\0';
        of->into->list = xrealloc(of->into->list, (of->into->count + 1) * sizeof *of->into->list);
        of->into->list[of->into->count++] =
            (struct sched_boot){ .shape = (int)i,
                                 .image = *image ? names_number(&of->world->names, image) : 0,
                                 .mean_ms = learned_mean_ms(learned),
                                 .high_ms = learned_high_ms(learned) };
        return;
    }
}

const struct wboots *learned_boots(struct world *world, size_t place,
                                   const struct site_offer *offer)
{
    struct wboots *boots = &world->boots[place];
    struct boots_of of = { world, boots, place, offer };

    if (boots->generation == offer->generation)
        return boots;
    free(take_ptr(boots->list));
    boots->count = 0;
    experience_boots(world->experience, take_boot, &of);
    boots->generation = offer->generation;
    return boots;
}

int64_t learned_run(struct world *world, const struct wclass *wclass)
{
    return learned_run_ms(experience_run(world->experience, wclass->class->id),
                          wclass->fixed.options[0].walltime_ms, wclass->parts, 3);
}

/* ---- faults ---- */

struct avoiding {
    struct world *world;
    struct sched_class *classes;
    int64_t now_ms;
};

static void avoid_one(void *arg, const char *name, const struct breaker *breaker)
{
    const struct avoiding *avoiding = arg;
    struct world *world = avoiding->world;
    const struct wclass *wclass;
    const char *rest;
    int site = split(world, name, &rest);
    int64_t class_id;

    if (site < 0 || breaker_allows(breaker, avoiding->now_ms) ||
        parse_i64(rest, 1, INT64_MAX, &class_id, NULL) < 0 ||
        !(wclass = map_get(&world->classes, (uint64_t)class_id)) || wclass->pass != world->pass)
        return;
    site_set_add(&avoiding->classes[wclass->place].avoid, (size_t)site);
}

void learned_avoid(struct world *world, struct sched_class *classes, int64_t now_ms)
{
    struct avoiding avoiding = { world, classes, now_ms };

    experience_avoided(world->experience, avoid_one, &avoiding);
}

struct noting {
    struct world *world;
    const char *site;
};

static void note_one(void *arg, const char *shape, const struct breaker *breaker)
{
    const struct noting *noting = arg;
    own_str char *name = shape ? xasprintf("%s/%s", noting->site, shape) : xstrdup(noting->site);

    experience_breaker_set(noting->world->experience, name, breaker);
}

void world_note_breakers(struct world *world)
{
    for (size_t i = 0; i < world->site_count; i++) {
        struct noting noting = { world, site_name(world->sites[i]) };

        site_breakers(world->sites[i], note_one, &noting);
    }
}

static void restore_one(void *arg, const char *name, const struct breaker *breaker)
{
    struct world *world = arg;
    const char *shape = NULL;
    int site = strchr(name, '/') ? split(world, name, &shape) : site_place(world, name);

    if (site >= 0)
        site_breaker_restore(world->sites[site], shape, breaker);
}

void world_restore(struct world *world)
{
    experience_breakers(world->experience, restore_one, world);
}

/* ---- what happened ---- */

void world_failed(struct world *world, const struct qtask *task, int64_t now_ms)
{
    experience_failed(world->experience, task->worker->site, task->job->class->id, now_ms,
                      "an attempt was lost here");
}

void world_made(struct world *world, int64_t worker, int64_t class_id, double cost)
{
    struct wmade *made = xcalloc(1, sizeof *made);

    *made = (struct wmade){ class_id, cost };
    map_put(&world->made, (uint64_t)worker, made);
}

void world_booted(struct world *world, const struct qworker *worker, int64_t took_ms,
                  int64_t began_ms)
{
    own_mem struct wmade *made = map_del(&world->made, (uint64_t)worker->id);
    int64_t class_id = made ? made->class_id : 0;
    int64_t boot = began_ms > 0 && began_ms < took_ms ? began_ms : took_ms;

    experience_booted(world->experience, worker->site, worker->image ? worker->image : "",
                      worker->shape ? worker->shape : "", boot);
    experience_waited(world->experience, worker->site, 0, took_ms - boot);
    if (class_id > 0)
        experience_waited(world->experience, worker->site, class_id, took_ms - boot);
}

static double price_of(struct world *world, int site, const char *name)
{
    struct site_offer *offer = site_offer(world->sites[site]);
    const struct shape *shape = shape_find(offer, name);
    double price = site_conf_price(site_conf_of(world->sites[site]), name);

    if (price < 0 && shape)
        price = shape->price_hour;
    site_offer_put(world->sites[site], offer);
    return price;
}

/* A task's part of its worker's price: to its own ceiling, and where the worker is nobody's, to its
 * project. */
static void pay(struct world *world, const struct qtask *task, const struct room *room,
                int64_t run_ms, int64_t now_ms)
{
    const struct qworker *worker = task->worker;
    const struct qclass *class = task->job->class;
    struct room total = { worker->cpus, worker->memory, worker->disk, worker->gpus };
    int site = site_place(world, worker->site);
    double cost = site < 0 || !worker->shape
                      ? 0
                      : task_cost(price_of(world, site, worker->shape), &total, room, run_ms);

    if (class->spec.placement.max_cost >= 0)
        experience_cost_add(world->experience, class->id, cost);
    if (!worker->project && cost > 0)
        experience_paid(world->experience, class->project, cost, period_of(world, class->project),
                        now_ms);
}

/* Of the alternative that it ran as; 0: none. */
static int64_t walltime_of(const struct qtask *task)
{
    const struct job_spec *spec = &task->job->class->spec;
    size_t option = task->grant.alternative < spec->option_count ? task->grant.alternative : 0;

    return spec->option_count ? spec->options[option].walltime_ms : 0;
}

void world_ran(struct world *world, const struct qtask *task, int64_t run_ms, bool succeeded,
               int64_t now_ms)
{
    const struct qclass *class = task->job->class;
    const struct grant *grant = &task->grant;
    int64_t nodes = queue_task_nodes(task);
    struct room room = { grant->cpus * nodes, grant->memory * nodes, grant->disk * nodes,
                         grant->gpus * nodes };
    own_str char *user = xasprintf("%s/%s", class->project, class->user);

    pay(world, task, &room, run_ms, now_ms);
    if (succeeded) {
        experience_took(world->experience, class->id, class->project, class->user, run_ms,
                        walltime_of(task));
        experience_ran(world->experience, class->id, run_ms);
        experience_worked(world->experience, task->worker->site, class->id);
    }
    experience_used(world->experience, class->project, &room, &world->whole, run_ms, now_ms,
                    world->conf->half_life_ms);
    experience_used(world->experience, user, &room, &world->whole, run_ms, now_ms,
                    world->conf->half_life_ms);
}

void world_ended(struct world *world, const struct qworker *worker, int64_t now_ms)
{
    int site = site_place(world, worker->site);
    double price;

    free(map_del(&world->made, (uint64_t)worker->id));
    if (site < 0 || !worker->project || !worker->shape || now_ms <= worker->created_ms)
        return;
    price = price_of(world, site, worker->shape);
    if (price > 0)
        experience_paid(world->experience, worker->project,
                        price * (double)(now_ms - worker->created_ms) / 3600000,
                        period_of(world, worker->project), now_ms);
}
