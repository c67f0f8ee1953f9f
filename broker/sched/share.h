/* SPDX-License-Identifier: Apache-2.0 */
/* share.h - fair share: usage that decays, measured by the dominant resource. */
#ifndef SPILLWAY_SCHED_SHARE_H
#define SPILLWAY_SCHED_SHARE_H

#include <stdint.h>

#include "sched/snapshot.h"

/* Usage in share-seconds as it was at `at_ms`.  A zeroed value has used nothing. */
struct share {
    double usage;
    int64_t at_ms;
};
#define SHARE_HALF_LIFE_MS (INT64_C(7) * 86400000)

/* The part of `whole` that `part` takes up in the resource where it takes most. */
double share_dominant(const struct room *part, const struct room *whole);
/* Usage as it stands at `now_ms`, after decay; half_life_ms <= 0: none decays. */
double share_usage(const struct share *share, int64_t now_ms, int64_t half_life_ms);
/* Add `held_ms` of holding `part` of `whole`, up to `now_ms`. */
void share_add(struct share *share, const struct room *part, const struct room *whole,
               int64_t held_ms, int64_t now_ms, int64_t half_life_ms);

#endif
