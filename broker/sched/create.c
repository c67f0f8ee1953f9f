/* SPDX-License-Identifier: Apache-2.0 */
/* create.c - new workers: filter, then score, then pack.
 *
 * A class asks for new workers only for the tasks that those which are there, or booting, will not
 * have taken by the time a new one is ready (later by overflow_after where that lies in a further
 * tier).  It is given no more of them than its work keeps busy for longer than they boot, unless a
 * deadline asks for it or nothing else can run it. */
#include <math.h>

#include "sched/pass.h"

/* What could be started for a class, and what would follow. */
struct offer {
    int site, shape, option;
    int64_t count, boot, finish; /* spans from now */
    int64_t head;
    double gain, slots, per_worker; /* tasks: that gain by it; at a time; meant for each */
    double cost;                    /* of one worker, as far as prices are known */
    double score;
    int64_t near_start; /* without it, in nearer tiers; -1 */
    int group;
};

/* Of the sites of one tier, so many are looked at closely, the most promising first. */
#define CLOSELY 8

/* What is known best of a boot; NULL: nothing. */
static const struct sched_boot *boot_known(const struct sched_site *site, int shape, uint32_t image)
{
    const struct sched_boot *found = NULL;
    int best = -1;

    for (size_t i = 0; i < site->boot_count; i++) {
        const struct sched_boot *known = &site->boots[i];
        int match = (known->shape == shape ? 2 : 0) + (known->image == image ? 1 : 0);

        if ((known->shape >= 0 && known->shape != shape) ||
            (known->image && known->image != image) || match <= best || known->mean_ms < 0)
            continue;
        best = match;
        found = known;
    }
    return found;
}

int64_t boot_ms(const struct sched_params *params, const struct sched_site *site, int shape,
                uint32_t image)
{
    const struct sched_boot *known = boot_known(site, shape, image);
    int64_t boot = known ? known->mean_ms : site->local ? 1000 : params->default_boot_ms;

    return boot > 0 ? boot : 1;
}

/* ---- tasks that are still to come --------------------------------------------------------------
 */

/* The longest that a boot on this shape is likely to take. */
static int64_t boot_high(const struct pass *pass, const struct pass_class *pc, size_t s, int shape)
{
    const struct sched_site *site = &pass->snap->sites[s];
    uint32_t image = pc->class->image ? pc->class->image : site->image;
    const struct sched_boot *known = boot_known(site, shape, image);
    int64_t mean = boot_ms(pass->params, site, shape, image);

    return (known && known->high_ms > mean ? known->high_ms : mean) +
           wait_there(pc->class, site, (int)s);
}

int64_t prepare_span(const struct pass *pass, const struct pass_class *pc)
{
    const struct sched_class *class = pc->class;
    int64_t most = 0;

    if (class->prepare_ms >= 0)
        return class->prepare_ms;
    for (size_t s = 0; s < pass->snap->site_count; s++) {
        if (!site_set_has(&pc->fit->shaped, s) || !site_set_has(&pass->open, s) ||
            !site_set_has(&pass->projects[class->project].allowed, s))
            continue;
        for (size_t o = 0; o < class->option_count; o++)
            for (uint64_t left = pc->fit->shapes[o * pc->fit->sites + s]; left; left &= left - 1) {
                int64_t boot = boot_high(pass, pc, s, __builtin_ctzll(left));

                most = boot > most ? boot : most;
            }
    }
    return most;
}

/* From now to what counts as in time: tasks that are there want to start as soon as a new worker
 * would be ready, those to come not before they come. */
static double in_time(const struct pass *pass, const struct pass_class *pc, double ready)
{
    return pc->prepares ? fmax(ready, (double)(pc->class->coming_ms - pass->now)) : ready;
}

/* Where those that the pools there are will start take their places, so that the next class that
 * comes at that time does not count on them as well. */
static void take_places(struct pass *pass, struct pass_class *pc, const struct suits *suits)
{
    double left = (double)(pc->left - pc->assigned);

    for (size_t i = 0; i < pass->suited_count && left > 0; i++) {
        struct pool *pool = &pass->pools[pass->suited[i].pool];
        const struct sched_option *option = pass->suited[i].option;
        double slots = (double)room_count(&pool->total, &option->need);
        double some = fmin(left, fmax(pool->workers - pool->due, 0) * slots);

        pool->due += some / slots;
        left -= some;
    }
    pc->pooled = suits->count > 0;
}

/* Tasks that the pools will have started by `same` from now; those of nearer tiers by `near`, those
 * of further ones as far as it will be worth leaving for them by then. */
static double handled(const struct suits *suits, enum tier tier, double run, double same,
                      double near)
{
    double sum = 0;

    for (size_t i = 0; i < suits->count; i++) {
        const struct suit *suit = &suits->list[i];
        double horizon = suit->tier < tier ? near : suit->tier > tier ? same - suit->leave : same;
        double starts = pool_starts(suit, run, horizon);

        /* Work that is queued lies on all workers alike; where there are more of them than tasks, some
         * are free all the same. */
        if (suit->coming && suit->boot / suit->workers <= horizon)
            starts = fmax(starts, fmax(suit->workers - suit->booked, 0) * suit->slots);
        if (suits->at_once)
            starts = fmin(starts, fmax(suit->workers - suit->due, 0) * suit->slots);
        sum += starts;
    }
    return sum;
}

/* A price to compare by, where the site names none. */
static double compare_price(const struct pass *pass, const struct sched_shape *shape)
{
    double cpus = (double)shape->room.cpus + 20.0 * (double)shape->room.gpus;

    if (shape->price_hour > 0)
        return shape->price_hour;
    return pass->params->cpu_hour_price *
           fmax(cpus, (double)shape->room.memory / (4.0 * 1024 * 1024 * 1024)) / 1000;
}

static void score_offer(const struct pass *pass, const struct sched_class *class,
                        const struct sched_shape *shape, double run, struct offer *offer)
{
    double tasks = fmin(offer->gain, offer->per_worker * (double)offer->count);
    double busy = ceil(tasks / (double)offer->count / offer->slots) * run;
    double cost = compare_price(pass, shape) * (double)offer->count * ((double)offer->boot + busy) /
                  3600000 / fmax(tasks, 1);
    double hours = (double)offer->finish / 3600000;

    switch (class->objective) {
    case OBJECTIVE_TIME:
        offer->score = hours + cost / 1e6;
        break;
    case OBJECTIVE_COST:
        offer->score = cost + hours / 1e6;
        break;
    case OBJECTIVE_BALANCED:
        offer->score = cost + hours * pass->params->hour_worth;
        break;
    }
}

/* Workers that money allows, at the cost of each with its work. */
static int64_t affordable(const struct pass *pass, const struct pass_class *pc,
                          const struct offer *offer, int64_t count)
{
    double price = pass->snap->sites[offer->site].shapes[offer->shape].price_hour;

    return money_allows(pass, pc, (size_t)offer->site, price, offer->cost, count);
}

double worker_cost(const struct sched_site *site, const struct sched_shape *shape, int64_t boot,
                   double busy)
{
    double idle = site->idle_ms > 0 ? (double)site->idle_ms : 0;

    return shape->price_hour <= 0 ? 0 : shape->price_hour * ((double)boot + busy + idle) / 3600000;
}

/* Fill in the rest of an offer; false: it is not worth making, and pc->why says why. */
static bool weigh(struct pass *pass, struct pass_class *pc, const struct suits *suits, double left,
                  int64_t want, struct offer *offer)
{
    const struct sched_site *site = &pass->snap->sites[offer->site];
    const struct sched_shape *shape = &site->shapes[offer->shape];
    const struct sched_option *option = &pc->class->options[offer->option];
    int64_t run = run_typical(pass->params, pc->class, option);
    int64_t queue = wait_there(pc->class, site, offer->site);
    bool urgent = false, first = first_start(suits, site->tier + 1) < 0;
    double same, near, most, ready;

    offer->boot = boot_ms(pass->params, site, offer->shape,
                          pc->class->image ? pc->class->image : site->image);
    ready = in_time(pass, pc, (double)(queue + offer->boot));
    offer->finish = (int64_t)ready + run;
    if (site->credential_end_ms &&
        pass->now + (int64_t)ready + run_safe(pass->params, pc->class, option) >
            site->credential_end_ms)
        return false;
    same = ready;
    near = same + (double)overflow_after(pass, site);
    urgent = deadline_asks(pass, pc->class, run, &near);
    same = fmin(same, near);
    offer->gain = left - floor(handled(suits, site->tier, (double)run, same, near));
    if (offer->gain < 1) {
        if (!pc->why && near > same &&
            left - floor(handled(suits, site->tier, (double)run, same, same)) >= 1)
            pc->why = SCHED_WHY_OVERFLOW;
        return false;
    }
    offer->near_start = first_start(suits, site->tier + (site->tier == TIER_HOME));
    offer->slots = (double)room_count(&shape->room, &option->need);
    offer->per_worker = offer->slots * fmax(1, ceil((double)offer->boot / (double)run));
    most = floor(offer->gain / offer->per_worker);
    urgent |= pass->now - pc->class->oldest_ms > pass->params->reserve_after_ms || pc->prepares;
    if (urgent) {
        offer->per_worker = offer->slots;
        most = ceil(offer->gain / offer->slots);
    }
    if (first && most < 1)
        most = 1;
    most = fmin(most, ceil(fmin(offer->gain, (double)want) / offer->slots));
    offer->count = most > (double)offer->head ? offer->head : (int64_t)most;
    offer->cost = worker_cost(site, shape, offer->boot,
                              ceil(offer->per_worker / offer->slots) *
                                  (double)run_safe(pass->params, pc->class, option));
    if (offer->count > 0 && (offer->count = affordable(pass, pc, offer, offer->count)) == 0)
        pc->why = SCHED_WHY_MONEY;
    return offer->count > 0;
}

/* A gang asks for the nodes that its site lacks, all of them or none. */
static bool weigh_gang(struct pass *pass, struct pass_class *pc, struct offer *offer)
{
    const struct sched_site *site = &pass->snap->sites[offer->site];
    const struct sched_option *option = &pc->class->options[offer->option];
    double have = 0, run = (double)run_typical(pass->params, pc->class, option);

    for (size_t i = 0; i < pass->suited_count; i++)
        if (pass->pools[pass->suited[i].pool].site == offer->site &&
            pool_suits(pass, pc, option, &pass->pools[pass->suited[i].pool]))
            have += pass->pools[pass->suited[i].pool].workers;
    offer->boot = boot_ms(pass->params, site, offer->shape,
                          pc->class->image ? pc->class->image : site->image);
    offer->finish = offer->boot + (int64_t)run + wait_there(pc->class, site, offer->site);
    offer->count = nodes_apart(site, option) - (int64_t)have;
    offer->slots = offer->per_worker = 1;
    offer->gain = (double)offer->count;
    offer->near_start = -1;
    offer->cost = worker_cost(site, &site->shapes[offer->shape], offer->boot,
                              (double)run_safe(pass->params, pc->class, option));
    if (offer->count <= 0) {
        pc->why = pc->why ? pc->why : SCHED_WHY_BUSY;
        return false;
    }
    if (offer->count > offer->head)
        return false;
    if (affordable(pass, pc, offer, offer->count) < offer->count) {
        pc->why = SCHED_WHY_MONEY;
        return false;
    }
    return true;
}

/* Preferred sites first, those to avoid last; a further tier only for its gain; then the score; of
 * equals, the site with more room. */
static bool better(const struct pass *pass, const struct offer *a, const struct offer *b)
{
    enum tier ta = pass->snap->sites[a->site].tier, tb = pass->snap->sites[b->site].tier;

    if (a->group != b->group)
        return a->group < b->group;
    if (ta > tb)
        return a->finish + overflow_after(pass, &pass->snap->sites[a->site]) < b->finish;
    if (ta < tb)
        return b->finish + overflow_after(pass, &pass->snap->sites[b->site]) >= a->finish;
    if (a->score < b->score - 1e-12 || a->score > b->score + 1e-12)
        return a->score < b->score;
    return a->head > b->head;
}

static int group_of(const struct sched_class *class, int site)
{
    if (site_set_has(&class->avoid, (size_t)site))
        return 2;
    return site_set_has(&class->prefer, (size_t)site) ? 0 : 1;
}

/* ---- which sites are looked at -----------------------------------------------------------------
 */

struct promise {
    int site;
    enum tier tier;
    double key;
    int64_t head;
};

static int by_promise(const void *a, const void *b)
{
    const struct promise *x = a, *y = b;

    if (x->tier != y->tier)
        return x->tier < y->tier ? -1 : 1;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->head != y->head)
        return x->head > y->head ? -1 : 1;
    return x->site - y->site;
}

static struct promise promise_of(const struct pass *pass, int site, enum objective objective)
{
    const struct pass_site *ps = &pass->sites[site];
    double hours = (double)ps->soonest / 3600000, cheapest = INFINITY;
    struct promise promise = { .site = site, .tier = pass->snap->sites[site].tier };

    for (uint64_t shapes = ps->shapes_head; shapes; shapes &= shapes - 1) {
        int shape = __builtin_ctzll(shapes);
        const struct sched_shape *s = &pass->snap->sites[site].shapes[shape];

        cheapest = fmin(cheapest, compare_price(pass, s) / fmax((double)s->room.cpus, 1));
        if (ps->head[shape] > promise.head)
            promise.head = ps->head[shape];
    }
    promise.key = objective == OBJECTIVE_TIME   ? hours
                  : objective == OBJECTIVE_COST ? cheapest
                                                : cheapest + hours * pass->params->hour_worth;
    return promise;
}

static const struct ranked *rank_sites(struct pass *pass, enum objective objective)
{
    struct ranked *ranked = pass->ranked[objective];
    struct promise *list;

    if (ranked)
        return ranked;
    list = pass_alloc(pass, pass->snap->site_count + 1, sizeof *list);
    ranked = pass->ranked[objective] = pass_alloc(pass, 1, sizeof *ranked);
    ranked->sites = pass_alloc(pass, pass->snap->site_count + 1, sizeof *ranked->sites);
    for (int tier = 0; tier < 3; tier++)
        ranked->soonest[tier] = ranked->overflow[tier] = NO_LIMIT;
    for (size_t s = 0; s < pass->snap->site_count; s++) {
        const struct sched_site *site = &pass->snap->sites[s];

        if (!site_set_has(&pass->open, s))
            continue;
        list[ranked->count++] = promise_of(pass, (int)s, objective);
        if (pass->sites[s].soonest < ranked->soonest[site->tier])
            ranked->soonest[site->tier] = pass->sites[s].soonest;
        if (overflow_after(pass, site) < ranked->overflow[site->tier])
            ranked->overflow[site->tier] = overflow_after(pass, site);
    }
    qsort(list, ranked->count, sizeof *list, by_promise);
    for (size_t i = 0; i < ranked->count; i++)
        ranked->sites[i] = list[i].site;
    return ranked;
}

/* ---- offers ------------------------------------------------------------------------------------
 */

/* What an option's offers are looked for with. */
struct look {
    struct pass_class *pc;
    const struct suits *suits;
    int option;
    double left, run; /* tasks without a worker meant for them; what one runs */
    int64_t want;
};

/* Whether a worker ready so soon, in this tier, would gain anything for any task. */
static bool gains(struct pass *pass, const struct look *look, enum tier tier, int64_t soonest,
                  int64_t overflow)
{
    const struct sched_class *class = look->pc->class;
    double ready = in_time(pass, look->pc, (double)soonest);

    if (class->deadline_ms || class->options[look->option].nodes > 1)
        return true;
    if (look->left -
            floor(handled(look->suits, tier, look->run, ready, ready + (double)overflow)) >=
        1)
        return true;
    if (!look->pc->why && overflow &&
        look->left - floor(handled(look->suits, tier, look->run, ready, ready)) >= 1)
        look->pc->why = SCHED_WHY_OVERFLOW;
    return false;
}

/* The site's shapes, one by one; true when there was any to look at. */
static bool offers_of_site(struct pass *pass, const struct look *look, int s, struct offer *best)
{
    struct pass_class *pc = look->pc;
    const struct sched_option *o = &pc->class->options[look->option];
    const struct sched_site *site = &pass->snap->sites[s];
    int64_t most =
        site->tier == TIER_HOME ? NO_LIMIT : pass->projects[pc->class->project].workers_left;
    uint64_t shapes = pc->fit->shapes[(size_t)look->option * pc->fit->sites + (size_t)s] &
                      pass->sites[s].shapes_head;

    if (!shapes || most <= 0 || image_awaited(pc->class, site))
        return false;
    /* A worker that serves one class alone is made for the class that a job has, once it has one.
     */
    if (pc->prepares && site->container_bound && pc->class->container)
        return false;
    pc->head = true;
    if (!gains(pass, look, site->tier, pass->sites[s].soonest, overflow_after(pass, site)))
        return true;
    for (; shapes; shapes &= shapes - 1) {
        struct offer offer = { .site = s,
                               .shape = __builtin_ctzll(shapes),
                               .option = look->option,
                               .group = group_of(pc->class, s) };

        offer.head = ledger_workers(pass, (size_t)s, offer.shape);
        offer.head = offer.head < most ? offer.head : most;
        if (!(o->nodes > 1 ? weigh_gang(pass, pc, &offer)
                           : weigh(pass, pc, look->suits, look->left, look->want, &offer)))
            continue;
        score_offer(pass, pc->class, &site->shapes[offer.shape], look->run, &offer);
        if (best->count == 0 || better(pass, &offer, best))
            *best = offer;
    }
    return true;
}

/* A further tier that cannot beat what a nearer one offers is not looked at. */
static bool beaten(const struct pass *pass, const struct look *look, int s,
                   const struct offer *best)
{
    const struct sched_site *site = &pass->snap->sites[s];

    return best->count && best->group <= group_of(look->pc->class, s) &&
           pass->snap->sites[best->site].tier < site->tier &&
           pass->sites[s].soonest + (int64_t)look->run + overflow_after(pass, site) >= best->finish;
}

static void offers(struct pass *pass, const struct look *look, const struct site_set *sites,
                   struct offer *best)
{
    const struct ranked *ranked = rank_sites(pass, look->pc->class->objective);
    int looked[3][3] = { { 0 } };
    bool worth[3];

    for (int tier = 0; tier < 3; tier++)
        worth[tier] =
            ranked->soonest[tier] != NO_LIMIT &&
            gains(pass, look, (enum tier)tier, ranked->soonest[tier], ranked->overflow[tier]);
    for (size_t i = 0; i < ranked->count; i++) {
        int s = ranked->sites[i], tier = (int)pass->snap->sites[s].tier;
        int *count = &looked[group_of(look->pc->class, s)][tier];

        if (!site_set_has(sites, (size_t)s))
            continue;
        look->pc->head = true;
        if (!worth[tier] || *count >= CLOSELY || beaten(pass, look, s, best))
            continue;
        *count += offers_of_site(pass, look, s, best);
    }
}

/* How many new workers of the shape it would be worth starting for `left` tasks, as weigh() has it,
 * and how many of these they would have begun by the horizon; of an infinite one, as many as they
 * would be started for. */
static int64_t would_begin(const struct pass *pass, const struct pass_class *pc, int option,
                           size_t s, int shape, double horizon, int64_t left, bool first,
                           int64_t *workers)
{
    const struct sched_site *site = &pass->snap->sites[s];
    const struct sched_option *o = &pc->class->options[option];
    double run = (double)run_typical(pass->params, pc->class, o);
    double boot = (double)boot_ms(pass->params, site, shape,
                                  pc->class->image ? pc->class->image : site->image);
    double ready = boot + (double)wait_there(pc->class, site, (int)s);
    double slots = (double)room_count(&site->shapes[shape].room, &o->need), most;
    double price = site->shapes[shape].price_hour;
    bool urgent = pass->now - pc->class->oldest_ms > pass->params->reserve_after_ms;
    int64_t head = pass->sites[s].head[shape] - pass->sites[s].promised;

    *workers = 0;
    if (ready > horizon || head <= 0 || image_awaited(pc->class, site))
        return 0;
    most = urgent ? ceil((double)left / slots)
                  : floor((double)left / (slots * fmax(1, ceil(boot / run))));
    most = fmin(fmax(most, first ? 1 : 0), (double)head);
    *workers = money_allows(pass, pc, s, price, worker_cost(site, &site->shapes[shape], boot, run),
                            (int64_t)most);
    if (*workers <= 0)
        return 0;
    most = isinf(horizon) ? fmax(1, ceil(boot / run)) : 1 + floor((horizon - ready) / run);
    return (int64_t)fmin((double)left, (double)*workers * slots * most);
}

int64_t creates_promise(struct pass *pass, const struct pass_class *pc, int option,
                        enum tier before, double horizon, int64_t left, const struct suits *suits)
{
    int64_t abroad = pass->projects[pc->class->project].workers_left, all = left;

    for (size_t s = 0; s < pass->snap->site_count && left > 0; s++) {
        enum tier tier = pass->snap->sites[s].tier;
        uint64_t shapes = pc->fit->shapes[(size_t)option * pc->fit->sites + s];
        int64_t best = 0, workers = 0;

        if (tier >= before || !site_set_has(&pass->open, s) ||
            !site_set_has(&pass->projects[pc->class->project].allowed, s) ||
            (tier > TIER_HOME && abroad <= 0))
            continue;
        for (shapes &= pass->sites[s].shapes_head; shapes; shapes &= shapes - 1) {
            int64_t some, tasks = would_begin(pass, pc, option, s, __builtin_ctzll(shapes), horizon,
                                              left, first_start(suits, tier + 1) < 0, &some);

            if (tasks > best) {
                best = tasks;
                workers = some;
            }
        }
        pass->sites[s].promised += workers;
        left -= best;
    }
    return all - left;
}

static void accept(struct pass *pass, struct pass_class *pc, const struct offer *offer)
{
    const struct sched_class *class = pc->class;
    const struct sched_site *site = &pass->snap->sites[offer->site];
    const struct sched_shape *shape = &site->shapes[offer->shape];
    const struct sched_option *option = &class->options[offer->option];
    double run = (double)run_typical(pass->params, class, option);
    double tasks = fmin(offer->gain, offer->per_worker * (double)offer->count);
    struct sched_decision *d = pass_decide(pass, SCHED_CREATE, SCHED_WHY_FITS);
    struct pool pool = { .site = offer->site,
                         .gpu_model = shape->gpu_model,
                         .gpu_memory = shape->gpu_memory,
                         .total = shape->room,
                         .workers = (double)offer->count,
                         .coming = true };

    d->class_index = (int)(class - pass->snap->classes);
    d->site = offer->site;
    d->shape = offer->shape;
    d->option = offer->option;
    d->count = offer->count;
    d->project = pool.project = site->any_project ? -1 : class->project;
    d->image = pool.image = class->image && site->image_count ? class->image : site->image;
    d->class_id = pool.class_id = class->container && site->container_bound ? class->id : 0;
    d->figures.boot_ms = offer->boot;
    d->figures.run_ms = (int64_t)run;
    d->figures.start_ms = pass->now + offer->finish - (int64_t)run;
    d->figures.finish_ms = pass->now + offer->finish;
    d->figures.cost = shape->price_hour < 0 ? -1 : offer->cost * (double)offer->count;
    d->figures.share = pass->projects[class->project].key;
    d->figures.free = offer->head;
    d->figures.ready = class->ready + (pc->prepares ? class->coming : 0);
    d->figures.home_start_ms = offer->near_start < 0 ? -1 : pass->now + offer->near_start;
    ledger_take(pass, (size_t)offer->site, offer->shape, offer->count);
    if (site->tier != TIER_HOME && pass->projects[class->project].workers_left != NO_LIMIT)
        pass->projects[class->project].workers_left -= offer->count;
    money_take(pass, pc, offer->cost * (double)offer->count);
    pool.boot = pool.queued = (double)offer->boot * (double)offer->count;
    pool.booked = fmin(tasks / offer->slots, pool.workers);
    if (pc->prepares)
        pool.due = tasks / offer->slots;
    else
        pool.queued += tasks * run / offer->slots;
    pool_add(pass, &pool);
    pc->assigned += option->nodes > 1 ? pc->left : (int64_t)tasks;
    if (pc->start_ms < 0)
        pc->start_ms = d->figures.start_ms;
    order_charge(pass, class, &option->need, (int64_t)tasks);
}

/* Where the class's tasks take the first slots of workers that boot. */
static void book(struct pass *pass, const struct pass_class *pc)
{
    double left = (double)(pc->left - pc->assigned);

    for (size_t i = 0; i < pass->suited_count && left > 0; i++) {
        struct pool *pool = &pass->pools[pass->suited[i].pool];
        double slots = (double)room_count(&pool->total, &pass->suited[i].option->need);
        double some = fmin(left, fmax(pool->workers - pool->booked, 0) * slots);

        if (pool->coming) {
            pool->booked += some / slots;
            left -= some;
        }
    }
}

/* What is left waits for the pools there are, `suits`, which are as pass->suited has them. */
static void queue_up(struct pass *pass, struct pass_class *pc, const struct suits *suits)
{
    double run = (double)run_typical(pass->params, pc->class, &pc->class->options[0]);
    int64_t start = first_start(suits, TIERS_ALL);

    if (pc->start_ms < 0 && start >= 0)
        pc->start_ms = pass->now + start;
    for (size_t i = 0; i < suits->count; i++)
        pc->coming |= suits->list[i].coming;
    suits_queue(pass, suits, TIERS_ALL, (double)(pc->left - pc->assigned) * run);
    book(pass, pc);
    pc->pooled = suits->count > 0;
    pc->queued = true;
}

int64_t create_some(struct pass *pass, int class_index, int64_t want)
{
    struct pass_class *pc = &pass->classes[class_index];
    const struct sched_class *class = pc->class;
    struct site_set sites = pc->fit->shaped;
    struct offer best = { 0 };
    struct suits suits;
    int64_t left = limits_allow(pass, class, pc->left) - pc->assigned;

    for (size_t i = 0; i < sizeof sites.bits / sizeof sites.bits[0]; i++)
        sites.bits[i] &= pass->open.bits[i] & pass->projects[class->project].allowed.bits[i];
    if (pc->queued)
        return 0;
    suits_of(pass, pc, class->option_count, TIERS_ALL, &suits);
    for (int o = (int)class->option_count - 1; o >= 0; o--) {
        struct offer offer = { 0 };
        struct look look = { .pc = pc,
                             .suits = &suits,
                             .option = o,
                             .left = (double)left,
                             .run = (double)run_typical(pass->params, class, &class->options[o]),
                             .want = want };

        if (left <= 0 || site_set_empty(&sites))
            break;
        /* Room for a later alternative is none for an earlier one. */
        if (class->ordered && o + 1 < (int)class->option_count)
            suits_of(pass, pc, (size_t)o + 1, TIERS_ALL, &suits);
        offers(pass, &look, &sites, &offer);
        if (offer.count && (!best.count || class->ordered || !better(pass, &best, &offer)))
            best = offer;
    }
    if (best.count == 0 && class->ordered && class->option_count > 1)
        suits_of(pass, pc, class->option_count, TIERS_ALL, &suits);
    if (best.count == 0 && pc->prepares) {
        take_places(pass, pc, &suits);
        return 0;
    }
    if (best.count == 0) {
        queue_up(pass, pc, &suits);
        return 0;
    }
    accept(pass, pc, &best);
    return best.count;
}

void create_all(struct pass *pass)
{
    bool waits = false, gpus = false;

    for (size_t i = 0; i < pass->queue_count; i++) {
        struct pass_class *pc = &pass->classes[pass->queue[i]];

        if (pc->prepares)
            pc->left = pc->class->coming;
        waits |= pc->left > 0;
        gpus |= pc->left > 0 && pc->asks_gpus;
    }
    if (waits && !site_set_empty(&pass->open)) {
        pool_make(pass);
        if (gpus && pass->params->order == SCHED_ORDER_FAIR)
            order_serve_gpus(pass, SERVE_CREATE);
        order_serve(pass, SERVE_CREATE);
    }
    for (size_t i = 0; i < pass->queue_count; i++)
        if (pass->classes[pass->queue[i]].prepares)
            pass->classes[pass->queue[i]].left = 0;
}
