/* SPDX-License-Identifier: Apache-2.0 */
/* reap.h - no process of a job outlives its agent, however that ended. */
#ifndef AGENT_REAP_H
#define AGENT_REAP_H

#include <sys/types.h>

#include "base/err.h"

/* Kill what the agent of `dir` left: by its roster, its cgroups, and the mark
 * SPILLWAY_WORKER=`worker` in the environment (NULL: not known).  Only processes of our own user.
 */
void reap_processes(const char *dir, const char *worker);
/* The same, the agent itself too if it lives, and then the directory. */
int reap_worker(const char *dir, struct err *err);

/* Alone in `dir`, its last keeper too has done its work: *lock is for keeper_start.  FAULT_CONFLICT
 * when an agent lives there. */
int keeper_lock(const char *dir, int *lock, struct err *err);
/* A process that waits for the agent's end, and reaps unless it was told that all is well. */
pid_t keeper_start(const char *dir, const char *worker, const char *cgroups, int lock, int *fd,
                   struct err *err);
void keeper_dismiss(pid_t keeper, int fd);

#endif
