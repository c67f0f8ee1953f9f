/* SPDX-License-Identifier: Apache-2.0 */
/* coming.h - tasks that schedules will make soon, as classes that have nothing ready.
 *
 * One schedule has one such class at a time: its next run's.  Ids are below zero, so that none is
 * a job's.  One thread at a time, with the queue's lock held. */
#ifndef SPILLWAY_COMING_H
#define SPILLWAY_COMING_H

#include "experience.h"
#include "queue.h"
#include "sched/snapshot.h"

struct coming {
    struct qclass class; /* first: who has the one has the other */
    int64_t learnt_by;   /* the class of the schedule's runs so far; 0: none ran yet */
    int64_t tasks, at_ms;
    int64_t prepare_ms; /* < 0: as long as a worker takes */
};

struct comings {
    struct map by_schedule; /* id -> struct coming */
};
void comings_free(struct comings *comings);
/* The next run of a schedule; FAULT_INVALID: its class key is not understood. */
int coming_new(int64_t schedule, const char *class_key, struct coming **out, struct err *err);
void coming_free(struct coming *coming);
/* What is its own of the class in a snapshot. */
void coming_fill(const struct coming *coming, struct experience *experience,
                 struct sched_class *class);
/* Takes it over; gives back what stood there, or NULL. */
struct coming *comings_put(struct comings *comings, int64_t schedule, struct coming *coming);

#endif
