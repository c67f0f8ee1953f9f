/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - struct broker, for the files that together implement broker.h. */
#ifndef SPILLWAY_INTERNAL_H
#define SPILLWAY_INTERNAL_H

#include <pthread.h>

#include "agents.h"
#include "broker.h"
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

    pthread_t care;       /* prunes by rule */
    pthread_mutex_t lock; /* all below */
    pthread_cond_t wake;
    bool started, stop;
    void (*events_wake)(void *arg);
    void *events_arg;
};

/* How the parameters of explanations and decisions are made from the configuration. */
void broker_sched_params(const struct broker_conf *conf, struct sched_params *out);

#endif
