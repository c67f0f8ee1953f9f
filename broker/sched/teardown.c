/* SPDX-License-Identifier: Apache-2.0 */
/* teardown.c - workers that go: idle for too long, too old, on a site that drains, or unwanted. */
#include "sched/pass.h"

static void let_go(struct pass *pass, int w, enum sched_kind kind, enum sched_why why)
{
    const struct sched_worker *worker = &pass->snap->workers[w];
    struct sched_decision *d = pass_decide(pass, kind, why);

    d->worker = w;
    d->site = worker->site;
    d->shape = worker->shape;
    pass->workers[w].gone = true;
}

/* Some class that waits could run on this booting worker. */
static bool wanted(const struct pass *pass, const struct sched_worker *worker)
{
    for (size_t i = 0; i < pass->queue_count; i++) {
        const struct pass_class *pc = &pass->classes[pass->queue[i]];

        if (pc->left == 0 || !site_set_has(&pc->fit->place, (size_t)worker->site))
            continue;
        for (size_t o = 0; o < pc->class->option_count; o++)
            if (room_fits(&worker->total, &pc->class->options[o].need) &&
                worker_matches(pass->snap, pc->class, &pc->class->options[o], worker))
                return true;
    }
    return false;
}

/* Tasks that come soon will start on it, as far as it has room: they count once. */
static bool is_prepared(struct pass *pass, const struct sched_worker *worker)
{
    struct room room = worker->total;
    bool kept = false;

    for (size_t i = 0; i < pass->queue_count; i++) {
        struct pass_class *pc = &pass->classes[pass->queue[i]];
        bool may =
            pc->prepares && pc->to_keep > 0 && site_set_has(&pc->fit->place, (size_t)worker->site);

        for (size_t o = 0; may && o < pc->class->option_count; o++) {
            const struct sched_option *option = &pc->class->options[o];
            int64_t count;

            if (!worker_matches(pass->snap, pc->class, option, worker))
                continue;
            count = room_times(pc->to_keep, room_count(&room, &option->need), 1);
            room_take(&room, &option->need, count);
            pc->to_keep -= count;
            kept |= count > 0;
        }
    }
    return kept;
}

/* One that still boots is let go when its work has been gone for as long as an idle one may stay.
 */
static void teardown_booting(struct pass *pass, int w)
{
    const struct sched_worker *worker = &pass->snap->workers[w];
    const struct sched_site *site = &pass->snap->sites[worker->site];

    if (worker->keep || site->idle_ms < 0 || wanted(pass, worker) || is_prepared(pass, worker))
        return;
    if (pass->now - worker->created_ms < site->idle_ms)
        pass_wake(pass, worker->created_ms + site->idle_ms);
    else
        let_go(pass, w, SCHED_DESTROY, SCHED_WHY_UNWANTED);
}

/* One that idles goes when its time is up; before that it may give way, but for the moment in which its
 * own project may have more for it. */
#define GIVES_WAY_MS 5000
static void teardown_idle(struct pass *pass, int w)
{
    const struct sched_worker *worker = &pass->snap->workers[w];
    const struct sched_site *site = &pass->snap->sites[worker->site];
    int64_t since = worker->idle_ms ? worker->idle_ms : pass->now;

    if (pass->now - since >= site->idle_ms) {
        let_go(pass, w, SCHED_DESTROY, SCHED_WHY_IDLE);
        return;
    }
    pass_wake(pass, since + site->idle_ms);
    if (pass->now - since >= GIVES_WAY_MS)
        pass->workers[w].idle = pass->sites[worker->site].idle = pass->idle = true;
    else if (!pass->idle_ms || since + GIVES_WAY_MS < pass->idle_ms)
        pass->idle_ms = since + GIVES_WAY_MS;
}

static void teardown_ready(struct pass *pass, int w)
{
    const struct sched_worker *worker = &pass->snap->workers[w];
    const struct sched_site *site = &pass->snap->sites[worker->site];
    bool empty = worker->leases == 0 && !pass->workers[w].taken;

    if (worker->expires_ms && worker->expires_ms <= pass->now) {
        let_go(pass, w, empty ? SCHED_DESTROY : SCHED_DRAIN, SCHED_WHY_EXPIRED);
    } else if (site->mode == SITE_DRAINING) {
        let_go(pass, w, empty ? SCHED_DESTROY : SCHED_DRAIN, SCHED_WHY_DRAINING);
    } else if (empty && !worker->keep && site->idle_ms >= 0 && !is_prepared(pass, worker)) {
        teardown_idle(pass, w);
    }
    if (worker->expires_ms > pass->now)
        pass_wake(pass, worker->expires_ms);
}

void teardown_all(struct pass *pass)
{
    for (size_t w = 0; w < pass->snap->worker_count; w++) {
        const struct sched_worker *worker = &pass->snap->workers[w];

        if (pass->workers[w].gone)
            continue;
        switch (worker->state) {
        case WORKER_READY:
            teardown_ready(pass, (int)w);
            break;
        case WORKER_BOOTING:
            teardown_booting(pass, (int)w);
            break;
        case WORKER_DRAINING:
            if (worker->leases == 0)
                let_go(pass, (int)w, SCHED_DESTROY, SCHED_WHY_DRAINING);
            break;
        default: /* nothing is known, or it goes already */
            break;
        }
    }
}
