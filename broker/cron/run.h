/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - from a schedule's description to the job of one instant. */
#ifndef SPILLWAY_CRON_RUN_H
#define SPILLWAY_CRON_RUN_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/job.h"
#include "cron/plan.h"
#include "store/schedules.h"

/* A job and all that it points to. */
struct run {
    struct job_spec spec;
    char *class_key, *text, *array, *project, *user;
    const char **blobs; /* NULL-terminated, or NULL */
    struct new_job job;
};
void run_free(struct run *run);
#define own_run own(run_free)

struct run_context {
    const char *project, *user;
    const struct zone *zone;
    int64_t instant, success_s; /* success_s: of the last run that succeeded; 0: none */
};
/* The description without its schedule, {scheduled_time} and {previous_success} put in: RFC 3339 by
 * the schedule's own clock, "" for none.  Pure. */
int run_make(const json_t *description, const struct run_context *context, struct run *out,
             struct err *err);

/* What is done about an instant, with a `struct plan` as `arg`; `firing_decide` of the store. */
enum firing_action run_decide(void *arg, const struct firing_state *state, const char **why);

/* Fire once, now, whatever the rule says; also when paused. */
int run_trigger(struct store *store, const struct schedule_row *row, const char *by, int64_t now_s,
                int64_t *job, struct err *err);

#endif
