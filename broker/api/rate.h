/* SPDX-License-Identifier: Apache-2.0 */
/* rate.h - token buckets by name: how often one address may fail, how much one user may ask.
 *
 * Bounded: when the table is full, a bucket that is full again (its owner has been quiet) makes
 * room, else all share one.  Any thread. */
#ifndef SPILLWAY_API_RATE_H
#define SPILLWAY_API_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate;
/* A burst of 0: no limit. */
struct rate *rate_new(double per_second, double burst);
/* From now on; what is left of the buckets stays. */
void rate_set(struct rate *rate, double per_second, double burst);
void rate_free(struct rate *rate);
/* Whether `cost` is left for `name`; it is taken if so.  A cost of 0 only asks whether anything is
 * left. */
bool rate_take(struct rate *rate, const char *name, double cost, int64_t now_ms);

#endif
