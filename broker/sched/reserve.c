/* SPDX-License-Identifier: Apache-2.0 */
/* reserve.c - a start that nothing else may delay, for work that small tasks would keep out for
 * ever.
 *
 * A class that has got nothing for reserve_after goes before all others.  If it still finds no
 * room, the worker is reserved where room for it comes free first; others may use that worker only
 * for what is back in time, or for what is left over.  Where no worker could ever hold it and a
 * site could give one but for its quota, workers there are drained until the quota is free.  Idle
 * ones that it cannot use give way to it without that wait. */
#include "sched/pass.h"
#include "sched/share.h"

struct end {
    int64_t at_ms;
    struct room need;
};

static int by_end(const void *a, const void *b)
{
    const struct end *x = a, *y = b;

    return x->at_ms < y->at_ms ? -1 : x->at_ms > y->at_ms;
}

static void index_runs(struct pass *pass)
{
    const struct sched_snapshot *snap = pass->snap;

    if (pass->run_first)
        return;
    pass->run_first = pass_alloc(pass, snap->worker_count + 1, sizeof *pass->run_first);
    pass->run_next = pass_alloc(pass, snap->run_count + 1, sizeof *pass->run_next);
    for (size_t i = snap->run_count; i-- > 0;) {
        pass->run_next[i] = pass->run_first[snap->runs[i].worker];
        pass->run_first[snap->runs[i].worker] = (int32_t)i + 1;
    }
}

/* The end a run will not pass, as far as anyone knows; one that is overdue ends any moment. */
static int64_t run_end(const struct pass *pass, const struct sched_run *run)
{
    int64_t end = run->latest_ms >= 0 ? run->latest_ms : run->ends_ms;

    if (end < 0)
        return NEVER_MS;
    return end > pass->now ? end : pass->now + 1;
}

/* When what runs on a worker comes back, soonest first. */
static size_t ends_of(struct pass *pass, int w, struct end **out)
{
    const struct sched_snapshot *snap = pass->snap;
    size_t count = 0;
    bool sorted = true;
    struct end *ends;

    index_runs(pass);
    for (int32_t i = pass->run_first[w]; i; i = pass->run_next[i - 1])
        count++;
    for (int i = pass->workers[w].made; i; i = pass->made[i - 1].next)
        count++;
    ends = pass_alloc(pass, count + 1, sizeof *ends);
    count = 0;
    for (int32_t i = pass->run_first[w]; i; i = pass->run_next[i - 1]) {
        const struct sched_run *run = &snap->runs[i - 1];

        ends[count].at_ms = run_end(pass, run);
        room_take(&ends[count].need, &run->need, -run->count);
        sorted &= count == 0 || ends[count - 1].at_ms <= ends[count].at_ms;
        count++;
    }
    for (int i = pass->workers[w].made; i; i = pass->made[i - 1].next) {
        ends[count++] = (struct end){ pass->made[i - 1].ends_ms, pass->made[i - 1].need };
        sorted = false;
    }
    if (!sorted)
        qsort(ends, count, sizeof *ends, by_end);
    *out = ends;
    return count;
}

int64_t room_at(struct pass *pass, int w, const struct room *need, struct room *then)
{
    struct end *ends;
    size_t count = ends_of(pass, w, &ends), i = 0;
    int64_t at = pass->now;

    *then = pass->workers[w].free;
    while (i < count && !room_fits(then, need)) {
        at = ends[i].at_ms;
        for (; i < count && ends[i].at_ms == at; i++)
            room_take(then, &ends[i].need, -1);
    }
    /* Leases of which no run is told: their end is not known either. */
    return room_fits(then, need) ? at : NEVER_MS;
}

static bool may_reserve(const struct pass *pass, const struct pass_class *pc,
                        const struct sched_option *option, int w)
{
    const struct sched_worker *worker = &pass->snap->workers[w];
    const struct pass_worker *pw = &pass->workers[w];

    return pw->usable && !pw->reserved && site_set_has(&pc->fit->place, (size_t)worker->site) &&
           site_set_has(&pass->projects[pc->class->project].allowed, (size_t)worker->site) &&
           room_fits(&worker->total, &option->need) &&
           worker_matches(pass->snap, pc->class, option, worker);
}

/* The worker's life ends before a task that begins then would. */
static bool dies_before(const struct pass *pass, const struct pass_class *pc,
                        const struct sched_option *option, int w, int64_t start)
{
    int64_t expires = pass->snap->workers[w].expires_ms;

    return expires &&
           (start == NEVER_MS || start + run_safe(pass->params, pc->class, option) > expires);
}

static void reserve_worker(struct pass *pass, struct pass_class *pc, int option, int w,
                           int64_t start, const struct room *then)
{
    const struct sched_worker *worker = &pass->snap->workers[w];
    struct pass_worker *pw = &pass->workers[w];
    struct sched_decision *d = pass_decide(pass, SCHED_RESERVE, SCHED_WHY_RESERVED);
    struct room need = need_apart(&pass->snap->sites[worker->site], &pc->class->options[option]);

    pw->reserved = pw->taken = true;
    pw->reserved_ms = start;
    pw->reserved_work = (double)run_typical(pass->params, pc->class, &pc->class->options[option]) /
                        (double)room_count(&worker->total, &pc->class->options[option].need);
    if (pw->pool >= 0)
        pass->pools[pw->pool].queued += pw->reserved_work;
    pw->spare = *then;
    room_take(&pw->spare, &need, 1);
    d->class_index = (int)(pc->class - pass->snap->classes);
    d->worker = w;
    d->site = worker->site;
    d->shape = worker->shape;
    d->option = option;
    d->count = 1;
    d->figures.start_ms = start == NEVER_MS ? -1 : start;
    d->figures.ready = pc->class->ready;
    pc->reserved = true;
    pc->start_ms = d->figures.start_ms;
}

/* The worker where room for one task comes free first, near or in the tiers to leave for. */
static bool reserve_room(struct pass *pass, struct pass_class *pc, bool near)
{
    int best = -1, option = -1;
    int64_t start = NEVER_MS;
    struct room then = { 0 }, at;

    for (int o = 0; o < (int)pc->class->option_count; o++) {
        const struct sched_option *opt = &pc->class->options[o];

        for (size_t w = 0; opt->nodes <= 1 && w < pass->snap->worker_count; w++) {
            int64_t when;

            if (is_near(pass, pc, pass->snap->workers[w].site) != near ||
                !may_reserve(pass, pc, opt, (int)w))
                continue;
            when = room_at(pass, (int)w, &opt->need, &at);
            if ((best >= 0 && when >= start) || dies_before(pass, pc, opt, (int)w, when))
                continue;
            best = (int)w;
            option = o;
            start = when;
            then = at;
        }
    }
    if (best < 0)
        return false;
    /* Where no end is known, nothing may be put behind; what is over after all has ended may. */
    if (start == NEVER_MS)
        then = pass->snap->workers[best].total;
    reserve_worker(pass, pc, option, best, start, &then);
    return true;
}

/* ---- gangs ----------------------------------------------------------------------------------- */

struct node {
    int worker;
    int64_t start_ms;
    struct room then;
};

static int by_start(const void *a, const void *b)
{
    const struct node *x = a, *y = b;

    if (x->start_ms != y->start_ms)
        return x->start_ms < y->start_ms ? -1 : 1;
    return x->worker < y->worker ? -1 : x->worker > y->worker;
}

/* The site's workers for a gang's nodes, soonest free first; how many. */
static int gang_nodes(struct pass *pass, const struct pass_class *pc, int option, size_t site,
                      struct node **out)
{
    const struct sched_option *opt = &pc->class->options[option];
    struct room need = need_apart(&pass->snap->sites[site], opt);
    struct node *nodes = pass_alloc(pass, pass->snap->worker_count + 1, sizeof *nodes);
    int count = 0;

    for (size_t w = 0; w < pass->snap->worker_count; w++)
        if (pass->snap->workers[w].site == (int)site && may_reserve(pass, pc, opt, (int)w)) {
            struct node *node = &nodes[count];

            node->worker = (int)w;
            node->start_ms = room_at(pass, (int)w, &need, &node->then);
            count += !dies_before(pass, pc, opt, (int)w, node->start_ms);
        }
    qsort(nodes, (size_t)count, sizeof *nodes, by_start);
    *out = nodes;
    return count;
}

int64_t gang_start(struct pass *pass, const struct pass_class *pc, int option, size_t site)
{
    int apart = nodes_apart(&pass->snap->sites[site], &pc->class->options[option]);
    struct node *nodes;

    return gang_nodes(pass, pc, option, site, &nodes) < apart ? NEVER_MS
                                                              : nodes[apart - 1].start_ms;
}

/* The site where all nodes come free first; all of them are reserved for that time. */
static bool reserve_gang(struct pass *pass, struct pass_class *pc, int option, bool near)
{
    const struct sched_option *opt = &pc->class->options[option];
    struct node *best = pass_alloc(pass, (size_t)opt->nodes, sizeof *best);
    int64_t start = NEVER_MS;
    int found_count = 0;

    for (size_t s = 0; s < pass->snap->site_count; s++) {
        int apart = nodes_apart(&pass->snap->sites[s], opt);
        struct node *nodes;

        if (is_near(pass, pc, (int)s) != near || gang_nodes(pass, pc, option, s, &nodes) < apart)
            continue;
        if (found_count && nodes[apart - 1].start_ms >= start)
            continue;
        start = nodes[apart - 1].start_ms;
        found_count = apart;
        memcpy(best, nodes, (size_t)apart * sizeof *best);
    }
    for (int i = 0; i < found_count; i++) {
        if (best[i].start_ms == NEVER_MS)
            best[i].then = pass->snap->workers[best[i].worker].total;
        reserve_worker(pass, pc, option, best[i].worker, start, &best[i].then);
    }
    return found_count > 0;
}

/* ---- quota ----------------------------------------------------------------------------------- */

/* Quota that workers on their way out will give back. */
static int64_t going(const struct pass *pass, int site, const struct sched_quota *quota)
{
    const struct sched_site *s = &pass->snap->sites[site];
    int64_t sum = 0;

    for (size_t w = 0; w < pass->snap->worker_count; w++) {
        const struct sched_worker *worker = &pass->snap->workers[w];

        if (worker->site == site && worker->shape >= 0 &&
            (worker->state == WORKER_DRAINING || worker->state == WORKER_DESTROYING))
            sum += quota_need(quota, &s->shapes[worker->shape]);
    }
    return sum;
}

static int64_t last_end(struct pass *pass, int w)
{
    struct end *ends;
    size_t count = ends_of(pass, w, &ends);

    return count ? ends[count - 1].at_ms : pass->now;
}

static void drain_for(struct pass *pass, struct pass_class *pc, int w)
{
    const struct sched_worker *worker = &pass->snap->workers[w];
    struct sched_decision *d =
        pass_decide(pass, worker->leases ? SCHED_DRAIN : SCHED_DESTROY, SCHED_WHY_RECLAIM);

    d->class_index = (int)(pc->class - pass->snap->classes);
    d->worker = w;
    d->site = worker->site;
    d->shape = worker->shape;
    pass->workers[w].usable = false;
    pass->workers[w].gone = true;
}

/* Workers of ours whose end frees what the shape lacks at the site, soonest free first; or of idle
 * ones only.  Without `act` only asks whether it can be done. */
static bool free_quota(struct pass *pass, struct pass_class *pc, int site, int shape, bool idle,
                       bool act)
{
    const struct sched_site *s = &pass->snap->sites[site];
    struct node *nodes = pass_alloc(pass, pass->snap->worker_count + 1, sizeof *nodes);
    int64_t *lack = pass_alloc(pass, s->quota_count + 2, sizeof *lack);
    int count = 0;
    bool lacks = false;

    for (size_t q = 0; q < s->quota_count; q++)
        if (s->quotas[q].limit >= 0)
            lack[q] = quota_need(&s->quotas[q], &s->shapes[shape]) -
                      pass->sites[site].quota_free[q] - going(pass, site, &s->quotas[q]);
    for (size_t w = 0; w < pass->snap->worker_count; w++)
        if (pass->snap->workers[w].site == site && pass->workers[w].usable &&
            !pass->workers[w].taken && !pass->workers[w].gone && !pass->snap->workers[w].keep &&
            (!idle || pass->workers[w].idle) && pass->snap->workers[w].shape >= 0)
            nodes[count++] = (struct node){ .worker = (int)w, .start_ms = last_end(pass, (int)w) };
    qsort(nodes, (size_t)count, sizeof *nodes, by_start);
    for (int i = 0; i <= count; i++) {
        const struct sched_shape *gone;

        lacks = false;
        for (size_t q = 0; q < s->quota_count; q++)
            lacks |= lack[q] > 0;
        if (!lacks || i == count)
            break;
        gone = &s->shapes[pass->snap->workers[nodes[i].worker].shape];
        for (size_t q = 0; q < s->quota_count; q++)
            lack[q] -= quota_need(&s->quotas[q], gone);
        if (act)
            drain_for(pass, pc, nodes[i].worker);
    }
    return !lacks;
}

struct freed {
    int site, shape, option;
};

/* Where the end of others gives the class quota for a worker: that is begun. */
static bool free_somewhere(struct pass *pass, struct pass_class *pc, bool idle, struct freed *out)
{
    for (int o = 0; o < (int)pc->class->option_count; o++)
        for (size_t s = 0; s < pass->snap->site_count; s++) {
            uint64_t shapes = pc->fit->shapes[(size_t)o * pc->fit->sites + s];

            if (!site_set_has(&pass->projects[pc->class->project].allowed, s) ||
                !pass->sites[s].quota_free || (idle && !pass->sites[s].idle))
                continue;
            for (shapes &= pass->sites[s].shapes_open; shapes; shapes &= shapes - 1) {
                *out = (struct freed){ (int)s, __builtin_ctzll(shapes), o };
                if (!free_quota(pass, pc, out->site, out->shape, idle, false))
                    continue;
                free_quota(pass, pc, out->site, out->shape, idle, true);
                return true;
            }
        }
    return false;
}

static bool reserve_quota(struct pass *pass, struct pass_class *pc)
{
    struct sched_decision *d;
    struct freed freed;

    if (!free_somewhere(pass, pc, false, &freed))
        return false;
    ledger_hold(pass, (size_t)freed.site, freed.shape);
    d = pass_decide(pass, SCHED_RESERVE, SCHED_WHY_RESERVED);
    d->class_index = (int)(pc->class - pass->snap->classes);
    d->site = freed.site;
    d->shape = freed.shape;
    d->option = freed.option;
    d->count = 1;
    d->figures.ready = pc->class->ready;
    pc->reserved = true;
    return true;
}

void reclaim_idle(struct pass *pass, int class_index)
{
    struct freed freed;

    free_somewhere(pass, &pass->classes[class_index], true, &freed);
}

/* Some site would give a worker now: creating is the answer, not waiting. */
static bool can_create(const struct pass *pass, const struct pass_class *pc)
{
    for (size_t s = 0; s < pass->snap->site_count; s++) {
        if (!site_set_has(&pass->projects[pc->class->project].allowed, s))
            continue;
        for (size_t o = 0; o < pc->class->option_count; o++)
            for (uint64_t shapes = pc->fit->shapes[o * pc->fit->sites + s]; shapes;
                 shapes &= shapes - 1)
                if (ledger_workers(pass, s, __builtin_ctzll(shapes)) >=
                    nodes_apart(&pass->snap->sites[s], &pc->class->options[o]))
                    return true;
    }
    return false;
}

/* On workers that are there, near or in the tiers to leave for. */
static bool reserve_there(struct pass *pass, struct pass_class *pc, bool near)
{
    bool done = reserve_room(pass, pc, near);

    for (int o = 0; !done && o < (int)pc->class->option_count; o++)
        if (pc->class->options[o].nodes > 1)
            done = reserve_gang(pass, pc, o, near);
    return done;
}

bool reserve_class(struct pass *pass, int class_index)
{
    struct pass_class *pc = &pass->classes[class_index];
    bool done = false;

    if (pass->reservations >= pass->params->reservations || pc->reserved ||
        pc->why == SCHED_WHY_LIMIT || pc->why == SCHED_WHY_MONEY)
        return false;
    done = reserve_there(pass, pc, true);
    if (!done && !can_create(pass, pc))
        done = reserve_there(pass, pc, false) || reserve_quota(pass, pc);
    pass->reservations += done;
    return done;
}

/* ---- who has waited too long ----------------------------------------------------------------- */

static int64_t waits_since(const struct sched_class *class)
{
    return class->served_ms > class->oldest_ms ? class->served_ms : class->oldest_ms;
}

/* What of everything the user is due, among those who have work. */
static double due_share(const struct pass *pass, int user)
{
    const struct sched_snapshot *snap = pass->snap;
    int project = snap->users[user].project;
    double projects = 0, users = 0;

    for (size_t i = 0; i < pass->busy_count; i++)
        projects += snap->projects[pass->busy[i]].weight;
    for (size_t u = 0; u < pass->projects[project].user_count; u++)
        users += snap->users[pass->projects[project].users[u]].weight;
    return snap->projects[project].weight / projects * snap->users[user].weight / users;
}

/* The first class of a user, from place `at` of her order on, that has waited too long and could
 * run somewhere; -1 when the next in order has not waited so long, or she holds her share.  So
 * nobody gains by many classes that wait, nor against her own priorities. */
static int starved_of(const struct pass *pass, int user, size_t at)
{
    const struct pass_user *u = &pass->users[user];

    for (; at < u->class_count; at++) {
        const struct pass_class *pc = &pass->classes[u->classes[at]];

        if (pc->left == 0 || (site_set_empty(&pc->fit->shaped) && pc->class->running == 0))
            continue;
        if (pass->now - waits_since(pc->class) < pass->params->reserve_after_ms ||
            share_dominant(&u->held, &pass->whole) >= due_share(pass, user))
            return -1;
        return u->classes[at];
    }
    return -1;
}

struct starved {
    int class_index;
    int64_t since_ms, id;
};

static int by_wait(const void *a, const void *b)
{
    const struct starved *x = a, *y = b;

    if (x->since_ms != y->since_ms)
        return x->since_ms < y->since_ms ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* A lease, or a reservation; one that a limit or a ceiling holds back makes way for the next. */
static void help_starved(struct pass *pass, int class_index)
{
    for (int tries = 0; class_index >= 0 && tries < 8; tries++) {
        const struct pass_class *pc = &pass->classes[class_index];

        if (lease_some(pass, class_index, 1, false) > 0 || reserve_class(pass, class_index))
            return;
        class_index = starved_of(pass, pc->class->user, (size_t)pc->rank + 1);
    }
}

void reserve_starved(struct pass *pass)
{
    struct starved *list = pass_alloc(pass, pass->working_count + 1, sizeof *list);
    size_t count = 0;

    for (size_t i = 0; i < pass->working_count; i++) {
        int c = starved_of(pass, pass->working[i], 0);

        if (c >= 0)
            list[count++] = (struct starved){ c, waits_since(&pass->snap->classes[c]),
                                              pass->snap->classes[c].id };
    }
    qsort(list, count, sizeof *list, by_wait);
    for (size_t i = 0; i < count && pass->reservations < pass->params->reservations; i++)
        help_starved(pass, list[i].class_index);
}
