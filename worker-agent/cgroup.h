/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.h - control groups: what bounds us, and one for each attempt where we may make it.
 *
 * v2 and v1's memory controller; where neither is ours to use, cgroup_kind() is "none" and limits.c
 * does with less. */
#ifndef AGENT_CGROUP_H
#define AGENT_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* The CPUs that quotas above us leave; 0: no quota. */
double cgroup_cpu_quota(void);
/* The least memory limit above us, bytes; 0: none. */
int64_t cgroup_memory_limit(void);
/* How many processes the kernel killed for want of memory in the group that we run in, be it a
 * container's; 0: none, or it cannot be read. */
int64_t cgroup_oom_kills_here(void);

/* A folder for `worker`, with the agent itself in a leaf of it: what its jobs start is born there,
 * also what leaves its session and clears its environment.  NULL where we may make none. */
struct cgroups;
struct cgroups *cgroups_open(const char *worker);
/* Leaves and removes it, where that can be: the root of a delegated v2 tree takes no process back.
 */
void cgroups_close(struct cgroups *groups);
/* What limits memory: "v2", "v1", "none" (also of NULL). */
const char *cgroups_kind(const struct cgroups *groups);
bool cgroups_limit_memory(const struct cgroups *groups);
const char *cgroups_path(const struct cgroups *groups);

/* One attempt's group, with a memory limit. */
struct cgroup;
struct cgroup *cgroup_new(const struct cgroups *groups, int64_t attempt, int64_t memory,
                          struct err *err);
/* Processes join by writing "0" to it. */
int cgroup_procs_fd(const struct cgroup *group);
/* Every process in it. */
void cgroup_kill(const struct cgroup *group);
int64_t cgroup_memory_peak(const struct cgroup *group); /* 0: not known */
/* How many processes the kernel killed in it for want of memory. */
int64_t cgroup_oom_kills(const struct cgroup *group);
/* false: there are still processes in it; try again later. */
bool cgroup_remove(struct cgroup *group);

/* A process that was born in the leaf of `path` goes where the agent came from, so that it can go.
 */
void cgroups_leave(const char *path);
/* All processes of the groups below `path` but ourselves, and then the folders: what a dead agent
 * left. */
void cgroups_reap(const char *path);

#endif
