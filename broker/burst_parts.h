/* SPDX-License-Identifier: Apache-2.0 */
/* burst_parts.h - what the parts of burst.c share. */
#ifndef SPILLWAY_BURST_PARTS_H
#define SPILLWAY_BURST_PARTS_H

#include <jansson.h>

#include "conf/broker.h"
#include "reconcile.h"
#include "spillway/site_home.h"
#include "store/bursts.h"

/* A row in memory; its strings are owned. */
struct away {
    struct burst_row row;
    char *site, *home, *user, *project, *name, *why;
    json_t *detail; /* {"job", "why", "spec", "script", "home_start", "end"} */
    struct home_job job;
};

/* One site, during one turn. */
struct turn {
    struct broker *broker;
    struct reconcile *reconcile;
    const struct site_conf *conf;
    struct home_jobs waiting; /* the site's own queue */
    int64_t listed_ms;
    bool moved; /* something went on: look again soon */
};

/* ---- burst_call.c: the site's own queue, on the site's thread */

int burst_waiting(struct turn *turn, struct err *err);
int burst_detail(struct turn *turn, struct home_job *job, struct buf *script, struct err *err);
int burst_hold(struct turn *turn, const char *id, struct err *err);
int burst_release(struct turn *turn, const char *id, struct err *err);
int burst_list_files(struct turn *turn, const struct home_job *job, size_t most,
                     struct home_files *out, struct err *err);
int burst_hash(struct turn *turn, const struct home_job *job, struct home_files *files,
               struct err *err);
int burst_get(struct turn *turn, const struct home_job *job, const struct home_file *file, int to,
              struct err *err);
int burst_stage(struct turn *turn, const char *key, const char *local, const char *path, int mode,
                int64_t size, struct err *err);
int burst_bring(struct turn *turn, const struct home_job *job, const struct home_end *end,
                struct err *err);
int burst_end(struct turn *turn, const struct home_job *job, const struct home_end *end,
              struct err *err);
int burst_account(struct turn *turn, const struct home_job *job, const struct home_end *end,
                  struct err *err);

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

/* The files it declares, or its folder, into the store; the description gets its inputs.
 * FAULT_INVALID: it cannot be carried. */
int burst_fetch(struct turn *turn, struct away *away, struct err *err);
/* Results and output of our job's attempt, as far as its folder. */
int burst_return(struct turn *turn, struct away *away, int64_t attempt, const struct home_end *end,
                 struct err *err);

#endif
