/* SPDX-License-Identifier: Apache-2.0 */
/* site_driver.h - what a driver of a site implements.
 *
 * A driver knows how one kind of site makes, lists, inspects and destroys workers, and what the site
 * could give.  It knows nothing of jobs and decides nothing: which shape, when and how often is the
 * caller's (broker/sites/site.h adds deadline, breaker, pacing and the site's name in errors).
 *
 * Threads: one thread per site calls create, list, inspect, diagnose and destroy, one at a time; probe
 * comes from the same thread.  open and close come from the main thread. */
#ifndef SPILLWAY_SITE_DRIVER_H
#define SPILLWAY_SITE_DRIVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "spillway/state.h"

/* What the site offers as one worker: a flavor, a node's room, this machine. */
struct shape {
    char *name;
    int cpus;
    int64_t memory, disk; /* bytes */
    int gpus;
    char *gpu_model;    /* NULL: none */
    int64_t gpu_memory; /* bytes, of each */
    double price_hour;  /* in the site's currency; < 0: not known */
    /* Bytes that a worker of it found, where that is less; 0: not known.  The caller's, not the
     * driver's, to fill in. */
    int64_t memory_seen, disk_seen;
};

/* One line of the site's quota: "instances", "cores", "memory" (bytes), "gpus:V100", "volumes", ... */
struct quota {
    char *name;
    int64_t limit; /* < 0: none */
    int64_t ours;  /* used by what bears our mark */
    int64_t others;
    /* What one worker takes, of a line that its shape says nothing of ("volumes", "ports"); 0: the
     * line is only shown. */
    int64_t per_worker;
};

/* An image of the site file that is on its way to the site, or cannot get there. */
struct awaited_image {
    char *name; /* as jobs call it */
    char *why;
};

struct probe {
    struct shape *shapes;
    size_t shape_count;
    struct quota *quotas;
    size_t quota_count;
    char **images;                 /* names a job may ask for; NULL-terminated or NULL: any */
    struct awaited_image *awaited; /* of the site file's, those that are not there yet */
    size_t awaited_count;
    /* Workers that the quotas count as ours, by name; NULL-terminated or NULL: not told.  What one of
     * them held is free as soon as a list proves that it is gone, without another probe. */
    char **counted;
    int64_t latency_ms;
    int64_t credential_end_ms; /* wall time; 0: does not end */
    json_t *more;              /* an object of what else people may want to see; NULL: nothing */
};
void probe_free(struct probe *probe);

/* A worker to be made. */
struct order {
    const char *name;   /* unique: "spillway-BROKER8-WORKERID" */
    const char *broker; /* the broker's UUID: the mark every resource bears */
    int64_t worker;     /* our id of it */
    const char *shape, *image, *project;
    const char
        *container; /* of a per_image site: the image of the one class it serves; NULL: any */
    /* Boot payload, a JSON object: {"url", "worker", "token", "pin", "orphan_ms", ...}.  The token is the
     * one secret in it and dies at its first use. */
    const char *boot;
    int64_t deadline_mono_ms; /* for the call, not for the boot */
};

enum instance_state { INSTANCE_BOOTING, INSTANCE_ACTIVE, INSTANCE_FAILED, INSTANCE_GONE };

/* Something at the site that bears our mark. */
struct resource {
    char *kind;    /* "worker", or "port", "volume", "floating-ip", "secret", ... */
    char *id;      /* the site's own name of it */
    char *name;    /* order->name of the worker that it belongs to; NULL: of none */
    bool kept;     /* one without a name: not to be destroyed now, though no worker is left */
    int64_t bytes; /* of a volume; else 0 */
    enum instance_state state;
    char *detail;       /* the site's words for its state; may be NULL */
    enum fault fault;   /* of a failed one: what kind, where the site says; else FAULT_NONE */
    enum reason reason; /* of a failed one: what that is to its jobs, where it says; else NONE */
    int64_t created_ms;
    int64_t start_ms; /* of a booting one: when the site expects it to start; 0: it does not say */
    /* It answers us, and will not have us: a boot that failed.  Once its agent joined, lease and grace
     * decide, as always when contact is lost. */
    bool refused;
};
struct resources_list {
    struct resource *list;
    size_t count;
};
void resource_list_free(struct resources_list *list);
/* A further one, made of copies, all else zero; good until the next is added. */
struct resource *resource_list_add(struct resources_list *list, const char *kind, const char *id,
                                   const char *name);

struct site_conf; /* broker/conf/site.h */
struct site_home; /* site_home.h */

/* A file in a site's own folder, from before something that is no worker is made there until it is
 * gone: so that it is known of though the site is taken out of the configuration. */
#define SITE_KEEPS "made"

#define SITE_CREATES_MOST  32 /* in one create_many */
#define SITE_DESTROYS_MOST 32 /* in one destroy_many */

struct site_driver {
    const char *type;  /* as in `type:` of a site file */
    int64_t settle_ms; /* a listing taken this long after a change surely shows it */
    bool single;       /* the site is the broker's own machine: one worker, reached by its socket */
    bool per_image;    /* a worker made for a container serves that class alone */
    bool uploads;      /* it brings images there, where the site file says from where */
    bool shares;       /* `list` shows what workers share, and destroy() of no name removes it */

    /* The table for a site whose file asks for another kind of worker.  NULL: always this one. */
    const struct site_driver *(*other)(const struct site_conf *conf);
    /* Read this site's part of the configuration.  No network: a broken site must not stop the broker.
     * `dir`: a folder of this site's own, for what it must keep; made by who first needs it. */
    int (*open)(const struct site_conf *conf, const char *dir, void **self, struct err *err);
    void (*close)(void *self);
    /* What could start now.  May block until the deadline. */
    int (*probe)(void *self, int64_t deadline_mono_ms, struct probe *out, struct err *err);
    /* Start one worker called order->name.  May block until the deadline.  Called again after a crash
     * with the same name: find the one that exists and return 0. */
    int (*create)(void *self, const struct order *order, struct err *err);
    /* The same for `count` (2 to SITE_CREATES_MOST) at once, each with its own outcome in errs[i]
     * (FAULT_NONE: made), to have many calls in flight or one for all.  NULL: create is called for
     * each. */
    void (*create_many)(void *self, const struct order *orders, size_t count, struct err *errs);
    /* All that bears the mark of `broker`, all pages. */
    int (*list)(void *self, const char *broker, int64_t deadline_mono_ms,
                struct resources_list *out, struct err *err);
    /* State of one worker, with the site's words for a fault in `detail`. */
    int (*inspect)(void *self, const char *name, int64_t deadline_mono_ms, enum instance_state *out,
                   struct buf *detail, struct err *err);
    /* Console log, pod events, batch stderr.  NULL where the site keeps none. */
    int (*diagnose)(void *self, const char *name, int64_t deadline_mono_ms, struct buf *out,
                    struct err *err);
    /* Remove the worker and all that came with it, in order.  Gone already is success.  The caller asks
     * `list` until it no longer shows.  `name` NULL, only where `shares` is set and `list` showed things
     * without one: what workers share, now that there are none. */
    int (*destroy)(void *self, const char *name, int64_t deadline_mono_ms, struct err *err);
    /* The same for `count` (2 to SITE_DESTROYS_MOST) at once, each with a name and its own outcome in
     * errs[i].  NULL: destroy is called for each. */
    void (*destroy_many)(void *self, const char *const *names, size_t count,
                         int64_t deadline_mono_ms, struct err *errs);
    /* A descriptor that becomes readable when a worker may have changed state, or -1.  NULL: none. */
    int (*watch_fd)(void *self);
    /* What an operator should know of how safe the account and the site are: sentences, added to the
     * array.  NULL: nothing can be said. */
    int (*audit)(void *self, int64_t deadline_mono_ms, json_t *findings, struct err *err);
    /* How often the site was asked in the last minute, and how often it may be, in calls or commands.
     * Any thread may ask.  NULL: not counted. */
    void (*calls)(void *self, int *last_minute, int *most);
    /* The queue that its users fill without us.  NULL: it has none. */
    const struct site_home *home;
};

#endif
