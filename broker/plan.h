/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - what one pass decided, taken out of the snapshot while the lock is held: what it says
 * lives on when the snapshot is built anew. */
#ifndef SPILLWAY_PLAN_H
#define SPILLWAY_PLAN_H

#include "base/arena.h"
#include "queue.h"
#include "sched/sched.h"
#include "store/store.h"
#include "world.h"

struct plan {
    struct arena arena; /* of what the rest borrows */
    struct lease *leases;
    struct grant *grants; /* one a lease */
    size_t lease_count, lease_room;
    struct making {
        int site;
        const char *shape, *image, *project, *container, *decision;
        int64_t class_id, made_for, count;
        double cost; /* of one; < 0: not known */
    } * makings;     /* workers to be made */
    size_t making_count;
    struct {
        int64_t worker;
        enum worker_state state;
        const char *why;
    } * ends; /* workers to go */
    size_t end_count;
};

/* With the queue's lock held.  Tasks that get a lease are picked. */
void plan_take(struct plan *plan, struct world *world, struct queue *queue,
               const struct sched_snapshot *snapshot, const struct sched_decisions *decisions);
void plan_free(struct plan *plan);

#endif
