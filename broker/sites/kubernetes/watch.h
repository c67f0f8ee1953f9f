/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - what bears our mark in a namespace, kept up to date by one watch a kind.
 *
 * A thread of its own lists Jobs, Pods, Events and ConfigMaps once, then follows their changes from
 * the list's resourceVersion on, with bookmarks; a watch that ends is taken up where it ended, after
 * a 410 Gone the kind is listed anew.  While a kind is not followed, watch_each() says so: a broken
 * link must decide nothing.  Questions about workers are answered from here and cost no request. */
#ifndef SPILLWAY_KUBERNETES_WATCH_H
#define SPILLWAY_KUBERNETES_WATCH_H

#include "sites/kubernetes/client.h"
#include "sites/kubernetes/judge.h"

#define LABEL_BROKER "spillway.io/broker"
#define LABEL_WORKER "spillway.io/worker"
#define NOTE_SHAPE   "spillway.io/shape" /* an annotation */

struct watch;

struct watch_options {
    const struct kube_conf *conf;
    struct login *login;
    const char *site; /* its name, for the log */
    const char *namespace, *broker;
    bool configmaps;              /* are made here, and must be looked for */
    int64_t room_ms, registry_ms; /* how long a pod may wait for these */
    int wake;                     /* an eventfd, written when a worker changed */
};

/* One worker as it stands. */
struct tracked {
    const char *name;
    const char *uid; /* of its Job; NULL: there is no Job */
    bool job_leaves; /* being deleted */
    const char *pod; /* NULL: none */
    bool pod_leaves;
    const char *node;
    const char *shape;  /* it was made with; NULL: not known */
    struct asked asked; /* by its pod */
    int64_t created_ms; /* wall time */
    struct verdict verdict;
};

int watch_start(const struct watch_options *options, struct watch **out, struct err *err);
void watch_stop(struct watch *watch);
/* Wait until all kinds are followed. */
int watch_ready(struct watch *watch, int64_t deadline_mono_ms, struct err *err);
/* Each worker of which there is anything, with the lock held: no calls back into here. */
typedef void watch_each_worker(void *arg, const struct tracked *worker);
void watch_each(struct watch *watch, watch_each_worker *each, void *arg);
/* False: nothing is known of it. */
bool watch_find(struct watch *watch, const char *name, watch_each_worker *each, void *arg);
/* We made this Job just now: it counts from here on, whenever its event comes. */
void watch_made(struct watch *watch, const json_t *job);
/* ConfigMaps with our mark: their names, as many as fit; returns how many there are. */
size_t watch_configmaps(struct watch *watch, char names[][64], size_t most);

#endif
