/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - work for workers that are there.
 *
 * A class looks through the workers with room: sites it prefers, then others, then those that
 * failed it of late; nearest tier first; within a site the fullest first, so that wide room stays
 * whole. What did not fit once never fits again in the same pass, hence the cursors. */
#include <math.h>

#include "sched/pass.h"

int64_t limits_allow(const struct pass *pass, const struct sched_class *class, int64_t want)
{
    for (size_t i = 0; i < class->limit_count && want > 0; i++) {
        const struct sched_limit_use *use = &class->limits[i];

        if (use->count > 0 && pass->limits_left[use->limit] / use->count < want)
            want = pass->limits_left[use->limit] / use->count;
    }
    return want < 0 ? 0 : want;
}

/* Leases ahead, in slots' worth, that keep a slot busy while the network answers; 0: none. */
double ahead_of(const struct pass *pass, const struct sched_class *class)
{
    double ahead;

    if (class->run_ms <= 0 || class->run_guessed || pass->params->ahead_ms <= 0)
        return 0;
    ahead = (double)pass->params->ahead_ms / (double)class->run_ms;
    return ahead < 0.1 ? 0 : fmin(ahead, pass->params->ahead_most);
}

bool worker_matches(const struct sched_snapshot *snap, const struct sched_class *class,
                    const struct sched_option *option, const struct sched_worker *worker)
{
    const struct sched_site *site = &snap->sites[worker->site];

    if (worker->project >= 0 && worker->project != class->project && !site->any_project)
        return false;
    if (worker->class_id ? worker->class_id != class->id
                         : class->container && site->container_bound)
        return false;
    if (class->image && site->image_count && worker->image != class->image)
        return false;
    if (site->max_walltime_ms > 0 && option->walltime_ms > site->max_walltime_ms)
        return false;
    return fit_gpus(option, worker->total.gpus, worker->gpu_model, worker->gpu_memory);
}

/* Nothing is placed that would outlive its worker or its site's credential. */
static bool outlives(const struct pass *pass, const struct sched_worker *worker, int64_t end)
{
    const struct sched_site *site = &pass->snap->sites[worker->site];

    return (worker->expires_ms && end > worker->expires_ms) ||
           (site->credential_end_ms && end > site->credential_end_ms);
}

static double price_of(const struct pass *pass, const struct sched_worker *worker)
{
    return worker->shape < 0 ? 0 : pass->snap->sites[worker->site].shapes[worker->shape].price_hour;
}

int64_t money_allows(const struct pass *pass, const struct pass_class *pc, size_t site,
                     double price, double cost, int64_t want)
{
    double left = pass->projects[pc->class->project].money_left;

    if (pc->cost_left >= 0 && pc->cost_left < left)
        left = pc->cost_left;
    if (isinf(left))
        return want;
    /* Nobody can promise to stay below a ceiling where prices are not known. */
    if (price < 0 && pass->snap->sites[site].tier == TIER_COMMERCIAL)
        return 0;
    if (cost <= 0)
        return want;
    return left / cost < (double)want ? (int64_t)fmax(left / cost, 0) : want;
}

void money_take(struct pass *pass, struct pass_class *pc, double cost)
{
    if (pc->cost_left >= 0)
        pc->cost_left = fmax(pc->cost_left - cost, 0);
    pass->projects[pc->class->project].money_left -= cost;
}

/* A reserved worker gives what is back in time, or what the reservation leaves over. */
static int64_t behind(const struct pass *pass, const struct pass_class *pc,
                      const struct sched_option *option, const struct pass_worker *pw,
                      int64_t count)
{
    int64_t run = run_most(pc->class, option), spare;

    if (!pass->params->backfill)
        return 0;
    if (run >= 0 && pw->reserved_ms != NEVER_MS && pass->now + run <= pw->reserved_ms)
        return count;
    spare = room_count(&pw->spare, &option->need);
    return spare < count ? spare : count;
}

/* With so many slots' worth ahead of what comes free soon. */
static struct room boosted(const struct room *free, const struct room *soon, double ahead)
{
    return (struct room){ .cpus = free->cpus + (int64_t)((double)soon->cpus * ahead),
                          .memory = free->memory + (int64_t)((double)soon->memory * ahead),
                          .disk = free->disk,
                          .gpus = free->gpus + (int64_t)((double)soon->gpus * ahead) };
}

static bool may_use(const struct pass *pass, const struct pass_class *pc, int site)
{
    return site_set_has(&pc->fit->place, (size_t)site) &&
           site_set_has(&pass->projects[pc->class->project].allowed, (size_t)site);
}

/* GPUs are free there that somebody waits for, though its cpus or memory do not suffice now: what
 * comes free is not for others, or the GPUs would stay idle. */
static bool wanted_for_gpus(const struct pass *pass, int w)
{
    const struct sched_worker *worker = &pass->snap->workers[w];
    struct pass_worker *pw = &pass->workers[w];

    if (pw->gpus != GPUS_UNASKED || pass->gpu_wait_count == 0)
        return pw->gpus == GPUS_WANTED;
    pw->gpus = GPUS_FREE;
    for (size_t i = 0; i < pass->gpu_wait_count && pw->gpus == GPUS_FREE; i++) {
        const struct pass_class *pc = &pass->classes[pass->gpu_waits[i]];

        for (size_t o = 0; may_use(pass, pc, worker->site) && o < pc->class->option_count; o++) {
            const struct sched_option *option = &pc->class->options[o];
            int64_t run = run_safe(pass->params, pc->class, option);

            if (room_fits(&worker->total, &option->need) &&
                worker_matches(pass->snap, pc->class, option, worker) &&
                !outlives(pass, worker, pass->now + run))
                pw->gpus = GPUS_WANTED;
        }
    }
    return pw->gpus == GPUS_WANTED;
}

/* Tasks of the class that the worker can take. */
static int64_t lease_count(const struct pass *pass, const struct pass_class *pc, int option_index,
                           int w, double ahead)
{
    const struct sched_worker *worker = &pass->snap->workers[w];
    const struct pass_worker *pw = &pass->workers[w];
    const struct sched_option *option = &pc->class->options[option_index];
    struct room room = pw->free;
    int64_t count;

    if (ahead > 0)
        room = boosted(&pw->free, pass->soon ? &pass->soon[w] : &worker->total, ahead);
    count = room_count(&room, &option->need);
    if (count <= 0 || !pw->usable || !room_fits(&worker->total, &option->need) ||
        !worker_matches(pass->snap, pc->class, option, worker))
        return 0;
    if (outlives(pass, worker, pass->now + run_safe(pass->params, pc->class, option)))
        return 0;
    if (option->need.gpus == 0 && pw->free.gpus > 0 && wanted_for_gpus(pass, w))
        return 0;
    return pw->reserved ? behind(pass, pc, option, pw, count) : count;
}

/* ---- looking for room ------------------------------------------------------------------------ */

static bool in_group(const struct sched_class *class, int site, int group)
{
    bool avoided = site_set_has(&class->avoid, (size_t)site);
    bool preferred = site_set_has(&class->prefer, (size_t)site);

    return avoided ? group == 2 : group == (preferred ? 0 : 1);
}

/* Others who come first in the order wait for slots here: what is leased ahead would keep them out.
 */
static bool others_wait(const struct pass *pass, const struct pass_class *pc, int site)
{
    const struct pass_site *ps = &pass->sites[site];
    const struct pass_project *project = &pass->projects[pc->class->project];
    const struct pass_user *user = &pass->users[pc->class->user];

    if (!ps->stuck)
        return false;
    if (ps->stuck_project != project->key)
        return ps->stuck_project < project->key;
    if (ps->stuck_user != user->key)
        return ps->stuck_user < user->key;
    return ps->stuck_rank < pc->rank;
}

static int find_in_site(struct pass *pass, const struct pass_class *pc, int option, int site,
                        struct cursor *cursor, double ahead)
{
    struct pass_site *ps = &pass->sites[site];

    if (ahead == 0) {
        while (ps->room_first < ps->room_count &&
               pass->workers[ps->room[ps->room_first]].free.cpus <= 0)
            ps->room_first++;
        if (cursor->at < ps->room_first)
            cursor->at = ps->room_first;
    }
    for (; cursor->at < ps->room_count; cursor->at++)
        if (lease_count(pass, pc, option, ps->room[cursor->at], ahead) > 0)
            return ps->room[cursor->at];
    return -1;
}

/* The worker where the option's search stands now, or -1. */
static int find_worker(struct pass *pass, const struct pass_class *pc, int option, double ahead)
{
    struct cursor *cursor = &pc->cursors[option];

    for (; cursor->group < 3; cursor->group++, cursor->site = 0)
        for (; cursor->site < pass->order_count; cursor->site++, cursor->at = 0) {
            int site = pass->order[cursor->site], worker;

            if (!in_group(pc->class, site, cursor->group) || !may_use(pass, pc, site) ||
                (ahead > 0 && others_wait(pass, pc, site)))
                continue;
            worker = find_in_site(pass, pc, option, site, cursor, ahead);
            if (worker >= 0)
                return worker;
        }
    return -1;
}

/* The option whose search is least far; of an ordered class, the first that has any room. */
static int find_option(struct pass *pass, const struct pass_class *pc, double ahead, int *worker)
{
    int best = -1;

    for (int o = 0; o < (int)pc->class->option_count; o++) {
        const struct cursor *cursor = &pc->cursors[o],
                            *other = best < 0 ? NULL : &pc->cursors[best];
        int w = pc->class->options[o].nodes > 1 ||
                        (pc->class->ordered && earlier_leave(pass, pc, o) == 0)
                    ? -1
                    : find_worker(pass, pc, o, ahead);

        if (w < 0 || (other && (cursor->group > other->group ||
                                (cursor->group == other->group && cursor->site >= other->site))))
            continue;
        best = o;
        *worker = w;
        if (pc->class->ordered)
            break;
    }
    return best;
}

/* ---- taking it ------------------------------------------------------------------------------- */

static int64_t open_share(bool open, int64_t need, int64_t free, int64_t count)
{
    return open && count > 0 && free / count > need ? free / count : need;
}

/* What each of `count` tasks gets: an open amount shares what is left among those who wait. */
static struct room grant_of(const struct sched_option *option, const struct room *free,
                            int64_t count)
{
    struct room grant = option->need;

    grant.cpus = open_share(option->cpus_open, grant.cpus, free->cpus, count);
    grant.memory = open_share(option->memory_open, grant.memory, free->memory, count);
    grant.disk = open_share(option->disk_open, grant.disk, free->disk, count);
    return grant;
}

static struct sched_decision *lease_decision(struct pass *pass, struct pass_class *pc, int option,
                                             int w, enum sched_why why, const struct room *grant)
{
    const struct sched_worker *worker = &pass->snap->workers[w];
    struct sched_decision *decision;

    /* Served in turns, a class comes back to the same worker: one decision, a larger count. */
    if (pc->last) {
        decision = &pass->out->list[pc->last - 1];
        if (decision->worker == w && decision->option == option && decision->why == why &&
            decision->gang == 0 && memcmp(&decision->grant, grant, sizeof *grant) == 0)
            return decision;
    }
    decision = pass_decide(pass, SCHED_LEASE, why);
    decision->class_index = (int)(pc->class - pass->snap->classes);
    decision->worker = w;
    decision->site = worker->site;
    decision->shape = worker->shape;
    decision->option = option;
    decision->grant = *grant;
    decision->figures.share = pass->projects[pc->class->project].key;
    decision->figures.ready = pc->class->ready;
    decision->figures.start_ms = pass->now;
    decision->figures.run_ms = run_typical(pass->params, pc->class, &pc->class->options[option]);
    decision->figures.finish_ms = pass->now + decision->figures.run_ms;
    pc->last = pass->out->count;
    return decision;
}

/* For reservations made later in this pass: when what is taken now comes back. */
static void note_made(struct pass *pass, struct pass_worker *pw, const struct room *grant,
                      int64_t count, int64_t run)
{
    struct made made = { .ends_ms = pass->now + run, .next = pw->made };

    if (pass->made_count == pass->made_room) {
        struct made *old = pass->made;

        pass->made_room = pass->made_room ? pass->made_room * 2 : 64;
        pass->made = pass_alloc(pass, pass->made_room, sizeof *pass->made);
        if (old)
            memcpy(pass->made, old, pass->made_count * sizeof *old);
    }
    room_take(&made.need, grant, -count);
    pass->made[pass->made_count++] = made;
    pw->made = (int)pass->made_count;
}

static void lease_take(struct pass *pass, struct pass_class *pc, int option_index, int w,
                       int64_t count, const struct room *grant, double cost)
{
    const struct sched_option *option = &pc->class->options[option_index];
    const struct sched_worker *worker = &pass->snap->workers[w];
    struct pass_worker *pw = &pass->workers[w];
    int64_t run = run_typical(pass->params, pc->class, option);
    double slots = (double)room_count(&worker->total, grant);

    if (pw->reserved) {
        int64_t most = run_most(pc->class, option);

        if (most < 0 || pass->now + most > pw->reserved_ms)
            room_take(&pw->spare, grant, count);
    }
    if (pw->pool >= 0)
        pool_lease(pass, pw->pool, (double)run, count, slots);
    room_take(&pw->free, grant, count);
    note_made(pass, pw, grant, count, run_safe(pass->params, pc->class, option));
    pw->taken = true;
    pw->leased_ms += (double)run * (double)count / fmax(slots, 1);
    pw->leased_sq += (double)run * (double)run * (double)count / fmax(slots, 1);
    pw->leased_count += count;
    for (size_t i = 0; i < pc->class->limit_count; i++)
        pass->limits_left[pc->class->limits[i].limit] -= pc->class->limits[i].count * count;
    money_take(pass, pc, cost * (double)count);
}

/* Lease up to `want` tasks to one worker; 0: a ceiling on money forbids. */
static int64_t lease_worker(struct pass *pass, struct pass_class *pc, int option_index, int w,
                            int64_t want, double ahead)
{
    const struct sched_option *option = &pc->class->options[option_index];
    const struct sched_worker *worker = &pass->snap->workers[w];
    const struct pass_worker *pw = &pass->workers[w];
    int64_t fits = lease_count(pass, pc, option_index, w, ahead), count = fits;
    double price = price_of(pass, worker);
    double cost =
        task_cost(price, &worker->total, &option->need, run_safe(pass->params, pc->class, option));
    enum sched_why why = ahead > 0 && room_count(&pw->free, &option->need) < want ? SCHED_WHY_AHEAD
                         : pw->reserved ? SCHED_WHY_BACKFILL
                                        : SCHED_WHY_FITS;
    struct sched_decision *decision;
    struct room grant;

    count = count < want ? count : want;
    count = money_allows(pass, pc, (size_t)worker->site, price, cost, count);
    if (count <= 0)
        return 0;
    grant = ahead > 0 || pw->reserved
                ? option->need
                : grant_of(option, &pw->free, pc->left < fits ? pc->left : fits);
    decision = lease_decision(pass, pc, option_index, w, why, &grant);
    decision->count += count;
    decision->figures.free = fits;
    if (price >= 0)
        decision->figures.cost = fmax(decision->figures.cost, 0) + cost * (double)count;
    lease_take(pass, pc, option_index, w, count, &grant, cost);
    order_charge(pass, pc->class, &option->need, count);
    pc->left -= count;
    return count;
}

/* ---- gangs ----------------------------------------------------------------------------------- */

/* Workers of the site for a gang's nodes, distinct ones unless the site is one machine; how many,
 * at most `nodes`. */
static int gang_workers(struct pass *pass, const struct pass_class *pc, int option, int site,
                        int *out)
{
    const struct pass_site *ps = &pass->sites[site];
    int nodes = pc->class->options[option].nodes, found = 0;

    for (size_t i = 0; i < ps->room_count && found < nodes; i++) {
        int64_t count = lease_count(pass, pc, option, ps->room[i], 0);

        if (!pass->snap->sites[site].local && count > 1)
            count = 1;
        while (count-- > 0 && found < nodes)
            out[found++] = ps->room[i];
    }
    return found;
}

static void gang_lease(struct pass *pass, struct pass_class *pc, int option, const int *workers)
{
    const struct sched_option *o = &pc->class->options[option];
    int gang = ++pass->gangs;

    for (int rank = 0; rank < o->nodes; rank++) {
        const struct sched_worker *worker = &pass->snap->workers[workers[rank]];
        double price = price_of(pass, worker);
        double cost =
            task_cost(price, &worker->total, &o->need, run_safe(pass->params, pc->class, o));
        struct sched_decision *decision =
            lease_decision(pass, pc, option, workers[rank], SCHED_WHY_FITS, &o->need);

        decision->count = 1;
        decision->gang = gang;
        decision->rank = rank;
        decision->figures.free = 1;
        if (price >= 0)
            decision->figures.cost = cost;
        lease_take(pass, pc, option, workers[rank], 1, &o->need, cost);
        order_charge(pass, pc->class, &o->need, 1);
    }
    /* Named limits count tasks, not nodes. */
    for (size_t i = 0; i < pc->class->limit_count; i++)
        pass->limits_left[pc->class->limits[i].limit] +=
            pc->class->limits[i].count * (o->nodes - 1);
    pc->left--;
}

static bool gang_affordable(const struct pass *pass, const struct pass_class *pc, int option,
                            const int *workers)
{
    const struct sched_option *o = &pc->class->options[option];
    double cost = 0, price = 0;

    for (int i = 0; i < o->nodes; i++) {
        const struct sched_worker *worker = &pass->snap->workers[workers[i]];
        double one = price_of(pass, worker);

        price = one < 0 ? one : price;
        cost += task_cost(one, &worker->total, &o->need, run_safe(pass->params, pc->class, o));
    }
    return money_allows(pass, pc, (size_t)pass->snap->workers[workers[0]].site, price, cost, 1) > 0;
}

/* All nodes of one task at one site, or none. */
static bool lease_gang(struct pass *pass, struct pass_class *pc)
{
    for (int o = 0; o < (int)pc->class->option_count; o++) {
        int nodes = pc->class->options[o].nodes, *workers;

        if (nodes <= 1)
            continue;
        workers = pass_alloc(pass, (size_t)nodes, sizeof *workers);
        for (int group = 0; group < 3; group++)
            for (size_t i = 0; i < pass->order_count; i++) {
                int site = pass->order[i];

                if (!in_group(pc->class, site, group) || !may_use(pass, pc, site) ||
                    gang_workers(pass, pc, o, site, workers) < nodes ||
                    !gang_affordable(pass, pc, o, workers))
                    continue;
                if (!is_near(pass, pc, site) && !gang_leaves(pass, pc, o, site)) {
                    pc->why = pc->why ? pc->why : SCHED_WHY_OVERFLOW;
                    continue;
                }
                gang_lease(pass, pc, o, workers);
                return true;
            }
    }
    return false;
}

/* ---- a class's turn -------------------------------------------------------------------------- */

static bool has_gang(const struct sched_class *class)
{
    for (size_t o = 0; o < class->option_count; o++)
        if (class->options[o].nodes > 1)
            return true;
    return false;
}

/* Slots' worth ahead, no more than spreads what is left evenly over the workers there are. */
static double ahead_even(const struct pass *pass, const struct pass_class *pc)
{
    double ahead = ahead_of(pass, pc->class);
    int64_t slots = room_count(&pass->ready_whole, &pc->class->options[0].need);

    return slots > 0 ? fmin(ahead, (double)pc->class->ready / (double)slots + 1) : ahead;
}

/* Of so many tasks, those that gain by the site, and that no earlier alternative can have. */
static int64_t may_take(struct pass *pass, struct pass_class *pc, int option, int site,
                        int64_t want)
{
    int64_t leave = is_near(pass, pc, site) ? want : leave_allows(pass, pc, option, site);
    int64_t earlier = pc->class->ordered ? earlier_leave(pass, pc, option) : want;

    leave = leave < earlier ? leave : earlier;
    return leave < want ? leave : want;
}

int64_t lease_some(struct pass *pass, int class_index, int64_t want, bool ahead)
{
    struct pass_class *pc = &pass->classes[class_index];
    double factor = ahead ? ahead_even(pass, pc) : 0;
    int64_t leased = 0, limited = limits_allow(pass, pc->class, want);
    int option, w = -1;

    if (limited < want)
        pc->why = SCHED_WHY_LIMIT;
    want = limited;
    if (ahead && factor <= 0)
        return 0;
    while (leased < want && (option = find_option(pass, pc, factor, &w)) >= 0) {
        int site = pass->snap->workers[w].site;
        int64_t most = may_take(pass, pc, option, site, want - leased), count;

        if (most == 0) { /* nor another worker of that site */
            pc->cursors[option].site++;
            pc->cursors[option].at = 0;
            continue;
        }
        count = lease_worker(pass, pc, option, w, most, factor);
        if (count == 0) {
            pc->why = SCHED_WHY_MONEY;
            pc->cursors[option].at++;
        }
        if (!is_near(pass, pc, site))
            pc->leave -= count;
        leased += count;
    }
    while (!ahead && leased < want && has_gang(pc->class) && lease_gang(pass, pc))
        leased++;
    return leased;
}

void lease_reset(struct pass *pass)
{
    for (size_t i = 0; i < pass->queue_count; i++) {
        const struct pass_class *pc = &pass->classes[pass->queue[i]];

        memset(pc->cursors, 0, pc->class->option_count * sizeof *pc->cursors);
    }
}
