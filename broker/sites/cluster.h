/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.h - a Kubernetes cluster that is made when a worker is ordered, and removed when idle.
 *
 * One cluster for each site, found again by its name.  The first order begins it and waits here until
 * it is up, as do those that need more nodes than there are; from then on the functions of
 * kubernetes_driver make, list and remove the workers.  Whether an order comes at all is the
 * scheduler's, for whom the cluster's birth is part of a long boot.  Nothing is written down but the
 * id of a cluster that was once reached: after a crash the orders that waited are lost, their rows
 * say so, and the cluster is found and used, or removed once it has idled.
 *
 * How a cluster is made is the maker's: a stack of Heat's, or Magnum.  Calls come from the site's own
 * thread. */
#ifndef SPILLWAY_CLUSTER_H
#define SPILLWAY_CLUSTER_H

#include "conf/site.h"
#include "sites/kubernetes/driver.h"
#include "spillway/site_driver.h"

enum cluster_phase {
    CLUSTER_ABSENT,
    CLUSTER_MAKING,
    CLUSTER_UP,       /* with `words`: but its last change failed */
    CLUSTER_CHANGING, /* it is up, and its size changes */
    CLUSTER_LEAVING,
    CLUSTER_BROKEN, /* it never was up, or could not be removed */
};

/* The cluster as its maker's API shows it; `id` and `words` are owned, NULL: none. */
struct cluster_seen {
    enum cluster_phase phase;
    char *id, *words;
    enum fault fault; /* of what `words` tell */
    int64_t created_ms;
    int64_t nodes; /* < 0: not told */
};
void cluster_seen_fini(struct cluster_seen *seen);
#define own_cluster_seen own(cluster_seen_fini)

/* What Heat's and Magnum's words for a state mean: "UPDATE_IN_PROGRESS". */
enum cluster_phase cluster_phase_of(const char *status);

struct cluster_maker {
    /* By its name; what bears it twice is the maker's to tidy. */
    int (*look)(void *self, const char *broker, const char *name, int64_t deadline_mono_ms,
                struct cluster_seen *out, struct err *err);
    /* Begin it.  Only called when `look` found none. */
    int (*make)(void *self, const char *broker, const char *name, int64_t nodes,
                int64_t deadline_mono_ms, struct err *err);
    /* How to log in to one that is up. */
    int (*enter)(void *self, const struct cluster_seen *seen, int64_t deadline_mono_ms,
                 struct kube_conf *out, struct err *err);
    /* Begin to give it that many nodes. */
    int (*resize)(void *self, const struct cluster_seen *seen, int64_t nodes,
                  int64_t deadline_mono_ms, struct err *err);
    /* Begin to take away at most `most` of these nodes, and no other; returns of how many, 0: it can
     * take none of them. */
    int (*shrink)(void *self, const struct cluster_seen *seen, const struct kube_nodes *idle,
                  int64_t most, int64_t deadline_mono_ms, struct err *err);
    /* Begin to remove it; gone already is success. */
    int (*remove)(void *self, const struct cluster_seen *seen, int64_t deadline_mono_ms,
                  struct err *err);
    /* What its parts say of their faults. */
    int (*faults)(void *self, const struct cluster_seen *seen, int64_t deadline_mono_ms,
                  struct buf *out, struct err *err);
    int64_t (*credential_end)(void *self); /* wall time; 0: it does not end */
    void (*close)(void *self);
};

/* The keys of a site file that are read here, NULL-terminated, besides kubernetes_keys. */
extern const char *const cluster_keys[];
/* Refuse what is neither in `own` nor in cluster_keys nor in kubernetes_keys. */
int cluster_only(const struct site_conf *conf, const char *const *own, struct err *err);
/* Takes `maker_self`, also after a fault.  `resizes`: the maker can.  *self is for the functions
 * below. */
int cluster_open(const struct site_conf *conf, const char *dir, const struct cluster_maker *maker,
                 void *maker_self, bool resizes, void **self, struct err *err);

/* Of struct site_driver. */
#define CLUSTER_SETTLE_MS 5000
void cluster_close(void *self);
int cluster_probe(void *self, int64_t deadline_mono_ms, struct probe *out, struct err *err);
int cluster_create(void *self, const struct order *order, struct err *err);
void cluster_create_many(void *self, const struct order *orders, size_t count, struct err *errs);
int cluster_list(void *self, const char *broker, int64_t deadline_mono_ms,
                 struct resources_list *out, struct err *err);
int cluster_inspect(void *self, const char *name, int64_t deadline_mono_ms,
                    enum instance_state *out, struct buf *detail, struct err *err);
int cluster_diagnose(void *self, const char *name, int64_t deadline_mono_ms, struct buf *out,
                     struct err *err);
int cluster_destroy(void *self, const char *name, int64_t deadline_mono_ms, struct err *err);
int cluster_watch_fd(void *self);
int cluster_audit(void *self, int64_t deadline_mono_ms, json_t *findings, struct err *err);

/* The slots of a site_driver that are the same for every maker. */
#define CLUSTER_DRIVER                                                                         \
    .settle_ms = CLUSTER_SETTLE_MS, .per_image = true, .shares = true, .close = cluster_close, \
    .probe = cluster_probe, .create = cluster_create, .create_many = cluster_create_many,      \
    .list = cluster_list, .inspect = cluster_inspect, .diagnose = cluster_diagnose,            \
    .destroy = cluster_destroy, .watch_fd = cluster_watch_fd, .audit = cluster_audit

#endif
