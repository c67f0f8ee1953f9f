/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.c - what a site can still give: its state, its breakers, its quota. */
#include "sched/pass.h"

bool breaker_closed(int64_t closed_until_ms, int64_t now)
{
    return closed_until_ms <= now;
}

int64_t quota_free(const struct sched_quota *quota)
{
    return quota->limit < 0 ? NO_LIMIT
                            : quota->limit - quota->ours - quota->others - quota->reserved;
}

int64_t quota_need(const struct sched_quota *quota, const struct sched_shape *shape)
{
    switch (quota->kind) {
    case SCHED_QUOTA_WORKERS:
        return 1;
    case SCHED_QUOTA_CORES:
        return shape->room.cpus;
    case SCHED_QUOTA_MEMORY:
        return shape->quota_memory ? shape->quota_memory : shape->room.memory;
    case SCHED_QUOTA_DISK:
        return shape->quota_disk ? shape->quota_disk : shape->room.disk;
    case SCHED_QUOTA_GPUS:
        return quota->gpu_model == 0 || quota->gpu_model == shape->gpu_model ? shape->room.gpus : 0;
    case SCHED_QUOTA_OTHER:
        return quota->per_worker;
    }
    return 0;
}

/* SCHED_WHY_FITS: new workers may be asked for. */
enum sched_why site_state(const struct sched_site *site, int64_t now)
{
    if (site->mode != SITE_ENABLED || site->health == SCHED_DOWN || site->probed_ms == 0)
        return SCHED_WHY_SITE_DOWN;
    if (!breaker_closed(site->closed_until_ms, now))
        return SCHED_WHY_SITE_DOWN;
    if (site->credential_end_ms && site->credential_end_ms <= now)
        return SCHED_WHY_SITE_DOWN;
    return SCHED_WHY_FITS;
}

static int64_t head_of(const struct pass *pass, size_t index, int shape)
{
    const struct sched_site *site = &pass->snap->sites[index];
    const struct pass_site *ps = &pass->sites[index];
    int64_t most = ps->workers_left;

    if (!(ps->shapes_open >> shape & 1))
        return 0;
    for (size_t q = 0; q < site->quota_count && most > 0; q++) {
        int64_t need = quota_need(&site->quotas[q], &site->shapes[shape]);

        if (need > 0 && ps->quota_free[q] != NO_LIMIT && ps->quota_free[q] / need < most)
            most = ps->quota_free[q] / need;
    }
    if (ps->probe || ps->probing >> shape & 1)
        most = most > 1 ? 1 : most;
    return most < 0 ? 0 : most;
}

/* Count anew what the site can give; a site that can give nothing is asked no more. */
static void count_heads(struct pass *pass, size_t index)
{
    struct pass_site *ps = &pass->sites[index];

    ps->shapes_head = 0;
    for (size_t s = 0; s < pass->snap->sites[index].shape_count; s++) {
        ps->head[s] = head_of(pass, index, (int)s);
        if (ps->head[s] > 0)
            ps->shapes_head |= (uint64_t)1 << s;
    }
    if (ps->shapes_head || !ps->open)
        return;
    ps->open = false;
    ps->why = SCHED_WHY_QUOTA;
    pass->open.bits[index / 64] &= ~((uint64_t)1 << (index % 64));
}

/* The quickest boot that the site has shown, or is thought to have. */
static int64_t soonest(const struct pass *pass, const struct sched_site *site)
{
    int64_t least =
        site->boot_count && !site->local ? NO_LIMIT : boot_ms(pass->params, site, -1, 0);

    for (size_t i = 0; i < site->boot_count; i++)
        if (site->boots[i].mean_ms >= 0 && site->boots[i].mean_ms < least)
            least = site->boots[i].mean_ms;
    if (least > pass->params->default_boot_ms)
        least = pass->params->default_boot_ms;
    return least + (site->wait_ms > 0 ? site->wait_ms : 0);
}

void ledger_open(struct pass *pass, size_t index)
{
    const struct sched_site *site = &pass->snap->sites[index];
    struct pass_site *ps = &pass->sites[index];

    ps->why = site_state(site, pass->now);
    ps->open = ps->why == SCHED_WHY_FITS;
    ps->leases = site->mode == SITE_ENABLED;
    ps->probe = site->closed_until_ms != 0;
    if (site->closed_until_ms > pass->now)
        pass_wake(pass, site->closed_until_ms);
    ps->workers_left = site->max_workers < 0 ? NO_LIMIT : site->max_workers - ps->workers_left;
    if (site->creates_most > 0 && ps->workers_left > site->creates_most)
        ps->workers_left = site->creates_most;
    if (!ps->open)
        return;
    for (size_t s = 0; s < site->shape_count; s++) {
        int64_t closed = site->shapes[s].closed_until_ms;

        if (breaker_closed(closed, pass->now))
            ps->shapes_open |= (uint64_t)1 << s;
        else
            pass_wake(pass, closed);
        if (closed)
            ps->probing |= (uint64_t)1 << s;
    }
    if (ps->workers_left < 0)
        ps->workers_left = 0;
    ps->quota_free = pass_alloc(pass, site->quota_count + 1, sizeof *ps->quota_free);
    for (size_t q = 0; q < site->quota_count; q++)
        ps->quota_free[q] = quota_free(&site->quotas[q]);
    ps->head = pass_alloc(pass, site->shape_count + 1, sizeof *ps->head);
    ps->soonest = soonest(pass, site);
    ps->open = ps->shapes_open != 0;
    if (!ps->open)
        ps->why = SCHED_WHY_SITE_DOWN;
    count_heads(pass, index);
}

static void take_quota(struct pass *pass, size_t index, int shape, int64_t count)
{
    const struct sched_site *site = &pass->snap->sites[index];
    struct pass_site *ps = &pass->sites[index];

    for (size_t q = 0; q < site->quota_count; q++)
        if (ps->quota_free[q] != NO_LIMIT)
            ps->quota_free[q] -= quota_need(&site->quotas[q], &site->shapes[shape]) * count;
    count_heads(pass, index);
}

void ledger_hold(struct pass *pass, size_t index, int shape)
{
    take_quota(pass, index, shape, 1);
}

void ledger_take(struct pass *pass, size_t index, int shape, int64_t count)
{
    struct pass_site *ps = &pass->sites[index];

    if (ps->workers_left != NO_LIMIT)
        ps->workers_left -= count;
    /* One probe is enough until its outcome is known. */
    if (ps->probe)
        ps->shapes_open = 0;
    if (ps->probing >> shape & 1)
        ps->shapes_open &= ~((uint64_t)1 << shape);
    take_quota(pass, index, shape, count);
}
