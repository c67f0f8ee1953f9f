/* SPDX-License-Identifier: Apache-2.0 */
/* coming.h - tasks that schedules will make soon, as classes that have nothing ready.
 *
 * Of one schedule these are the next run's, by its description.  Ids are below zero, so that none
 * is a job's.  One thread at a time, with the queue's lock held. */
#ifndef SPILLWAY_COMING_H
#define SPILLWAY_COMING_H

#include "experience.h"
#include "queue.h"
#include "sched/snapshot.h"

struct coming {
    struct qclass class; /* first: who has the one has the other */
    int64_t learnt_by;   /* the class of the schedule's runs so far; 0: none ran yet */
    int64_t tasks, at_ms;
    int64_t prepare_ms;  /* < 0: as long as a worker takes */
    struct coming *next; /* of the same schedule */
};

#define COMING_MOST 64 /* classes of one schedule */
struct comings {
    struct map by_schedule; /* id -> the first struct coming */
    size_t count;           /* of all schedules */
};
void comings_free(struct comings *comings);
/* One of the next run of a schedule, number 0 to COMING_MOST - 1; FAULT_INVALID: its class key is
 * not understood. */
int coming_new(int64_t schedule, int number, const char *class_key, struct coming **out,
               struct err *err);
/* With those behind it. */
void coming_free(struct coming *coming);
/* What is its own of the class in a snapshot. */
void coming_fill(const struct coming *coming, struct experience *experience,
                 struct sched_class *class);
/* Takes over the list; gives back what stood there, or NULL. */
struct coming *comings_put(struct comings *comings, int64_t schedule, struct coming *coming);

#endif
