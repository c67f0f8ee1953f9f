/* SPDX-License-Identifier: Apache-2.0 */
/* world_parts.h - struct world, for the files that together implement world.h.  Nothing else
 * includes it. */
#ifndef SPILLWAY_WORLD_PARTS_H
#define SPILLWAY_WORLD_PARTS_H

#include "base/arena.h"
#include "caps.h"
#include "world.h"

/* What experience says of a site, in the scheduler's words. */
struct wboots {
    uint64_t generation; /* of the offer whose shapes it names */
    struct sched_boot *list;
    size_t count;
    int64_t wait_ms; /* -1: not known */
};

/* What a worker was asked for. */
struct wmade {
    int64_t class_id;
    double cost; /* that was reckoned with; < 0: not known */
};

/* The part of a class that its description fixes, in the scheduler's words. */
struct wclass {
    struct qclass *class;
    struct sched_class fixed;
    uint64_t made; /* configuration it was made under */
    int place;     /* in the snapshot of pass `pass` */
    uint64_t pass;
    int64_t *waits;                 /* by site, as learnt; NULL: none known */
    const struct learned *parts[3]; /* of walltimes: its user's, its project's, everybody's */
    struct arena arena;
};

struct world {
    const struct broker_conf *conf;
    struct site *const *sites;
    size_t site_count;
    uint64_t configuration; /* changes with world_configure */
    uint64_t pass, last_generation;
    struct names names;
    struct map classes; /* id -> struct wclass */
    struct comings comings;
    struct experience *experience;
    uint64_t taken;       /* the experience's version that is in `boots` and the classes' waits */
    struct wboots *boots; /* by site */
    struct map made;      /* id of a worker that has not joined -> struct wmade */
    struct caps caps;     /* those configured, and those that jobs name */
    struct room whole;    /* of all sites together, for shares */
    struct arena arena;   /* of the snapshot */
    struct sched_snapshot snapshot;
    struct qclass **place_class;
    struct qworker **place_worker;
};

/* ---- world_sites.c */

void world_put_site(struct world *world, struct queue *queue, size_t place,
                    struct sched_site *site);
const struct shape *shape_find(const struct site_offer *offer, const char *name);
/* The site's place in a snapshot, or -1. */
int site_place(const struct world *world, const char *name);

/* ---- world_learned.c */

/* Takes in what was learnt since the last pass. */
void learned_refresh(struct world *world);
/* New sites: what was made for those before is dropped. */
void learned_forget(struct world *world);
/* What is known of boots there. */
const struct wboots *learned_boots(struct world *world, size_t place,
                                   const struct site_offer *offer);
/* Sites that failed tasks of the class of late. */
void learned_avoid(struct world *world, struct sched_class *classes, int64_t now_ms);
/* What a task of the class is thought to run, typically; -1: nothing is known. */
int64_t learned_run(struct world *world, const struct wclass *wclass);
/* The time that a project's ceiling on money is for. */
int64_t period_of(const struct world *world, const char *project);

#endif
