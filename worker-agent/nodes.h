/* SPDX-License-Identifier: Apache-2.0 */
/* nodes.h - what a task that runs on several workers at once is told of the others. */
#ifndef AGENT_NODES_H
#define AGENT_NODES_H

#include "attempt.h"

#define NODES_MOST 10000

/* "rank" and "nodes" of a lease. */
int nodes_check(const json_t *lease, struct err *err);
/* Its hostfile, `nodefile` in TMPDIR: a line a cpu, rank 0 first, as mpirun reads it. */
int nodes_write(struct attempt *a, struct err *err);
/* How many; 0: the task runs alone. */
size_t nodes_count(const struct attempt *a);
const char *nodes_host(const struct attempt *a, size_t rank);
int64_t nodes_rank(const struct attempt *a);

#endif
