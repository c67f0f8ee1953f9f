/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.h - what of the broker's answers is new.  Pure.
 *
 * Leases and cancels are sent again until they are acknowledged, and two answers may be on their
 * way at once, so the same lease can come twice, and even after its attempt was run, settled and
 * forgotten. Hence the memory of ids that were settled. */
#ifndef AGENT_INBOX_H
#define AGENT_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"

#define INBOX_SETTLED 16384 /* ids remembered */
#define INBOX_EPOCH   128

struct inbox {
    char epoch[INBOX_EPOCH];
    int64_t ack;
    bool held_told; /* the broker of this epoch knows what we have */
    struct map settled;
    int64_t *ring;
    size_t ring_at;
};

void inbox_init(struct inbox *inbox);
void inbox_fini(struct inbox *inbox);
/* An answer of this epoch: true when it is a new one, and the broker must be told all that we have.
 */
bool inbox_epoch(struct inbox *inbox, const char *epoch);
/* Whether the leases and cancels of an answer are to be looked at; they are acknowledged then. */
bool inbox_take(struct inbox *inbox, int64_t seq);
void inbox_settle(struct inbox *inbox, int64_t attempt);
bool inbox_was_settled(const struct inbox *inbox, int64_t attempt);

#endif
