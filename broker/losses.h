/* SPDX-License-Identifier: Apache-2.0 */
/* losses.h - attempts that end without a word of their agent.
 *
 * Called by the scheduler's thread, without the queue's lock. */
#ifndef SPILLWAY_LOSSES_H
#define SPILLWAY_LOSSES_H

#include "attempts.h"
#include "queue.h"
#include "store/store.h"

struct losses {
    struct store *store;
    struct queue *queue;
    struct budgets *budgets;
};

/* A worker on its way out, copied from the queue. */
struct lost_worker {
    int64_t id, class_id, tasks;
    const char *name;
    enum reason reason; /* what its site says that it was */
    bool joined;
};

/* All that it still held. */
void losses_worker(const struct losses *losses, const struct lost_worker *worker);
/* It was made for one class and never came, for a reason that lies in the class: its tasks that are
 * ready have each lost an attempt, so that they do not ask for such workers for ever. */
void losses_class(const struct losses *losses, const struct lost_worker *worker);
/* A lease that cannot be told to anyone: its attempt ends for `reason`. */
void losses_lease(const struct losses *losses, const struct lease *lease, enum reason reason,
                  const char *detail);

#endif
