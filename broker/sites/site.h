/* SPDX-License-Identifier: Apache-2.0 */
/* site.h - a site as the broker uses it: its driver, behind a deadline, a breaker and its name.
 *
 * What the last probe said is published as an offer that readers hold a reference to, so that the
 * scheduler never waits for a site.  Calls that reach the site come from that site's own thread;
 * site_offer() and the setters may be called from any.  Knows nothing of the store. */
#ifndef SPILLWAY_SITE_H
#define SPILLWAY_SITE_H

#include "conf/site.h"
#include "sched/learn.h"
#include "spillway/placement.h"
#include "spillway/site_driver.h"
#include "spillway/site_home.h"

struct site;

/* What a site could give, as last seen.  Immutable; freed with its last reference. */
struct site_offer {
    struct probe probe;
    uint64_t generation; /* never the same for two offers */
    int64_t probed_ms;   /* wall time; 0: never yet */
    int references;
};

/* The site's health at one instant, copied out. */
struct site_health {
    enum site_mode mode;
    bool up;          /* the last call that says so was answered */
    char why[256];    /* the last fault's words, "" when there is none */
    enum fault fault; /* its type */
    int64_t fault_ms; /* wall time of the last fault; 0: none */
    struct breaker breaker;
    int64_t calls, faults; /* since start */
};

/* Names of sites, configured or not, that may hold something of ours besides workers. */
void sites_kept(const char *state, void (*each)(void *arg, const char *name), void *arg);

/* `conf` must outlive the site; its folder is STATE/sites/NAME.  An unknown type is FAULT_INVALID
 * and names those there are. */
int site_open(const struct site_conf *conf, const char *state, struct site **out, struct err *err);
void site_close(struct site *site);
const struct site_conf *site_conf_of(const struct site *site);
const char *site_name(const struct site *site);
/* What kind of site it is: settle_ms, single, per_image. */
const struct site_driver *site_traits(const struct site *site);
/* What it can do with the site's own queue, and its object; NULL: the site has none.  Called on the
 * site's thread. */
const struct site_home *site_home(const struct site *site, void **self);
/* Calls of the last minute and the most that there may be; false: this kind of site counts none. */
bool site_calls(struct site *site, int *last_minute, int *most);
/* The driver's watch descriptor, or -1. */
int site_watch_fd(struct site *site);

/* What workers held that an offer still counts, and that are gone. */
struct site_freed {
    int64_t workers, cpus, memory, disk;
};
/* The site's list proves that this worker is gone. */
void site_gone(struct site *site, const char *name, const char *shape);
/* Since `offer` was probed. */
void site_freed(struct site *site, const struct site_offer *offer, struct site_freed *out);

struct site_offer *site_offer(struct site *site); /* never NULL; give it back with: */
void site_offer_put(struct site *site, struct site_offer *offer);
/* Others hold what one more worker would need: nobody tells us when they let go of it. */
bool site_filled_by_others(struct site *site);
void site_health(struct site *site, struct site_health *out);
void site_set_mode(struct site *site, enum site_mode mode);
/* The breaker of one shape; *out is as last seen. */
void site_shape_breaker(struct site *site, const char *shape, struct breaker *out);

/* All breakers that have met a fault lately, or had; shape NULL: the site's own.  What an earlier
 * broker knew is put back before the first call. */
typedef void site_breaker_each(void *arg, const char *shape, const struct breaker *breaker);
void site_breakers(struct site *site, site_breaker_each *each, void *arg);
void site_breaker_restore(struct site *site, const char *shape, const struct breaker *breaker);

/* The driver's functions, see site_driver.h.  Faults are counted, feed the breakers and name the
 * site. */
int site_probe(struct site *site, int64_t deadline_mono_ms, struct err *err);
/* 1 to SITE_CREATES_MOST workers; errs[i] is the outcome of each, FAULT_NONE: made. */
void site_create(struct site *site, const struct order *orders, size_t count, struct err *errs);
int site_list(struct site *site, const char *broker, int64_t deadline_mono_ms,
              struct resources_list *out, struct err *err);
int site_inspect(struct site *site, const char *name, int64_t deadline_mono_ms,
                 enum instance_state *out, struct buf *detail, struct err *err);
/* "" where the site keeps nothing. */
int site_diagnose(struct site *site, const char *name, int64_t deadline_mono_ms, struct buf *out,
                  struct err *err);
/* Findings of the site's own, see site_driver.audit; none where it has none. */
int site_audit(struct site *site, int64_t deadline_mono_ms, json_t *findings, struct err *err);
int site_destroy(struct site *site, const char *name, int64_t deadline_mono_ms, struct err *err);
/* 1 to SITE_DESTROYS_MOST workers, `call_ms` for all together where the driver takes many at once, else
 * for each; errs[i] is the outcome of each. */
void site_destroy_many(struct site *site, const char *const *names, size_t count, int64_t call_ms,
                       struct err *errs);
/* A worker of that shape joined, with this much of each.  With all the GPUs that the shape promises
 * the breakers close; with fewer it is -1, a boot that failed.  Memory and disk are never quite what
 * a flavor promises: from the next probe on the shape has what its worker had.  SITE_JOINED_LESS:
 * that is worth a probe. */
#define SITE_JOINED_LESS 1
struct seen {
    int gpus;
    int64_t memory, disk; /* bytes; 0: not said */
};
int site_joined(struct site *site, const char *shape, const struct seen *seen, struct err *err);
/* One did not: counted against its shape.  What speaks for the shape itself (FAULT_NO_CAPACITY,
 * FAULT_INVALID) closes it at once. */
void site_failed(struct site *site, const char *shape, enum fault fault, const char *why);

#endif
