/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - building snapshots. */
#include "world.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "caps.h"
#include "sched/share.h"
#include "site_sets.h"
#include "world_parts.h"

#define RUN_UNKNOWN_MS 600000 /* of a task of which nothing is known */

struct world *world_new(void)
{
    struct world *world = xcalloc(1, sizeof *world);

    world->names = (struct names)NAMES_INIT;
    world->experience = experience_new();
    return world;
}

static void wclass_free(struct wclass *wclass)
{
    arena_free(&wclass->arena);
    free(wclass->waits);
    free(wclass);
}

void world_free(struct world *world)
{
    struct wclass *wclass;
    void *made;

    if (!world)
        return;
    for (size_t i = 0; (wclass = map_next(&world->classes, &i));)
        wclass_free(wclass);
    map_fini(&world->classes);
    learned_forget(world);
    for (size_t i = 0; (made = map_next(&world->made, &i));)
        free(made);
    map_fini(&world->made);
    comings_free(&world->comings);
    experience_free(world->experience);
    caps_free(&world->caps);
    names_free(&world->names);
    arena_free(&world->arena);
    free(world);
}

struct experience *world_experience(struct world *world)
{
    return world->experience;
}

void world_configure(struct world *world, const struct broker_conf *conf, struct site *const *sites,
                     size_t site_count)
{
    learned_forget(world);
    world->conf = conf;
    world->sites = sites;
    world->site_count = site_count < SCHED_SITES_MOST - 1 ? site_count : SCHED_SITES_MOST - 1;
    world->configuration++;
    caps_configure(&world->caps, conf);
    world_restore(world);
}

/* ---- classes
 * ------------------------------------------------------------------------------------------- */

static const uint32_t *numbers_of(struct world *world, struct arena *arena, char *const *words,
                                  size_t *count)
{
    uint32_t *numbers;

    for (*count = 0; words && words[*count]; ++*count)
        ;
    numbers = arena_alloc(arena, *count * sizeof *numbers);
    for (size_t i = 0; words && i < *count; i++)
        numbers[i] = names_number(&world->names, words[i]);
    return numbers;
}

static const struct sched_option *options_of(struct world *world, struct wclass *wclass)
{
    const struct job_spec *spec = &wclass->class->spec;
    struct sched_option *options =
        arena_alloc(&wclass->arena, spec->option_count * sizeof *options);

    for (size_t i = 0; i < spec->option_count; i++) {
        const struct resources *want = &spec->options[i];

        options[i] = (struct sched_option){
            .need = { want->cpus.least, want->memory.least, want->disk.least, want->gpus },
            .cpus_open = want->cpus.open,
            .memory_open = want->memory.open,
            .disk_open = want->disk.open,
            .gpu_memory = want->gpu_memory,
            .nodes = want->nodes > 0 ? want->nodes : 1,
            .walltime_ms = want->walltime_ms ? want->walltime_ms : world->conf->walltime_ms,
        };
        options[i].gpu_models =
            numbers_of(world, &wclass->arena, want->gpu_models, &options[i].gpu_model_count);
    }
    return options;
}

static const struct sched_limit_use *uses_of(struct world *world, struct wclass *wclass,
                                             size_t *count)
{
    const struct qclass *class = wclass->class;
    size_t room = class->spec.limit_count + CAPS_RULES;
    struct sched_limit_use *uses = arena_alloc(&wclass->arena, room * sizeof *uses);

    *count = caps_of(&world->caps, world->conf, &class->spec, class->project, class->user, uses);
    return uses;
}

static void wclass_fix(struct world *world, struct wclass *wclass)
{
    const struct job_spec *spec = &wclass->class->spec;
    struct sched_class *fixed = &wclass->fixed;

    arena_free(&wclass->arena);
    *fixed = (struct sched_class){
        .id = wclass->class->id,
        .generation = ++world->last_generation,
        .options = options_of(world, wclass),
        .option_count = spec->option_count,
        .ordered = spec->options_ordered,
        .image = names_number(&world->names, spec->image),
        .container = names_number(&world->names, spec->container),
        .require = sites_named(world->sites, world->site_count, spec->placement.require),
        .exclude = sites_named(world->sites, world->site_count, spec->placement.exclude),
        .prefer = sites_named(world->sites, world->site_count, spec->placement.prefer),
        .in_place = spec->workdir != NULL,
        .shared_by = sites_sharing(world->sites, world->site_count, spec->workdir),
        .tier = spec->placement.tier,
        .cloud_act_free = spec->placement.cloud_act_free,
        .objective = spec->placement.objective,
        .priority = spec->priority,
        .cost_left = -1,
    };
    fixed->limits = uses_of(world, wclass, &fixed->limit_count);
    fixed->jurisdictions =
        numbers_of(world, &wclass->arena, spec->placement.jurisdiction, &fixed->jurisdiction_count);
    wclass->made = world->configuration;
}

static struct wclass *wclass_get(struct world *world, struct qclass *class)
{
    struct wclass *wclass = map_get(&world->classes, (uint64_t) class->id);

    if (!wclass) {
        wclass = xcalloc(1, sizeof *wclass);
        wclass->class = class;
        map_put(&world->classes, (uint64_t) class->id, wclass);
        world->taken = 0; /* its waits are to be looked up */
        own_str char *both = xasprintf("%s/%s", class->project, class->user);
        wclass->parts[0] = experience_part(world->experience, both);
        wclass->parts[1] = experience_part(world->experience, class->project);
        wclass->parts[2] = experience_part(world->experience, "");
    }
    if (wclass->made != world->configuration)
        wclass_fix(world, wclass);
    return wclass;
}

/* ---- projects and users
 * ---------------------------------------------------------------------------------- */

struct people {
    struct sched_project *projects;
    struct sched_user *users;
    size_t project_count, user_count, room;
};

/* As it stands now, after decay. */
static double usage_of(struct world *world, const char *who, int64_t now_ms)
{
    return share_usage(experience_share(world->experience, who), now_ms, world->conf->half_life_ms);
}

static bool has_word(char *const *words, const char *word)
{
    for (; words && *words; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return false;
}

/* What both the project's rule and the sites' own lists allow.  None at all is told by a place that
 * no site has, since an empty set means all. */
static struct site_set sites_for(const struct world *world, const char *name,
                                 const struct project_rule *rule)
{
    struct site_set set = { { 0 } };
    size_t allowed = 0;

    for (size_t i = 0; i < world->site_count; i++) {
        const struct site_conf *conf = site_conf_of(world->sites[i]);

        if ((rule && rule->sites && !has_word(rule->sites, conf->name)) ||
            (conf->projects && !has_word(conf->projects, name)))
            continue;
        site_set_add(&set, i);
        allowed++;
    }
    if (allowed == world->site_count && allowed)
        return (struct site_set){ { 0 } };
    if (allowed == 0)
        site_set_add(&set, SCHED_SITES_MOST - 1);
    return set;
}

int64_t period_of(const struct world *world, const char *project)
{
    const struct project_rule *rule = broker_conf_project(world->conf, project);

    return rule ? rule->money_ms : 0;
}

/* What operators try a site with may go to any, also to one that nobody trusts yet. */
static struct sched_project probe_project(void)
{
    return (struct sched_project){ .name = PROBE_PROJECT,
                                   .weight = 1,
                                   .tier = TIER_COMMERCIAL,
                                   .phase = PHASE_TEST,
                                   .max_workers = -1,
                                   .money_limit = -1 };
}

static struct sched_project project_of(struct world *world, const char *name, int64_t now_ms)
{
    const struct project_rule *rule = broker_conf_project(world->conf, name);
    struct sched_project project = {
        .name = name,
        .weight = rule ? rule->weight : 1,
        .usage = usage_of(world, name, now_ms),
        .tier = rule ? (rule->may_overflow ? rule->tier : TIER_HOME) : TIER_COMMERCIAL,
        .phase = rule ? rule->phase : PHASE_PRODUCTION,
        .max_workers = rule ? rule->max_workers : -1,
        .money_limit = rule && rule->max_money >= 0 ? rule->max_money : -1,
        .money_spent = experience_spent(world->experience, name, period_of(world, name), now_ms),
    };

    project.sites = sites_for(world, name, rule);
    return project;
}

static int project_place(struct world *world, struct people *people, const char *name,
                         int64_t now_ms)
{
    for (size_t i = 0; i < people->project_count; i++)
        if (strcmp(people->projects[i].name, name) == 0)
            return (int)i;
    people->projects[people->project_count] =
        strcmp(name, PROBE_PROJECT) == 0 ? probe_project() : project_of(world, name, now_ms);
    return (int)people->project_count++;
}

static int user_place(struct world *world, struct people *people, int project, const char *name,
                      int64_t now_ms)
{
    const struct user_rule *rule = broker_conf_user(world->conf, name);
    own_str char *key = NULL;

    for (size_t i = 0; i < people->user_count; i++)
        if (people->users[i].project == project && strcmp(people->users[i].name, name) == 0)
            return (int)i;
    key = xasprintf("%s/%s", people->projects[project].name, name);
    people->users[people->user_count] = (struct sched_user){
        .name = name,
        .project = project,
        .weight = rule ? rule->weight : 1,
        .usage = usage_of(world, key, now_ms),
    };
    return (int)people->user_count++;
}

/* ---- workers
 * -------------------------------------------------------------------------------------------------
 */

static int shape_place(const struct sched_site *site, const char *name)
{
    for (size_t i = 0; name && i < site->shape_count; i++)
        if (strcmp(site->shapes[i].name, name) == 0)
            return (int)i;
    return -1;
}

static bool put_worker(struct world *world, struct people *people, struct qworker *from,
                       const struct sched_site *sites, struct sched_worker *worker, int64_t now_ms)
{
    int place = site_place(world, from->site), shape;
    const struct site_conf *conf;

    if (place < 0)
        return false; /* its site left the configuration */
    conf = site_conf_of(world->sites[place]);
    shape = shape_place(&sites[place], from->shape);
    *worker = (struct sched_worker){
        .id = from->id,
        .site = place,
        .shape = shape,
        .state = from->state,
        .project = from->project ? project_place(world, people, from->project, now_ms) : -1,
        .class_id = from->class_id,
        .image = names_number(&world->names, from->image),
        .total = { from->cpus, from->memory, from->disk, from->gpus },
        .leases = (int)from->task_count,
        .idle_ms = from->task_count ? 0 : from->idle_since_ms,
        .created_ms = from->created_ms,
        .ready_ms = -1,
        .expires_ms = conf->max_age_ms ? from->created_ms + conf->max_age_ms : 0,
    };
    if (shape >= 0) {
        worker->gpu_model = sites[place].shapes[shape].gpu_model;
        worker->gpu_memory = sites[place].shapes[shape].gpu_memory;
        if (!from->joined_ms)
            worker->total = sites[place].shapes[shape].room;
    }
    worker->free.cpus = worker->total.cpus - from->used.cpus;
    worker->free.memory = worker->total.memory - from->used.memory;
    worker->free.disk = worker->total.disk - from->used.disk;
    worker->free.gpus = worker->total.gpus - from->used.gpus;
    return true;
}

static void put_workers(struct world *world, struct queue *queue, struct people *people,
                        int64_t now_ms)
{
    size_t most = queue->workers.count, count = 0;
    struct sched_worker *workers = arena_alloc(&world->arena, most * sizeof *workers);
    struct qworker *worker;

    world->place_worker = arena_alloc(&world->arena, most * sizeof(struct qworker *));
    for (size_t i = 0; (worker = map_next(&queue->workers, &i));) {
        if (!put_worker(world, people, worker, world->snapshot.sites, &workers[count], now_ms))
            continue;
        world->place_worker[count++] = worker;
    }
    world->snapshot.workers = workers;
    world->snapshot.worker_count = count;
}

/* ---- leases that are held now
 * --------------------------------------------------------------------------------- */

static struct sched_run run_of(struct world *world, const struct qtask *task, int worker)
{
    const struct wclass *wclass = wclass_get(world, task->job->class);
    const struct sched_option *option =
        &wclass->fixed
             .options[task->grant.alternative < wclass->fixed.option_count ? task->grant.alternative
                                                                           : 0];
    int64_t run = learned_run(world, wclass);
    int64_t started = task->started_ms ? task->started_ms : world->snapshot.now_ms;

    if (run < 0 || (option->walltime_ms && run > option->walltime_ms))
        run = option->walltime_ms ? option->walltime_ms : -1;
    return (struct sched_run){
        .worker = worker,
        .class_index = wclass->pass == world->pass ? wclass->place : -1,
        .count = 1,
        .need = { task->grant.cpus, task->grant.memory, task->grant.disk, task->grant.gpus },
        .guessed = !experience_run(world->experience, wclass->class->id)->seen,
        .ends_ms = run >= 0 ? started + run : -1,
        .latest_ms =
            task->started_ms && option->walltime_ms ? task->started_ms + option->walltime_ms : -1,
    };
}

static void put_runs(struct world *world)
{
    size_t most = 0, count = 0;
    struct sched_run *runs;

    for (size_t w = 0; w < world->snapshot.worker_count; w++)
        most += (size_t)world->place_worker[w]->task_count;
    runs = arena_alloc(&world->arena, most * sizeof *runs);
    for (size_t w = 0; w < world->snapshot.worker_count; w++) {
        list_each(at, &world->place_worker[w]->tasks) runs[count++] =
            run_of(world, list_item(at, struct qtask, link), (int)w);
        list_each(at, &world->place_worker[w]->nodes) runs[count++] =
            run_of(world, list_item(at, struct qnode, of)->task, (int)w);
    }
    world->snapshot.runs = runs;
    world->snapshot.run_count = count;
}

/* ---- money ---- */

static double cost_of(const struct sched_site *site, int shape, int64_t ms)
{
    double price = shape >= 0 ? site->shapes[shape].price_hour : -1;

    return price > 0 && ms > 0 ? price * (double)ms / 3600000 : 0;
}

/* What a task that holds part of a worker will run still, at most as far as anything is known. */
static int64_t run_left(struct world *world, const struct qtask *task, int64_t now_ms)
{
    const struct sched_run run = run_of(world, task, 0);
    int64_t most = learned_high_ms(experience_run(world->experience, task->job->class->id));
    int64_t elapsed = task->started_ms ? now_ms - task->started_ms : 0;
    const struct wclass *wclass = wclass_get(world, task->job->class);

    if (most < elapsed) /* nothing is known, or it runs longer than others did: its walltime */
        most = run.latest_ms > 0                      ? run.latest_ms - task->started_ms
               : wclass->fixed.options[0].walltime_ms ? wclass->fixed.options[0].walltime_ms
                                                      : RUN_UNKNOWN_MS;
    return most > elapsed ? most - elapsed : 0;
}

/* One task's part of its worker: of a project's own worker the time that is still to come, of one
 * that serves anybody all of it. */
static void charge_task(struct world *world, struct people *people, const struct qtask *task,
                        size_t place, int64_t now_ms)
{
    const struct sched_worker *worker = &world->snapshot.workers[place];
    const struct sched_site *site = &world->snapshot.sites[worker->site];
    double price = worker->shape >= 0 ? site->shapes[worker->shape].price_hour : -1;
    const struct wclass *wclass = wclass_get(world, task->job->class);
    struct sched_class *class = wclass->pass == world->pass
                                    ? (struct sched_class *)&world->snapshot.classes[wclass->place]
                                    : NULL;
    struct room need = { task->grant.cpus, task->grant.memory, task->grant.disk, task->grant.gpus };
    int64_t left = run_left(world, task, now_ms);
    int64_t elapsed = task->started_ms ? now_ms - task->started_ms : 0;

    if (class && class->cost_left >= 0)
        class->cost_left =
            fmax(class->cost_left - task_cost(price, &worker->total, &need, elapsed + left), 0);
    if (worker->project >= 0) {
        people->projects[worker->project].money_committed +=
            cost_of(site, worker->shape, left) / worker->leases;
    } else if (class) {
        people->projects[class->project].money_spent +=
            task_cost(price, &worker->total, &need, elapsed);
        people->projects[class->project].money_committed +=
            task_cost(price, &worker->total, &need, left);
    }
}

/* What a worker that has not joined was thought to cost when it was asked for, less what it has. */
static double made_left(struct world *world, const struct sched_worker *worker, double so_far)
{
    const struct wmade *made = map_get(&world->made, (uint64_t)worker->id);
    const struct sched_site *site = &world->snapshot.sites[worker->site];
    double all = made ? made->cost : cost_of(site, worker->shape, RUN_UNKNOWN_MS);

    return worker->state < WORKER_READY && all > so_far ? all - so_far : 0;
}

/* What running workers have cost so far, and will until the work that they hold, or were made for,
 * is done. */
static void charge_workers(struct world *world, struct people *people, int64_t now_ms)
{
    const struct sched_snapshot *snapshot = &world->snapshot;

    for (size_t i = 0; i < snapshot->worker_count; i++) {
        const struct sched_worker *worker = &snapshot->workers[i];
        const struct sched_site *site = &snapshot->sites[worker->site];
        double so_far = cost_of(site, worker->shape, now_ms - worker->created_ms);

        list_each(at, &world->place_worker[i]->tasks)
            charge_task(world, people, list_item(at, struct qtask, link), i, now_ms);
        list_each(at, &world->place_worker[i]->nodes)
            charge_task(world, people, list_item(at, struct qnode, of)->task, i, now_ms);
        if (worker->project < 0)
            continue;
        people->projects[worker->project].workers += site->tier != TIER_HOME;
        people->projects[worker->project].money_spent += so_far;
        people->projects[worker->project].money_committed += made_left(world, worker, so_far);
    }
}

/* ---- the whole
 * ---------------------------------------------------------------------------------------------------
 */

/* Of the job that is served next: those behind it get their turn. */
static int64_t deadline_of(const struct qjob *job)
{
    return job->parts && heap_has(&job->parts->deadline) ? job->parts->deadline.key : 0;
}

static void put_class(struct world *world, struct people *people, struct qclass *from,
                      struct sched_class *class, int64_t now_ms)
{
    struct wclass *wclass = wclass_get(world, from);
    const struct heap_item *first = heap_first(&from->ready_jobs);

    *class = wclass->fixed;
    class->project = project_place(world, people, from->project, now_ms);
    class->user = user_place(world, people, class->project, from->user, now_ms);
    class->ready = from->ready;
    class->running = from->active;
    class->oldest_ms = first ? heap_owner(first, struct qjob, by_id)->submitted_ms : now_ms;
    class->served_ms = from->served_ms;
    class->deadline_ms = first ? deadline_of(heap_owner(first, struct qjob, by_id)) : 0;
    if (from->spec.placement.max_cost >= 0)
        class->cost_left =
            from->spec.placement.max_cost - experience_cost(world->experience, from->id);
    class->run_ms = learned_run(world, wclass);
    class->run_high_ms = learned_high_ms(experience_run(world->experience, from->id));
    class->run_guessed = class->run_ms >= 0 && class->run_high_ms < 0;
    class->site_wait_ms = wclass->waits;
}

static void put_classes(struct world *world, struct queue *queue, struct people *people,
                        const struct qclass *also, int64_t now_ms)
{
    size_t most = queue->classes.count + world->comings.count + 1, count = 0;
    struct coming *coming;
    struct sched_class *classes = arena_alloc(&world->arena, most * sizeof *classes);
    struct qclass *class;

    world->place_class = arena_alloc(&world->arena, most * sizeof(struct qclass *));
    for (size_t i = 0; (class = map_next(&queue->classes, &i));)
        if (class->spec.option_count && (class->ready || class->active || class == also))
            world->place_class[count++] = class;
    if (also && also->id == WORLD_ASKED)
        world->place_class[count++] = (struct qclass *)also;
    for (size_t i = 0; (coming = map_next(&world->comings.by_schedule, &i));)
        for (; coming; coming = coming->next)
            if (coming->class.spec.option_count)
                world->place_class[count++] = &coming->class;
    for (size_t i = 0; i < count; i++) {
        struct qclass *here = world->place_class[i];
        struct wclass *wclass = wclass_get(world, here);

        put_class(world, people, here, &classes[i], now_ms);
        if (classes[i].ready == 0 && here == also)
            classes[i].ready = 1; /* asked about, not to be placed */
        if (here->id < 0)
            coming_fill((const struct coming *)here, world->experience, &classes[i]);
        wclass->place = (int)i;
        wclass->pass = world->pass;
    }
    world->snapshot.classes = classes;
    world->snapshot.class_count = count;
    learned_avoid(world, classes, now_ms);
}

void world_forget(struct world *world, const struct qclass *class)
{
    struct wclass *wclass = map_del(&world->classes, (uint64_t) class->id);

    if (wclass)
        wclass_free(wclass);
}

void world_coming(struct world *world, int64_t schedule, struct coming *coming)
{
    struct coming *old = comings_put(&world->comings, schedule, coming);

    for (const struct coming *one = old; one; one = one->next)
        world_forget(world, &one->class);
    coming_free(old);
}

static void put_limits(struct world *world, struct queue *queue)
{
    struct sched_limit *limits;
    struct qclass *class;

    /* First the classes, then the list: what one of them names for the first time makes it longer.
     */
    for (size_t i = 0; (class = map_next(&queue->classes, &i));)
        if (class->active)
            wclass_get(world, class);
    limits = arena_alloc(&world->arena, world->caps.count * sizeof *limits);
    for (size_t i = 0; i < world->caps.count; i++)
        limits[i] = (struct sched_limit){ .name = world->caps.list[i].name,
                                          .capacity = world->caps.list[i].most };
    for (size_t i = 0; world->caps.count && (class = map_next(&queue->classes, &i));) {
        const struct wclass *wclass = class->active ? wclass_get(world, class) : NULL;

        for (size_t u = 0; wclass && u < wclass->fixed.limit_count; u++)
            limits[wclass->fixed.limits[u].limit].in_use +=
                class->active * wclass->fixed.limits[u].count;
    }
    world->snapshot.limits = limits;
    world->snapshot.limit_count = world->caps.count;
}

struct putting {
    struct world *world;
    struct people *people;
    int64_t now_ms;
};

static void put_person(void *arg, const char *project, const char *user)
{
    const struct putting *putting = arg;
    struct world *world = putting->world;
    const char *name = arena_strdup(&world->arena, project);
    int place = project_place(world, putting->people, name, putting->now_ms);

    user_place(world, putting->people, place, arena_strdup(&world->arena, user), putting->now_ms);
}

static const struct sched_snapshot *build(struct world *world, struct queue *queue,
                                          const struct qclass *also, bool everybody, int64_t now_ms)
{
    struct people people = { .room = (everybody ? experience_users(world->experience) : 0) +
                                     queue->classes.count + queue->workers.count +
                                     world->comings.count + 1 };
    struct sched_site *sites;

    arena_clear(&world->arena);
    world->pass++;
    world->whole = (struct room){ 0, 0, 0, 0 };
    world->snapshot = (struct sched_snapshot){ .now_ms = now_ms, .names = &world->names };
    people.projects = arena_alloc(&world->arena, people.room * sizeof *people.projects);
    people.users = arena_alloc(&world->arena, people.room * sizeof *people.users);
    learned_refresh(world);
    sites = arena_alloc(&world->arena, world->site_count * sizeof *sites);
    for (size_t i = 0; i < world->site_count; i++)
        world_put_site(world, queue, i, &sites[i]);
    world->snapshot.sites = sites;
    world->snapshot.site_count = world->site_count;
    put_classes(world, queue, &people, also, now_ms);
    put_workers(world, queue, &people, now_ms);
    put_runs(world);
    charge_workers(world, &people, now_ms);
    put_limits(world, queue);
    if (everybody) {
        struct putting putting = { world, &people, now_ms };

        experience_each_user(world->experience, put_person, &putting);
    }
    world->snapshot.projects = people.projects;
    world->snapshot.project_count = people.project_count;
    world->snapshot.users = people.users;
    world->snapshot.user_count = people.user_count;
    return &world->snapshot;
}

const struct sched_snapshot *world_build(struct world *world, struct queue *queue,
                                         const struct qclass *also, int64_t now_ms)
{
    return build(world, queue, also, false, now_ms);
}

const struct sched_snapshot *world_build_people(struct world *world, struct queue *queue,
                                                int64_t now_ms)
{
    return build(world, queue, NULL, true, now_ms);
}

struct qclass *world_class(const struct world *world, int place)
{
    return place < 0 ? NULL : world->place_class[place];
}

struct qworker *world_worker(const struct world *world, int place)
{
    return place < 0 ? NULL : world->place_worker[place];
}

int world_place(const struct world *world, const struct qclass *class)
{
    const struct wclass *wclass = map_get(&world->classes, (uint64_t) class->id);

    return wclass && wclass->pass == world->pass ? wclass->place : -1;
}
