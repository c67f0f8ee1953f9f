/* SPDX-License-Identifier: Apache-2.0 */
/* main.h - how the agent ends. */
#ifndef AGENT_MAIN_H
#define AGENT_MAIN_H

#include "agent.h"

/* The broker has nothing more for us: what still runs is killed. */
void agent_end(struct agent *agent, const char *why);
/* The broker is gone for good: jobs are stopped, and the machine is powered off where that was
 * asked. */
void agent_orphaned(struct agent *agent);
/* The worker is being taken away: say so, give back what has not started, stop what runs. */
void agent_leave(struct agent *agent, const char *why);
/* It makes no sense to go on. */
void agent_fail(struct agent *agent, const char *why);

#endif
