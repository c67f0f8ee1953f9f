/* SPDX-License-Identifier: Apache-2.0 */
/* follow.h - the broker's events as they happen, through restarts of the broker.
 *
 * The stream is opened again where it broke, by the id of the last event: nothing is missed and
 * nothing seen twice.  A broker that is away for longer than FOLLOW_PATIENCE_MS is given up. */
#ifndef SPILLWAY_CLI_FOLLOW_H
#define SPILLWAY_CLI_FOLLOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

#define FOLLOW_PATIENCE_MS 600000

struct cli;

/* When to try again, and when to give up: shared by all that follow. */
struct patience {
    int64_t since_ms, next_ms; /* monotonic; since 0: all is well */
    int tries;
    bool was_there, told;
};
/* It answers. */
void patience_rest(struct patience *patience);
/* It broke: plan the next try.  -1: enough; `err` holds the words given to it. */
int patience_lose(struct patience *patience, struct cli *cli);
/* How long to wait for the next try, at most `most`. */
int64_t patience_wait(const struct patience *patience, int64_t most);
bool patience_due(const struct patience *patience);

struct follower;
/* `path`: "/v1/events…".  `after`: id of the last event known; NULL: from now on. */
struct follower *follower_open(struct cli *cli, const char *path, const char *after);
void follower_close(struct follower *follower);
static inline void follower_close_(struct follower **slot)
{
    follower_close(*slot);
}
#define own_follower own(follower_close_)
/* 1: *event is the next one, the caller's.  0: none within `wait_ms`.  -1: refused, or the broker
 * is gone for good. */
int follower_next(struct follower *follower, int64_t wait_ms, json_t **event, struct err *err);
/* Whether the broker has taken the subscription: what happens from now on will be seen. */
bool follower_connected(const struct follower *follower);

#endif
