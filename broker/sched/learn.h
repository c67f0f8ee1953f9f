/* SPDX-License-Identifier: Apache-2.0 */
/* learn.h - what experience teaches: typical and high figures, and when to leave a thing alone.
 *
 * Plain values.  Each is kept as a small JSON text under a key of the store
 * ("boot/SITE/IMAGE/SHAPE", "wait/SITE/CLASS", "run/CLASS", "part/PROJECT/USER", "breaker/SITE",
 * "breaker/SITE/SHAPE").
 */
#ifndef SPILLWAY_SCHED_LEARN_H
#define SPILLWAY_SCHED_LEARN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* A mean that forgets, and a quantile followed by small steps.  A zeroed value has seen nothing. */
struct learned {
    double mean, high; /* high: about 95 in 100 lie below */
    double weight;     /* observations that still count */
    int64_t seen;      /* observations in all */
};
void learned_add(struct learned *learned, double value);
/* At least 1 once something was seen; -1: nothing seen. */
int64_t learned_mean_ms(const struct learned *learned);
int64_t learned_high_ms(const struct learned *learned);
/* What a task runs: as its like did; else the part of its walltime, in thousandths, that tasks of the
 * first of `parts` that saw any took of theirs.  -1: nothing is known. */
int64_t learned_run_ms(const struct learned *run, int64_t walltime_ms,
                       const struct learned *const *parts, size_t count);
int learned_put(const struct learned *learned, struct buf *out);
int learned_parse(const char *text, struct learned *out, struct err *err);

/* Memory of faults.  Opens at the first fault that says "leave me alone" or the third in a row;
 * each time for twice as long, up to a most; past that time one probe is let through, whose outcome
 * closes it or opens it again.  Old faults are forgiven: after a day without any the next opens it
 * for the shortest time again. */
struct breaker {
    int faults;            /* in a row */
    int opened;            /* times in a row; the exponent of the back-off */
    int64_t open_until_ms; /* 0: closed */
    bool probing;          /* one probe is under way, which open_until_ms gives time */
    int64_t last_ms;       /* of the last fault */
    char why[160];         /* its words */
};
#define BREAKER_FIRST_MS  30000
#define BREAKER_MOST_MS   3600000
#define BREAKER_FAULTS    3
#define BREAKER_FORGET_MS 86400000
/* `at_once`: the fault speaks for the thing itself (no capacity), not for one worker. */
void breaker_fault(struct breaker *breaker, int64_t now_ms, bool at_once, const char *why);
void breaker_success(struct breaker *breaker);
/* May something be tried now?  Past its time an open one says yes until a probe is under way. */
bool breaker_allows(const struct breaker *breaker, int64_t now_ms);
/* Something is being tried: of an open one, this is the probe. */
void breaker_try(struct breaker *breaker, int64_t now_ms);
/* What a snapshot's closed_until_ms is: 0 closed.  A probe that nothing more is heard of has had
 * its time then too. */
int64_t breaker_closed_until(const struct breaker *breaker);
int breaker_put(const struct breaker *breaker, struct buf *out);
int breaker_parse(const char *text, struct breaker *out, struct err *err);

#endif
