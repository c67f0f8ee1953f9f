/* SPDX-License-Identifier: Apache-2.0 */
/* burst_parts.h - what the parts of burst.c share. */
#ifndef SPILLWAY_BURST_PARTS_H
#define SPILLWAY_BURST_PARTS_H

#include <jansson.h>

#include "conf/broker.h"
#include "reconcile.h"
#include "spillway/site_home.h"
#include "store/bursts.h"

#define ORDERS_MOST 16 /* jobs in one command */

/* A row in memory; its strings are owned. */
struct away {
    struct burst_row row;
    char *site, *home, *user, *project, *name, *why;
    json_t *detail; /* {"job", "why", "spec", "script", "home_start", "end"} */
    struct home_job job;
    struct home_end end; /* by end_of() */
    char key[128];
    bool rests; /* until the next turn */
};

/* One site, during one turn. */
struct turn {
    struct broker *broker;
    struct reconcile *reconcile;
    const struct site_conf *conf;
    const struct site_home *home;
    struct away **aways; /* what is not done yet */
    size_t away_count;
    struct home_jobs waiting; /* the site's own queue */
    int64_t listed_ms;
    bool moved; /* something went on: look again soon */
};

/* ---- burst_call.c: the site's own queue, on the site's thread */

int burst_waiting(struct turn *turn, struct err *err);
/* One call for up to ORDERS_MOST; `bytes` to be read for it. */
void burst_call(struct turn *turn, const char *what, home_call *many, struct home_order *orders,
                size_t count, int64_t bytes);
int burst_get(struct turn *turn, const struct home_job *job, const struct home_file *file, int to,
              struct err *err);
int burst_stage(struct turn *turn, const char *key, const char *local, const char *path, int mode,
                int64_t size, struct err *err);

/* ---- burst_rule.c: which jobs, and as what */

/* Is it one of those that the site file names? */
bool burst_is_watched(const struct site_burst *rule, const struct home_job *job);
/* A description of it without its files.  Owned by the caller; NULL on a fault. */
json_t *burst_describe(const struct home_job *job, const char *site, const char *script,
                       size_t length, bool with_mail, struct err *err);
/* The project it is charged to, the user it is of. */
const char *burst_project(const struct broker_conf *conf, const struct home_job *job);
const char *burst_user(const struct home_job *job, char *out, size_t size);
/* 1: it gains by going, and *why says how much; 0: it does not, and *why says so.  *home_start_ms:
 * when it would start at home. */
int burst_gains(struct turn *turn, const struct home_job *job, const json_t *spec,
                const char *project, const char *user, int64_t *home_start_ms, char **why,
                struct err *err);

/* ---- burst_files.c: there and back */

/* The files that each declares, or its folder, into the store; the descriptions get their inputs.
 * FAULT_INVALID: it cannot be carried. */
void burst_fetch(struct turn *turn, struct away *const *aways, struct home_order *orders,
                 size_t count);
/* Results and output of our job's attempt, as far as our own folder there. */
int burst_stage_results(struct turn *turn, struct away *away, int64_t attempt, struct err *err);

/* ---- burst_steps.c: each job as far as it goes */

struct away *away_new(const struct burst_row *row);
void away_free(struct away *away);
/* One that waits for room elsewhere, or will. */
bool away_waits(struct turn *turn, const struct away *away);
/* All of the turn's, in the order of the steps; `stopping` ends it between two of them. */
void burst_steps(struct turn *turn, bool (*stopping)(void *arg), void *arg);
/* What is kept of the site's job. */
json_t *home_job_json(const struct home_job *job);

#endif
