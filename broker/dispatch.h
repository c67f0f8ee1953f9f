/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.h - the scheduler's thread: store -> queue -> snapshot -> sched_decide() -> store,
 * sites, agents.
 *
 * Woken by changes (dispatch_changes is the store's subscriber), by dispatch_poke(), and by time.
 */
#ifndef SPILLWAY_DISPATCH_H
#define SPILLWAY_DISPATCH_H

#include "agents.h"
#include "conf/broker.h"
#include "queue.h"
#include "reconcile.h"
#include "sched/sched.h"
#include "store/store.h"
#include "world.h"

struct dispatch;
struct dispatch_options {
    struct store *store;
    struct queue *queue;
    struct agents *agents;
    struct world *world;
    /* Whose thread makes workers at a place of world_configure()'s sites; NULL: none (broken site).
     */
    struct reconcile *(*reconcile_of)(void *arg, int site);
    void (*events)(void *arg); /* something was committed */
    void *arg;
    struct sched_params params;
    struct leases_options leases;
    struct budgets budgets;
};
struct dispatch *dispatch_new(const struct dispatch_options *options);
void dispatch_free(struct dispatch *dispatch);

/* The store's on_changes: `arg` is the dispatch. */
void dispatch_changes(void *arg, const struct change *changes, size_t count);
/* Take in all that is unfinished; before the thread starts. */
int dispatch_load(struct dispatch *dispatch, struct err *err);
int dispatch_start(struct dispatch *dispatch, struct err *err);
void dispatch_stop(struct dispatch *dispatch);
/* Decide anew: a site's offer, a rule or a mode changed. */
void dispatch_poke(struct dispatch *dispatch);
/* Ask agents_tick() anew when it is due: a poll ends sooner than it said. */
void dispatch_tick(struct dispatch *dispatch);

struct dispatch_stats {
    int64_t passes, leases, creates, pass_us_sum, pass_us_max;
};
void dispatch_stats(struct dispatch *dispatch, struct dispatch_stats *out);

#endif
