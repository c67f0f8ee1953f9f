/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - the thread that delivers notices: webhooks and mail.
 *
 * A target gets at most one message in WINDOW_MS and most_per_hour in an hour; what comes meanwhile
 * goes together into the next.  What fails is tried again with back-off for hours, then kept as
 * dead until somebody replays it. */
#ifndef SPILLWAY_NOTIFY_H
#define SPILLWAY_NOTIFY_H

#include "base/err.h"
#include "conf/broker.h"
#include "store/store.h"

struct notify;

/* Copies what it needs of `conf`.  Without a secret_file, a key for webhooks is made in the state
 * directory. */
int notify_start(struct store *store, const struct broker_conf *conf, struct notify **out,
                 struct err *err);
void notify_stop(struct notify *notify);

/* When the try after `tries` failed ones is made, from now on; `random` spreads it by a fifth.
 * Pure. */
int64_t notify_backoff_ms(int tries, uint64_t random);

#endif
