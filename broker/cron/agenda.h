/* SPDX-License-Identifier: Apache-2.0 */
/* agenda.h - all schedules in order of what comes next; memory's index over the store's record.
 *
 * No thread and no clock: who owns it says what time it is (timer.c, tests).  One thread at a time.
 * A tick with nothing due looks at the first entry and is done. */
#ifndef SPILLWAY_CRON_AGENDA_H
#define SPILLWAY_CRON_AGENDA_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/schedules.h"

#define AGENDA_NEVER INT64_MAX

struct agenda;

/* What became of a run, and whose it is; the strings live until the call returns. */
typedef void agenda_ended(void *arg, const struct schedule_row *row, const struct ended_run *run);

/* The next run of a schedule with `prepare:`, as far as it waits for nothing else. */
struct coming_class {
    const char *class_key;
    int64_t tasks;
};
struct coming_run {
    int64_t at_ms;
    int64_t prepare_ms; /* < 0: as long as a worker takes */
    struct coming_class classes[SCHEDULE_JOBS_MOST];
    size_t class_count;
};
/* NULL: none comes.  The strings live until the call returns. */
typedef void agenda_coming(void *arg, int64_t schedule, const struct coming_run *run);
/* Whether the user may still make jobs of the project, and how many open tasks she may have; `most`
 * is "any number" before.  FAULT_AUTH in *why: she may not, and the schedule is paused. */
typedef bool agenda_may(void *arg, const char *user, const char *project, struct open_most *most,
                        struct err *why);
/* Who is asked and told, from the functions below; NULL: nobody. */
struct agenda_hooks {
    agenda_coming *coming;
    agenda_may *may;
    void *arg;
};

struct agenda *agenda_new(struct store *store);
/* Before agenda_load(). */
void agenda_hook(struct agenda *agenda, const struct agenda_hooks *hooks);
void agenda_free(struct agenda *agenda);
/* All schedules, at start.  One whose rule cannot be used any more is left out, and told of. */
int agenda_load(struct agenda *agenda, struct err *err);
/* One, after it was added, changed, paused, resumed or removed. */
int agenda_reload(struct agenda *agenda, int64_t id, struct err *err);
size_t agenda_count(const struct agenda *agenda);

/* When the next run starts, in seconds; AGENDA_NEVER: none will. */
int64_t agenda_next(const struct agenda *agenda);
/* Fire what is due, a bounded number at once.  1: there is more.  After a fault what was due is
 * tried again RETRY_S later. */
int agenda_tick(struct agenda *agenda, int64_t now_s, struct err *err);
/* Note ends of runs; `ended` (or NULL) is told of each.  1: there is more. */
int agenda_settle(struct agenda *agenda, int64_t now_ms, agenda_ended *ended, void *arg,
                  struct err *err);
/* Tell of the next runs that workers are prepared for, where they changed since the last call. */
void agenda_prepare(struct agenda *agenda);
/* The system's clock was set. */
void agenda_clock_set(struct agenda *agenda, int64_t now_s);
/* Zones whose files changed are read again; returns how many. */
size_t agenda_refresh_zones(struct agenda *agenda);

#endif
