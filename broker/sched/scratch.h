/* SPDX-License-Identifier: Apache-2.0 */
/* scratch.h - the scheduler object: what it keeps between passes.  Private to broker/sched/. */
#ifndef SPILLWAY_SCHED_SCRATCH_H
#define SPILLWAY_SCHED_SCRATCH_H

#include "base/map.h"
#include "sched/pass.h"

/* One block that is as large as the largest pass so far wanted; beyond it, more blocks. */
struct scratch {
    char *block;
    size_t room, used;
    size_t wanted; /* by this pass in all */
    void **more;
    size_t more_count, more_room;
};

struct sched {
    struct sched_params params;
    struct scratch scratch;
    /* static fits, by class id; and again by the place the class had in the last pass */
    struct map fits;
    struct fit **last;
    size_t last_count, last_room;
    uint64_t epoch;
    size_t site_count;
    uint64_t site_generation[SCHED_SITES_MOST], site_epoch[SCHED_SITES_MOST];
};

void fit_forget(struct sched *sched);
void fit_sites(struct sched *sched, const struct sched_snapshot *snap);

#endif
