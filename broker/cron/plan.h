/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - what a schedule wants done at a given moment.  Pure: no clock, no I/O, no globals.
 *
 * A plan is a schedule's description made ready.  Its position is one mark: every instant up to it
 * has been dealt with, whether fired, skipped or counted as missed.  plan_due() says which instants
 * have come since, which of them are to fire, and where the mark goes; the caller commits the mark
 * together with the firings.
 *
 * Nothing fires twice: instants come from behind the mark only, a clock's time that was fired is
 * not fired again when its zone's rules change, and should the system's clock go back, the mark
 * goes back with it while the store's unique key on (schedule, instant) refuses what was fired. */
#ifndef SPILLWAY_CRON_PLAN_H
#define SPILLWAY_CRON_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cron/expr.h"
#include "cron/zone.h"

#define PLAN_LATE_S        60   /* an instant seen this much later was missed: catch_up decides */
#define PLAN_ON_TIME_MOST  1000 /* at one moment; what is beyond counts as late */
#define PLAN_CATCH_UP_MOST 100  /* default of catch_up_most */
#define PLAN_QUEUE_MOST    10   /* runs that wait for the one before, with overlap: queue */
#define PLAN_ZONE_DEFAULT  "UTC"

enum overlap { OVERLAP_SKIP, OVERLAP_QUEUE, OVERLAP_REPLACE, OVERLAP_ALLOW };
enum catch_up { CATCH_UP_LATEST, CATCH_UP_NONE, CATCH_UP_ALL };

struct plan {
    struct cron cron;
    uint64_t seed;
    enum overlap overlap;
    enum catch_up catch_up;
    int catch_up_most;
    int64_t start, end; /* first and last second allowed; ZONE_PAST, ZONE_FUTURE: open */
    int64_t jitter_s;   /* starts are put off by up to this */
    int64_t prepare_ms; /* 0: no; < 0: auto */
    int64_t late_ms;    /* a run not started by then is told of; 0: no */
    int pause_after;    /* failures in a row; 0: never */
    int keep;           /* firings kept in the history; 0: the broker's default */
    bool after_success; /* a run waits until the one before has succeeded */
    bool paused;
};

/* The time zone that a description names; PLAN_ZONE_DEFAULT when none. */
const char *plan_zone(const json_t *schedule);
/* From `schedule:` of a job, as conf/job.h checks it.  `seed`: of H and jitter (cron_seed of what
 * names the schedule).  Faults begin with the key: "cron: hour: '25' is not between 0 and 23". */
int plan_parse(const json_t *schedule, uint64_t seed, struct plan *out, struct err *err);

/* Of a job's project (NULL: none given) and name. */
uint64_t plan_seed(const char *project, const char *name);

/* An instant, and when its run starts: jitter later, the same for one seed on every machine. */
int64_t plan_start(const struct plan *plan, int64_t instant);
/* The first instant behind the mark; 1: no more. */
int plan_next(const struct plan *plan, const struct zone *zone, struct cron_mark mark,
              struct cron_time *out);

struct plan_due {
    struct cron_time *fire; /* oldest first; free() it */
    size_t count;
    int64_t missed;   /* instants passed over by catch_up */
    bool missed_more; /* and more, not counted one by one */
    int64_t missed_first, missed_last;
    struct cron_mark mark; /* where it stands now */
    bool clock_back;       /* `now` lies before the mark, which was put back */
    bool ended;            /* nothing comes after the mark, ever */
    struct cron_time next; /* what comes; unless ended */
};
/* What to do at `now`, the mark being where it was left. */
void plan_due(const struct plan *plan, const struct zone *zone, struct cron_mark mark, int64_t now,
              struct plan_due *out);

/* What becomes of an instant while `active` runs of the schedule have not ended, `waiting` of which
 * have not begun. */
enum plan_action {
    PLAN_FIRE,
    PLAN_SKIP,    /* overlap: skip, or queue with too many waiting */
    PLAN_BEHIND,  /* make the job, depending on the end of the last run */
    PLAN_REPLACE, /* cancel those, then fire */
};
enum plan_action plan_overlap(const struct plan *plan, int active, int waiting);

#endif
