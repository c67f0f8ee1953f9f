/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c - decisions as words: stable names, and one JSON object for each decision. */
#include "base/own.h"
#include "sched/sched.h"

static const char *const kinds[SCHED_KIND_COUNT] = {
    [SCHED_LEASE] = "lease",     [SCHED_CREATE] = "create",   [SCHED_DRAIN] = "drain",
    [SCHED_DESTROY] = "destroy", [SCHED_RESERVE] = "reserve", [SCHED_WAIT] = "wait",
};
static const char *const whys[SCHED_WHY_COUNT] = {
    [SCHED_WHY_NONE] = "",
    [SCHED_WHY_FITS] = "fits",
    [SCHED_WHY_AHEAD] = "ahead",
    [SCHED_WHY_BACKFILL] = "backfill",
    [SCHED_WHY_RESERVED] = "reserved",
    [SCHED_WHY_BUSY] = "busy",
    [SCHED_WHY_COMING] = "coming",
    [SCHED_WHY_QUOTA] = "quota",
    [SCHED_WHY_OVERFLOW] = "overflow",
    [SCHED_WHY_LIMIT] = "limit",
    [SCHED_WHY_MONEY] = "money",
    [SCHED_WHY_RULE] = "rule",
    [SCHED_WHY_BEHIND] = "behind",
    [SCHED_WHY_NO_SITE] = "no-site",
    [SCHED_WHY_SITE_DOWN] = "site-down",
    [SCHED_WHY_IDLE] = "idle",
    [SCHED_WHY_EXPIRED] = "expired",
    [SCHED_WHY_DRAINING] = "draining",
    [SCHED_WHY_RECLAIM] = "reclaim",
    [SCHED_WHY_UNWANTED] = "unwanted",
};
static const char *const verdicts[SCHED_VERDICT_COUNT] = {
    [SCHED_READY] = "ready",       [SCHED_BUSY] = "busy",     [SCHED_BOOTING] = "booting",
    [SCHED_FULL] = "full",         [SCHED_WAITS] = "waits",   [SCHED_NEVER] = "never",
    [SCHED_DISABLED] = "disabled", [SCHED_CLOSED] = "closed", [SCHED_OFFLINE] = "down",
};

const char *sched_kind_name(enum sched_kind kind)
{
    return kinds[kind];
}

const char *sched_why_name(enum sched_why why)
{
    return whys[why];
}

const char *sched_verdict_name(enum sched_verdict verdict)
{
    return verdicts[verdict];
}

static void put_names(const struct sched_snapshot *snapshot, const struct sched_decision *d,
                      struct buf *out)
{
    if (d->class_index >= 0)
        buf_printf(out, ",\"class\":%lld", (long long)snapshot->classes[d->class_index].id);
    if (d->worker >= 0)
        buf_printf(out, ",\"worker\":%lld", (long long)snapshot->workers[d->worker].id);
    if (d->site >= 0) {
        buf_puts(out, ",\"site\":");
        buf_put_json(out, snapshot->sites[d->site].name);
    }
    if (d->site >= 0 && d->shape >= 0) {
        buf_puts(out, ",\"shape\":");
        buf_put_json(out, snapshot->sites[d->site].shapes[d->shape].name);
    }
    if (d->kind == SCHED_CREATE && d->image) {
        buf_puts(out, ",\"image\":");
        buf_put_json(out, names_text(snapshot->names, d->image));
    }
    if (d->option >= 0)
        buf_printf(out, ",\"option\":%d", d->option);
    if (d->gang)
        buf_printf(out, ",\"gang\":%d,\"rank\":%d", d->gang, d->rank);
}

static void put_ms(struct buf *out, const char *key, int64_t ms)
{
    if (ms >= 0)
        buf_printf(out, ",\"%s\":%lld", key, (long long)ms);
}

int sched_decision_json(const struct sched_snapshot *snapshot, const struct sched_decision *d,
                        struct buf *out)
{
    const struct sched_figures *f = &d->figures;

    buf_printf(out, "{\"decision\":\"%s\",\"why\":\"%s\",\"at_ms\":%lld", kinds[d->kind],
               whys[d->why], (long long)snapshot->now_ms);
    put_names(snapshot, d, out);
    if (d->count)
        buf_printf(out, ",\"count\":%lld", (long long)d->count);
    if (d->kind == SCHED_LEASE)
        buf_printf(out, ",\"cpus\":%lld,\"memory\":%lld,\"disk\":%lld,\"gpus\":%lld",
                   (long long)d->grant.cpus, (long long)d->grant.memory, (long long)d->grant.disk,
                   (long long)d->grant.gpus);
    put_ms(out, "start_ms", f->start_ms);
    put_ms(out, "finish_ms", f->finish_ms);
    put_ms(out, "run_ms", f->run_ms);
    put_ms(out, "boot_ms", f->boot_ms);
    put_ms(out, "home_start_ms", f->home_start_ms);
    if (f->cost >= 0)
        buf_printf(out, ",\"cost\":%.6f", f->cost);
    if (d->class_index >= 0)
        buf_printf(out, ",\"share\":%.6f,\"ready\":%lld", f->share, (long long)f->ready);
    if (d->kind == SCHED_LEASE || d->kind == SCHED_CREATE)
        buf_printf(out, ",\"free\":%lld", (long long)f->free);
    return buf_putc(out, '}');
}
