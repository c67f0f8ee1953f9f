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

struct suits {
    struct suit *list;
    size_t count;
};

int64_t boot_ms(const struct sched_params *params, const struct sched_site *site, int shape,
                uint32_t image)
{
    int64_t boot = site->local ? 1000 : params->default_boot_ms;
    int best = -1;

    for (size_t i = 0; i < site->boot_count; i++) {
        const struct sched_boot *known = &site->boots[i];
        int match = (known->shape == shape ? 2 : 0) + (known->image == image ? 1 : 0);

        if ((known->shape >= 0 && known->shape != shape) ||
            (known->image && known->image != image) || match <= best || known->mean_ms < 0)
            continue;
        best = match;
        boot = known->mean_ms;
    }
    return boot > 0 ? boot : 1;
}

static struct suits suits_of(struct pass *pass, const struct pass_class *pc, int option)
{
    const struct sched_option *o = &pc->class->options[option];
    struct suits suits = { .list = pass->suits };

    for (size_t p = 0; p < pass->pool_count; p++)
        if (pool_suits(pass, pc, o, &pass->pools[p]))
            suits.list[suits.count++] =
                (struct suit){ .pool = &pass->pools[p],
                               .slots = (double)room_count(&pass->pools[p].total, &o->need),
                               .tier = pass->snap->sites[pass->pools[p].site].tier };
    return suits;
}

/* Tasks that the pools will have started by `same` from now; those of nearer tiers by `near`. */
static double handled(const struct suits *suits, enum tier tier, double run, double same,
                      double near)
{
    double sum = 0;

    for (size_t i = 0; i < suits->count; i++) {
        const struct suit *suit = &suits->list[i];
        double horizon = suit->tier < tier ? near : same;

        sum += pool_starts(suit->pool, suit->slots, run, horizon);
    }
    return sum;
}

static int64_t first_start(const struct suits *suits, enum tier before)
{
    double least = INFINITY;

    for (size_t i = 0; i < suits->count; i++)
        if (suits->list[i].tier < before)
            least = fmin(least, pool_wait(suits->list[i].pool));
    return isfinite(least) ? (int64_t)least : -1;
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

static int64_t overflow_after(const struct pass *pass, const struct sched_site *site)
{
    return pass->params->overflow == SCHED_OVERFLOW_GAIN ? site->overflow_after_ms : 0;
}

/* The tasks that must move for the earliest deadline's sake: room in time counts only up to it. */
static double deadline_horizon(const struct pass *pass, const struct sched_class *class,
                               int64_t run, double horizon, bool *asks)
{
    double slack;

    if (class->deadline_ms == 0)
        return horizon;
    slack = (double)(class->deadline_ms - pass->now - run);
    if (slack >= horizon)
        return horizon;
    *asks = true;
    return fmax(slack, 0);
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
    int64_t queue = site->wait_ms > 0 ? site->wait_ms : 0;
    bool urgent = false, first = suits->count == 0;
    double same, near, most;

    offer->boot = boot_ms(pass->params, site, offer->shape,
                          pc->class->image ? pc->class->image : site->image);
    offer->finish = queue + offer->boot + run;
    if (site->credential_end_ms &&
        pass->now + queue + offer->boot + run_safe(pass->params, pc->class, option) >
            site->credential_end_ms)
        return false;
    same = deadline_horizon(pass, pc->class, run, (double)(queue + offer->boot), &urgent);
    near = urgent ? same : same + (double)overflow_after(pass, site);
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
    urgent |= pass->now - pc->class->oldest_ms > pass->params->reserve_after_ms;
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
static bool weigh_gang(struct pass *pass, struct pass_class *pc, const struct suits *suits,
                       struct offer *offer)
{
    const struct sched_site *site = &pass->snap->sites[offer->site];
    const struct sched_option *option = &pc->class->options[offer->option];
    double have = 0, run = (double)run_typical(pass->params, pc->class, option);

    for (size_t i = 0; i < suits->count; i++)
        if (suits->list[i].pool->site == offer->site)
            have += suits->list[i].pool->workers;
    offer->boot = boot_ms(pass->params, site, offer->shape,
                          pc->class->image ? pc->class->image : site->image);
    offer->finish = offer->boot + (int64_t)run + (site->wait_ms > 0 ? site->wait_ms : 0);
    offer->count = option->nodes - (int64_t)have;
    offer->slots = offer->per_worker = 1;
    offer->gain = (double)offer->count;
    offer->near_start = -1;
    offer->cost = worker_cost(site, &site->shapes[offer->shape], offer->boot,
                              (double)run_safe(pass->params, pc->class, option));
    if (offer->count <= 0) {
        pc->why = SCHED_WHY_BUSY;
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

/* The best offer of one option into *best. */
static void offers(struct pass *pass, struct pass_class *pc, int option, const struct suits *suits,
                   const struct site_set *sites, int64_t want, struct offer *best)
{
    const struct sched_option *o = &pc->class->options[option];
    int64_t left = limits_allow(pass, pc->class, pc->left) - pc->assigned;

    for (size_t s = 0; left > 0 && s < pass->snap->site_count; s++) {
        uint64_t shapes =
            site_set_has(sites, s) ? pc->fit->shapes[(size_t)option * pc->fit->sites + s] : 0;

        for (; shapes; shapes &= shapes - 1) {
            struct offer offer = { .site = (int)s,
                                   .shape = __builtin_ctzll(shapes),
                                   .option = option,
                                   .group = group_of(pc->class, (int)s) };
            const struct sched_shape *shape = &pass->snap->sites[s].shapes[offer.shape];

            offer.head = ledger_workers(pass, s, offer.shape);
            if (pass->snap->sites[s].tier != TIER_HOME &&
                offer.head > pass->projects[pc->class->project].workers_left)
                offer.head = pass->projects[pc->class->project].workers_left;
            if (offer.head <= 0)
                continue;
            pc->head = true;
            if (!(o->nodes > 1 ? weigh_gang(pass, pc, suits, &offer)
                               : weigh(pass, pc, suits, (double)left, want, &offer)))
                continue;
            score_offer(pass, pc->class, shape, (double)run_typical(pass->params, pc->class, o),
                        &offer);
            if (best->count == 0 || better(pass, &offer, best))
                *best = offer;
        }
    }
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
    d->figures.ready = class->ready;
    d->figures.home_start_ms = offer->near_start < 0 ? -1 : pass->now + offer->near_start;
    ledger_take(pass, (size_t)offer->site, offer->shape, offer->count);
    if (site->tier != TIER_HOME && pass->projects[class->project].workers_left != NO_LIMIT)
        pass->projects[class->project].workers_left -= offer->count;
    money_take(pass, pc, offer->cost * (double)offer->count);
    pool.queued = (double)offer->boot * (double)offer->count + tasks * run / offer->slots;
    pool_add(pass, &pool);
    pc->assigned += option->nodes > 1 ? pc->left : (int64_t)tasks;
    if (pc->start_ms < 0)
        pc->start_ms = d->figures.start_ms;
    order_charge(pass, class, &option->need, (int64_t)tasks);
}

/* What is left waits for the pools there are: it lies before whoever comes later. */
static void queue_up(struct pass *pass, struct pass_class *pc)
{
    struct suits suits = suits_of(pass, pc, 0);
    double run = (double)run_typical(pass->params, pc->class, &pc->class->options[0]);
    double rate = 0, work = (double)(pc->left - pc->assigned) * run;
    int64_t start = first_start(&suits, TIER_COMMERCIAL + 1);

    if (pc->start_ms < 0 && start >= 0)
        pc->start_ms = pass->now + start;
    for (size_t i = 0; i < suits.count; i++) {
        rate += suits.list[i].pool->workers * suits.list[i].slots;
        pc->coming |= suits.list[i].pool->coming;
    }
    for (size_t i = 0; i < suits.count && work > 0; i++) {
        struct pool *pool = &pass->pools[suits.list[i].pool - pass->pools];

        pool->queued += pool->workers * work / rate;
    }
    pc->pooled = suits.count > 0;
}

int64_t create_some(struct pass *pass, int class_index, int64_t want)
{
    struct pass_class *pc = &pass->classes[class_index];
    struct site_set sites = pc->fit->shaped;
    struct offer best = { 0 };

    for (size_t i = 0; i < sizeof sites.bits / sizeof sites.bits[0]; i++)
        sites.bits[i] &= pass->open.bits[i] & pass->projects[pc->class->project].allowed.bits[i];
    if (!site_set_empty(&sites) && pc->left > pc->assigned)
        for (int o = 0; o < (int)pc->class->option_count; o++) {
            struct suits suits = suits_of(pass, pc, o);

            offers(pass, pc, o, &suits, &sites, want, &best);
            if (best.count && pc->class->ordered)
                break;
        }
    if (best.count == 0) {
        queue_up(pass, pc);
        return 0;
    }
    accept(pass, pc, &best);
    return best.count;
}

void create_all(struct pass *pass)
{
    bool waits = false;

    for (size_t i = 0; i < pass->queue_count; i++)
        waits |= pass->classes[pass->queue[i]].left > 0;
    if (!waits || site_set_empty(&pass->open))
        return;
    pool_make(pass);
    order_serve(pass, SERVE_CREATE);
}
