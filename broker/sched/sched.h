/* SPDX-License-Identifier: Apache-2.0 */
/* sched.h - from a snapshot of the world to decisions: who runs where, what is started, what ends.
 *
 * Pure: no I/O, no clock, no globals.  What a pass decides follows from the snapshot and the
 * parameters alone; the object keeps scratch memory and what it may remember by the generations in
 * the snapshot, never a fact.  The daemon and the simulator call the same functions.  One thread at
 * a time for each object; two objects know nothing of each other.
 *
 * Filter, then score, then pack.  Classes are served in the order of fair share (projects, then
 * users, by dominant resource with decayed usage), then priority, then age.  Each decision carries
 * the figures it was made from. */
#ifndef SPILLWAY_SCHED_SCHED_H
#define SPILLWAY_SCHED_SCHED_H

#include "base/buf.h"
#include "sched/snapshot.h"

enum sched_order {
    SCHED_ORDER_FAIR, /* fair share, priority, age */
    SCHED_ORDER_AGE   /* first come, first served */
};
enum sched_overflow {
    SCHED_OVERFLOW_GAIN,   /* a further tier when it finishes sooner by overflow_after */
    SCHED_OVERFLOW_GREEDY, /* whenever it finishes sooner */
    SCHED_OVERFLOW_NEVER   /* home only */
};

struct sched_params {
    enum sched_order order;
    enum sched_overflow overflow;
    bool backfill;            /* let later work pass a reservation that it does not delay */
    int reservations;         /* kept at a time; 0: none */
    int64_t reserve_after_ms; /* wait that earns one */
    int64_t charge_ms;       /* what is held now counts in the fair share as if held so long more */
    int64_t default_run_ms;  /* of a class of which nothing is known and that set no walltime */
    int64_t default_boot_ms; /* of a worker, before the site has shown any */
    int64_t ahead_ms;      /* work leased ahead per slot, so that it never waits for the network */
    int ahead_most;        /* leases ahead per slot */
    double hour_worth;     /* balanced objective: what one hour sooner may cost */
    double cpu_hour_price; /* stands in for an unknown price when shapes are compared */
};
#define SCHED_PARAMS_DEFAULT                                                                     \
    {                                                                                            \
        .order = SCHED_ORDER_FAIR, .overflow = SCHED_OVERFLOW_GAIN, .backfill = true,            \
        .reservations = 4, .reserve_after_ms = 300000, .charge_ms = 600000,                      \
        .default_run_ms = 600000, .default_boot_ms = 120000, .ahead_ms = 500, .ahead_most = 256, \
        .hour_worth = 1.0, .cpu_hour_price = 0.04                                                \
    }

enum sched_kind {
    SCHED_LEASE,   /* bind `count` tasks of the class to the worker */
    SCHED_CREATE,  /* start `count` workers */
    SCHED_DRAIN,   /* the worker takes no new work: it is to go when empty */
    SCHED_DESTROY, /* the worker goes now; it holds no lease */
    SCHED_RESERVE, /* the class will start there at start_ms; nothing else may delay it */
    SCHED_WAIT,    /* the class has ready tasks that get nothing now; see `why` */
    SCHED_KIND_COUNT
};

/* Why a class waits, or a worker goes. */
enum sched_why {
    SCHED_WHY_NONE,
    SCHED_WHY_FITS,      /* lease, create: room was there, or is to be made */
    SCHED_WHY_AHEAD,     /* lease: ahead of the slots, for a short-running class */
    SCHED_WHY_BACKFILL,  /* lease: ends before the reservation begins */
    SCHED_WHY_RESERVED,  /* reserve: waited longer than reserve_after */
    SCHED_WHY_BUSY,      /* wait: all fitting workers are busy, and nothing better can be started */
    SCHED_WHY_COMING,    /* wait: workers that suit it are booting */
    SCHED_WHY_QUOTA,     /* wait: no quota */
    SCHED_WHY_OVERFLOW,  /* wait: a further tier would not finish sooner by enough */
    SCHED_WHY_LIMIT,     /* wait: a named limit is used up */
    SCHED_WHY_MONEY,     /* wait: a ceiling on money */
    SCHED_WHY_RULE,      /* wait: a rule of its project */
    SCHED_WHY_BEHIND,    /* wait: would delay a reservation */
    SCHED_WHY_NO_SITE,   /* wait: no site can run it as configured */
    SCHED_WHY_SITE_DOWN, /* wait: the sites that could run it are down, disabled or closed */
    SCHED_WHY_IDLE,      /* drain, destroy: idle for too long */
    SCHED_WHY_EXPIRED,   /* drain, destroy: end of its life, or of the credential */
    SCHED_WHY_DRAINING,  /* drain, destroy: the operator drains the site */
    SCHED_WHY_RECLAIM,   /* drain, destroy: its quota is needed for work that it cannot run */
    SCHED_WHY_UNWANTED,  /* destroy: still booting, and the work it was for is gone */
    SCHED_WHY_COUNT
};
const char *sched_kind_name(enum sched_kind kind); /* "lease", "create", ... */
const char *sched_why_name(enum sched_why why);    /* "fits", "quota", ... */

/* The figures of one decision. */
struct sched_figures {
    int64_t start_ms, finish_ms; /* predicted, of the first task; -1: not known */
    int64_t run_ms, boot_ms;     /* that went into it; -1 */
    double cost;                 /* predicted, of all `count` together; < 0: not known */
    double share;          /* the project's: usage and holdings over weight, when it was served */
    int64_t free;          /* lease: tasks that fit there; create: workers the quota allows */
    int64_t ready;         /* tasks of the class that waited */
    int64_t home_start_ms; /* create abroad: predicted start without it; -1 */
};

struct sched_decision {
    enum sched_kind kind;
    enum sched_why why;
    int class_index;         /* place in snapshot->classes; -1: none */
    int worker;              /* place in snapshot->workers; -1: none */
    int site, shape, option; /* -1: none */
    int project;             /* create: whom the worker serves; -1: any */
    uint32_t image;          /* create */
    int64_t class_id;        /* create: the one class it serves; 0: any */
    int64_t count;
    struct room grant; /* lease: what each task gets (an open amount may get more than it asked) */
    /* Leases of one gang bear the same number, one decision a node, rank 0 first; 0: no gang. */
    int gang, rank;
    struct sched_figures figures;
};

struct sched_decisions {
    struct sched_decision *list;
    size_t count, room;
    /* When time alone may change what would be decided; INT64_MAX: never.  Ask again then, or at
     * the next event. */
    int64_t wake_ms;
};
void sched_decisions_free(struct sched_decisions *decisions);

struct sched;
struct sched *sched_new(const struct sched_params *params);
void sched_free(struct sched *sched);
/* Fills *out anew (its memory is used again).  Order matters: carried out from first to last, each
 * finds the room that it counts on. */
void sched_decide(struct sched *sched, const struct sched_snapshot *snapshot,
                  struct sched_decisions *out);

/* One decision as a JSON object, for the journal: {"decision": "lease", "why": "fits", "site":
 * ...}. */
int sched_decision_json(const struct sched_snapshot *snapshot,
                        const struct sched_decision *decision, struct buf *out);

/* What a task is to pay of a worker's price, by the largest part that it takes of it. */
double task_cost(double price_hour, const struct room *total, const struct room *need, int64_t ms);

/* ---- explaining ------------------------------------------------------------------------------ */

enum sched_verdict {
    SCHED_READY,    /* could start there now */
    SCHED_BUSY,     /* its workers there are busy */
    SCHED_BOOTING,  /* a worker that suits it is on its way */
    SCHED_FULL,     /* no quota for a worker that suits it */
    SCHED_WAITS,    /* possible, but another site is better, or not worth it yet */
    SCHED_NEVER,    /* cannot run there as configured */
    SCHED_DISABLED, /* disabled or draining, by the operator */
    SCHED_CLOSED,   /* breaker open, or credential ended */
    SCHED_OFFLINE,  /* the site does not answer */
    SCHED_VERDICT_COUNT
};
const char *sched_verdict_name(enum sched_verdict verdict); /* "ready", "busy", ... */

/* A change that would make the class fit, as data, so that a test can try it. */
enum sched_fix_kind {
    SCHED_FIX_NONE,
    SCHED_FIX_CPUS,       /* ask for at most `amount` */
    SCHED_FIX_MEMORY,     /* likewise */
    SCHED_FIX_DISK,       /* likewise */
    SCHED_FIX_GPUS,       /* likewise */
    SCHED_FIX_GPU_MODEL,  /* any model */
    SCHED_FIX_GPU_MEMORY, /* at most `amount` */
    SCHED_FIX_NODES,      /* at most `amount` */
    SCHED_FIX_IMAGE,      /* no image, or one of the site's */
    SCHED_FIX_CONTAINER,  /* without a container */
    SCHED_FIX_SITES,      /* drop what placement says of this site */
    SCHED_FIX_TIER,       /* the class's tier no nearer than the site's */
    SCHED_FIX_JURISDICTION,
    SCHED_FIX_CLOUD_ACT,
    SCHED_FIX_WALLTIME,  /* at most `amount` ms: a credential ends, or the site's own limit */
    SCHED_FIX_RULE,      /* a rule of the project: site, tier, phase, workers */
    SCHED_FIX_MONEY,     /* a ceiling raised */
    SCHED_FIX_QUOTA,     /* `amount` more of ledger line `quota` */
    SCHED_FIX_WORKERS,   /* `amount` more of max_workers */
    SCHED_FIX_MODE,      /* the site enabled */
    SCHED_FIX_LIMIT,     /* `amount` more of named limit `quota` */
    SCHED_FIX_DIRECTORY, /* no workdir, or the site shares it */
    SCHED_FIX_COUNT
};
struct sched_fix {
    enum sched_fix_kind kind;
    int quota; /* place in the site's ledger, or in snapshot->limits; -1 */
    int64_t amount;
};
#define SCHED_FIXES_MOST 8

struct sched_row {
    int site;
    enum sched_verdict verdict;
    char *text;    /* one sentence with the arithmetic */
    char *fits_if; /* what would make it fit, all of it; NULL: nothing to change, or it fits */
    struct sched_fix fixes[SCHED_FIXES_MOST]; /* the same as data: all of them together */
    size_t fix_count;
    int option, shape; /* spoken of; -1 */
    int64_t start_ms;  /* predicted; -1: not known */
    double cost;       /* predicted, of one task; < 0: not known */
};
struct sched_rows {
    struct sched_row *list;
    size_t count;
    bool never; /* no site could ever run it as configured */
    char *text; /* one sentence for the class as a whole: where it would go, or what it waits for */
};
/* One row a site, in the snapshot's order, for a class in the snapshot.  A class that is only asked
 * about (--dry-run) is put into the snapshot by the caller. */
void sched_explain(const struct sched_params *params, const struct sched_snapshot *snapshot,
                   int class_index, struct sched_rows *out);
void sched_rows_free(struct sched_rows *rows);

#endif
