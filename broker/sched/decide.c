/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c - a pass from beginning to end, and the object that remembers between passes. */
#include <math.h>

#include "base/own.h"
#include "sched/scratch.h"

/* ---- scratch --------------------------------------------------------------------------------- */

void *pass_alloc(struct pass *pass, size_t count, size_t size)
{
    struct scratch *scratch = &pass->sched->scratch;
    size_t bytes = (count * size + 15) / 16 * 16;
    char *at;

    scratch->wanted += bytes;
    if (scratch->room - scratch->used >= bytes) {
        at = scratch->block + scratch->used;
        scratch->used += bytes;
        return memset(at, 0, bytes);
    }
    if (scratch->more_count == scratch->more_room) {
        scratch->more_room = scratch->more_room ? scratch->more_room * 2 : 16;
        scratch->more = xrealloc(scratch->more, scratch->more_room * sizeof(*scratch->more));
    }
    return scratch->more[scratch->more_count++] = xcalloc(1, bytes ? bytes : 1);
}

/* The next pass finds one block that would have held all of this one. */
static void scratch_reset(struct scratch *scratch)
{
    for (size_t i = 0; i < scratch->more_count; i++)
        free(scratch->more[i]);
    if (scratch->more_count) {
        free(scratch->block);
        scratch->room = scratch->wanted + scratch->wanted / 4;
        scratch->block = xmalloc(scratch->room);
    }
    scratch->more_count = scratch->used = scratch->wanted = 0;
}

struct sched *sched_new(const struct sched_params *params)
{
    struct sched *sched = xcalloc(1, sizeof *sched);

    sched->params = *params;
    sched->fits = (struct map)MAP_INIT;
    return sched;
}

void sched_free(struct sched *sched)
{
    if (!sched)
        return;
    scratch_reset(&sched->scratch);
    free(sched->scratch.block);
    free(sched->scratch.more);
    fit_forget(sched);
    free(sched->last);
    free(sched);
}

void sched_decisions_free(struct sched_decisions *decisions)
{
    free(decisions->list);
    *decisions = (struct sched_decisions){ .list = NULL };
}

struct sched_decision *pass_decide(struct pass *pass, enum sched_kind kind, enum sched_why why)
{
    struct sched_decisions *out = pass->out;

    if (out->count == out->room) {
        out->room = out->room ? out->room * 2 : 64;
        out->list = xrealloc(out->list, out->room * sizeof(*out->list));
    }
    out->list[out->count] = (struct sched_decision){
        .kind = kind,
        .why = why,
        .class_index = -1,
        .worker = -1,
        .site = -1,
        .shape = -1,
        .option = -1,
        .project = -1,
        .figures = { .start_ms = -1,
                     .finish_ms = -1,
                     .run_ms = -1,
                     .boot_ms = -1,
                     .cost = -1,
                     .home_start_ms = -1 },
    };
    return &out->list[out->count++];
}

void pass_wake(struct pass *pass, int64_t at_ms)
{
    if (at_ms < pass->out->wake_ms)
        pass->out->wake_ms = at_ms > pass->now ? at_ms : pass->now + 1;
}

/* ---- beginning ------------------------------------------------------------------------------- */

static void begin_workers(struct pass *pass)
{
    const struct sched_snapshot *snap = pass->snap;

    pass->workers = pass_alloc(pass, snap->worker_count + 1, sizeof *pass->workers);
    for (size_t w = 0; w < snap->worker_count; w++) {
        const struct sched_worker *worker = &snap->workers[w];
        struct pass_worker *pw = &pass->workers[w];
        struct pass_site *ps = &pass->sites[worker->site];

        pw->free = worker->free;
        pw->pool = -1;
        if (worker->state == WORKER_GONE)
            continue;
        ps->workers_left++; /* turned into what is left by ledger_open() */
        if (worker->state > WORKER_READY)
            continue;
        room_add(&pass->whole, &worker->total);
        pw->usable =
            worker->state == WORKER_READY && snap->sites[worker->site].mode == SITE_ENABLED;
        if (!pw->usable)
            continue;
        room_add(&pass->ready_whole, &worker->total);
        pass->gpus_free += worker->free.gpus > 0 ? worker->free.gpus : 0;
        ps->ready_count++;
        if (worker->free.cpus > 0)
            ps->room_count++;
    }
}

/* The sites whose workers are looked through, nearest tier first. */
static void order_sites(struct pass *pass, bool ready)
{
    pass->order_count = 0;
    for (int tier = TIER_HOME; tier <= TIER_COMMERCIAL; tier++)
        for (size_t s = 0; s < pass->snap->site_count; s++)
            if ((int)pass->snap->sites[s].tier == tier &&
                (ready ? pass->sites[s].ready_count : pass->sites[s].room_count))
                pass->order[pass->order_count++] = (int)s;
}

struct by_room {
    struct room free;
    int worker;
};

/* Without GPUs before those with, so that GPUs stay for those who ask; then the fullest first. */
static int by_room(const void *a, const void *b)
{
    const struct by_room *x = a, *y = b;

    if ((x->free.gpus > 0) != (y->free.gpus > 0))
        return x->free.gpus > 0 ? 1 : -1;
    if (x->free.cpus != y->free.cpus)
        return x->free.cpus < y->free.cpus ? -1 : 1;
    return x->worker < y->worker ? -1 : x->worker > y->worker;
}

static void list_room(struct pass *pass)
{
    const struct sched_snapshot *snap = pass->snap;
    struct by_room *sorted = pass_alloc(pass, snap->worker_count + 1, sizeof *sorted);
    size_t *at = pass_alloc(pass, snap->site_count + 1, sizeof *at), start = 0;

    for (size_t s = 0; s < snap->site_count; s++) {
        at[s] = start;
        start += pass->sites[s].room_count;
        pass->sites[s].room = pass_alloc(pass, pass->sites[s].room_count + 1, sizeof(int));
    }
    for (size_t w = 0; w < snap->worker_count; w++)
        if (pass->workers[w].usable && snap->workers[w].free.cpus > 0)
            sorted[at[snap->workers[w].site]++] = (struct by_room){ snap->workers[w].free, (int)w };
    start = 0;
    for (size_t s = 0; s < snap->site_count; s++) {
        struct pass_site *ps = &pass->sites[s];

        if (ps->room_count > 1)
            qsort(sorted + start, ps->room_count, sizeof *sorted, by_room);
        for (size_t i = 0; i < ps->room_count; i++)
            ps->room[i] = sorted[start + i].worker;
        start += ps->room_count;
    }
    order_sites(pass, false);
}

static void begin_sites(struct pass *pass)
{
    for (size_t s = 0; s < pass->snap->site_count; s++) {
        ledger_open(pass, s);
        if (pass->sites[s].open)
            site_set_add(&pass->open, s);
        if (pass->sites[s].leases)
            site_set_add(&pass->tiers[pass->snap->sites[s].tier], s);
    }
}

static void begin_projects(struct pass *pass)
{
    const struct sched_snapshot *snap = pass->snap;

    pass->projects = pass_alloc(pass, snap->project_count + 1, sizeof *pass->projects);
    pass->users = pass_alloc(pass, snap->user_count + 1, sizeof *pass->users);
    for (size_t p = 0; p < snap->project_count; p++) {
        const struct sched_project *project = &snap->projects[p];
        struct pass_project *pp = &pass->projects[p];

        pp->money_left = project->money_limit < 0 ? INFINITY
                                                  : project->money_limit - project->money_spent -
                                                        project->money_committed;
        pp->workers_left =
            project->max_workers < 0 ? NO_LIMIT : project->max_workers - project->workers;
    }
    pass->limits_left = pass_alloc(pass, snap->limit_count + 1, sizeof *pass->limits_left);
    for (size_t l = 0; l < snap->limit_count; l++)
        pass->limits_left[l] = snap->limits[l].capacity - snap->limits[l].in_use;
}

/* Where the project may go: asked only for those that have work. */
static void allow_sites(struct pass *pass, int project)
{
    const struct sched_snapshot *snap = pass->snap;
    struct pass_project *pp = &pass->projects[project];

    if (pp->asked)
        return;
    pp->asked = true;
    pp->allowed = fit_project(snap, &snap->projects[project]);
    for (size_t i = 0; i < snap->site_count; i++)
        if (pass->params->overflow == SCHED_OVERFLOW_NEVER && snap->sites[i].tier > TIER_HOME)
            pp->allowed.bits[i / 64] &= ~((uint64_t)1 << (i % 64));
}

/* Tasks to come are looked at while it is time to prepare for them.  What should have come and did
 * not is waited for a little longer. */
#define PREPARE_GRACE_MS 60000
static bool begin_coming(struct pass *pass, size_t c)
{
    const struct sched_class *class = &pass->snap->classes[c];
    struct pass_class *pc = &pass->classes[c];
    int64_t from;

    if (class->coming <= 0 || pass->now >= class->coming_ms + PREPARE_GRACE_MS)
        return false;
    pc->class = class;
    pc->fit = fit_of(pass->sched, pass->snap, (int)c);
    allow_sites(pass, class->project);
    from = class->coming_ms - prepare_span(pass, pc);
    pc->prepares = from <= pass->now;
    pc->to_keep = class->coming;
    pass_wake(pass, pc->prepares ? class->coming_ms + PREPARE_GRACE_MS : from);
    return pc->prepares;
}

/* The nearest tier with a site that can run the class and did not fail it of late. */
static enum tier near_tier(const struct pass *pass, const struct pass_class *pc)
{
    const struct site_set *allowed = &pass->projects[pc->class->project].allowed;

    for (int tier = TIER_HOME; tier < TIER_COMMERCIAL; tier++)
        for (size_t i = 0; i < array_len(allowed->bits); i++)
            if (pass->tiers[tier].bits[i] & pc->fit->shaped.bits[i] & allowed->bits[i] &
                ~pc->class->avoid.bits[i])
                return (enum tier)tier;
    return TIER_COMMERCIAL;
}

static bool asks_gpus(const struct sched_class *class)
{
    for (size_t o = 0; o < class->option_count; o++)
        if (class->options[o].need.gpus == 0)
            return false;
    return true;
}

static void begin_classes(struct pass *pass)
{
    const struct sched_snapshot *snap = pass->snap;
    struct cursor *cursors;
    int64_t *earlier;
    size_t options = 0;

    pass->classes = pass_alloc(pass, snap->class_count + 1, sizeof *pass->classes);
    pass->queue = pass_alloc(pass, snap->class_count + 1, sizeof *pass->queue);
    for (size_t c = 0; c < snap->class_count; c++)
        if (snap->classes[c].ready > 0 || begin_coming(pass, c)) {
            pass->queue[pass->queue_count++] = (int)c;
            options += snap->classes[c].option_count;
        }
    cursors = pass_alloc(pass, options + 1, sizeof *cursors);
    earlier = pass_alloc(pass, options + 1, sizeof *earlier);
    for (size_t i = 0; i < options; i++)
        earlier[i] = -1;
    for (size_t i = 0; i < pass->queue_count; i++) {
        struct pass_class *pc = &pass->classes[pass->queue[i]];

        pc->class = &snap->classes[pass->queue[i]];
        pc->fit = fit_of(pass->sched, snap, pass->queue[i]);
        allow_sites(pass, pc->class->project);
        pc->left = pc->class->ready;
        pc->cost_left = pc->class->cost_left;
        pc->start_ms = -1;
        pc->near = near_tier(pass, pc);
        pc->asks_gpus = asks_gpus(pc->class);
        pc->cursors = cursors;
        cursors += pc->class->option_count;
        pc->earlier = earlier;
        earlier += pc->class->option_count;
    }
}

void pass_begin(struct pass *pass)
{
    const struct sched_snapshot *snap = pass->snap;

    pass->out->count = 0;
    pass->out->wake_ms = NEVER_MS;
    scratch_reset(&pass->sched->scratch);
    fit_sites(pass->sched, snap);
    pass->sites = pass_alloc(pass, snap->site_count + 1, sizeof *pass->sites);
    pass->order = pass_alloc(pass, snap->site_count + 1, sizeof *pass->order);
    begin_workers(pass);
    begin_sites(pass);
    begin_projects(pass);
    begin_classes(pass);
    list_room(pass);
    order_make(pass);
}

/* ---- leasing ahead --------------------------------------------------------------------------- */

/* Sites with a shape for the class, that its project may use. */
static struct site_set usable_sites(const struct pass *pass, const struct pass_class *pc)
{
    struct site_set sites = pc->fit->shaped;

    for (size_t i = 0; i < array_len(sites.bits); i++)
        sites.bits[i] &= pass->projects[pc->class->project].allowed.bits[i];
    return sites;
}

/* A class that runs long and waits keeps those behind it from leasing ahead at its sites. */
static void mark_stuck(struct pass *pass, const struct pass_class *pc)
{
    double project = pass->projects[pc->class->project].key;
    double user = pass->users[pc->class->user].key;
    struct site_set sites = usable_sites(pass, pc);

    /* What could not start there anyway holds nobody back. */
    if (pc->why == SCHED_WHY_LIMIT || pc->why == SCHED_WHY_MONEY)
        return;
    for (size_t i = 0; i < pass->order_count; i++) {
        struct pass_site *ps = &pass->sites[pass->order[i]];
        bool first =
            !ps->stuck || project < ps->stuck_project ||
            (project == ps->stuck_project && user < ps->stuck_user) ||
            (project == ps->stuck_project && user == ps->stuck_user && pc->rank < ps->stuck_rank);

        if (!first || !site_set_has(&sites, (size_t)pass->order[i]))
            continue;
        ps->stuck = true;
        ps->stuck_project = project;
        ps->stuck_user = user;
        ps->stuck_rank = pc->rank;
    }
}

/* What nothing holds, and what is held by tasks that end about now: behind a long one nothing is to
 * wait.  One that should have ended seconds ago is a long one. */
#define SOON_MS 5000
static void find_soon(struct pass *pass)
{
    const struct sched_snapshot *snap = pass->snap;

    if (snap->run_count == 0)
        return;
    pass->soon = pass_alloc(pass, snap->worker_count + 1, sizeof *pass->soon);
    for (size_t w = 0; w < snap->worker_count; w++)
        if (pass->workers[w].usable)
            pass->soon[w] = snap->workers[w].free;
    for (size_t i = 0; i < snap->run_count; i++) {
        const struct sched_run *run = &snap->runs[i];

        if (!run->guessed && run->ends_ms >= pass->now - SOON_MS &&
            run->ends_ms <= pass->now + SOON_MS)
            room_take(&pass->soon[run->worker], &run->need, -run->count);
    }
    for (size_t w = 0; w < snap->worker_count; w++)
        room_clamp(&pass->soon[w], &snap->workers[w].total);
}

static void lease_ahead(struct pass *pass)
{
    bool any = false;

    for (size_t i = 0; i < pass->queue_count && !any; i++)
        any = pass->classes[pass->queue[i]].left > 0 &&
              ahead_of(pass, pass->classes[pass->queue[i]].class) > 0;
    if (!any)
        return;
    find_soon(pass);
    for (size_t s = 0; s < pass->snap->site_count; s++) {
        struct pass_site *ps = &pass->sites[s];

        ps->room = pass_alloc(pass, ps->ready_count + 1, sizeof *ps->room);
        ps->room_count = ps->room_first = 0;
    }
    for (size_t w = 0; w < pass->snap->worker_count; w++)
        if (pass->workers[w].usable) {
            struct pass_site *ps = &pass->sites[pass->snap->workers[w].site];

            ps->room[ps->room_count++] = (int)w;
        }
    order_sites(pass, true);
    for (size_t i = 0; i < pass->queue_count; i++) {
        const struct pass_class *pc = &pass->classes[pass->queue[i]];

        if (pc->left > 0 && ahead_of(pass, pc->class) <= 0)
            mark_stuck(pass, pc);
    }
    lease_reset(pass);
    order_serve(pass, SERVE_AHEAD);
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool any_down(const struct pass *pass, const struct site_set *sites)
{
    for (size_t s = 0; s < pass->snap->site_count; s++)
        if (site_set_has(sites, s) && pass->sites[s].why != SCHED_WHY_SITE_DOWN)
            return false;
    return true;
}

static enum sched_why why_waits(const struct pass *pass, const struct pass_class *pc)
{
    struct site_set sites = usable_sites(pass, pc);

    if (pc->why == SCHED_WHY_OVERFLOW && (pc->coming || pc->assigned))
        return SCHED_WHY_COMING;
    if (pc->why)
        return pc->why;
    if (site_set_empty(&pc->fit->shaped))
        return SCHED_WHY_NO_SITE;
    if (site_set_empty(&sites))
        return SCHED_WHY_RULE;
    if (pc->coming || pc->assigned)
        return SCHED_WHY_COMING;
    if (pc->pooled || pc->reserved)
        return SCHED_WHY_BUSY;
    if (any_down(pass, &sites))
        return SCHED_WHY_SITE_DOWN;
    if (pc->class->running > 0)
        return SCHED_WHY_BUSY;
    return pc->head ? SCHED_WHY_RULE : SCHED_WHY_QUOTA;
}

/* Whether it is worth leaving may change without an event, when what runs takes longer than it was
 * thought to: asked again within a tenth of the gain that it takes. */
static int64_t ask_again(const struct pass_class *pc)
{
    int64_t span = pc->leave_ms > 0 ? pc->leave_ms / 10 : 10000;

    return span < 500 ? 500 : span < 60000 ? span : 60000;
}

/* A handful at once, that not all idle workers go for what one of them could have given. */
#define RECLAIMS_MOST 8
static void reclaim(struct pass *pass)
{
    int tried = 0;

    for (size_t i = 0; (pass->idle || pass->idle_ms) && i < pass->queue_count; i++) {
        const struct pass_class *pc = &pass->classes[pass->queue[i]];

        if (pc->left == 0 || why_waits(pass, pc) != SCHED_WHY_QUOTA)
            continue;
        if (pass->idle_ms)
            pass_wake(pass, pass->idle_ms);
        if (!pass->idle || tried++ == RECLAIMS_MOST)
            return;
        reclaim_idle(pass, pass->queue[i]);
    }
}

static void tell_waits(struct pass *pass)
{
    for (size_t i = 0; i < pass->queue_count; i++) {
        struct pass_class *pc = &pass->classes[pass->queue[i]];
        int64_t since, due;
        struct sched_decision *d;

        if (pc->left == 0)
            continue;
        d = pass_decide(pass, SCHED_WAIT, why_waits(pass, pc));
        d->class_index = pass->queue[i];
        d->count = pc->left;
        d->figures.ready = pc->class->ready;
        d->figures.start_ms = pc->start_ms;
        d->figures.share = pass->projects[pc->class->project].key;
        since = pc->class->served_ms > pc->class->oldest_ms ? pc->class->served_ms
                                                            : pc->class->oldest_ms;
        due = since + pass->params->reserve_after_ms;
        if (due > pass->now)
            pass_wake(pass, due);
        if (pc->why == SCHED_WHY_OVERFLOW)
            pass_wake(pass, pass->now + ask_again(pc));
    }
}

/* What asks for GPUs can run on few workers only, so it is served first where some are free; the
 * rest of what these have is for others as long as nobody waits for the GPUs. */
static void serve_slots(struct pass *pass)
{
    if (pass->params->order == SCHED_ORDER_FAIR && pass->gpus_free > 0) {
        order_serve_gpus(pass, SERVE_SLOTS);
        pass->gpu_waits = pass_alloc(pass, pass->queue_count + 1, sizeof *pass->gpu_waits);
        for (size_t i = 0; i < pass->queue_count; i++) {
            const struct pass_class *pc = &pass->classes[pass->queue[i]];

            if (pc->asks_gpus && pc->left > 0 && pc->why != SCHED_WHY_LIMIT &&
                pc->why != SCHED_WHY_MONEY)
                pass->gpu_waits[pass->gpu_wait_count++] = pass->queue[i];
        }
    }
    order_serve(pass, SERVE_SLOTS);
}

void sched_decide(struct sched *sched, const struct sched_snapshot *snapshot,
                  struct sched_decisions *out)
{
    struct pass pass = { .params = &sched->params,
                         .snap = snapshot,
                         .out = out,
                         .sched = sched,
                         .now = snapshot->now_ms };

    pass_begin(&pass);
    if (sched->params.order == SCHED_ORDER_FAIR && sched->params.reservations > 0)
        reserve_starved(&pass);
    serve_slots(&pass);
    lease_ahead(&pass);
    create_all(&pass);
    teardown_all(&pass);
    reclaim(&pass);
    tell_waits(&pass);
}
