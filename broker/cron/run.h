/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - from a schedule's description to the jobs of one instant.
 *
 * A description is one document, or a list of them: the first has the schedule, the others run with
 * it and may wait for each other. */
#ifndef SPILLWAY_CRON_RUN_H
#define SPILLWAY_CRON_RUN_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/job.h"
#include "cron/plan.h"
#include "store/described.h"
#include "store/schedules.h"

/* Its documents; NULL: no such one. */
const json_t *run_document(const json_t *description, size_t number);
size_t run_documents(const json_t *description);

struct run {
    struct described *list;
    struct new_job *rows; /* point into `list` */
    size_t count;
    char *project, *user;
    struct open_most most; /* how many tasks its user may have open; the caller's to fill in */
};
void run_free(struct run *run);
#define own_run own(run_free)

struct run_context {
    const char *project, *user;
    const struct zone *zone;
    int64_t instant, success_s; /* success_s: of the last run that succeeded; 0: none */
};
/* The documents without the schedule, {scheduled_time} and {previous_success} put in: RFC 3339 by
 * the schedule's own clock, "" for none.  Pure. */
int run_make(const json_t *description, const struct run_context *context, struct run *out,
             struct err *err);

/* What is done about an instant, with a `struct plan` as `arg`; `firing_decide` of the store. */
enum firing_action run_decide(void *arg, const struct firing_state *state, const char **why);

/* Fire once, now, whatever the rule says; also when paused.  `most`: of its user. */
int run_trigger(struct store *store, const struct schedule_row *row, const char *by, int64_t now_s,
                const struct open_most *most, struct firing_run *out, struct err *err);

#endif
