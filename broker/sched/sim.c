/* SPDX-License-Identifier: Apache-2.0 */
/* sim.c - the virtual world: what happens when decisions are carried out.
 *
 * One heap of things to come, one pass of the scheduler for each tick in which anything happened.
 * Jobs of equal wishes form a class, as in the broker.  Workers and runs live in slots that are
 * used again, so that the snapshot is changed by events and never built anew. */
#include "sched/sim.h"

#include <math.h>

#include "base/map.h"
#include "base/own.h"
#include "sched/chance.h"
#include "sched/learn.h"
#include "sched/pass.h"
#include "sched/share.h"

enum what { JOB_COMES, RUN_ENDS, WORKER_READY_NOW, WORKER_FAILS, WORKER_LOST, QUOTA_FREE };

struct event {
    int64_t at_ms;
    uint64_t order; /* of equal times, first in first out */
    enum what what;
    int32_t slot;
    uint32_t life; /* of the slot: an event of an earlier life is void */
};

struct class_state {
    struct sched_option option;
    int64_t id;
    int32_t user, project;
    int32_t first, last; /* its ready jobs, by place in the trace; -1 */
    int place;           /* in the snapshot, -1: nothing ready or running */
    struct learned run;
};

struct run_state {
    int32_t job, worker;
    uint32_t life;
    int place; /* in the snapshot's runs */
    int64_t start_ms;
    struct room held;
};

struct worker_state_sim {
    uint32_t life;
    int64_t created_ms;
};

struct sim {
    const struct sim_options *options;
    const struct swf_trace *trace;
    struct sim_result *out;
    struct sched *sched;
    struct sched_decisions decisions;
    struct sched_snapshot snap;
    struct chance chance;
    uint64_t order; /* of the next event */
    int64_t now;

    struct event *heap;
    size_t heap_count, heap_room;
    size_t next_job; /* of the trace, not yet come */

    struct map class_by_key; /* hash of the wishes -> class_state chain */
    struct class_state **class_list;
    size_t class_count, class_room;
    struct class_state **class_at; /* by place in the snapshot */
    struct sched_class *classes;
    size_t classes_room;
    int32_t *next_ready;                /* by job */
    struct class_state **class_of;      /* by job */
    int32_t *followers, *next_follower; /* by job: who waits for its end */
    bool *ended, *arrived;

    struct sched_worker *workers;
    struct worker_state_sim *worker_states;
    size_t worker_room;
    int32_t *free_workers;
    size_t free_worker_count;
    struct sched_run *runs;
    struct run_state *run_states;
    int32_t *run_of; /* by place in the snapshot: its slot */
    size_t run_room;
    int32_t *free_runs;
    size_t free_run_count;

    struct sched_site *sites;
    struct sched_boot *boots;
    struct learned *boot_learned;
    struct breaker *breakers;
    struct sched_project *projects;
    struct sched_user *users;
    struct share *project_shares, *user_shares;
    struct learned *accuracy; /* by user: what her jobs run, in thousandths of what they ask for */
    int64_t shares_ms;        /* when usage was last brought up to date */
    struct room whole;
    int64_t ready; /* jobs that wait */
    int64_t wake_ms;
    bool changed; /* something happened that a pass may act on */
};

/* ---- things to come -------------------------------------------------------------------------- */

static bool sooner(const struct event *a, const struct event *b)
{
    return a->at_ms < b->at_ms || (a->at_ms == b->at_ms && a->order < b->order);
}

static void plan(struct sim *sim, int64_t at_ms, enum what what, int32_t slot, uint32_t life)
{
    size_t i = sim->heap_count++;
    struct event event = { at_ms, sim->order++, what, slot, life };

    if (sim->heap_count > sim->heap_room) {
        sim->heap_room = sim->heap_room ? sim->heap_room * 2 : 1024;
        sim->heap = xrealloc(sim->heap, sim->heap_room * sizeof(*sim->heap));
    }
    for (; i > 0 && sooner(&event, &sim->heap[(i - 1) / 2]); i = (i - 1) / 2)
        sim->heap[i] = sim->heap[(i - 1) / 2];
    sim->heap[i] = event;
}

static struct event take_event(struct sim *sim)
{
    struct event first = sim->heap[0], last = sim->heap[--sim->heap_count];
    size_t i = 0;

    for (size_t child = 1; child < sim->heap_count; child = 2 * i + 1) {
        if (child + 1 < sim->heap_count && sooner(&sim->heap[child + 1], &sim->heap[child]))
            child++;
        if (!sooner(&sim->heap[child], &last))
            break;
        sim->heap[i] = sim->heap[child];
        i = child;
    }
    if (sim->heap_count)
        sim->heap[i] = last;
    return first;
}

/* ---- classes --------------------------------------------------------------------------------- */

static struct class_state *class_of(struct sim *sim, int32_t job)
{
    const struct swf_job *j = &sim->trace->jobs[job];
    struct {
        int64_t memory, walltime, cpus, user, project;
    } key = { j->memory, j->walltime_ms, j->cpus, j->user, j->project };
    /* First come, first served is of jobs: no class of several may slip past others. */
    bool alone = sim->options->params.order == SCHED_ORDER_AGE;
    uint64_t hash = alone ? (uint64_t)job : hash_bytes(&key, sizeof key);
    struct class_state *class;

    /* Open addressing over the hash: another class of the same hash takes the next number. */
    for (; (class = map_get(&sim->class_by_key, hash)); hash++)
        if (!alone && class->option.need.memory == j->memory &&
            class->option.need.cpus == j->cpus && class->option.walltime_ms == j->walltime_ms &&
            class->user == j->user && class->project == j->project)
            return class;
    class = xcalloc(1, sizeof *class);
    *class = (struct class_state){ .option = { .need = { .cpus = j->cpus, .memory = j->memory },
                                               .nodes = 1,
                                               .walltime_ms = j->walltime_ms },
                                   .id = (int64_t)sim->class_count + 1,
                                   .user = j->user,
                                   .project = j->project,
                                   .first = -1,
                                   .last = -1,
                                   .place = -1 };
    if (sim->class_count == sim->class_room) {
        sim->class_room = sim->class_room ? sim->class_room * 2 : 1024;
        sim->class_list = xrealloc(sim->class_list, sim->class_room * sizeof(struct class_state *));
    }
    sim->class_list[sim->class_count++] = class;
    map_put(&sim->class_by_key, hash, class);
    return class;
}

/* What a job of the class runs: as its like did, or the part that her jobs took of what she asked.
 */
static int64_t expected_run(const struct sim *sim, const struct class_state *class)
{
    return learned_run_ms(&class->run, class->option.walltime_ms,
                          (const struct learned *[]){ &sim->accuracy[class->user] }, 1);
}

static struct sched_class *class_show(struct sim *sim, struct class_state *class)
{
    size_t place = sim->snap.class_count;

    if (class->place >= 0)
        return &sim->classes[class->place];
    if (place == sim->classes_room) {
        sim->classes_room = sim->classes_room ? sim->classes_room * 2 : 256;
        sim->classes = xrealloc(sim->classes, sim->classes_room * sizeof(*sim->classes));
        sim->class_at = xrealloc(sim->class_at, sim->classes_room * sizeof(struct class_state *));
        sim->snap.classes = sim->classes;
    }
    sim->classes[place] = (struct sched_class){
        .id = class->id,
        .generation = (uint64_t) class->id,
        .options = &class->option,
        .option_count = 1,
        .tier = TIER_COMMERCIAL,
        .objective = OBJECTIVE_BALANCED,
        .project = class->project,
        .user = class->user,
        .cost_left = -1,
        .run_ms = expected_run(sim, class),
        .run_high_ms = learned_high_ms(&class->run),
        .run_guessed = class->run.seen == 0,
    };
    sim->class_at[place] = class;
    class->place = (int)place;
    sim->snap.class_count++;
    return &sim->classes[place];
}

/* Out of the snapshot once nothing of it is ready or runs. */
static void class_hide(struct sim *sim, struct class_state *class)
{
    size_t last = sim->snap.class_count - 1;
    const struct sched_class *shown = &sim->classes[class->place];

    if (shown->ready || shown->running)
        return;
    sim->classes[class->place] = sim->classes[last];
    sim->class_at[class->place] = sim->class_at[last];
    sim->class_at[class->place]->place = class->place;
    class->place = -1;
    sim->snap.class_count--;
}

/* The job waits; one that lost its worker goes to the front. */
static void make_ready(struct sim *sim, int32_t job, bool front)
{
    struct class_state *class = sim->class_of[job];
    struct sched_class *shown = class_show(sim, class);

    if (front || class->first < 0) {
        sim->next_ready[job] = class->first;
        class->first = job;
        if (class->last < 0)
            class->last = job;
    } else {
        sim->next_ready[class->last] = job;
        sim->next_ready[job] = -1;
        class->last = job;
    }
    if (shown->ready++ == 0 || front)
        shown->oldest_ms = sim->now;
    sim->ready++;
    sim->changed = true;
}

static int32_t take_ready(struct sim *sim, struct class_state *class)
{
    struct sched_class *shown = &sim->classes[class->place];
    int32_t job = class->first;

    class->first = sim->next_ready[job];
    if (class->first < 0)
        class->last = -1;
    shown->ready--;
    shown->running++;
    shown->served_ms = sim->now;
    if (class->first >= 0)
        shown->oldest_ms = sim->out->each[class->first].end_ms; /* since when it waits */
    sim->ready--;
    return job;
}

/* ---- quota ----------------------------------------------------------------------------------- */

static void count_quota(struct sim *sim, int site, int shape, int64_t count)
{
    struct sim_site *s = (struct sim_site *)(uintptr_t)&sim->options->sites[site];

    for (size_t q = 0; q < s->quota_count; q++)
        s->quotas[q].ours += quota_need(&s->quotas[q], &s->shapes[shape]) * count;
}

/* ---- workers --------------------------------------------------------------------------------- */

static int32_t new_worker(struct sim *sim)
{
    int32_t slot;

    if (sim->free_worker_count)
        return sim->free_workers[--sim->free_worker_count];
    slot = (int32_t)sim->snap.worker_count++;
    if ((size_t)slot >= sim->worker_room) {
        sim->worker_room = sim->worker_room ? sim->worker_room * 2 : 256;
        sim->workers = xrealloc(sim->workers, sim->worker_room * sizeof(*sim->workers));
        sim->worker_states =
            xrealloc(sim->worker_states, sim->worker_room * sizeof(*sim->worker_states));
        sim->free_workers =
            xrealloc(sim->free_workers, sim->worker_room * sizeof(*sim->free_workers));
        sim->snap.workers = sim->workers;
    }
    sim->worker_states[slot] = (struct worker_state_sim){ .life = 0 };
    return slot;
}

static int32_t start_worker(struct sim *sim, int site, int shape, int64_t boot_ms_expected)
{
    const struct sched_shape *of = &sim->options->sites[site].shapes[shape];
    int32_t slot = new_worker(sim);

    sim->workers[slot] = (struct sched_worker){ .id = slot + 1,
                                                .site = site,
                                                .shape = shape,
                                                .state = WORKER_BOOTING,
                                                .project = -1,
                                                .gpu_model = of->gpu_model,
                                                .gpu_memory = of->gpu_memory,
                                                .total = of->room,
                                                .free = of->room,
                                                .idle_ms = sim->now,
                                                .created_ms = sim->now,
                                                .ready_ms = sim->now + boot_ms_expected };
    sim->worker_states[slot].created_ms = sim->now;
    sim->worker_states[slot].life++;
    count_quota(sim, site, shape, 1);
    sim->out->sites[site].workers++;
    return slot;
}

static void create_worker(struct sim *sim, const struct sched_decision *d)
{
    const struct sim_site *site = &sim->options->sites[d->site];
    int32_t slot = start_worker(sim, d->site, d->shape, d->figures.boot_ms);
    double boot = (double)site->boot_ms;
    bool fails = site->boot_failures > 0 && chance_unit(&sim->chance) < site->boot_failures;

    if (site->boot_spread > 0) /* its mean stays what it is */
        boot *= exp(site->boot_spread * chance_normal(&sim->chance) -
                    site->boot_spread * site->boot_spread / 2);
    plan(sim, sim->now + (boot < 1 ? 1 : (int64_t)boot), fails ? WORKER_FAILS : WORKER_READY_NOW,
         slot, sim->worker_states[slot].life);
}

/* A pass is due when the worker will have idled for too long. */
static void wake_when_idle(struct sim *sim, int32_t slot)
{
    const struct sim_site *site = &sim->options->sites[sim->workers[slot].site];

    if (!sim->workers[slot].keep && site->idle_ms >= 0 && sim->now + site->idle_ms < sim->wake_ms)
        sim->wake_ms = sim->now + site->idle_ms;
}

static void account_worker(struct sim *sim, int32_t slot)
{
    const struct sched_worker *worker = &sim->workers[slot];
    struct sim_site_result *result = &sim->out->sites[worker->site];
    double hours = (double)(sim->now - sim->worker_states[slot].created_ms) / 3600000;
    double price = sim->options->sites[worker->site].shapes[worker->shape].price_hour;

    result->worker_hours += hours;
    result->cpu_hours += hours * (double)worker->total.cpus;
    if (price > 0)
        result->cost += hours * price;
}

/* The worker is on its way out; its quota comes free later. */
static void end_worker(struct sim *sim, int32_t slot)
{
    const struct sim_site *site = &sim->options->sites[sim->workers[slot].site];

    account_worker(sim, slot);
    sim->workers[slot].state = WORKER_DESTROYING;
    sim->worker_states[slot].life++;
    plan(sim, sim->now + site->teardown_ms, QUOTA_FREE, slot, sim->worker_states[slot].life);
}

static void learn_boot(struct sim *sim, int32_t slot)
{
    int site = sim->workers[slot].site;

    learned_add(&sim->boot_learned[site], (double)(sim->now - sim->worker_states[slot].created_ms));
    sim->boots[site].mean_ms = learned_mean_ms(&sim->boot_learned[site]);
    sim->boots[site].high_ms = learned_high_ms(&sim->boot_learned[site]);
}

static void worker_ready(struct sim *sim, int32_t slot)
{
    struct sched_worker *worker = &sim->workers[slot];
    const struct sim_site *site = &sim->options->sites[worker->site];

    worker->state = WORKER_READY;
    worker->idle_ms = sim->now;
    wake_when_idle(sim, slot);
    learn_boot(sim, slot);
    breaker_success(&sim->breakers[worker->site]);
    sim->sites[worker->site].closed_until_ms = 0;
    if (site->lifetime_ms > 0)
        plan(sim,
             sim->now + (int64_t)(-log(chance_unit(&sim->chance)) * (double)site->lifetime_ms) + 1,
             WORKER_LOST, slot, sim->worker_states[slot].life);
}

static void worker_fails(struct sim *sim, int32_t slot)
{
    int site = sim->workers[slot].site;

    sim->out->sites[site].boots_failed++;
    breaker_fault(&sim->breakers[site], sim->now, false, "a worker did not boot");
    sim->sites[site].closed_until_ms = breaker_closed_until(&sim->breakers[site]);
    end_worker(sim, slot);
}

/* ---- runs ------------------------------------------------------------------------------------ */

static int32_t new_run(struct sim *sim)
{
    int32_t slot;

    if (sim->free_run_count)
        return sim->free_runs[--sim->free_run_count];
    slot = (int32_t)sim->snap.run_count;
    if ((size_t)slot >= sim->run_room) {
        sim->run_room = sim->run_room ? sim->run_room * 2 : 1024;
        sim->runs = xrealloc(sim->runs, sim->run_room * sizeof(*sim->runs));
        sim->run_of = xrealloc(sim->run_of, sim->run_room * sizeof(*sim->run_of));
        sim->run_states = xrealloc(sim->run_states, sim->run_room * sizeof(*sim->run_states));
        sim->free_runs = xrealloc(sim->free_runs, sim->run_room * sizeof(*sim->free_runs));
        sim->snap.runs = sim->runs;
    }
    sim->run_states[slot] = (struct run_state){ .life = 0 };
    return slot;
}

static void start_run(struct sim *sim, int32_t job, int32_t worker, const struct room *grant)
{
    const struct swf_job *j = &sim->trace->jobs[job];
    int32_t slot = new_run(sim);
    struct run_state *run = &sim->run_states[slot];
    int64_t expected = expected_run(sim, sim->class_of[job]);
    size_t place = sim->snap.run_count++;

    *run = (struct run_state){ .job = job,
                               .worker = worker,
                               .life = run->life + 1,
                               .place = (int)place,
                               .start_ms = sim->now,
                               .held = *grant };
    sim->run_of[place] = slot;
    if (expected < 0)
        expected = j->walltime_ms ? j->walltime_ms : sim->options->params.default_run_ms;
    if (j->walltime_ms && expected > j->walltime_ms)
        expected = j->walltime_ms;
    sim->runs[place] = (struct sched_run){
        .worker = worker,
        .class_index = -1,
        .count = 1,
        .need = *grant,
        .guessed = sim->class_of[job]->run.seen == 0,
        .ends_ms = sim->now + expected,
        .latest_ms = j->walltime_ms ? sim->now + j->walltime_ms : -1,
    };
    room_take(&sim->workers[worker].free, grant, 1);
    sim->workers[worker].leases++;
    sim->workers[worker].idle_ms = 0;
    plan(sim, sim->now + j->run_ms, RUN_ENDS, slot, run->life);
}

/* The run is over, well or not; its room is free again. */
static void close_run(struct sim *sim, int32_t slot)
{
    struct run_state *run = &sim->run_states[slot];
    struct sched_worker *worker = &sim->workers[run->worker];
    struct class_state *class = sim->class_of[run->job];
    size_t last = --sim->snap.run_count;
    int64_t held = sim->now - run->start_ms;

    sim->runs[run->place] = sim->runs[last];
    sim->run_of[run->place] = sim->run_of[last];
    sim->run_states[sim->run_of[run->place]].place = run->place;
    run->life++;
    sim->free_runs[sim->free_run_count++] = slot;
    room_take(&worker->free, &run->held, -1);
    if (--worker->leases == 0) {
        worker->idle_ms = sim->now;
        wake_when_idle(sim, run->worker);
    }
    sim->classes[class->place].running--;
    sim->out->sites[worker->site].busy_cpu_hours += (double)held / 3600000 * (double)run->held.cpus;
    share_add(&sim->user_shares[class->user], &run->held, &sim->whole, held, sim->now,
              sim->options->half_life_ms);
    share_add(&sim->project_shares[class->project], &run->held, &sim->whole, held, sim->now,
              sim->options->half_life_ms);
    sim->users[class->user].usage = sim->user_shares[class->user].usage;
    sim->projects[class->project].usage = sim->project_shares[class->project].usage;
}

static void job_comes(struct sim *sim, int32_t job);

static void run_ends(struct sim *sim, int32_t slot)
{
    int32_t job = sim->run_states[slot].job, worker = sim->run_states[slot].worker;
    struct class_state *class = sim->class_of[job];
    struct sched_class *shown;

    close_run(sim, slot);
    shown = &sim->classes[class->place];
    learned_add(&class->run, (double)sim->trace->jobs[job].run_ms);
    if (class->option.walltime_ms)
        learned_add(&sim->accuracy[class->user], 1000.0 * (double)sim->trace->jobs[job].run_ms /
                                                     (double)class->option.walltime_ms);
    shown->run_ms = expected_run(sim, class);
    shown->run_high_ms = learned_high_ms(&class->run);
    shown->run_guessed = false;
    class_hide(sim, class);
    sim->out->each[job].end_ms = sim->now;
    sim->ended[job] = true;
    sim->out->jobs++;
    sim->out->sites[sim->workers[worker].site].jobs++;
    for (int32_t f = sim->followers[job]; f >= 0; f = sim->next_follower[f])
        if (sim->arrived[f])
            plan(sim, sim->now + sim->trace->jobs[f].think_ms, JOB_COMES, f, 0);
}

/* What ran there waits again, and starts over. */
static void worker_lost(struct sim *sim, int32_t slot)
{
    sim->out->sites[sim->workers[slot].site].workers_lost++;
    for (size_t place = sim->snap.run_count; place-- > 0;) {
        int32_t run, job;

        if (place >= sim->snap.run_count || sim->runs[place].worker != slot)
            continue;
        run = sim->run_of[place];
        job = sim->run_states[run].job;
        close_run(sim, run);
        sim->out->each[job] = (struct sim_job_result){ -1, sim->now, -1 };
        make_ready(sim, job, true);
    }
    end_worker(sim, slot);
}

static void lease(struct sim *sim, const struct sched_decision *d)
{
    struct class_state *class = sim->class_at[d->class_index];

    for (int64_t i = 0; i < d->count; i++) {
        int32_t job = take_ready(sim, class);
        struct sim_job_result *result = &sim->out->each[job];

        result->start_ms = sim->now;
        result->site = d->site;
        start_run(sim, job, d->worker, &d->grant);
    }
}

/* ---- jobs come --------------------------------------------------------------------------------
 */

static void job_comes(struct sim *sim, int32_t job)
{
    sim->class_of[job] = class_of(sim, job);
    sim->out->each[job].end_ms = sim->now; /* until it starts: since when it waits */
    make_ready(sim, job, false);
}

static void job_arrives(struct sim *sim, int32_t job)
{
    const struct swf_job *j = &sim->trace->jobs[job];

    sim->arrived[job] = true;
    if (j->after < 0)
        job_comes(sim, job);
    else if (sim->ended[j->after])
        plan(sim,
             sim->out->each[j->after].end_ms + j->think_ms > sim->now
                 ? sim->out->each[j->after].end_ms + j->think_ms
                 : sim->now,
             JOB_COMES, job, 0);
}

static void happen(struct sim *sim, const struct event *event)
{
    bool stale = event->what == RUN_ENDS ? sim->run_states[event->slot].life != event->life
                                         : event->what != JOB_COMES &&
                                               sim->worker_states[event->slot].life != event->life;

    if (stale)
        return;
    sim->changed = true;
    switch (event->what) {
    case JOB_COMES:
        job_comes(sim, event->slot);
        break;
    case RUN_ENDS:
        run_ends(sim, event->slot);
        break;
    case WORKER_READY_NOW:
        worker_ready(sim, event->slot);
        break;
    case WORKER_FAILS:
        worker_fails(sim, event->slot);
        break;
    case WORKER_LOST:
        worker_lost(sim, event->slot);
        break;
    case QUOTA_FREE:
        count_quota(sim, sim->workers[event->slot].site, sim->workers[event->slot].shape, -1);
        sim->workers[event->slot].state = WORKER_GONE;
        sim->worker_states[event->slot].life++;
        sim->free_workers[sim->free_worker_count++] = event->slot;
        break;
    }
}

/* ---- deciding -------------------------------------------------------------------------------- */

static void update_shares(struct sim *sim)
{
    /* Usage halves over days: once an hour keeps users comparable. */
    if (sim->now - sim->shares_ms < 3600000)
        return;
    sim->shares_ms = sim->now;
    for (size_t u = 0; u < sim->snap.user_count; u++)
        sim->users[u].usage =
            share_usage(&sim->user_shares[u], sim->now, sim->options->half_life_ms);
    for (size_t p = 0; p < sim->snap.project_count; p++)
        sim->projects[p].usage =
            share_usage(&sim->project_shares[p], sim->now, sim->options->half_life_ms);
}

static void carry_out(struct sim *sim)
{
    for (size_t i = 0; i < sim->decisions.count; i++) {
        const struct sched_decision *d = &sim->decisions.list[i];

        switch (d->kind) {
        case SCHED_LEASE:
            lease(sim, d);
            break;
        case SCHED_CREATE:
            breaker_try(&sim->breakers[d->site], sim->now);
            sim->sites[d->site].closed_until_ms = breaker_closed_until(&sim->breakers[d->site]);
            for (int64_t k = 0; k < d->count; k++)
                create_worker(sim, d);
            break;
        case SCHED_DRAIN:
            sim->workers[d->worker].state = WORKER_DRAINING;
            break;
        case SCHED_DESTROY:
            end_worker(sim, d->worker);
            break;
        default:
            break;
        }
    }
}

static void decide(struct sim *sim)
{
    update_shares(sim);
    sim->snap.now_ms = sim->now;
    sched_decide(sim->sched, &sim->snap, &sim->decisions);
    sim->out->passes++;
    sim->wake_ms = sim->decisions.wake_ms;
    carry_out(sim);
    sim->changed = false;
}

/* The next moment at which anything happens, or NEVER_MS. */
static int64_t next_time(const struct sim *sim)
{
    int64_t next = sim->heap_count ? sim->heap[0].at_ms : NEVER_MS;

    if (sim->next_job < sim->trace->count && sim->trace->jobs[sim->next_job].submit_ms < next)
        next = sim->trace->jobs[sim->next_job].submit_ms;
    /* With nothing to come but a wake-up, time alone cannot bring anything that waits to run. */
    if (next == NEVER_MS && sim->ready == 0)
        return NEVER_MS;
    return sim->wake_ms < next ? sim->wake_ms : next;
}

static void run_until_done(struct sim *sim)
{
    int64_t next, idle_wakes = 0;

    while ((next = next_time(sim)) != NEVER_MS) {
        bool woken;
        int64_t tick = sim->options->tick_ms, until = next;

        /* Times are rounded up to a tick, so that what falls together is decided together. */
        if (tick > 1)
            until = (next + tick - 1) / tick * tick;
        sim->now = until;
        while (sim->heap_count && sim->heap[0].at_ms <= until) {
            struct event event = take_event(sim);

            sim->now = event.at_ms;
            happen(sim, &event);
        }
        sim->now = until;
        while (sim->next_job < sim->trace->count &&
               sim->trace->jobs[sim->next_job].submit_ms <= until)
            job_arrives(sim, (int32_t)sim->next_job++);
        woken = sim->wake_ms <= until;
        /* With nothing ready a pass could only take down, and that has its own wake-ups. */
        if ((sim->changed && sim->ready) || woken)
            decide(sim);
        idle_wakes = sim->heap_count || sim->next_job < sim->trace->count ? 0 : idle_wakes + 1;
        if (idle_wakes > 1000)
            return;
    }
}

/* ---- beginning and end ------------------------------------------------------------------------
 */

static void begin_sites(struct sim *sim)
{
    size_t count = sim->options->site_count;

    sim->sites = xcalloc(count + 1, sizeof *sim->sites);
    sim->boots = xcalloc(count + 1, sizeof *sim->boots);
    sim->boot_learned = xcalloc(count + 1, sizeof *sim->boot_learned);
    sim->breakers = xcalloc(count + 1, sizeof *sim->breakers);
    sim->out->sites = xcalloc(count + 1, sizeof *sim->out->sites);
    sim->out->site_count = count;
    for (size_t s = 0; s < count; s++) {
        const struct sim_site *site = &sim->options->sites[s];

        sim->boots[s] = (struct sched_boot){ .shape = -1, .mean_ms = -1, .high_ms = -1 };
        for (size_t q = 0; q < site->quota_count; q++)
            site->quotas[q].ours = site->quotas[q].reserved = 0;
        sim->sites[s] = (struct sched_site){ .name = site->name,
                                             .generation = s + 1,
                                             .tier = site->tier,
                                             .phase = PHASE_PRODUCTION,
                                             .any_project = true,
                                             .shapes = site->shapes,
                                             .shape_count = site->shape_count,
                                             .probed_ms = 1,
                                             .quotas = site->quotas,
                                             .quota_count = site->quota_count,
                                             .max_workers = site->max_workers,
                                             .max_walltime_ms = site->max_walltime_ms,
                                             .overflow_after_ms = site->overflow_after_ms,
                                             .idle_ms = site->idle_ms,
                                             .wait_ms = -1,
                                             .boots = &sim->boots[s],
                                             .boot_count = 1 };
        for (int64_t i = 0; i < site->fixed; i++) {
            int32_t slot = start_worker(sim, (int)s, 0, 0);

            sim->workers[slot].state = WORKER_READY;
            sim->workers[slot].keep = true;
        }
        for (size_t k = 0; k < site->shape_count; k++)
            if (site->fixed == 0 || k > 0)
                room_add(&sim->whole, &site->shapes[k].room);
        for (int64_t i = 0; i < site->fixed; i++)
            room_add(&sim->whole, &site->shapes[0].room);
    }
    sim->snap.sites = sim->sites;
    sim->snap.site_count = count;
}

static void begin_people(struct sim *sim)
{
    const struct swf_trace *trace = sim->trace;

    sim->projects = xcalloc((size_t)trace->projects + 1, sizeof *sim->projects);
    sim->users = xcalloc((size_t)trace->users + 1, sizeof *sim->users);
    sim->project_shares = xcalloc((size_t)trace->projects + 1, sizeof *sim->project_shares);
    sim->accuracy = xcalloc((size_t)trace->users + 1, sizeof *sim->accuracy);
    sim->user_shares = xcalloc((size_t)trace->users + 1, sizeof *sim->user_shares);
    for (int32_t p = 0; p < trace->projects; p++)
        sim->projects[p] = (struct sched_project){
            .name = "", .weight = 1, .tier = TIER_COMMERCIAL, .max_workers = -1, .money_limit = -1
        };
    for (int32_t u = 0; u < trace->users; u++)
        sim->users[u] = (struct sched_user){ .name = "", .weight = 1 };
    /* A user of several groups counts as of her first. */
    for (size_t i = trace->count; i-- > 0;)
        sim->users[trace->jobs[i].user].project = trace->jobs[i].project;
    sim->snap.projects = sim->projects;
    sim->snap.project_count = (size_t)trace->projects;
    sim->snap.users = sim->users;
    sim->snap.user_count = (size_t)trace->users;
}

static void begin_jobs(struct sim *sim)
{
    size_t count = sim->trace->count;

    sim->next_ready = xcalloc(count + 1, sizeof *sim->next_ready);
    sim->class_of = xcalloc(count + 1, sizeof(struct class_state *));
    sim->followers = xcalloc(count + 1, sizeof *sim->followers);
    sim->next_follower = xcalloc(count + 1, sizeof *sim->next_follower);
    sim->ended = xcalloc(count + 1, sizeof *sim->ended);
    sim->arrived = xcalloc(count + 1, sizeof *sim->arrived);
    sim->out->each = xcalloc(count + 1, sizeof *sim->out->each);
    sim->out->count = count;
    for (size_t i = 0; i < count; i++) {
        sim->followers[i] = sim->next_follower[i] = -1;
        sim->out->each[i] = (struct sim_job_result){ -1, -1, -1 };
    }
    for (size_t i = count; i-- > 0;) {
        int32_t after = sim->trace->jobs[i].after;

        if (after < 0)
            continue;
        sim->next_follower[i] = sim->followers[after];
        sim->followers[after] = (int32_t)i;
    }
}

/* Workers that are still there are counted up to the last job's end; then the sums. */
static void sum_up(struct sim *sim)
{
    int64_t last = 0;

    for (size_t i = 0; i < sim->trace->count; i++)
        if (!sim->ended[i])
            sim->out->each[i] = (struct sim_job_result){ -1, -1, -1 };
        else if (sim->out->each[i].end_ms > last)
            last = sim->out->each[i].end_ms;
    sim->now = last;
    for (size_t w = 0; w < sim->snap.worker_count; w++)
        if (sim->workers[w].state < WORKER_DESTROYING && sim->worker_states[w].created_ms < last)
            account_worker(sim, (int32_t)w);
    sim_sum(sim->options, sim->trace, sim->out);
}

static void sim_fini(struct sim *sim)
{
    for (size_t i = 0; i < sim->class_count; i++)
        free(sim->class_list[i]);
    map_fini(&sim->class_by_key);
    sched_free(sim->sched);
    sched_decisions_free(&sim->decisions);
    void *const blocks[] = { sim->heap,         sim->class_list,    sim->class_at,
                             sim->classes,      sim->next_ready,    sim->class_of,
                             sim->followers,    sim->next_follower, sim->ended,
                             sim->arrived,      sim->workers,       sim->worker_states,
                             sim->free_workers, sim->runs,          sim->run_states,
                             sim->run_of,       sim->free_runs,     sim->sites,
                             sim->boots,        sim->boot_learned,  sim->breakers,
                             sim->projects,     sim->users,         sim->project_shares,
                             sim->accuracy,     sim->user_shares };
    for (size_t i = 0; i < array_len(blocks); i++)
        free(blocks[i]);
}

void sim_run(const struct sim_options *options, const struct swf_trace *trace,
             struct sim_result *out)
{
    struct sched_params params = options->params;
    struct sim sim = { .options = options,
                       .trace = trace,
                       .out = out,
                       .chance = { options->seed },
                       .class_by_key = MAP_INIT,
                       .wake_ms = NEVER_MS };

    *out = (struct sim_result){ .jobs = 0 };
    params.ahead_ms = 0; /* the virtual network answers at once */
    sim.sched = sched_new(&params);
    begin_jobs(&sim);
    begin_people(&sim);
    begin_sites(&sim);
    run_until_done(&sim);
    sum_up(&sim);
    sim_fini(&sim);
}

void sim_result_free(struct sim_result *result)
{
    free(result->sites);
    free(result->each);
    *result = (struct sim_result){ .sites = NULL };
}
