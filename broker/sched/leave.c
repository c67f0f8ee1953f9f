/* SPDX-License-Identifier: Apache-2.0 */
/* leave.c - when work that waits takes a worker that is there, though a nearer tier, or an earlier
 * alternative, would have it soon.
 *
 * A worker abroad that has room now is worth leaving for when the nearer tiers would not begin the
 * task within the site's overflow_after: neither on the workers they have, nor on those that could
 * be started.  Those few that they will have begun by then stay, and count as waiting there for
 * whoever is asked about next. */
#include <math.h>

#include "sched/pass.h"

int64_t overflow_after(const struct pass *pass, const struct sched_site *site)
{
    return pass->params->overflow == SCHED_OVERFLOW_GAIN ? site->overflow_after_ms : 0;
}

bool is_near(const struct pass *pass, const struct pass_class *pc, int site)
{
    const struct sched_site *s = &pass->snap->sites[site];

    return s->tier <= pc->near || overflow_after(pass, s) == 0 ||
           site_set_has(&pc->class->prefer, (size_t)site);
}

bool deadline_asks(const struct pass *pass, const struct sched_class *class, int64_t run,
                   double *horizon)
{
    double slack =
        class->deadline_ms ? fmax((double)(class->deadline_ms - pass->now - run), 0) : INFINITY;

    if (slack >= *horizon)
        return false;
    *horizon = slack;
    return true;
}

/* Tasks that the workers of nearer tiers will have begun by the horizon. */
static double near_starts(const struct suits *suits, double run, double horizon)
{
    double sum = 0;

    for (size_t i = 0; i < suits->count; i++)
        sum += pool_starts(&suits->list[i], run, horizon);
    return floor(sum);
}

/* Those who were served before and got no room wait for the pools before whoever asks now. */
static void queue_ahead(struct pass *pass)
{
    for (; pass->ahead_queued < pass->ahead_count; pass->ahead_queued++) {
        struct pass_class *pc = &pass->classes[pass->ahead[pass->ahead_queued]];
        double run = (double)run_typical(pass->params, pc->class, &pc->class->options[0]);
        int64_t left = limits_allow(pass, pc->class, pc->left) - pc->kept_near;
        struct suits suits;

        if (left <= 0 || pc->why == SCHED_WHY_MONEY)
            continue;
        suits_of(pass, pc, pc->class->option_count, TIERS_ALL, &suits);
        suits_queue(pass, &suits, TIERS_ALL, (double)left * run);
        pc->kept_near += left;
    }
}

/* What stays was counted once already, and lies in the pools: what comes on top is added. */
static void ask_leave(struct pass *pass, struct pass_class *pc, int option, enum tier tier,
                      double horizon)
{
    const struct sched_class *class = pc->class;
    double run = (double)run_typical(pass->params, class, &class->options[option]), stay;
    int64_t left = limits_allow(pass, class, pc->left) - pc->kept_near;
    struct suits suits;

    if (!pass->pooled)
        pool_make(pass);
    queue_ahead(pass);
    if (left > 0) {
        suits_of(pass, pc, class->ordered ? (size_t)option + 1 : class->option_count, tier, &suits);
        stay = fmin(near_starts(&suits, run, horizon), (double)left);
        suits_queue(pass, &suits, tier, stay * run);
        pc->kept_near += (int64_t)stay;
        left -= (int64_t)stay;
        stay = (double)creates_promise(pass, pc, option, tier, horizon, left, &suits);
        pc->kept_near += (int64_t)stay;
        left -= (int64_t)stay;
    }
    pc->leave = left > 0 ? left : 0;
}

int64_t leave_allows(struct pass *pass, struct pass_class *pc, int option, int site)
{
    const struct sched_site *s = &pass->snap->sites[site];
    int64_t run = run_typical(pass->params, pc->class, &pc->class->options[option]);
    double horizon = (double)overflow_after(pass, s);

    deadline_asks(pass, pc->class, run, &horizon);
    if (pc->leave_ms != (int64_t)horizon + 1 || pc->leave_tier != s->tier) {
        pc->leave_ms = (int64_t)horizon + 1;
        pc->leave_tier = s->tier;
        ask_leave(pass, pc, option, s->tier, horizon);
    }
    if (pc->leave == 0 && !pc->why)
        pc->why = SCHED_WHY_OVERFLOW;
    return pc->leave;
}

bool gang_leaves(struct pass *pass, const struct pass_class *pc, int option, int site)
{
    const struct sched_site *far = &pass->snap->sites[site];
    const struct sched_option *o = &pc->class->options[option];
    double horizon = (double)overflow_after(pass, far);

    deadline_asks(pass, pc->class, run_typical(pass->params, pc->class, o), &horizon);
    for (size_t s = 0; s < pass->snap->site_count; s++) {
        const struct sched_site *near = &pass->snap->sites[s];

        if (near->tier >= far->tier || !site_set_has(&pc->fit->place, s) ||
            !site_set_has(&pass->projects[pc->class->project].allowed, s))
            continue;
        if (gang_start(pass, pc, option, s) - pass->now <= (int64_t)horizon)
            return false;
        for (uint64_t shapes = pc->fit->shapes[(size_t)option * pc->fit->sites + s]; shapes;
             shapes &= shapes - 1) {
            int shape = __builtin_ctzll(shapes);

            if (ledger_workers(pass, s, shape) >= nodes_apart(near, o) &&
                boot_ms(pass->params, near, shape, near->image) +
                        wait_there(pc->class, near, (int)s) <=
                    (int64_t)horizon)
                return false;
        }
    }
    return true;
}

/* ---- ordered alternatives --------------------------------------------------------------------- */

/* Tasks that booting workers, and those that could be started, take of this alternative. */
static int64_t can_have(struct pass *pass, const struct pass_class *pc, int option, int64_t left)
{
    struct suits suits;
    double slots = 0;

    suits_of(pass, pc, (size_t)option + 1, TIERS_ALL, &suits);
    for (size_t i = 0; i < suits.count; i++)
        if (suits.list[i].coming)
            slots += suits.list[i].workers * suits.list[i].slots;
    if (slots >= (double)left)
        return left;
    left -= (int64_t)slots;
    return (int64_t)slots + creates_promise(pass, pc, option, TIERS_ALL, INFINITY, left, &suits);
}

int64_t earlier_leave(struct pass *pass, const struct pass_class *pc, int option)
{
    int64_t left = limits_allow(pass, pc->class, pc->left), had = 0;

    /* Nobody waits for ever for what does not come after all. */
    if (option == 0 || pass->now - pc->class->oldest_ms > pass->params->reserve_after_ms)
        return left;
    if (pc->earlier[option] < 0) {
        if (!pass->pooled)
            pool_make(pass);
        for (int o = 0; o < option && had < left; o++)
            if (pc->class->options[o].nodes <= 1)
                had += can_have(pass, pc, o, left - had);
        pc->earlier[option] = had;
    }
    return left > pc->earlier[option] ? left - pc->earlier[option] : 0;
}
