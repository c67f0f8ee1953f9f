/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - the workers there are, and those that boot, as room in the time to come.
 *
 * A pool is a set of like workers with the work that is ahead of any newcomer, in worker-ms.  What
 * a pool will have handled by a given time is what need not be started elsewhere. */
#include <math.h>

#include "sched/pass.h"

#define LATE_MS 1000 /* what is left of a boot that takes longer than it should */

static bool same_pool(const struct pool *pool, const struct sched_worker *worker, bool coming)
{
    return pool->site == worker->site && pool->project == worker->project &&
           pool->class_id == worker->class_id && pool->image == worker->image &&
           pool->gpu_model == worker->gpu_model && pool->coming == coming &&
           memcmp(&pool->total, &worker->total, sizeof pool->total) == 0;
}

int pool_add(struct pass *pass, const struct pool *pool)
{
    if (pass->pool_count == pass->pool_room) {
        struct pool *old = pass->pools;

        pass->pool_room = pass->pool_room ? pass->pool_room * 2 : 64;
        pass->pools = pass_alloc(pass, pass->pool_room, sizeof *pass->pools);
        if (old)
            memcpy(pass->pools, old, pass->pool_count * sizeof *old);
        pass->suited = pass_alloc(pass, pass->pool_room, sizeof *pass->suited);
    }
    pass->pools[pass->pool_count] = *pool;
    pass->pools[pass->pool_count].tier = pass->snap->sites[pool->site].tier;
    pass->pools[pass->pool_count].leave =
        (double)overflow_after(pass, &pass->snap->sites[pool->site]);
    pass->pools[pass->pool_count].next = pass->sites[pool->site].pools;
    pass->sites[pool->site].pools = (int)++pass->pool_count;
    return (int)pass->pool_count - 1;
}

static int pool_of(struct pass *pass, const struct sched_worker *worker, bool coming)
{
    for (int p = pass->sites[worker->site].pools; p > 0; p = pass->pools[p - 1].next)
        if (same_pool(&pass->pools[p - 1], worker, coming))
            return p - 1;
    return pool_add(pass, &(struct pool){ .site = worker->site,
                                          .project = worker->project,
                                          .class_id = worker->class_id,
                                          .image = worker->image,
                                          .gpu_model = worker->gpu_model,
                                          .gpu_memory = worker->gpu_memory,
                                          .total = worker->total,
                                          .coming = coming });
}

void pool_lease(struct pass *pass, int pool, double run, int64_t count, double slots)
{
    double part = (double)count / fmax(slots, 1);

    pass->pools[pool].phase += run * part;
    pass->pools[pool].spread += run * run * part;
    pass->pools[pool].pieces += (double)count;
}

static double held_part(const struct sched_worker *worker)
{
    struct room held = worker->total;

    room_take(&held, &worker->free, 1);
    return (double)held.cpus / fmax((double)worker->total.cpus, 1);
}

/* One that runs longer than was expected may run as long again as it is late, up to its walltime.
 */
static double run_left(const struct pass *pass, const struct sched_run *run)
{
    int64_t end = run->ends_ms >= 0 ? run->ends_ms : pass->now + pass->params->default_run_ms;

    if (end < pass->now) {
        end = 2 * pass->now - end;
        end = run->latest_ms >= 0 && run->latest_ms < end ? run->latest_ms : end;
    }
    return end > pass->now ? (double)(end - pass->now) : 1;
}

/* What is left to do for leases that were held before this pass. */
static void pool_runs(struct pass *pass)
{
    const struct sched_snapshot *snap = pass->snap;

    for (size_t i = 0; i < snap->run_count; i++) {
        const struct sched_run *run = &snap->runs[i];
        const struct sched_worker *worker = &snap->workers[run->worker];
        int pool = pass->workers[run->worker].pool;
        double part = (double)run->need.cpus / fmax((double)worker->total.cpus, 1);
        double left = run_left(pass, run);

        if (pool < 0)
            continue;
        pass->pools[pool].phase += part * run->count * left;
        pass->pools[pool].spread += part * run->count * left * left;
        pass->pools[pool].pieces += run->count;
    }
}

void pool_make(struct pass *pass)
{
    const struct sched_snapshot *snap = pass->snap;

    for (size_t s = 0; pass->pooled && s < snap->site_count; s++)
        pass->sites[s].pools = 0;
    pass->pool_count = 0;
    pass->pooled = true;
    for (size_t w = 0; w < snap->worker_count; w++) {
        const struct sched_worker *worker = &snap->workers[w];
        struct pass_worker *pw = &pass->workers[w];
        bool coming = worker->state == WORKER_INTENT || worker->state == WORKER_BOOTING;
        struct pool *pool;

        pw->pool = -1;
        if (!(pw->usable || coming) || !pass->sites[worker->site].leases)
            continue;
        pw->pool = pool_of(pass, worker, coming);
        pool = &pass->pools[pw->pool];
        pool->workers += 1;
        pool->phase += pw->leased_ms;
        pool->spread += pw->leased_sq;
        pool->pieces += (double)pw->leased_count;
        if (pw->reserved)
            pool->queued += pw->reserved_work;
        if (coming) {
            int64_t boot =
                boot_ms(pass->params, &snap->sites[worker->site], worker->shape, worker->image);
            int64_t ready = worker->ready_ms >= 0 ? worker->ready_ms : worker->created_ms + boot;
            /* One that is late is ready before another that would be made now. */
            int64_t late = boot < LATE_MS ? boot : LATE_MS;

            pool->boot += (double)(ready > pass->now ? ready - pass->now : late);
            pool->queued += (double)(ready > pass->now ? ready - pass->now : late);
        } else if (snap->run_count == 0) {
            double most = (double)pass->params->default_run_ms, part = held_part(worker);

            pool->phase += part * most / 2; /* anything up to it */
            pool->spread += part * most * most / 3;
            pool->pieces += worker->leases;
        }
    }
    pool_runs(pass);
}

/* Between when and when what runs comes to its end: as if evenly, with the mean and the variance
 * that it has.  A task that takes more of a worker than the pieces that run there waits for the
 * last. */
static void ends_between(const struct suit *suit, double *first, double *last)
{
    double mean = suit->phase / suit->workers;
    double variance = suit->spread / suit->workers - mean * mean;
    double half = variance > 1 ? sqrt(3 * variance) : 0;

    *last = mean + half;
    *first = suit->part * suit->pieces > 1.5 * suit->workers ? *last : fmax(mean - half, 0);
}

double pool_starts(const struct suit *suit, double run, double horizon)
{
    double first, last, time = horizon - suit->queued / suit->workers, each;

    if (time < 0)
        return 0;
    ends_between(suit, &first, &last);
    if (time >= last)
        each = 1 + (time - last) / run;
    else
        each = time <= first ? 0 : (time - first) / (last - first);
    return suit->workers * suit->slots * each;
}

double pool_wait(const struct suit *suit)
{
    double first, last;

    ends_between(suit, &first, &last);
    return first + (last - first) / (suit->workers * suit->slots + 1) +
           suit->queued / suit->workers;
}

bool pool_suits(const struct pass *pass, const struct pass_class *pc,
                const struct sched_option *option, const struct pool *pool)
{
    const struct sched_class *class = pc->class;
    const struct sched_site *site = &pass->snap->sites[pool->site];
    size_t s = (size_t)pool->site;

    if (!site_set_has(&pc->fit->place, s) ||
        !site_set_has(&pass->projects[class->project].allowed, s) ||
        pool->total.cpus < option->need.cpus || pool->workers <= 0)
        return false;
    if (pool->project >= 0 && pool->project != class->project && !site->any_project)
        return false;
    if (pool->class_id ? pool->class_id != class->id : class->container && site->container_bound)
        return false;
    if (class->image && site->image_count && pool->image != class->image)
        return false;
    if (site->max_walltime_ms > 0 && option->walltime_ms > site->max_walltime_ms)
        return false;
    return room_fits(&pool->total, &option->need) &&
           fit_gpus(option, pool->total.gpus, pool->gpu_model, pool->gpu_memory);
}

/* ---- those that suit a class ------------------------------------------------------------------ */

const struct sched_option *pool_option(const struct pass *pass, const struct pass_class *pc,
                                       size_t options, const struct pool *pool)
{
    for (size_t o = 0; o < options; o++)
        if (pool_suits(pass, pc, &pc->class->options[o], pool))
            return &pc->class->options[o];
    return NULL;
}

/* Sums, weighted by workers; made means of at the end. */
static void suit_add(const struct pass_class *pc, const struct sched_option *option,
                     const struct pool *pool, struct suit *suit)
{
    bool leaves = pool->tier > pc->near && !site_set_has(&pc->class->prefer, (size_t)pool->site);

    suit->slots += (double)room_count(&pool->total, &option->need) * pool->workers;
    suit->part += (double)option->need.cpus / fmax((double)pool->total.cpus, 1) * pool->workers;
    suit->leave += leaves ? pool->leave * pool->workers : 0;
    suit->workers += pool->workers;
    suit->phase += pool->phase;
    suit->spread += pool->spread;
    suit->pieces += pool->pieces;
    suit->queued += pool->queued;
    suit->due += pool->due;
    suit->boot += pool->boot;
    suit->booked += pool->booked;
    suit->tier = pool->tier;
    suit->coming = pool->coming;
}

/* Pools that suit the class, into pass->suited. */
static void find_suited(struct pass *pass, const struct pass_class *pc, size_t options,
                        enum tier before)
{
    pass->suited_count = 0;
    for (size_t p = 0; p < pass->pool_count; p++) {
        const struct pool *pool = &pass->pools[p];
        const struct sched_option *option =
            pool->tier < before ? pool_option(pass, pc, options, pool) : NULL;

        if (option)
            pass->suited[pass->suited_count++] = (struct suited){ (int)p, option };
    }
}

void suits_of(struct pass *pass, const struct pass_class *pc, size_t options, enum tier before,
              struct suits *out)
{
    size_t kept = 0;
    bool one_by_one;

    find_suited(pass, pc, options, before);
    memset(out, 0, sizeof *out);
    out->at_once = pc->prepares;
    one_by_one = pass->suited_count <= SUITS_MOST;
    for (size_t i = 0; i < pass->suited_count; i++) {
        const struct pool *pool = &pass->pools[pass->suited[i].pool];

        suit_add(pc, pass->suited[i].option, pool,
                 &out->list[one_by_one ? i : (size_t)pool->tier * 2 + pool->coming]);
    }
    out->count = one_by_one ? pass->suited_count : 6;
    for (size_t i = 0; i < out->count; i++) {
        struct suit suit = out->list[i];

        if (suit.workers <= 0)
            continue;
        suit.slots /= suit.workers;
        suit.part /= suit.workers;
        suit.leave /= suit.workers;
        out->list[kept++] = suit;
    }
    out->count = kept;
}

int64_t first_start(const struct suits *suits, enum tier before)
{
    double least = INFINITY;

    for (size_t i = 0; i < suits->count; i++)
        if (suits->list[i].tier < before)
            least = fmin(least, pool_wait(&suits->list[i]));
    return isfinite(least) ? (int64_t)least : -1;
}

void suits_queue(struct pass *pass, const struct suits *suits, enum tier before, double work)
{
    double rate = 0;

    for (size_t i = 0; i < suits->count; i++)
        if (suits->list[i].tier < before)
            rate += suits->list[i].workers * suits->list[i].slots;
    for (size_t i = 0; i < pass->suited_count && work > 0; i++) {
        struct pool *pool = &pass->pools[pass->suited[i].pool];

        if (pool->tier < before)
            pool->queued += pool->workers * work / rate;
    }
}
