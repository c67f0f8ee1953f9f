/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - the scheduler's snapshot, built from the queue, the sites and the rules.
 *
 * What does not change from pass to pass (a class's wishes, a site's shapes) is kept and given the
 * same generation, so that the scheduler may remember what it found of it.  Also keeps what
 * experience taught: run times, boot times, usage.  One thread at a time, with the queue's lock
 * held. */
#ifndef SPILLWAY_WORLD_H
#define SPILLWAY_WORLD_H

#include "coming.h"
#include "conf/broker.h"
#include "experience.h"
#include "queue.h"
#include "sched/sched.h"
#include "sites/site.h"

struct world;
struct world *world_new(void);
void world_free(struct world *world);
/* New rules or sites: what was kept of them is dropped.  All must outlive the next call. */
void world_configure(struct world *world, const struct broker_conf *conf, struct site *const *sites,
                     size_t site_count);

/* Valid until the next call or configure.  Classes with nothing ready are left out, but for `also`
 * (NULL: none), which may be one that the queue does not have: its id is then WORLD_ASKED, and
 * world_forget() is called before it is freed. */
#define WORLD_ASKED INT64_MAX
const struct sched_snapshot *world_build(struct world *world, struct queue *queue,
                                         const struct qclass *also, int64_t now_ms);
/* The same, with everybody who has used anything, also those who have no work now. */
const struct sched_snapshot *world_build_people(struct world *world, struct queue *queue,
                                                int64_t now_ms);
void world_forget(struct world *world, const struct qclass *class);
/* What a schedule will make next; NULL: nothing that is prepared for. */
void world_coming(struct world *world, int64_t schedule, struct coming *coming);
/* What stands behind a place in the snapshot. */
struct qclass *world_class(const struct world *world, int place);
struct qworker *world_worker(const struct world *world, int place);
/* The class's place in the last snapshot, or -1. */
int world_place(const struct world *world, const struct qclass *class);

/* ---- experience
 * -------------------------------------------------------------------------------------- */

/* What was learnt, to be loaded and saved. */
struct experience *world_experience(struct world *world);
/* Breakers, from the sites to experience and back. */
void world_note_breakers(struct world *world);
void world_restore(struct world *world);
/* A worker was asked for, for tasks of this class, at a cost (< 0: not known). */
void world_made(struct world *world, int64_t worker, int64_t class_id, double cost);
/* A task lost its attempt at no fault of its own. */
void world_failed(struct world *world, const struct qtask *task, int64_t now_ms);
/* A task ran for `run_ms`, holding its grant on each of its nodes. */
void world_ran(struct world *world, const struct qtask *task, int64_t run_ms, bool succeeded,
               int64_t now_ms);
/* A worker took `took_ms` from the decision to its join, and began, as its agent says,
 * `began_ms` before that (0: it does not say). */
void world_booted(struct world *world, const struct qworker *worker, int64_t took_ms,
                  int64_t began_ms);
/* A worker is gone: what it cost is its project's. */
void world_ended(struct world *world, const struct qworker *worker, int64_t now_ms);
#endif
