/* SPDX-License-Identifier: Apache-2.0 */
/* test_property.c - what holds in every world: 10,000 of them, made from fixed seeds. */
#include <math.h>

#include "base/own.h"
#include "random.h"
#include "sched/pass.h"
#include "world.h"

#define WORLDS 10000

static uint64_t seed_now;

/* On the first breach, say in which world. */
#define holds(condition)                                                                     \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            own_str char *text_ = world_random_text(seed_now);                               \
            world_print(w);                                                                  \
            fail_msg("world %llu: %s\n%s", (unsigned long long)seed_now, #condition, text_); \
        }                                                                                    \
    } while (0)

static const struct sched_decision *nth(const struct world *w, size_t i)
{
    return &w->decisions.list[i];
}

/* ---- sites ----------------------------------------------------------------------------------- */

static void quotas_hold(const struct world *w)
{
    for (size_t s = 0; s < w->snap.site_count; s++) {
        const struct sched_site *site = &w->sites[s];
        int64_t asked = 0, there = 0;

        for (size_t i = 0; i < w->snap.worker_count; i++)
            there += w->workers[i].site == (int)s;
        for (size_t i = 0; i < w->decisions.count; i++)
            if (nth(w, i)->kind == SCHED_CREATE && nth(w, i)->site == (int)s)
                asked += nth(w, i)->count;
        for (size_t q = 0; q < site->quota_count; q++) {
            int64_t need = 0;

            for (size_t i = 0; i < w->decisions.count; i++)
                if (nth(w, i)->kind == SCHED_CREATE && nth(w, i)->site == (int)s)
                    need += nth(w, i)->count *
                            quota_need(&site->quotas[q], &site->shapes[nth(w, i)->shape]);
            if (need && site->quotas[q].limit >= 0)
                holds(need <= quota_free(&site->quotas[q]));
        }
        if (asked == 0)
            continue;
        holds(site->max_workers < 0 || there + asked <= site->max_workers);
        holds(site->creates_most == 0 || asked <= site->creates_most);
        holds(site->mode == SITE_ENABLED && site->health != SCHED_DOWN);
        holds(site->closed_until_ms <= w->snap.now_ms);
        holds(site->closed_until_ms == 0 || asked == 1);
    }
}

/* Nobody goes where placement or the project's rules forbid. */
static void places_hold(const struct world *w)
{
    for (size_t i = 0; i < w->decisions.count; i++) {
        const struct sched_decision *d = nth(w, i);
        const struct sched_class *class;
        const struct sched_site *site;

        if (d->kind != SCHED_LEASE && d->kind != SCHED_CREATE)
            continue;
        class = &w->classes[d->class_index];
        site = &w->sites[d->site];
        holds(d->count > 0);
        holds(!site_set_has(&class->exclude, (size_t)d->site));
        holds(site_set_empty(&class->require) || site_set_has(&class->require, (size_t)d->site));
        holds(site->tier <= class->tier && site->tier <= w->projects[class->project].tier);
        holds(!class->cloud_act_free || !site->cloud_act);
        holds(!class->container || site->containers);
        holds(!class->in_place || site_set_has(&class->shared_by, (size_t)d->site));
        holds(site->phase >= w->projects[class->project].phase);
        if (class->jurisdiction_count)
            holds(site->jurisdiction == class->jurisdictions[0] ||
                  site->jurisdiction == class->jurisdictions[1]);
        if (d->kind == SCHED_CREATE)
            holds(fit_option(&class->options[d->option], site, &site->shapes[d->shape]));
        if (class->image && site->image_count && d->kind == SCHED_CREATE)
            holds(d->image == class->image);
    }
}

/* ---- workers --------------------------------------------------------------------------------- */

static void rooms_hold(const struct world *w)
{
    for (size_t k = 0; k < w->snap.worker_count; k++) {
        const struct sched_worker *worker = &w->workers[k];
        struct room room = worker->free;
        bool ahead = false, any = false, gone = false;

        for (size_t i = 0; i < w->decisions.count; i++) {
            const struct sched_decision *d = nth(w, i);

            if (d->worker != (int)k)
                continue;
            if (d->kind == SCHED_LEASE) {
                const struct sched_class *class = &w->classes[d->class_index];

                holds(worker->state == WORKER_READY);
                holds(w->sites[worker->site].mode == SITE_ENABLED);
                holds(worker_matches(&w->snap, class, &class->options[d->option], worker));
                holds(!gone);
                ahead |= d->why == SCHED_WHY_AHEAD;
                any = true;
                room_take(&room, &d->grant, d->count);
            }
            if (d->kind == SCHED_DESTROY) {
                holds(worker->leases == 0 && !any && !gone);
                holds(!worker->keep || d->why != SCHED_WHY_IDLE);
                gone = true;
            }
            if (d->kind == SCHED_DRAIN) {
                holds(worker->leases > 0 && !gone);
                gone = true;
            }
        }
        if (!any)
            continue;
        if (ahead)
            room_take(&room, &worker->total, -w->params.ahead_most);
        holds(room.cpus >= 0 && room.gpus >= 0 && room.memory >= 0 && room.disk >= 0);
    }
}

static void gangs_hold(const struct world *w)
{
    for (size_t i = 0; i < w->decisions.count; i++) {
        const struct sched_decision *d = nth(w, i);
        int nodes, found = 0;

        if (d->kind != SCHED_LEASE)
            continue;
        nodes = w->classes[d->class_index].options[d->option].nodes;
        holds((nodes > 1) == (d->gang > 0));
        if (d->gang == 0 || d->rank != 0)
            continue;
        for (size_t k = 0; k < w->decisions.count; k++) {
            if (nth(w, k)->gang != d->gang)
                continue;
            holds(nth(w, k)->rank == found && nth(w, k)->site == d->site && nth(w, k)->count == 1);
            for (size_t j = 0; j < k; j++)
                holds(nth(w, j)->gang != d->gang || nth(w, j)->worker != nth(w, k)->worker ||
                      w->sites[d->site].local);
            found++;
        }
        holds(found == nodes);
    }
}

/* ---- classes, projects ----------------------------------------------------------------------- */

/* What the class's decisions commit it to, as the ceilings count it. */
static double committed(const struct world *w, int class_index)
{
    double sum = 0;

    for (size_t i = 0; i < w->decisions.count; i++)
        if (nth(w, i)->class_index == class_index && nth(w, i)->figures.cost > 0)
            sum += nth(w, i)->figures.cost;
    return sum;
}

static void money_holds(const struct world *w)
{
    for (size_t p = 0; p < w->snap.project_count; p++) {
        const struct sched_project *project = &w->projects[p];
        double sum = 0;

        for (size_t c = 0; c < w->snap.class_count; c++)
            if (w->classes[c].project == (int)p)
                sum += committed(w, (int)c);
        if (project->money_limit >= 0)
            holds(sum <=
                  fmax(project->money_limit - project->money_spent - project->money_committed, 0) +
                      1e-6);
    }
    for (size_t c = 0; c < w->snap.class_count; c++)
        if (w->classes[c].cost_left >= 0)
            holds(committed(w, (int)c) <= w->classes[c].cost_left + 1e-6);
}

static int64_t tasks_leased(const struct world *w, int class_index)
{
    int64_t sum = 0;

    for (size_t i = 0; i < w->decisions.count; i++)
        if (nth(w, i)->kind == SCHED_LEASE && nth(w, i)->class_index == class_index &&
            nth(w, i)->rank == 0)
            sum += nth(w, i)->count;
    return sum;
}

static void counts_hold(const struct world *w)
{
    int64_t used[8] = { 0 }, abroad[8] = { 0 };

    for (size_t c = 0; c < w->snap.class_count; c++) {
        const struct sched_class *class = &w->classes[c];
        int64_t tasks = tasks_leased(w, (int)c), waits = 0;

        for (size_t i = 0; i < w->decisions.count; i++) {
            const struct sched_decision *d = nth(w, i);

            if (d->class_index != (int)c)
                continue;
            if (d->kind == SCHED_WAIT)
                waits += d->count;
            if (d->kind == SCHED_CREATE && w->sites[d->site].tier != TIER_HOME)
                abroad[class->project] += d->count;
        }
        holds(tasks + waits == class->ready);
        for (size_t l = 0; l < class->limit_count; l++)
            used[class->limits[l].limit] += class->limits[l].count * tasks;
    }
    for (size_t l = 0; l < w->snap.limit_count; l++)
        holds(used[l] == 0 || w->limits[l].in_use + used[l] <= w->limits[l].capacity);
    for (size_t p = 0; p < w->snap.project_count; p++)
        holds(w->projects[p].max_workers < 0 || abroad[p] == 0 ||
              w->projects[p].workers + abroad[p] <= w->projects[p].max_workers);
}

static bool suits(const struct world *w, const struct sched_class *class, size_t option,
                  const struct sched_worker *worker)
{
    return worker_matches(&w->snap, class, &class->options[option], worker) &&
           room_fits(&worker->total, &class->options[option].need);
}

/* Some site in a nearer tier could run it, or an earlier alternative could: then it need not take
 * what is idle here. */
static bool may_stay(const struct world *w, const struct sched_class *class,
                     const struct site_set *rules, const struct sched_site *here, size_t option)
{
    for (size_t s = 0; s < w->snap.site_count; s++) {
        const struct sched_site *site = &w->sites[s];
        bool near = site->tier < here->tier && here->overflow_after_ms > 0 &&
                    w->params.overflow == SCHED_OVERFLOW_GAIN;
        bool place = site_set_has(rules, s) && fit_place(class, site, s);

        for (size_t o = 0; place && o < class->option_count; o++) {
            if (!(near || (class->ordered && o < option)))
                continue;
            for (size_t i = 0; i < site->shape_count; i++)
                if (fit_option(&class->options[o], site, &site->shapes[i]))
                    return true;
            for (size_t k = 0; k < w->snap.worker_count; k++)
                if (w->workers[k].site == (int)s && w->workers[k].state <= WORKER_READY &&
                    suits(w, class, o, &w->workers[k]))
                    return true;
        }
    }
    return false;
}

/* Its GPUs were free, and somebody waits who needs some there. */
static bool kept_for_gpus(const struct world *w, const struct sched_worker *worker)
{
    for (size_t c = 0; c < w->snap.class_count && worker->free.gpus > 0; c++)
        for (size_t o = 0; o < w->classes[c].option_count; o++)
            if (w->classes[c].options[o].need.gpus > 0 && suits(w, &w->classes[c], o, worker) &&
                decided(w, SCHED_WAIT, w->classes[c].id, 0))
                return true;
    return false;
}

/* No room is left idle that someone who waits could use: but for reservations, limits and money, or
 * where it would not gain by leaving a nearer tier, or an earlier alternative. */
static void room_is_used(const struct world *w)
{
    for (size_t c = 0; c < w->snap.class_count; c++) {
        const struct sched_class *class = &w->classes[c];
        const struct sched_decision *wait = decided(w, SCHED_WAIT, class->id, 0);
        struct site_set rules = fit_project(&w->snap, &w->projects[class->project]);

        if (!wait || wait->why == SCHED_WHY_LIMIT || class->cost_left >= 0 ||
            w->projects[class->project].money_limit >= 0)
            continue;
        for (size_t k = 0; k < w->snap.worker_count; k++) {
            const struct sched_worker *worker = &w->workers[k];
            struct room room = worker->free;

            if (worker->state != WORKER_READY || w->sites[worker->site].mode != SITE_ENABLED ||
                worker->expires_ms || w->sites[worker->site].credential_end_ms ||
                !fit_place(class, &w->sites[worker->site], (size_t)worker->site) ||
                !site_set_has(&rules, (size_t)worker->site) ||
                decided(w, SCHED_RESERVE, 0, worker->id) ||
                decided(w, SCHED_DRAIN, 0, worker->id) || decided(w, SCHED_DESTROY, 0, worker->id))
                continue;
            for (size_t i = 0; i < w->decisions.count; i++)
                if (nth(w, i)->kind == SCHED_LEASE && nth(w, i)->worker == (int)k)
                    room_take(&room, &nth(w, i)->grant, nth(w, i)->count);
            for (size_t o = 0; o < class->option_count; o++)
                holds(class->options[o].nodes > 1 || !suits(w, class, o, worker) ||
                      !room_fits(&room, &class->options[o].need) ||
                      (class->options[o].need.gpus == 0 && kept_for_gpus(w, worker)) ||
                      may_stay(w, class, &rules, &w->sites[worker->site], o));
        }
    }
}

static bool same_decisions(const struct sched_decisions *a, const struct sched_decisions *b)
{
    return a->count == b->count && a->wake_ms == b->wake_ms &&
           (a->count == 0 || memcmp(a->list, b->list, a->count * sizeof *a->list) == 0);
}

static void same_world_same_decisions(struct world *w)
{
    struct sched *fresh = sched_new(&w->params);
    struct sched_decisions again = { .list = NULL };

    sched_decide(fresh, &w->snap, &again);
    holds(same_decisions(&w->decisions, &again));
    sched_decide(w->sched, &w->snap, &again);
    holds(same_decisions(&w->decisions, &again));
    sched_decisions_free(&again);
    sched_free(fresh);
}

/* One event later, what was remembered must not show. */
static void change_something(struct world *w)
{
    struct dice dice = { seed_now + 77 };
    struct sched_class *class = &w->classes[dice_roll(&dice, 0, (int64_t)w->snap.class_count - 1)];
    struct sched_site *site = &w->sites[dice_roll(&dice, 0, (int64_t)w->snap.site_count - 1)];

    class->ready = dice_roll(&dice, 0, 50);
    if (dice_chance(&dice, 30)) {
        site->tier = (enum tier)dice_roll(&dice, 0, 2);
        site->shapes[0].room.cpus = dice_roll(&dice, 1, 32);
        site->generation = ++w->generation;
    }
    if (dice_chance(&dice, 30)) {
        class->tier = (enum tier)dice_roll(&dice, 0, 2);
        class->image = 0;
        class->generation = ++w->generation;
    }
    w->snap.now_ms += dice_roll(&dice, 0, 600000);
}

static void every_invariant_holds_in_every_world(void **state)
{
    const char *first = getenv("WORLD_SEED"); /* other worlds than the usual ones */
    uint64_t begin = first ? strtoull(first, NULL, 10) : 1;

    (void)state;
    for (seed_now = begin; seed_now < begin + WORLDS; seed_now++) {
        struct world *w = world_random(seed_now);

        for (int round = 0; round < 2; round++) {
            decide(w);
            quotas_hold(w);
            places_hold(w);
            rooms_hold(w);
            gangs_hold(w);
            money_holds(w);
            counts_hold(w);
            room_is_used(w);
            same_world_same_decisions(w);
            change_something(w);
        }
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_invariant_holds_in_every_world),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
