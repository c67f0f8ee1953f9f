/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - the memory limit of an attempt: by its own cgroup where one may be made, else by
 * looking.
 *
 * An attempt without a limit gets no cgroup: to make and remove one costs as much as a short job.
 */
#ifndef AGENT_LIMITS_H
#define AGENT_LIMITS_H

#include "agent.h"
#include "spawn.h"

/* Before the start: fills in what the process needs to be put under its limits. */
void limits_prepare(struct attempt *a, struct spawn *spawn);
/* While it runs: ends it when it is over its limit.  Returns when to look again, at most `most_ms`.
 */
int64_t limits_check(struct attempt *a, int64_t most_ms);
/* After its end: whether the kernel killed in it for want of memory. */
bool limits_exceeded(const struct attempt *a);
/* After its end: takes in the peak, kills what is left, removes the group. */
void limits_end(struct attempt *a);
/* Try again to remove the groups that were not empty; whether some still are not. */
bool limits_empty(struct agent *agent);

#endif
