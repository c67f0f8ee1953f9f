/* SPDX-License-Identifier: Apache-2.0 */
/* schedules.h - recurring jobs in the record: their versions, where they stand, what they fired.
 *
 * A firing is committed together with the job it makes and with the schedule's new mark, under the
 * key (schedule, instant): whatever dies when, an instant fires once.  The rules of store.h hold:
 * any thread may call, no lock held.  What is due and what a rule means is the caller's
 * (broker/cron/); nothing here reads a cron line. */
#ifndef SPILLWAY_STORE_SCHEDULES_H
#define SPILLWAY_STORE_SCHEDULES_H

#include "store/store.h"

#define SCHEDULE_NAME_MOST   128
#define SCHEDULE_ACTIVE_MOST 64   /* runs not ended that a decision is shown */
#define SCHEDULE_JOBS_MOST   64   /* in one run: the documents of a description */
#define SCHEDULE_KEEP        1000 /* firings kept when the description does not say */
#define SCHEDULE_KEEP_LEAST \
    100 /* always kept: they are what a clock set back is checked against \
         */

enum schedule_pause { SCHEDULE_RUNS, SCHEDULE_PAUSED, SCHEDULE_FAILING /* by pause_after */ };

struct schedule_row {
    int64_t id;
    const char *name, *project, *user;
    int version;
    int64_t created_ms, updated_ms;
    enum schedule_pause paused;
    const char *paused_why; /* NULL while it runs */
    int64_t mark_utc, mark_local;
    int64_t failures;                     /* in a row */
    int64_t success_s;                    /* instant of the last run that succeeded; 0: none yet */
    const char *rule;                     /* `schedule:` of the description, as JSON */
    const char *spec;                     /* the description; NULL unless asked for one */
    int64_t last_s, last_job, last_at_ms; /* the last instant that made jobs, and when; 0: none */
    int64_t last_jobs;                    /* how many, from last_job on */
    int last_state; /* enum task_state of that run's end; -1: not ended, or none */
};

/* ---- adding and changing */

struct schedule_put {
    const char *name, *project, *user, *rule, *spec;
    int64_t mark_utc;   /* where a new rule starts: now */
    int64_t mark_local; /* "not known" in the caller's terms */
    bool paused;
    int pause_after, keep; /* 0: never; the default */
    int64_t late_ms;       /* 0: nobody is told */
    const char *notify;    /* who is told of its runs, as JSON; NULL: nobody */
    const char *const
        *blobs;          /* NULL-terminated: inputs of this version, kept while it is the last */
    int64_t id;          /* out */
    int version;         /* out */
    bool added, changed; /* out; neither: it was there just so */
};
/* All or none.  A name is the user's own: another's may be the same.  FAULT_INVALID: a blob that
 * the user has not uploaded. */
int store_schedule_put(struct store *store, struct schedule_put *list, size_t count,
                       struct err *err);
/* `why` is told; SCHEDULE_RUNS goes on from the marks given.  1: no such schedule. */
int store_schedule_pause(struct store *store, int64_t id, enum schedule_pause paused,
                         const char *why, int64_t mark_utc, int64_t mark_local, struct err *err);
/* Pause it because its user may not use its project any more; told as its failure.  1: there is no
 * such schedule, or it does not run. */
int store_schedule_deny(struct store *store, int64_t id, const char *why, struct err *err);
/* With its versions and history; jobs stay.  1: no such schedule. */
int store_schedule_rm(struct store *store, int64_t id, const char *by, struct err *err);
/* `changed` is called (the writer's thread, keep it short) after each of the above, and not after
 * firings.  NULL: nobody; after that returns it is not called any more. */
void store_on_schedules(struct store *store, void (*changed)(void *arg, int64_t id), void *arg);

/* ---- reading */

typedef bool store_schedule_each(void *arg, const struct schedule_row *row);
/* In order of id, those above `after`, without `spec`. */
int store_schedules(struct store *store, int64_t after, store_schedule_each *each, void *arg,
                    struct err *err);
/* One, with its `spec`; nothing is called when there is none. */
int store_schedule(struct store *store, int64_t id, store_schedule_each *each, void *arg,
                   struct err *err);
/* 1: none such. */
int store_schedule_find(struct store *store, const char *user, const char *name, int64_t *id,
                        struct err *err);
/* The description of one version, appended; 1: none such. */
int store_schedule_spec(struct store *store, int64_t id, int version, struct buf *out,
                        struct err *err);

enum firing_outcome {
    FIRING_FIRED,
    FIRING_SKIPPED,
    FIRING_REFUSED,
    FIRING_MISSED,
    FIRING_WAITING /* due, but its user has as many open tasks as she may: tried again */
};
struct firing_row {
    int64_t instant;
    int version;
    int64_t at_ms; /* when it was committed */
    int64_t job;   /* 0: none */
    int64_t jobs;  /* so many, with ids that follow each other */
    enum firing_outcome outcome;
    bool manual, late;
    int64_t ended_ms; /* 0: not yet */
    int state;        /* enum task_state of the end; -1: not ended */
    int64_t missed,
        missed_first; /* of FIRING_MISSED: instants passed over, the last is `instant` */
    const char *why;  /* NULL: nothing to say */
};
typedef bool store_firing_each(void *arg, const struct firing_row *row);
/* Newest first, those before the instant `before` (INT64_MAX: all). */
int store_firings(struct store *store, int64_t schedule, int64_t before, int64_t limit,
                  store_firing_each *each, void *arg, struct err *err);

/* ---- firing */

struct firing_run {
    int64_t job, jobs; /* the first, and how many: ids of one run follow each other */
};
struct firing_state {                             /* of a schedule, as it is in the transaction */
    int active, waiting;                          /* runs not ended; of these, not begun */
    struct firing_run runs[SCHEDULE_ACTIVE_MOST]; /* newest first */
    int64_t last_job;                             /* of the last run, ended or not; 0: none */
    int last_state;                               /* its end; -1: not ended, or none */
};
enum firing_action {
    FIRING_GO,
    FIRING_SKIP,
    FIRING_BEHIND,         /* wait for the end of the newest run */
    FIRING_BEHIND_SUCCESS, /* wait for its success */
    FIRING_REPLACE         /* wait for the end of all, and cancel them: `cancel` */
};
/* Called from the writer's thread; *why may be set for the history (static text). */
typedef enum firing_action firing_decide(void *arg, const struct firing_state *state,
                                         const char **why);

enum firing_result {
    FIRING_DONE,    /* made its jobs, or was recorded as skipped, refused or missed */
    FIRING_ALREADY, /* this instant was dealt with */
    FIRING_STALE,   /* the schedule is gone, paused, or of another version */
    FIRING_WAITS    /* too many open tasks now; the mark stands before it, `refused` says why */
};
struct firing {
    int64_t schedule;
    int version;
    int64_t instant;
    bool manual; /* also when paused; the mark stays */
    int64_t mark_utc, mark_local;
    int64_t before_utc, before_local; /* where the mark stays if this one waits */
    /* NULL: `missed` instants passed over, from missed_first on; or, with 0, refused for `why` */
    struct new_job *jobs;
    size_t job_count;
    const struct open_most *most; /* NULL: any number */
    int64_t missed, missed_first;
    const char *why; /* for the history; may be NULL */
    firing_decide *decide;
    void *arg;
    enum firing_result result;                      /* out */
    enum firing_outcome outcome;                    /* out, of FIRING_DONE */
    struct firing_run cancel[SCHEDULE_ACTIVE_MOST]; /* out: whose jobs are to be cancelled */
    int cancel_count;
    struct err refused; /* out, of FIRING_REFUSED and FIRING_WAITS */
};
/* In order; each stands alone, but for those behind one of the same schedule that waits: they wait
 * as well.  All are committed together. */
int store_fire(struct store *store, struct firing *list, size_t count, struct err *err);

/* What became of runs: those that ended, and those late to begin, since the last call. */
struct ended_run {
    int64_t schedule, instant, job;
    bool late;                   /* has not begun in time; else: it ended */
    int state;                   /* enum task_state of the end */
    int64_t failures, success_s; /* of the schedule, after it */
    bool recovered;              /* succeeded after failures */
    bool paused;                 /* by this failure */
};
/* *out is the caller's to free().  At most ENDED_MOST at once. */
#define ENDED_MOST 1000
int store_firings_settle(struct store *store, int64_t now_ms, struct ended_run **out, size_t *count,
                         struct err *err);

#endif
