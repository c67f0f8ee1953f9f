/* SPDX-License-Identifier: Apache-2.0 */
/* pass.h - one pass of the scheduler at work: what is left of everything as decisions take from it.
 *
 * Private to broker/sched/.  The snapshot is never written; what changes as the pass goes on stands
 * here, by the same places.  All of it lives in the pass's scratch memory and is gone with it,
 * apart from the cache of static fits, which the generations guard. */
#ifndef SPILLWAY_SCHED_PASS_H
#define SPILLWAY_SCHED_PASS_H

#include "sched/sched.h"

#define NEVER_MS INT64_MAX
#define NO_LIMIT INT64_MAX

/* Where a class can run at all, whatever is free: follows from the fixed parts alone. */
struct fit {
    int64_t class_id;
    uint64_t generation;
    uint64_t epoch; /* of the cache, when it was last brought up to date */
    size_t options, sites;
    struct site_set place;  /* sites that may take it, whatever their shapes */
    struct site_set shaped; /* of these, sites with a shape that some option fits */
    uint64_t *shapes;       /* [option * sites + site]: bit set of shapes */
};

struct pass_worker {
    struct room free;
    struct room spare;    /* reserved ones: what may be taken past reserved_ms as well */
    bool reserved;        /* something is to start here, at reserved_ms */
    int64_t reserved_ms;  /* NEVER_MS: not known when */
    double reserved_work; /* worker-ms of what is to start then */
    double leased_ms,
        leased_sq; /* by this pass: parts of the worker by their span, and its square */
    int64_t leased_count;
    bool usable; /* takes leases now */
    bool gone;   /* a decision of this pass sends it away */
    bool idle;   /* for a moment already, and kept for nobody */
    bool taken;  /* got a lease, or is held for a gang: not idle */
    int pool;    /* -1: none */
    int made;    /* the latest lease of this pass, counted from 1; 0: none */
    enum { GPUS_UNASKED, GPUS_FREE, GPUS_WANTED } gpus; /* see wanted_for_gpus() */
};

/* A lease of this pass, as a run to be. */
struct made {
    struct room need; /* of all together */
    int64_t ends_ms;
    int next;
};

struct pass_site {
    bool open;            /* may be given new workers */
    bool leases;          /* its workers may be given leases */
    bool idle;            /* some worker of it is */
    enum sched_why why;   /* of !open */
    uint64_t shapes_open; /* by their breakers */
    uint64_t shapes_head; /* of these, what quota and limits leave at least one worker of */
    int64_t *head;        /* how many, by shape */
    int64_t soonest;      /* from a create to a lease, by the quickest boot known; a span */
    int64_t *quota_free;
    int64_t workers_left; /* by max_workers and creates_most */
    int64_t promised;     /* of these, what classes that did not leave for further tiers count on */
    uint64_t probing;     /* shapes that may get one worker, as a probe */
    bool probe;           /* so the site */
    int *room;            /* workers with room, fullest first */
    size_t room_count, room_first;
    int *ready; /* all workers that take leases; made at need */
    size_t ready_count;
    int pools;  /* the first of its pools, counted from 1; 0: none */
    bool stuck; /* some class that runs long waits for a slot here; see below */
    double stuck_project, stuck_user;
    int stuck_rank;
};

/* Pools that suit the class in hand: one by one, or alike ones taken together. */
struct suit {
    double workers, phase, spread, pieces, queued, due, boot, booked; /* as of a pool */
    double part;  /* of a worker that one task takes */
    double slots; /* tasks at a time on one worker */
    double leave; /* gain that it takes to leave for it */
    enum tier tier;
    bool coming;
};

/* Beyond this many pools, those of one tier are taken together: a crowd is its mean. */
#define SUITS_MOST 16
struct suits {
    struct suit list[SUITS_MOST];
    size_t count;
    bool at_once; /* for tasks that come all together: each slot starts one of them */
};

/* Where a search for room goes on; what lay before never fits again in this pass. */
struct cursor {
    int group;   /* 0 preferred, 1 others, 2 avoided; 3: at the end */
    size_t site; /* place in pass->order */
    size_t at;   /* place in the site's list */
};

struct pass_class {
    const struct sched_class *class;
    const struct fit *fit;
    int64_t left;    /* ready tasks without a decision */
    bool prepares;   /* its tasks are still to come: `left` stays 0 but while workers are made */
    int64_t to_keep; /* of these, tasks that no worker has been kept for */
    double cost_left;
    struct cursor *cursors;    /* one an option */
    enum sched_why why;        /* it waits */
    bool stuck;                /* no room for it in this pass */
    int rank;                  /* its place among its user's */
    size_t last;               /* its latest lease in pass->out, counted from 1; 0: none */
    int64_t assigned;          /* tasks of `left` that new workers are started for */
    bool head, coming, pooled; /* some site had quota; workers boot, or are there, that suit it */
    bool reserved;
    bool queued;      /* what is left of it waits in the pools */
    int64_t start_ms; /* predicted, of the first left; -1 */
    bool asks_gpus;   /* whichever way it runs */
    enum tier near;   /* the nearest tier that can run it: to work in a further one is to leave */
    /* Tasks that may leave for `leave_tier`, were it for a gain of leave_ms; and those that nearer
     * tiers are counted on for. */
    enum tier leave_tier;
    int64_t leave_ms, leave, kept_near;
    int64_t *earlier; /* ordered: by option, tasks that earlier ones can have; -1: not asked yet */
};

struct pass_user {
    struct room held;
    double key;   /* usage and holdings over weight: least is served first */
    int *classes; /* with ready tasks, in order */
    size_t class_count, next;
};
struct pass_project {
    struct room held;
    double key;
    double money_left; /* infinite: no ceiling */
    int64_t workers_left;
    bool asked; /* `allowed` is known */
    struct site_set allowed;
    int *users;
    size_t user_count;
};

/* Workers that are alike, as room in the time to come. */
struct pool {
    int site, project;
    int64_t class_id;
    uint32_t image, gpu_model;
    int64_t gpu_memory;
    struct room total; /* of each */
    double workers;
    /* What runs, each by the part of its worker: by what is left of it, by the square of that, and
     * how many they are.  So it is known about when they end, and how far apart. */
    double phase, spread, pieces;
    double queued;  /* worker-ms that come after that and before a newcomer */
    double due;     /* workers' worth of tasks still to come that will start here */
    double boot;    /* of those that boot: worker-ms until they are ready */
    double booked;  /* and workers' worth of tasks that others will start there at once */
    bool coming;    /* booting */
    int next;       /* of the same site, counted from 1; 0: none */
    enum tier tier; /* of its site, ... */
    double leave;   /* ... and the gain that it takes to leave for it */
};
/* One that suits the class in hand, and the first alternative that it suits. */
struct suited {
    int pool;
    const struct sched_option *option;
};

/* Open sites, nearest tier first, within a tier the most promising first. */
struct ranked {
    int *sites;
    size_t count;
    int64_t soonest[3], overflow[3]; /* the least there is in each tier */
};

struct pass {
    const struct sched_params *params;
    const struct sched_snapshot *snap;
    struct sched_decisions *out;
    struct sched *sched;
    int64_t now;
    struct room whole;       /* all workers' together: what shares are parts of */
    struct room ready_whole; /* of those that take leases */
    struct pass_worker *workers;
    struct pass_site *sites;
    struct pass_class *classes;
    struct pass_user *users;
    struct pass_project *projects;
    int *working, *busy; /* users, and projects, that have classes in the queue */
    size_t working_count, busy_count;
    int64_t *limits_left;
    int *order; /* sites with room, nearest tier first */
    size_t order_count;
    struct site_set roomy; /* the same as a set */
    struct site_set open;
    struct ranked *ranked[3]; /* open sites by objective; made at need */
    int *queue;               /* classes with ready tasks, in the order they are served */
    size_t queue_count;
    struct pool *pools;
    struct suited *suited; /* pools that suit the class in hand; as many as pool_room */
    size_t suited_count;
    size_t pool_count, pool_room;
    struct made *made;
    size_t made_count, made_room;
    int32_t *run_first, *run_next; /* runs by worker; made at need */
    struct room *soon; /* by worker: what of it comes free within seconds; NULL: not told */
    int gangs;
    int reservations;
    bool idle;       /* some worker is */
    int64_t idle_ms; /* when the next one will be; 0: none */
    bool pooled;     /* the pools are made */
    /* Classes that got no slot: what is left of them waits before others, and lies in the pools, of
     * so many. */
    int *ahead;
    size_t ahead_count, ahead_queued;
    bool gpus_only;    /* only classes that ask for GPUs are served */
    int64_t gpus_free; /* on workers that take leases, as the snapshot has it */
    int *gpu_waits;    /* classes that ask for GPUs and wait */
    size_t gpu_wait_count;
    struct site_set tiers[3]; /* enabled sites */
};

/* Scratch memory: zeroed, gone at the end of the pass. */
void *pass_alloc(struct pass *pass, size_t count, size_t size);
struct sched_decision *pass_decide(struct pass *pass, enum sched_kind kind, enum sched_why why);
void pass_wake(struct pass *pass, int64_t at_ms);
/* Everything as the snapshot has it, before any decision. */
void pass_begin(struct pass *pass);

/* fit.c: the filter */
const struct fit *fit_of(struct sched *sched, const struct sched_snapshot *snap, int class_index);
bool fit_option(const struct sched_option *option, const struct sched_site *site,
                const struct sched_shape *shape);
bool fit_place(const struct sched_class *class, const struct sched_site *site, size_t index);
/* Of two times, `a` < 0: not known. */
static inline int64_t earlier(int64_t a, int64_t b)
{
    return a < 0 || b < a ? b : a;
}

bool fit_image(const struct sched_class *class, const struct sched_site *site);
/* The image that a new worker for the class would have is not there yet; NULL: it is. */
const struct sched_awaited *image_awaited(const struct sched_class *class,
                                          const struct sched_site *site);
bool fit_gpus(const struct sched_option *option, int64_t gpus, uint32_t model, int64_t memory);
/* What stands in the way, as changes that would remove it; returns how many (at most `most`). */
size_t fit_shape_fixes(const struct sched_option *option, const struct sched_site *site,
                       const struct sched_shape *shape, struct sched_fix *out, size_t most);
size_t fit_place_fixes(const struct sched_class *class, const struct sched_site *site, size_t index,
                       struct sched_fix *out, size_t most);
/* Sites that the project's rules leave. */
struct site_set fit_project(const struct sched_snapshot *snap, const struct sched_project *project);
bool fit_project_site(const struct sched_project *project, const struct sched_site *site,
                      size_t index);

/* room.c: sums with amounts */
/* How often `need` fits. */
static inline int64_t room_times(int64_t most, int64_t free, int64_t need)
{
    if (need <= 0)
        return most;
    if (free < need)
        return 0;
    return free / need < most ? free / need : most;
}
static inline bool room_fits(const struct room *free, const struct room *need)
{
    return (need->cpus <= 0 || need->cpus <= free->cpus) &&
           (need->memory <= 0 || need->memory <= free->memory) &&
           (need->gpus <= 0 || need->gpus <= free->gpus) &&
           (need->disk <= 0 || need->disk <= free->disk);
}
static inline int64_t room_count(const struct room *free, const struct room *need)
{
    int64_t count;

    if (!room_fits(free, need))
        return 0;
    count = room_times(NO_LIMIT, free->cpus, need->cpus);
    count = room_times(count, free->memory, need->memory);
    count = room_times(count, free->gpus, need->gpus);
    return room_times(count, free->disk, need->disk);
}
/* Where a site is one machine, the nodes of a gang are parts of it: one worker holds them all. */
static inline int nodes_apart(const struct sched_site *site, const struct sched_option *option)
{
    return site->local ? 1 : option->nodes;
}
static inline struct room need_apart(const struct sched_site *site,
                                     const struct sched_option *option)
{
    int64_t times = site->local && option->nodes > 1 ? option->nodes : 1;
    struct room need = option->need;

    need.cpus *= times;
    need.memory *= times;
    need.disk *= times;
    need.gpus *= times;
    return need;
}
/* From the asking for a worker until it begins, as learnt; 0 where nothing was. */
static inline int64_t wait_there(const struct sched_class *class, const struct sched_site *site,
                                 int place)
{
    int64_t wait = class->site_wait_ms && class->site_wait_ms[place] >= 0
                       ? class->site_wait_ms[place]
                       : site->wait_ms;

    return wait > 0 ? wait : 0;
}
static inline void room_take(struct room *free, const struct room *need, int64_t count)
{
    free->cpus -= need->cpus * count;
    free->memory -= need->memory * count;
    free->disk -= need->disk * count;
    free->gpus -= need->gpus * count;
}
/* From none to `most` of each. */
void room_clamp(struct room *room, const struct room *most);
/* Sums that would not fit stay at the most. */
void room_add(struct room *sum, const struct room *part);
/* What a task is thought to run: typically, and at most (-1: no bound is known). */
int64_t run_typical(const struct sched_params *params, const struct sched_class *class,
                    const struct sched_option *option);
int64_t run_most(const struct sched_class *class, const struct sched_option *option);
int64_t run_safe(const struct sched_params *params, const struct sched_class *class,
                 const struct sched_option *option);
/* Money for `ms` of the part of a worker that `need` takes. */

/* ledger.c: what a site can still give */
void ledger_open(struct pass *pass, size_t site);
/* Workers of the shape that quota and limits allow. */
static inline int64_t ledger_workers(const struct pass *pass, size_t site, int shape)
{
    return pass->sites[site].open ? pass->sites[site].head[shape] : 0;
}
void ledger_take(struct pass *pass, size_t site, int shape, int64_t count);
/* Keep what one such worker needs from all others, also what is not there yet. */
void ledger_hold(struct pass *pass, size_t site, int shape);
int64_t quota_need(const struct sched_quota *quota, const struct sched_shape *shape);
int64_t quota_free(const struct sched_quota *quota);
enum sched_why site_state(const struct sched_site *site, int64_t now);
bool breaker_closed(int64_t closed_until_ms, int64_t now);

/* order.c: who is served first */
enum serve { SERVE_SLOTS, SERVE_AHEAD, SERVE_CREATE };
void order_make(struct pass *pass);
/* Serve all classes until nothing more fits. */
void order_serve(struct pass *pass, enum serve mode);
/* In fair order, only those that cannot do without GPUs. */
void order_serve_gpus(struct pass *pass, enum serve mode);
/* `count` more tasks are held by the class's user and project. */
void order_charge(struct pass *pass, const struct sched_class *class, const struct room *need,
                  int64_t count);

/* lease.c: work for workers that are there */
int64_t lease_some(struct pass *pass, int class_index, int64_t want, bool ahead);
int64_t limits_allow(const struct pass *pass, const struct sched_class *class, int64_t want);
double ahead_of(const struct pass *pass, const struct sched_class *class);
int64_t money_allows(const struct pass *pass, const struct pass_class *pc, size_t site,
                     double price, double cost, int64_t want);
void money_take(struct pass *pass, struct pass_class *pc, double cost);
void lease_reset(struct pass *pass); /* search from the start again */
bool worker_matches(const struct sched_snapshot *snap, const struct sched_class *class,
                    const struct sched_option *option, const struct sched_worker *worker);

/* leave.c: what a nearer tier, or an earlier alternative, will do as well */
/* In this tier, leaving nothing for the class; or where it is not asked what it gains. */
bool is_near(const struct pass *pass, const struct pass_class *pc, int site);
/* Of the tasks left, those that gain enough by going to the site, which is not near. */
int64_t leave_allows(struct pass *pass, struct pass_class *pc, int option, int site);
bool gang_leaves(struct pass *pass, const struct pass_class *pc, int option, int site);
/* Of the tasks left, those that no earlier alternative can have. */
int64_t earlier_leave(struct pass *pass, const struct pass_class *pc, int option);
/* The gain that leaving a nearer tier for the site takes, by the policy. */
int64_t overflow_after(const struct pass *pass, const struct sched_site *site);
/* A span up to which room in time counts, cut where a deadline asks for it; true: it was. */
bool deadline_asks(const struct pass *pass, const struct sched_class *class, int64_t run,
                   double *horizon);

/* reserve.c: a start that nothing else may delay */
void reserve_starved(struct pass *pass);
/* When all nodes of a gang have room at the site, NEVER_MS: not known, or never. */
int64_t gang_start(struct pass *pass, const struct pass_class *pc, int option, size_t site);
/* The class waits for quota alone: idle workers that hold what it lacks go. */
void reclaim_idle(struct pass *pass, int class_index);
bool reserve_class(struct pass *pass, int class_index);
/* When the worker will have room for `need`, NEVER_MS: not known; *then is what is free at that
 * time. */
int64_t room_at(struct pass *pass, int w, const struct room *need, struct room *then);

/* pool.c: workers as room in the time to come */
void pool_make(struct pass *pass);
int pool_add(struct pass *pass, const struct pool *pool);
/* Tasks of `run` ms that it will have started by `horizon` from now. */
double pool_starts(const struct suit *suit, double run, double horizon);
/* When it can take the next task. */
double pool_wait(const struct suit *suit);
bool pool_suits(const struct pass *pass, const struct pass_class *pc,
                const struct sched_option *option, const struct pool *pool);
/* The first of so many alternatives that the pool suits; NULL: none. */
const struct sched_option *pool_option(const struct pass *pass, const struct pass_class *pc,
                                       size_t options, const struct pool *pool);
/* A lease of this pass on a worker of the pool, after it was made. */
void pool_lease(struct pass *pass, int pool, double run, int64_t count, double slots);
/* Pools in tiers nearer than `before` (TIERS_ALL: in any) that suit any of the class's first
 * `options` alternatives; also one by one in pass->suited. */
#define TIERS_ALL ((enum tier)(TIER_COMMERCIAL + 1))
void suits_of(struct pass *pass, const struct pass_class *pc, size_t options, enum tier before,
              struct suits *out);
/* When the first of those nearer than `before` takes another task, a span; -1: none does. */
int64_t first_start(const struct suits *suits, enum tier before);
/* `work` ms of tasks wait for the pools of nearer tiers than `before`: it lies before whoever comes
 * later. */
void suits_queue(struct pass *pass, const struct suits *suits, enum tier before, double work);

/* create.c: new workers */
void create_all(struct pass *pass);
/* How long before its tasks come a class asks for their workers. */
int64_t prepare_span(const struct pass *pass, const struct pass_class *pc);
/* Tasks of so many that new workers in nearer tiers than `before` could have begun within
 * `horizon`, as far as it would be worth starting them; those workers are taken for promised. */
int64_t creates_promise(struct pass *pass, const struct pass_class *pc, int option,
                        enum tier before, double horizon, int64_t left, const struct suits *suits);
/* Workers for up to `want` tasks; returns for how many, 0: none is worth starting. */
int64_t create_some(struct pass *pass, int class_index, int64_t want);
/* What a worker costs from its boot to its end, `busy` ms of work in between. */
double worker_cost(const struct sched_site *site, const struct sched_shape *shape, int64_t boot,
                   double busy);
int64_t boot_ms(const struct sched_params *params, const struct sched_site *site, int shape,
                uint32_t image);

/* teardown.c: workers that go */
void teardown_all(struct pass *pass);

#endif
