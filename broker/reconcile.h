/* SPDX-License-Identifier: Apache-2.0 */
/* reconcile.h - a thread per site: makes and removes its workers, and keeps record and site in
 * step. */
#ifndef SPILLWAY_RECONCILE_H
#define SPILLWAY_RECONCILE_H

#include "queue.h"
#include "sites/site.h"
#include "store/store.h"

struct reconcile;
struct reconcile_options {
    struct store *store;
    struct queue *queue;
    struct site *site;
    const char *url, *pin; /* how this site's agents reach the broker; pin NULL: none */
    int64_t orphan_ms;
    void (*changed)(void *arg); /* the site's offer or health is another: decide anew */
    void *arg;
};
/* Strings are copied.  The thread starts with a listing and a probe. */
int reconcile_start(const struct reconcile_options *options, struct reconcile **out,
                    struct err *err);
/* Ends after the call that is under way. */
void reconcile_stop(struct reconcile *reconcile);

/* The site's name. */
const char *reconcile_site(const struct reconcile *reconcile);

/* A worker whose row is there (INTENT) is to be made; `token` is its join token.  Any thread. */
struct make {
    int64_t worker;
    const char *name, *shape, *image, *project, *token;
    const char *container; /* of the one class it is for; NULL: any */
};
void reconcile_make(struct reconcile *reconcile, const struct make *make);
/* Something about its workers changed: look. */
void reconcile_poke(struct reconcile *reconcile);
/* An agent joined: its site learns what the worker turned out to be.  -1: one without the GPUs that
 * its shape promises would serve nobody who asked for it, and another would be made in its place, for
 * ever; it is marked as going, so that nothing is leased to it before that is committed.  With the
 * queue's lock held. */
int reconcile_joined(struct reconcile *reconcile, struct qworker *worker, struct err *err);
/* Probe now, and wait for it up to the deadline. */
int reconcile_probe(struct reconcile *reconcile, int64_t deadline_mono_ms, struct err *err);
/* All that bears our mark there: {"resources": [{"kind", "id", "worker", "state", "age_s",
 * "owned", "cost"}…], "findings": ["a sentence on what is unsafe"…], "reaped": N}.  What workers share is
 * owned while there are any; the cost is so far, of a worker,
 * a volume or a floating address whose price is known. */
int reconcile_audit(struct reconcile *reconcile, bool reap, int64_t deadline_mono_ms, json_t **out,
                    struct err *err);

/* Run `call` on this site's thread and wait for it.  FAULT_UNAVAILABLE: the thread is about to end. */
typedef int reconcile_task(struct site *site, void *arg, struct err *err);
int reconcile_call(struct reconcile *reconcile, reconcile_task *call, void *arg, struct err *err);

#endif
