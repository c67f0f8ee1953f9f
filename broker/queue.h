/* SPDX-License-Identifier: Apache-2.0 */
/* queue.h - memory's index over what is unfinished: classes, jobs, tasks with rows, workers.
 *
 * Built from the store's change records alone, at start and ever after, by queue_apply(); nothing
 * else moves a task.  What the scheduler's thread has picked but not yet committed is marked
 * `picked`.  Holds no policy and does no I/O; time is an argument.  All functions want queue->lock
 * held, apart from queue_new and queue_free. */
#ifndef SPILLWAY_QUEUE_H
#define SPILLWAY_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "conf/job.h"
#include "lease.h"
#include "store/store.h"

struct qclass {
    int64_t id;
    struct job_spec spec; /* the part of it that placement sees */
    char *project, *user;
    struct heap ready_jobs; /* by id: first come, first served within a class */
    int64_t ready;          /* tasks that could start now, caps of arrays applied */
    int64_t pending;        /* all that wait, for whatever */
    int64_t active;         /* leased or further */
    int64_t served_ms;      /* wall time of its last lease; 0: none in this life */
    uint64_t generation;    /* changes with any of the above */
};

/* Task i waits for task i of other jobs: how many of its conditions are open, by position. */
struct each_wait {
    unsigned char *open; /* EACH_NEVER: one of them cannot come true */
    int64_t *ready;      /* positions whose conditions hold, in the order that they came true */
    int64_t ready_count, ready_next;
};
#define EACH_NEVER 255

/* `on_job` is waited for by `job`. */
struct edge {
    struct list of; /* in on_job's dependents */
    struct dependency_row row;
};

/* What only some jobs need: those that were touched, or that begin later, have a deadline, an array
 * or dependencies. */
struct qparts {
    struct heap_item begin;    /* in queue->begins, while it begins later */
    struct heap_item deadline; /* in queue->deadlines */
    struct qjob *job;
    struct index_set array; /* size 0: a plain job */
    struct list retries;    /* tasks with rows that are pending and awake */
    struct list picks;      /* picked, no word from the store yet */
    struct list returned;   /* picked once, given back before they had a row */
    struct list dependents; /* struct edge.of */
    struct each_wait *each; /* NULL: none */
    struct map beyond;      /* position + 1: at or beyond next_position, but not untouched */
};

/* A million of them must fit: what is rare is in `parts`. */
struct qjob {
    int64_t id;
    struct qclass *class;
    struct qparts *parts;   /* NULL: none of it */
    struct heap_item by_id; /* in class->ready_jobs, while some task is ready */
    int64_t submitted_ms;
    int32_t tasks, parallel;
    int32_t next_position;  /* none from here on was touched, but for those in `beyond` */
    int32_t active;         /* leased or further, and picked */
    int32_t ready, pending; /* its share of the class's */
    int32_t retries_count, returned_count;
    int32_t asleep_count; /* tasks with rows that are pending and back off, or wait one by one */
    int32_t waits;        /* dependencies on whole jobs that have not come true */
    unsigned char rest_state; /* enum task_state */
    bool ended;
};

/* What a task holds of another worker than its own: a node of a gang, of rank 1 or more. */
struct qnode {
    struct list link; /* in task->nodes */
    struct list of;   /* in worker->nodes */
    struct qtask *task;
    struct qworker *worker;
    int64_t attempt;
};

struct qtask {
    struct qjob *job;
    int64_t position, index;
    enum task_state state;
    int64_t attempt;
    struct qworker *worker;
    struct grant grant; /* what it holds of its worker */
    int64_t started_ms; /* of the current attempt; 0: not yet */
    int infra_retries;
    bool has_row, picked, cancel_asked;
    bool waits;            /* has a row, but its own dependencies are open */
    bool breaks;           /* a node of it failed, the others were told */
    struct list nodes;     /* struct qnode.link */
    struct list link;      /* in job->retries, ->picks, ->returned or worker->tasks */
    struct heap_item wake; /* in queue->wakes, while it backs off */
};

struct qworker {
    int64_t id;
    char *name, *site, *shape, *image, *project;
    enum worker_state state;
    enum reason reason; /* of its end */
    bool mourned;       /* what its end means to its tasks was done */
    int64_t class_id;
    int64_t created_ms, joined_ms;
    int64_t idle_since_ms; /* wall; while it has no task */
    int cpus, gpus;        /* as joined; 0 before */
    int64_t memory, disk;
    char *host;         /* its own name, or its address where it has one: for hostfiles */
    struct grant used;  /* by its tasks, those leased ahead included */
    struct list tasks;  /* struct qtask.link */
    struct list nodes;  /* struct qnode.of: of gangs whose rank 0 runs elsewhere, or here too */
    int64_t task_count; /* nodes included */
    uint64_t generation;
};

/* What applying a change asks the scheduler's thread to do, outside the lock. */
struct queue_todo {
    struct todo_item {
        enum {
            TODO_OUTCOME,     /* ask the store how `target` ended, then queue_resolve() */
            TODO_END_TASKS,   /* store_cancel(target, reason) */
            TODO_STOP_ATTEMPT /* tell the worker to end `attempt`, for `reason` */
        } kind;
        struct target target;
        enum reason reason;
        struct dependency_row dependency;
        int64_t attempt, worker;
    } * items;
    size_t count, room;
};
void queue_todo_free(struct queue_todo *todo);

struct queue {
    pthread_mutex_t lock;
    struct map classes, jobs, tasks, workers; /* by id; tasks by queue_task_key() */
    struct map workers_by_name;
    struct heap wakes;     /* of tasks, monotonic ms */
    struct heap begins;    /* of jobs, monotonic ms */
    struct heap deadlines; /* wall ms */
    uint64_t generation;   /* of anything */
    struct {
        int64_t now_wall_ms, now_mono_ms;
    } time; /* set by the caller before queue_apply and queue_tick */
};

struct queue *queue_new(void);
void queue_free(struct queue *queue);

void queue_apply(struct queue *queue, const struct change *change, struct queue_todo *todo);
/* The answer to TODO_OUTCOME: `rc` and `outcome` are store_outcome()'s. */
void queue_resolve(struct queue *queue, const struct todo_item *asked, int rc,
                   enum on_outcome outcome, struct queue_todo *todo);
/* Wake what has slept long enough, end what is past its deadline.  Returns the monotonic ms at
 * which to call again, INT64_MAX: no need. */
int64_t queue_tick(struct queue *queue, struct queue_todo *todo);

/* Take up to `most` ready tasks of a class, oldest job first.  They count as active until the
 * store's change arrives or queue_unpick() gives them back.  Returns how many. */
struct pick {
    int64_t job, index;
    struct qtask *task; /* while the lock is held */
};
int64_t queue_pick(struct queue *queue, struct qclass *class, int64_t most, struct pick *out);
void queue_unpick(struct queue *queue, const struct pick *pick);

struct qclass *queue_class(const struct queue *queue, int64_t id);
struct qjob *queue_job(const struct queue *queue, int64_t id);
struct qworker *queue_worker(const struct queue *queue, int64_t id);
/* The task with a row, or picked; NULL: untouched or ended. */
struct qtask *queue_task(const struct queue *queue, int64_t job, int64_t index);
/* How many workers' worth it holds: 1, or the nodes of its gang. */
int64_t queue_task_nodes(const struct qtask *task);
/* Why a pending task of this job does not start, as far as the job itself is the cause: REASON_NONE
 * when it is ready. */
enum reason queue_wait_reason(const struct queue *queue, int64_t job, int64_t index);

#endif
