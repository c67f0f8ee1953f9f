/* SPDX-License-Identifier: Apache-2.0 */
/* fit.c - the filter: which sites and shapes can run a class at all.
 *
 * What follows from fixed parts alone is remembered by class, one bit a shape, so that a pass asks
 * a word instead of a site.  The same rules, taken one by one, say what would make a class fit. */
#include "base/map.h"
#include "base/own.h"
#include "sched/scratch.h"

bool site_set_empty(const struct site_set *set)
{
    uint64_t any = 0;

    for (size_t i = 0; i < array_len(set->bits); i++)
        any |= set->bits[i];
    return any == 0;
}

bool fit_gpus(const struct sched_option *option, int64_t gpus, uint32_t model, int64_t memory)
{
    bool named = option->gpu_model_count == 0;

    if (option->need.gpus == 0)
        return true;
    for (size_t i = 0; i < option->gpu_model_count; i++)
        named |= option->gpu_models[i] == model;
    return named && gpus >= option->need.gpus && memory >= option->gpu_memory;
}

static bool fit_walltime(const struct sched_option *option, const struct sched_site *site)
{
    return (site->max_walltime_ms <= 0 || option->walltime_ms <= site->max_walltime_ms) &&
           (site->max_age_ms <= 0 || option->walltime_ms <= site->max_age_ms);
}

bool fit_option(const struct sched_option *option, const struct sched_site *site,
                const struct sched_shape *shape)
{
    struct room need = need_apart(site, option);

    return room_fits(&shape->room, &need) &&
           fit_gpus(option, shape->room.gpus, shape->gpu_model, shape->gpu_memory) &&
           fit_walltime(option, site);
}

bool fit_image(const struct sched_class *class, const struct sched_site *site)
{
    if (class->image == 0 || site->image_count == 0 || (class->container && site->container_bound))
        return true;
    for (size_t i = 0; i < site->image_count; i++)
        if (site->images[i] == class->image)
            return true;
    return false;
}

const struct sched_awaited *image_awaited(const struct sched_class *class,
                                          const struct sched_site *site)
{
    uint32_t image = class->image ? class->image : site->image;

    for (size_t i = 0; i < site->awaited_count; i++)
        if (site->awaited[i].image == image)
            return &site->awaited[i];
    return NULL;
}

static bool fit_jurisdiction(const struct sched_class *class, const struct sched_site *site)
{
    if (class->jurisdiction_count == 0)
        return true;
    for (size_t i = 0; i < class->jurisdiction_count; i++)
        if (class->jurisdictions[i] == site->jurisdiction && site->jurisdiction)
            return true;
    return false;
}

static bool fit_named(const struct sched_class *class, size_t index)
{
    return !site_set_has(&class->exclude, index) &&
           (site_set_empty(&class->require) || site_set_has(&class->require, index));
}

static bool fit_directory(const struct sched_class *class, size_t index)
{
    return !class->in_place || site_set_has(&class->shared_by, index);
}

bool fit_place(const struct sched_class *class, const struct sched_site *site, size_t index)
{
    return fit_named(class, index) && site->tier <= class->tier && fit_jurisdiction(class, site) &&
           !(class->cloud_act_free && site->cloud_act) && fit_image(class, site) &&
           (class->container == 0 || site->containers) && fit_directory(class, index);
}

bool fit_project_site(const struct sched_project *project, const struct sched_site *site,
                      size_t index)
{
    return (site_set_empty(&project->sites) || site_set_has(&project->sites, index)) &&
           site->tier <= project->tier && site->phase >= project->phase;
}

struct site_set fit_project(const struct sched_snapshot *snap, const struct sched_project *project)
{
    struct site_set set = { { 0 } };

    for (size_t i = 0; i < snap->site_count; i++)
        if (fit_project_site(project, &snap->sites[i], i))
            site_set_add(&set, i);
    return set;
}

/* ---- the same, one by one ------------------------------------------------------------------- */

struct fixes {
    struct sched_fix *list;
    size_t count, most;
};

static void fix(struct fixes *fixes, bool wanted, enum sched_fix_kind kind, int64_t amount)
{
    if (wanted && fixes->count < fixes->most)
        fixes->list[fixes->count++] =
            (struct sched_fix){ .kind = kind, .quota = -1, .amount = amount };
}

size_t fit_shape_fixes(const struct sched_option *option, const struct sched_site *site,
                       const struct sched_shape *shape, struct sched_fix *out, size_t most)
{
    struct fixes fixes = { .list = out, .most = most };
    const struct room *need = &option->need, *room = &shape->room;
    struct sched_option any_model = *option;
    int64_t walltime = option->walltime_ms, parts;

    any_model.gpu_model_count = 0;
    any_model.gpu_memory = 0;
    any_model.need.gpus = need->gpus ? 1 : 0;
    fix(&fixes, need->cpus > room->cpus, SCHED_FIX_CPUS, room->cpus);
    fix(&fixes, need->memory > room->memory, SCHED_FIX_MEMORY, room->memory);
    fix(&fixes, need->disk > room->disk, SCHED_FIX_DISK, room->disk);
    fix(&fixes, need->gpus > room->gpus, SCHED_FIX_GPUS, room->gpus);
    if (need->gpus && room->gpus) {
        any_model.gpu_models = option->gpu_models;
        any_model.gpu_model_count = option->gpu_model_count;
        fix(&fixes, !fit_gpus(&any_model, room->gpus, shape->gpu_model, shape->gpu_memory),
            SCHED_FIX_GPU_MODEL, 0);
        fix(&fixes, option->gpu_memory > shape->gpu_memory, SCHED_FIX_GPU_MEMORY,
            shape->gpu_memory);
    }
    if (site->local && option->nodes > 1) { /* once one of its nodes fits, how many do */
        parts = room_count(room, need);
        fix(&fixes, parts<option->nodes, SCHED_FIX_NODES, parts> 0 ? parts : 1);
    }
    if (site->max_walltime_ms > 0 && walltime > site->max_walltime_ms)
        walltime = site->max_walltime_ms;
    if (site->max_age_ms > 0 && walltime > site->max_age_ms)
        walltime = site->max_age_ms;
    fix(&fixes, walltime != option->walltime_ms, SCHED_FIX_WALLTIME, walltime);
    return fixes.count;
}

size_t fit_place_fixes(const struct sched_class *class, const struct sched_site *site, size_t index,
                       struct sched_fix *out, size_t most)
{
    struct fixes fixes = { .list = out, .most = most };

    fix(&fixes, !fit_named(class, index), SCHED_FIX_SITES, 0);
    fix(&fixes, site->tier > class->tier, SCHED_FIX_TIER, site->tier);
    fix(&fixes, !fit_jurisdiction(class, site), SCHED_FIX_JURISDICTION, 0);
    fix(&fixes, class->cloud_act_free && site->cloud_act, SCHED_FIX_CLOUD_ACT, 0);
    fix(&fixes, !fit_image(class, site), SCHED_FIX_IMAGE, 0);
    fix(&fixes, class->container && !site->containers, SCHED_FIX_CONTAINER, 0);
    fix(&fixes, !fit_directory(class, index), SCHED_FIX_DIRECTORY, 0);
    return fixes.count;
}

/* ---- remembered ------------------------------------------------------------------------------ */

static void fit_column(struct fit *fit, const struct sched_class *class,
                       const struct sched_site *site, size_t index)
{
    const uint64_t bit = (uint64_t)1 << (index % 64);
    bool place = fit_place(class, site, index);
    uint64_t any = 0;

    for (size_t o = 0; o < fit->options; o++) {
        uint64_t shapes = 0;

        for (size_t s = 0; place && s < site->shape_count; s++)
            if (fit_option(&class->options[o], site, &site->shapes[s]))
                shapes |= (uint64_t)1 << s;
        fit->shapes[o * fit->sites + index] = shapes;
        any |= shapes;
    }
    fit->place.bits[index / 64] &= ~bit;
    fit->shaped.bits[index / 64] &= ~bit;
    if (place)
        fit->place.bits[index / 64] |= bit;
    if (any)
        fit->shaped.bits[index / 64] |= bit;
}

void fit_forget(struct sched *sched)
{
    struct fit *fit;

    for (size_t i = 0; (fit = map_next(&sched->fits, &i));) {
        free(fit->shapes);
        free(fit);
    }
    map_fini(&sched->fits);
    sched->fits = (struct map)MAP_INIT;
    sched->last_count = 0;
}

/* Compare the sites' generations with those remembered; what changed gets a new epoch. */
void fit_sites(struct sched *sched, const struct sched_snapshot *snap)
{
    bool changed = false;

    if (snap->site_count != sched->site_count || sched->fits.count > 2 * snap->class_count + 4096) {
        fit_forget(sched);
        sched->site_count = snap->site_count;
        memset(sched->site_epoch, 0, sizeof sched->site_epoch);
        memset(sched->site_generation, 0, sizeof sched->site_generation);
        sched->epoch = 0;
    }
    for (size_t i = 0; i < snap->site_count; i++) {
        uint64_t generation = snap->sites[i].generation;

        if (generation && generation == sched->site_generation[i])
            continue;
        sched->site_generation[i] = generation;
        sched->site_epoch[i] = sched->epoch + 1;
        changed = true;
    }
    if (changed)
        sched->epoch++;
}

static struct fit *fit_find(struct sched *sched, const struct sched_class *class, int class_index)
{
    size_t place = (size_t)class_index;
    struct fit *fit;

    /* Most often the class stands where it stood in the last pass. */
    if (place < sched->last_count && sched->last[place] &&
        sched->last[place]->class_id == class->id)
        return sched->last[place];
    fit = map_get(&sched->fits, (uint64_t) class->id);
    if (!fit) {
        fit = xcalloc(1, sizeof *fit);
        fit->class_id = class->id;
        map_put(&sched->fits, (uint64_t) class->id, fit);
    }
    if (place >= sched->last_room) {
        sched->last_room = place * 2 + 64;
        sched->last = xrealloc(sched->last, sched->last_room * sizeof(struct fit *));
    }
    while (sched->last_count <= place)
        sched->last[sched->last_count++] = NULL;
    sched->last[place] = fit;
    return fit;
}

const struct fit *fit_of(struct sched *sched, const struct sched_snapshot *snap, int class_index)
{
    const struct sched_class *class = &snap->classes[class_index];
    struct fit *fit = fit_find(sched, class, class_index);
    bool same = class->generation && fit->generation == class->generation && fit->shapes;

    if (same && fit->epoch == sched->epoch)
        return fit;
    if (!same) {
        free(fit->shapes);
        fit->generation = class->generation;
        fit->epoch = 0;
        fit->options = class->option_count;
        fit->sites = snap->site_count;
        fit->place = fit->shaped = (struct site_set){ { 0 } };
        fit->shapes = xcalloc(fit->options * fit->sites + 1, sizeof *fit->shapes);
    }
    for (size_t i = 0; i < snap->site_count; i++)
        if (!same || sched->site_epoch[i] > fit->epoch)
            fit_column(fit, class, &snap->sites[i], i);
    fit->epoch = sched->epoch;
    return fit;
}
