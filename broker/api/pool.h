/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - a few threads for requests that wait for a disk, a commit or a site. */
#ifndef SPILLWAY_API_POOL_H
#define SPILLWAY_API_POOL_H

#include <stdbool.h>

struct pool;
typedef void pool_run(void *item);

struct pool *pool_new(int threads, int queue_most, pool_run *run);
/* False when the queue is full. */
bool pool_put(struct pool *pool, void *item);
/* Runs what is queued, then ends the threads; pool_put() is false from now on. */
void pool_stop(struct pool *pool);
void pool_free(struct pool *pool); /* NULL allowed; stops first */

#endif
