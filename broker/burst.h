/* SPDX-License-Identifier: Apache-2.0 */
/* burst.h - jobs of a site's own queue that would start later there than elsewhere, run elsewhere.
 *
 * A thread of its own looks at each site with `burst:` in turn.  Every step of a job is a row of the
 * store before it is done, and may be done again: a broker that was killed goes on where it was.
 * The order of the steps is what keeps a job from running twice: it is seen to be held before a job
 * of ours is submitted (under a key made of the original), ours has surely ended before the original
 * is released, and results are home before it is ended.  What its user does to the original
 * meanwhile wins. */
#ifndef SPILLWAY_BURST_H
#define SPILLWAY_BURST_H

#include "base/err.h"

struct broker;
struct burst;

/* The thread starts; the broker's sites must stay as they are until burst_stop(). */
int burst_start(struct broker *broker, struct burst **out, struct err *err);
void burst_stop(struct burst *burst); /* NULL: nothing */

#endif
