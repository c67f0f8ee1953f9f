/* SPDX-License-Identifier: Apache-2.0 */
/* queue_parts.h - what the files of the queue share: questions to a job's parts, and what is to
 * be done. Nothing else includes it. */
#ifndef SPILLWAY_QUEUE_PARTS_H
#define SPILLWAY_QUEUE_PARTS_H

#include "queue.h"

static inline uint64_t task_key(int64_t job, int64_t position)
{
    return (uint64_t)job << 24 | (uint64_t)position; /* JOB_TASKS_MOST < 2^24 */
}

static inline bool is_active(enum task_state state)
{
    return state == TASK_LEASED || state == TASK_RUNNING || state == TASK_UNREACHABLE ||
           state == TASK_COMPLETING;
}

static inline struct each_wait *each_of(const struct qjob *job)
{
    return job->parts ? job->parts->each : NULL;
}

static inline int64_t beyond_count(const struct qjob *job)
{
    return job->parts ? (int64_t)job->parts->beyond.count : 0;
}

static inline bool is_beyond(const struct qjob *job, int64_t position)
{
    return job->parts && map_get(&job->parts->beyond, (uint64_t)position + 1);
}

static inline bool begins_later(const struct qjob *job)
{
    return job->parts && heap_has(&job->parts->begin);
}

/* A new entry, zeroed, at the end of the list. */
struct todo_item *todo_add(struct queue_todo *todo);
/* The tasks of `job` (index < 0: all that have not ended) are to end for `reason`. */
void todo_end(struct queue_todo *todo, int64_t job, int64_t index, enum reason reason);
/* The store is to say how what `row` waits for has ended. */
void todo_outcome(struct queue_todo *todo, const struct dependency_row *row, int64_t index);

/* ---- queue_workers.c */

void worker_free(struct qworker *worker);
void worker_apply(struct queue *queue, const struct worker_row *row);
/* What a task takes of a worker, and gives back. */
void worker_use(struct queue *queue, struct qworker *worker, const struct grant *grant, int sign);

/* ---- queue_nodes.c: gangs */

void nodes_apply(struct queue *queue, const struct node_row *row, struct queue_todo *todo);
/* The task is over, or elsewhere: what its nodes hold is free. */
void nodes_release(struct queue *queue, struct qtask *task);
/* All nodes but rank 0 are to end. */
void nodes_stop(const struct qtask *task, enum reason reason, struct queue_todo *todo);
/* The worker is gone. */
void nodes_forget(struct qworker *worker);

#endif
