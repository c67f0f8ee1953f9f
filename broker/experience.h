/* SPDX-License-Identifier: Apache-2.0 */
/* experience.h - what the broker has learnt: run times, boot times, usage, money.
 *
 * Plain figures by name, kept by the store under the keys "run/CLASS", "part/[PROJECT[/USER]]", "boot/SITE/IMAGE/SHAPE",
 * "wait/SITE/CLASS", "breaker/SITE[/SHAPE]", "avoid/SITE/CLASS", "cost/CLASS", "share/PROJECT[/USER]" and
 * "money/PROJECT".  One thread at a time, with the queue's lock held. */
#ifndef SPILLWAY_EXPERIENCE_H
#define SPILLWAY_EXPERIENCE_H

#include "sched/learn.h"
#include "sched/share.h"

struct experience;
struct experience *experience_new(void);
void experience_free(struct experience *experience);

/* A record of store_learned(): taken in when its key is one of ours. */
void experience_load(struct experience *experience, const char *key, const char *value);
/* Give out what changed since the last call, as records for store_learned_put(). */
typedef void experience_record(void *arg, const char *key, const char *value);
void experience_save(struct experience *experience, experience_record *each, void *arg);
/* All that is known of sites, in the same form. */
void experience_show(const struct experience *experience, experience_record *each, void *arg);

/* Never NULL; nothing seen yet is a zeroed value. */
const struct learned *experience_run(struct experience *experience, int64_t class_id);
void experience_ran(struct experience *experience, int64_t class_id, int64_t run_ms);
/* What part of their walltimes, in thousandths, tasks of "PROJECT/USER", of "PROJECT", or of
 * everybody ("") ran.  The figure stays where it is. */
const struct learned *experience_part(struct experience *experience, const char *who);
/* One of the first tasks of a class took so much of its walltime: those that follow it teach no more,
 * or one large array would speak for all that its user does. */
void experience_took(struct experience *experience, int64_t class_id, const char *project,
                     const char *user, int64_t run_ms, int64_t walltime_ms);
/* A worker took so long from its beginning to its join.  `image` "": none is named. */
void experience_booted(struct experience *experience, const char *site, const char *image,
                       const char *shape, int64_t boot_ms);
/* And so long to begin.  class_id 0: whatever it was made for. */
void experience_waited(struct experience *experience, const char *site, int64_t class_id,
                       int64_t wait_ms);
/* Changes with either of them. */
uint64_t experience_version(const struct experience *experience);
typedef void experience_learned(void *arg, const char *name, const struct learned *learned);
void experience_boots(const struct experience *experience, experience_learned *each, void *arg);
void experience_waits(const struct experience *experience, experience_learned *each, void *arg);

/* ---- faults: of sites and shapes ("SITE", "SITE/SHAPE"), and of a class at a site ---- */

typedef void experience_breaker(void *arg, const char *name, const struct breaker *breaker);
void experience_breakers(const struct experience *experience, experience_breaker *each, void *arg);
void experience_breaker_set(struct experience *experience, const char *name,
                            const struct breaker *breaker);
/* A task of the class lost its attempt there, at no fault of its own; or one ended there. */
void experience_failed(struct experience *experience, const char *site, int64_t class_id,
                       int64_t now_ms, const char *why);
void experience_worked(struct experience *experience, const char *site, int64_t class_id);
/* "SITE/CLASS" of those that failed of late. */
void experience_avoided(const struct experience *experience, experience_breaker *each, void *arg);

/* `who`: "PROJECT" or "PROJECT/USER". */
struct share *experience_share(struct experience *experience, const char *who);
/* Of users ("PROJECT/USER") who have used anything. */
size_t experience_users(const struct experience *experience);
typedef void experience_user(void *arg, const char *project, const char *user);
void experience_each_user(const struct experience *experience, experience_user *each, void *arg);
void experience_used(struct experience *experience, const char *who, const struct room *part,
                     const struct room *whole, int64_t held_ms, int64_t now_ms,
                     int64_t half_life_ms);

/* Money that a project's ended workers have cost in the period that is now (period_ms 0: ever). */
double experience_spent(struct experience *experience, const char *project, int64_t period_ms,
                        int64_t now_ms);
/* What the tasks of a class that has a ceiling have cost. */
double experience_cost(struct experience *experience, int64_t class_id);
void experience_cost_add(struct experience *experience, int64_t class_id, double cost);
void experience_paid(struct experience *experience, const char *project, double cost,
                     int64_t period_ms, int64_t now_ms);

#endif
