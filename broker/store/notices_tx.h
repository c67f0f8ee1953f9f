/* SPDX-License-Identifier: Apache-2.0 */
/* notices_tx.h - notices as part of other ops; for the files of the store alone. */
#ifndef SPILLWAY_STORE_NOTICES_TX_H
#define SPILLWAY_STORE_NOTICES_TX_H

#include "store/internal.h"

struct notice_event {
    const char *event; /* "failed", as in `on:` */
    int64_t job, finished_ms;
    const char *name, *user, *project;
    int64_t tasks, succeeded, failed, cancelled;
    const char *schedule;      /* NULL: of a plain job */
    int64_t instant, failures; /* of a schedule's run: its time, failures in a row */
    bool paused;               /* by this failure */
    bool to_operator;          /* the target is no business of the user's */
    const char *site, *why;    /* what it is about; NULL: not about a site, nothing to add */
};
/* To all that `notify` (a description's, as JSON; may be NULL) names.  1: made; 0: it does not want
 * this event. */
int tx_notices(struct tx *tx, const char *notify, const struct notice_event *event,
               struct err *err);
/* To the operator, whatever the event. */
int tx_operator(struct tx *tx, const struct notice_event *event, struct err *err);
/* Tell of this job's begin and end; `notify` may be NULL. */
int tx_watch(struct tx *tx, int64_t job, const char *notify, struct err *err);

#endif
