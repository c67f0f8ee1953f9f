/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - struct broker, for the files that together implement broker.h. */
#ifndef SPILLWAY_INTERNAL_H
#define SPILLWAY_INTERNAL_H

#include <pthread.h>

#include "agents.h"
#include "broker.h"
#include "burst.h"
#include "credentials.h"
#include "dispatch.h"
#include "queue.h"
#include "reconcile.h"
#include "sched/sched.h"
#include "sites/site.h"
#include "world.h"

/* An entry of the configuration that could not be opened: shown, never used. */
struct broken_site {
    const struct site_conf *conf;
    char *why;
};

struct broker {
    const struct broker_conf *conf;
    struct store *store;
    struct queue *queue;
    struct world *world;
    struct agents *agents;
    struct dispatch *dispatch;
    struct credentials *credentials;
    char *pin; /* of our certificate, for agents; NULL: none */

    /* Replaced by broker_reload() only, which holds the lock for writing and the queue's lock. */
    pthread_rwlock_t sites_lock;
    struct site **sites;
    struct reconcile **reconciles;
    size_t site_count;
    struct broken_site *broken;
    size_t broken_count;

    struct burst *burst;  /* NULL: no site has `burst:` */
    pthread_t care;       /* prunes by rule */
    pthread_mutex_t lock; /* all below */
    pthread_cond_t wake;
    bool started, stop;
    void (*events_wake)(void *arg);
    void *events_arg;
};

/* ---- left.c: sites that are not configured any more, and may hold something of ours ---- */

void left_sites(struct broker *broker, json_t *list); /* into a list as of broker_sites() */
void left_tell(struct broker *broker);                /* to the log */

/* Where a class that no job has yet would gain most by starting, by the figures of
 * broker_explain(). */
struct best_start {
    char site[65]; /* "": nowhere */
    int64_t start_ms, overflow_after_ms;
    char why[400]; /* one sentence, when nowhere */
};
/* `gain_ms` stands in for each site's overflow_after, unless it is < 0. */
int broker_best_start(struct broker *broker, const struct job_spec *spec, const char *project,
                      const char *user, int64_t gain_ms, int64_t near_start_ms,
                      struct best_start *out, struct err *err);
/* How long workers have waited in the site's queue of late; -1: not known. */
int64_t broker_learned_wait(struct broker *broker, const char *site);

/* How the parameters of explanations and decisions are made from the configuration. */
void broker_sched_params(const struct broker_conf *conf, struct sched_params *out);

#endif
