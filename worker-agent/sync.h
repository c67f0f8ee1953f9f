/* SPDX-License-Identifier: Apache-2.0 */
/* sync.h - the talk with the broker: one join, then syncs without end.
 *
 * One sync is held open by the broker until it has something for us.  Another carries reports;
 * while it is under way, what is to be said gathers for the next.  A final report is said again
 * until it is settled. */
#ifndef AGENT_SYNC_H
#define AGENT_SYNC_H

#include "agent.h"

struct sync;

struct sync *sync_new(struct agent *agent);
/* Join, or go on with the session in the boot payload. */
void sync_start(struct sync *sync);
/* `a` has something to say (its say_* and report). */
void sync_say(struct attempt *a);
/* `a` is about to be freed. */
void sync_forget(struct attempt *a);
/* End of a turn of the loop: send what is due. */
void sync_turn(struct sync *sync);
/* Tell at once that we are leaving. */
void sync_nudge(struct sync *sync);
bool sync_leaving_was_heard(const struct sync *sync);
bool sync_was_settled(const struct sync *sync, int64_t attempt);
void sync_settle(struct sync *sync, int64_t attempt);

#endif
