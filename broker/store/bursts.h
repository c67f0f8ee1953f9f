/* SPDX-License-Identifier: Apache-2.0 */
/* bursts.h - the record of jobs that were taken from a site's own queue to run elsewhere.
 *
 * One row for each such job, found by the site, the site's own id of it and when it was submitted
 * there.  A row outlives its job: what was given back once is not taken again. */
#ifndef SPILLWAY_STORE_BURSTS_H
#define SPILLWAY_STORE_BURSTS_H

#include "store/store.h"

/* Numbers are stored: new ones at the end. */
enum burst_state {
    BURST_TAKEN,     /* is to be held there */
    BURST_HELD,      /* is held; its files are to be fetched */
    BURST_READY,     /* all is here; is to be submitted */
    BURST_RUNNING,   /* is a job of ours */
    BURST_RETURNING, /* has run; its results are to be put into its folder */
    BURST_ENDING,    /* results are there; the original is to be ended */
    BURST_TELLING,   /* the original has ended; its accounting is to be told */
    BURST_RELEASING, /* ours is to end, then the original is to be released */
    BURST_DROPPING,  /* its user let the original go, or ended it: ours is to end */
    BURST_DONE,      /* from here on: ended */
    BURST_RELEASED,
    BURST_DROPPED,
    BURST_STATE_COUNT
};
const char *burst_state_name(enum burst_state state);

struct burst_row {
    int64_t id;              /* out of store_burst_add */
    const char *site, *home; /* home: the site's own id */
    int64_t submitted_ms;
    enum burst_state state;
    int64_t job; /* ours; 0: none yet */
    int tries;   /* of what it does now */
    bool asked;  /* somebody wants it released */
    int64_t taken_ms, changed_ms;
    const char *user, *project, *name;
    const char *why;    /* one sentence: why it was taken, or what is in its way */
    const char *detail; /* JSON: broker/burst.c */
};

/* 1: there is a row for this job already. */
int store_burst_add(struct store *store, struct burst_row *row, struct err *err);
/* State, job, tries, why and detail, as they are in `row`. */
int store_burst_set(struct store *store, const struct burst_row *row, struct err *err);
/* Release it.  1: no such row; 2: it has ended, or its results are home already. */
int store_burst_ask(struct store *store, int64_t id, struct err *err);
/* 1: there is one; 0: none. */
int store_burst_known(struct store *store, const char *site, const char *home, int64_t submitted_ms,
                      struct err *err);
typedef bool store_burst_each(void *arg, const struct burst_row *row);
/* In order of id, those above `after`; all of them, or those that have not ended.  `detail` too. */
int store_bursts(struct store *store, int64_t after, bool all, store_burst_each *each, void *arg,
                 struct err *err);
/* Ended ones that changed last before. */
int store_bursts_prune(struct store *store, int64_t before_ms, struct err *err);

#endif
