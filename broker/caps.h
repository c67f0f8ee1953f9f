/* SPDX-License-Identifier: Apache-2.0 */
/* caps.h - how many tasks may run at once: of those that name a limit, of a project's, of a
 * user's.
 *
 * Each has a place that never changes, so that a class can be told of it once. */
#ifndef SPILLWAY_CAPS_H
#define SPILLWAY_CAPS_H

#include <stddef.h>
#include <stdint.h>

#include "conf/broker.h"
#include "conf/job.h"
#include "sched/snapshot.h"

struct caps {
    /* The kinds keep a job from naming what is not hers to name. */
    struct cap {
        enum cap_kind { CAP_NAMED, CAP_PROJECT, CAP_USER } kind;
        char *of, *name; /* name: for texts */
        int64_t most;
    } * list;
    size_t count;
};
#define CAPS_INIT \
    {             \
        NULL, 0   \
    }

void caps_free(struct caps *caps);
/* The figures of a new configuration; what it does not name lets one task run at a time: the name
 * was meant to hold something back.  caps_of() is to be asked anew for each class. */
void caps_configure(struct caps *caps, const struct broker_conf *conf);
/* What a task with these wishes uses; room for spec->limit_count + CAPS_RULES. */
#define CAPS_RULES 2
size_t caps_of(struct caps *caps, const struct broker_conf *conf, const struct job_spec *spec,
               const char *project, const char *user, struct sched_limit_use *uses);

#endif
