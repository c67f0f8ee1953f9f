/* SPDX-License-Identifier: Apache-2.0 */
/* simulate_sites.c - sites as the simulator wants them, from the same file that the broker reads.
 */
#include "base/own.h"
#include "cli/simulate.h"

/* Keys of `simulate:`. */
static const char *const site_keys[] = { "shapes",      "fixed",    "boot",
                                         "boot_spread", "failures", "lifetime",
                                         "teardown",    "others",   NULL };
static const char *const shape_keys[] = { "cpus",      "memory", "disk", "gpus",
                                          "gpu_model", "price",  NULL };
static const char *const other_keys[] = { "workers", "cores", NULL };

#define ROOM_ANY (INT64_C(1) << 46) /* of what a site does not say */

static int read_real(const struct site_conf *conf, const char *pointer, double least, double most,
                     double *out, struct err *err)
{
    const json_t *value = site_conf_get(conf, pointer);

    if (!value)
        return 0;
    if (!json_is_number(value) || json_number_value(value) < least ||
        json_number_value(value) > most)
        return site_conf_error(conf, pointer, err, "must be a number between %g and %g", least,
                               most);
    *out = json_number_value(value);
    return 0;
}

static int read_shape(const struct site_conf *conf, const char *name, struct sched_shape *out,
                      struct err *err)
{
    own_str char *base = xasprintf("/simulate/shapes/%s", name);
    own_str char *cpus = xasprintf("%s/cpus", base), *memory = xasprintf("%s/memory", base);
    own_str char *disk = xasprintf("%s/disk", base), *gpus = xasprintf("%s/gpus", base);
    own_str char *price = xasprintf("%s/price", base);

    out->room = (struct room){ .memory = ROOM_ANY, .disk = ROOM_ANY };
    out->price_hour = site_conf_price(conf, name);
    if (site_conf_only(conf, base, shape_keys, err) < 0 ||
        site_conf_i64(conf, cpus, 1, 10000000, &out->room.cpus, err) < 0 ||
        site_conf_bytes(conf, memory, &out->room.memory, err) < 0 ||
        site_conf_bytes(conf, disk, &out->room.disk, err) < 0 ||
        site_conf_i64(conf, gpus, 0, 1000, &out->room.gpus, err) < 0 ||
        read_real(conf, price, 0, 1e6, &out->price_hour, err) < 0)
        return -1;
    if (out->room.cpus == 0)
        return site_conf_error(conf, base, err, "needs 'cpus'");
    return 0;
}

static int read_shapes(const struct site_conf *conf, const json_t *shapes, struct sim_site *site,
                       struct arena *arena, struct err *err)
{
    json_t *object = (json_t *)(uintptr_t)shapes;

    if (!json_is_object(shapes) || json_object_size(shapes) == 0 ||
        json_object_size(shapes) > SCHED_SHAPES_MOST)
        return site_conf_error(conf, "/simulate/shapes", err,
                               "must be a mapping of 1 to %d shapes, such as {m4: {cpus: 4}}",
                               SCHED_SHAPES_MOST);
    site->shapes = arena_alloc(arena, json_object_size(shapes) * sizeof *site->shapes);
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        struct sched_shape *shape = &site->shapes[site->shape_count];

        if (strchr(json_object_iter_key(at), '/') || strchr(json_object_iter_key(at), '~'))
            return site_conf_error(conf, "/simulate/shapes", err,
                                   "a shape's name cannot hold '/' or '~'");
        shape->name = arena_strdup(arena, json_object_iter_key(at));
        if (read_shape(conf, shape->name, shape, err) < 0)
            return -1;
        site->shape_count++;
    }
    return 0;
}

/* A shape of each power of two cpus up to the limit. */
static void guess_shapes(const struct site_conf *conf, int64_t most, struct sim_site *site,
                         struct arena *arena)
{
    site->shapes = arena_alloc(arena, 32 * sizeof *site->shapes);
    for (int64_t cpus = 1; cpus <= most && site->shape_count < 24; cpus *= 2) {
        struct sched_shape *shape = &site->shapes[site->shape_count++];

        shape->name = arena_printf(arena, "cpus%lld", (long long)cpus);
        shape->room = (struct room){ cpus, ROOM_ANY, ROOM_ANY, 0 };
        shape->price_hour = conf->price_hour < 0 ? -1 : conf->price_hour * (double)cpus;
    }
}

static int64_t widest_job(const struct swf_trace *trace)
{
    int64_t most = trace->max_procs;

    for (size_t i = 0; i < trace->count; i++)
        if (trace->jobs[i].cpus > most)
            most = trace->jobs[i].cpus;
    return most > 0 ? most : 1;
}

/* A site that says nothing under `simulate:`.  At home: a cluster that is there, of the cores lent
 * or as many as the trace's machine had; elsewhere: shapes of any size within its limits. */
static void guess_site(const struct site_conf *conf, const struct swf_trace *trace,
                       struct sim_site *site, struct arena *arena)
{
    int64_t cores = conf->limits.cores >= 0 ? conf->limits.cores : widest_job(trace);

    if (site->tier != TIER_HOME) {
        if (conf->limits.cores >= 0 && conf->limits.workers > 0 && conf->limits.workers < cores)
            cores /= conf->limits.workers;
        guess_shapes(conf, cores, site, arena);
        return;
    }
    site->shapes = arena_alloc(arena, sizeof *site->shapes);
    site->shape_count = 1;
    site->shapes[0].name = "cluster";
    site->shapes[0].room = (struct room){ cores > 0 ? cores : 1, ROOM_ANY, ROOM_ANY, 0 };
    site->shapes[0].price_hour = conf->price_hour;
    site->fixed = 1;
    site->max_workers = 1;
    site->idle_ms = -1;
}

static void add_quota(struct sim_site *site, const char *name, enum sched_quota_kind kind,
                      int64_t limit, int64_t others)
{
    if (limit >= 0)
        site->quotas[site->quota_count++] =
            (struct sched_quota){ .name = name, .kind = kind, .limit = limit, .others = others };
}

static int read_quotas(const struct site_conf *conf, struct sim_site *site, struct arena *arena,
                       struct err *err)
{
    int64_t workers = 0, cores = 0;

    if (site_conf_only(conf, "/simulate/others", other_keys, err) < 0 ||
        site_conf_i64(conf, "/simulate/others/workers", 0, 1000000000, &workers, err) < 0 ||
        site_conf_i64(conf, "/simulate/others/cores", 0, 1000000000, &cores, err) < 0)
        return -1;
    site->quotas = arena_alloc(arena, 5 * sizeof *site->quotas);
    if (site->fixed && !site_conf_get(conf, "/simulate"))
        return 0; /* the cluster is what there is */
    add_quota(site, "workers", SCHED_QUOTA_WORKERS, conf->limits.workers, workers);
    add_quota(site, "cores", SCHED_QUOTA_CORES, conf->limits.cores, cores);
    add_quota(site, "memory", SCHED_QUOTA_MEMORY, conf->limits.memory, 0);
    add_quota(site, "disk", SCHED_QUOTA_DISK, conf->limits.disk, 0);
    add_quota(site, "gpus", SCHED_QUOTA_GPUS, conf->limits.gpus, 0);
    return 0;
}

static int read_site(const struct site_conf *conf, const struct swf_trace *trace,
                     struct sim_site *site, struct arena *arena, struct err *err)
{
    const json_t *shapes = site_conf_get(conf, "/simulate/shapes");

    if (conf->fault)
        return err_set(err, FAULT_INVALID, "%s", conf->fault);
    *site = (struct sim_site){ .name = conf->name,
                               .tier = conf->tier,
                               .max_workers = conf->limits.workers,
                               .boot_ms = conf->tier == TIER_HOME ? 1000 : 120000,
                               .teardown_ms = conf->tier == TIER_HOME ? 0 : 30000,
                               .overflow_after_ms = conf->overflow_after_ms,
                               .idle_ms = conf->idle_ms,
                               .max_walltime_ms = conf->max_walltime_ms };
    if (site_conf_only(conf, "/simulate", site_keys, err) < 0)
        return -1;
    if (!shapes)
        guess_site(conf, trace, site, arena);
    else if (read_shapes(conf, shapes, site, arena, err) < 0)
        return -1;
    if (site_conf_i64(conf, "/simulate/fixed", 0, 100000, &site->fixed, err) < 0 ||
        site_conf_span(conf, "/simulate/boot", &site->boot_ms, err) < 0 ||
        read_real(conf, "/simulate/boot_spread", 0, 3, &site->boot_spread, err) < 0 ||
        read_real(conf, "/simulate/failures", 0, 1, &site->boot_failures, err) < 0 ||
        site_conf_span(conf, "/simulate/lifetime", &site->lifetime_ms, err) < 0 ||
        site_conf_span(conf, "/simulate/teardown", &site->teardown_ms, err) < 0)
        return -1;
    if (site->fixed && site->max_workers >= 0 && site->max_workers < site->fixed)
        return site_conf_error(conf, "/simulate/fixed", err,
                               "there cannot be more fixed workers than limits.workers");
    return read_quotas(conf, site, arena, err);
}

int sim_sites_of(const struct broker_conf *conf, const struct swf_trace *trace,
                 struct sim_sites *out, struct err *err)
{
    *out = (struct sim_sites){ .arena = ARENA_INIT };
    if (conf->site_count == 0 || conf->site_count > SCHED_SITES_MOST)
        return err_set(err, FAULT_INVALID,
                       "between 1 and %d sites can be simulated, the file has %zu",
                       SCHED_SITES_MOST, conf->site_count);
    out->list = arena_alloc(&out->arena, conf->site_count * sizeof *out->list);
    for (size_t i = 0; i < conf->site_count; i++) {
        if (!conf->sites[i].enabled)
            continue;
        if (read_site(&conf->sites[i], trace, &out->list[out->count], &out->arena, err) < 0) {
            sim_sites_free(out);
            return -1;
        }
        out->count++;
    }
    return 0;
}

void sim_sites_free(struct sim_sites *sites)
{
    arena_free(&sites->arena);
    *sites = (struct sim_sites){ .arena = ARENA_INIT };
}
