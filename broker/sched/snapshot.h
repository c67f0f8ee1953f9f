/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h - the world as the scheduler sees it at one instant.
 *
 * Whoever builds it (the daemon's dispatcher, the simulator, a test) owns all of it; the scheduler
 * reads.  Things refer to each other by their place in the snapshot's arrays, words by their number
 * in `names`.  All times are wall time in ms, given by the caller: nothing here reads a clock.  In
 * spans and figures, -1 means not known (or no limit, where it says so).
 *
 * `generation` of a class and of a site: a number that the builder changes whenever a field of the
 * part marked "fixed" changes, and never uses again for another content.  It is what lets the
 * scheduler remember which sites a class can run at; 0 means do not remember.  The rest may change
 * from one snapshot to the next at will. */
#ifndef SPILLWAY_SCHED_SNAPSHOT_H
#define SPILLWAY_SCHED_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sched/names.h"
#include "spillway/placement.h"
#include "spillway/state.h"

#define SCHED_SITES_MOST  256
#define SCHED_SHAPES_MOST 64 /* of one site */

/* Places in the snapshot's array of sites. */
struct site_set {
    uint64_t bits[SCHED_SITES_MOST / 64];
};
static inline void site_set_add(struct site_set *set, size_t site)
{
    set->bits[site / 64] |= (uint64_t)1 << (site % 64);
}
static inline bool site_set_has(const struct site_set *set, size_t site)
{
    return set->bits[site / 64] >> (site % 64) & 1;
}
bool site_set_empty(const struct site_set *set);

/* An amount of everything a worker has.  memory and disk are bytes; 0 of them in a need: not asked.
 */
struct room {
    int64_t cpus, memory, disk, gpus;
};

/* One way to run a task of a class (one member of resources.any_of). */
struct sched_option {
    struct room need;                       /* of each node */
    bool cpus_open, memory_open, disk_open; /* "4+": takes more where more is left */
    const uint32_t *gpu_models;             /* any of these; count 0: any model */
    size_t gpu_model_count;
    int64_t gpu_memory;  /* of each GPU */
    int nodes;           /* 1, or the size of a gang: distinct workers of one site, all or none */
    int64_t walltime_ms; /* 0: none */
};

struct sched_limit_use {
    int limit; /* place in snapshot->limits */
    int64_t count;
};

/* Tasks of equal requirements. */
struct sched_class {
    int64_t id;
    uint64_t generation;
    /* fixed */
    const struct sched_option *options; /* at least one */
    size_t option_count;
    bool ordered;              /* take the first option that can run, not the best */
    uint32_t image, container; /* 0: any image; no container */
    struct site_set require;   /* empty: any site */
    struct site_set exclude, prefer;
    bool in_place;                 /* it runs in a directory of the user's ... */
    struct site_set shared_by;     /* ... that only these share */
    enum tier tier;                /* the furthest */
    const uint32_t *jurisdictions; /* any of these; count 0: anywhere */
    size_t jurisdiction_count;
    bool cloud_act_free; /* only sites out of reach of the CLOUD Act */
    enum objective objective;
    int project, user; /* places in snapshot->projects, ->users */
    int priority;
    const struct sched_limit_use *limits;
    size_t limit_count;
    /* changing */
    int64_t ready;  /* tasks that may be leased now: dependencies met, back-off over, within the
                       arrays' own caps */
    int64_t coming; /* tasks that will be ready at coming_ms; looked at while `ready` is 0.  From
                       prepare_ms before that on, workers are made and kept for them; they are
                       never leased */
    int64_t coming_ms;
    int64_t prepare_ms;          /* < 0: as long as a worker takes at most where they could run */
    int64_t running;             /* leased or running now */
    int64_t oldest_ms;           /* since when the oldest ready task could have run */
    int64_t served_ms;           /* when one of its tasks was last leased; 0: never */
    int64_t deadline_ms;         /* the earliest among ready tasks; 0: none */
    double cost_left;            /* money that its ready tasks may still cost; < 0: no ceiling */
    int64_t run_ms;              /* learned: what a task runs, typically; -1 */
    int64_t run_high_ms;         /* learned: 95 in 100 run no longer; -1 */
    bool run_guessed;            /* run_ms is not of its own tasks, but of others' of her or his */
    struct site_set avoid;       /* sites that failed its tasks of late: last resort */
    const int64_t *site_wait_ms; /* learned wait by site, or NULL; -1 in it: not known */
};

/* What a site offers as one worker. */
struct sched_shape {
    /* fixed */
    const char *name;
    struct room room;
    int64_t quota_memory, quota_disk; /* what it takes of the quota; 0: as much as its room */
    uint32_t gpu_model;
    int64_t gpu_memory;
    double price_hour; /* < 0: not known, counts as 0 and is shown as unknown */
    /* changing */
    int64_t
        closed_until_ms;    /* breaker: open until then; 0: closed.  Past it: one probe at a time */
    const char *closed_why; /* the last fault's words, or NULL */
};

enum sched_quota_kind {
    SCHED_QUOTA_WORKERS, /* instances, pods, jobs: 1 a worker */
    SCHED_QUOTA_CORES,
    SCHED_QUOTA_MEMORY,
    SCHED_QUOTA_DISK,
    SCHED_QUOTA_GPUS, /* of `gpu_model`, or of any when 0 */
    SCHED_QUOTA_OTHER /* ports, volumes, floating IPs ...: `per_worker` each */
};

/* One line of a site's ledger.  Free is limit - ours - others - reserved.  `ours` counts what the
 * site shows of our workers until two listings no longer do; `reserved` what was decided and cannot
 * show yet, so that no worker is in both. */
struct sched_quota {
    const char *name; /* as the site calls it, for explanations */
    enum sched_quota_kind kind;
    uint32_t gpu_model;
    int64_t per_worker;
    int64_t limit; /* < 0: none */
    int64_t ours, others, reserved;
};

/* How long a worker of this shape and image takes from the decision to its first lease. */
struct sched_boot {
    int shape;                /* -1: any */
    uint32_t image;           /* 0: any */
    int64_t mean_ms, high_ms; /* learned; high: 95 in 100 are ready by then */
};

enum sched_health { SCHED_UP, SCHED_DEGRADED, SCHED_DOWN };

/* One of a site's images that is on its way there. */
struct sched_awaited {
    uint32_t image;
    const char *why; /* "12 of 400 MiB were sent" */
};

struct sched_site {
    const char *name;
    uint64_t generation;
    /* fixed */
    enum tier tier;
    enum phase phase;
    uint32_t jurisdiction;   /* 0: not stated */
    bool cloud_act;          /* within its reach */
    bool local;              /* this machine: one worker, no boot to speak of */
    bool containers;         /* can run a class's container */
    bool container_bound;    /* a worker for a container serves its class alone (Kubernetes) */
    bool any_project;        /* one project's worker may serve others */
    int64_t max_walltime_ms; /* longer tasks are not placed here; 0: any */
    int64_t max_age_ms;      /* of a worker; 0: none */
    const uint32_t *images;  /* what may be asked for; count 0: images mean nothing here */
    size_t image_count;
    uint32_t image; /* what a worker gets when the class names none */
    struct sched_shape *shapes;
    size_t shape_count;
    /* changing */
    enum site_mode mode;
    enum sched_health health;
    const char *health_why;  /* the last fault's words, or NULL */
    int64_t closed_until_ms; /* breaker of the whole site, as a shape's */
    int64_t probed_ms;       /* when its figures were taken; 0: never yet */
    const struct sched_quota *quotas;
    size_t quota_count;
    const struct sched_awaited *awaited; /* nothing is started of these yet */
    size_t awaited_count;
    int64_t max_workers;       /* < 0: no limit besides the quota */
    int64_t credential_end_ms; /* 0: does not end */
    int64_t overflow_after_ms; /* gain that makes leaving a nearer tier worth it */
    int64_t idle_ms;           /* an idle worker goes after this; < 0: never */
    int64_t latency_ms;        /* of its API */
    int64_t wait_ms;           /* learned: from create to boot's begin (a batch queue); -1 */
    const struct sched_boot *boots;
    size_t boot_count;
    int64_t creates_most; /* workers to ask for in one pass; 0: no limit */
};

struct sched_worker {
    int64_t id;
    int site, shape; /* shape -1: no longer offered */
    enum worker_state state;
    int project;      /* -1: any */
    int64_t class_id; /* of the one class it serves; 0: any that fits */
    uint32_t image;
    uint32_t gpu_model;
    int64_t gpu_memory;
    struct room total;
    /* total less the needs of all leases it holds.  Below zero: that much is leased ahead. */
    struct room free;
    int leases;      /* it holds, started or not */
    int64_t idle_ms; /* since when it holds none; 0: it holds some */
    int64_t created_ms;
    int64_t ready_ms;   /* booting: when it should be ready; -1: not known */
    int64_t expires_ms; /* end of life: takes nothing that would outlive it; 0: none */
    bool keep;          /* never idle it away (prepared for a schedule, or by hand) */
};

/* A lease that is held now: what tells when room comes free. */
struct sched_run {
    int worker;        /* place in snapshot->workers */
    int class_index;   /* place in snapshot->classes, or -1: its class has nothing ready */
    int32_t count;     /* equal leases with the same end */
    struct room need;  /* of each */
    bool guessed;      /* ends_ms is not by what its like ran */
    int64_t ends_ms;   /* expected; -1: not known */
    int64_t latest_ms; /* its walltime's end; -1: none */
};

/* What a project may do; -1: no ceiling. */
struct sched_project {
    const char *name;
    double weight; /* > 0 */
    double usage;  /* decayed share-seconds up to now (share.h) */
    enum tier tier;
    int64_t max_workers; /* outside home */
    int64_t workers;     /* it has there now */
    double money_limit;
    double money_spent;     /* in the period the limit is for, running workers up to now included */
    double money_committed; /* what running workers will still cost until their work is done */
    struct site_set sites;  /* it may use; empty: all */
    enum phase phase;       /* the least trusted that it may use */
};
struct sched_user {
    const char *name;
    int project; /* a user of two projects has two entries */
    double weight, usage;
};
struct sched_limit {
    const char *name;
    int64_t capacity, in_use;
};

struct sched_snapshot {
    int64_t now_ms;
    const struct sched_class
        *classes; /* with ready tasks, or running ones: what users hold counts */
    size_t class_count;
    const struct sched_worker *workers; /* all there are; gone ones do no harm */
    size_t worker_count;
    const struct sched_site *sites; /* at most SCHED_SITES_MOST */
    size_t site_count;
    const struct sched_run *runs; /* optional: without them reservations cannot look ahead */
    size_t run_count;
    const struct sched_project *projects;
    size_t project_count;
    const struct sched_user *users;
    size_t user_count;
    const struct sched_limit *limits;
    size_t limit_count;
    const struct names *names; /* for explanations */
};

#endif
