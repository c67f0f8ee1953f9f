/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - life cycles shared by broker, agent and command line.
 *
 * Names are stable: they are stored, sent over the API and printed by --json. */
#ifndef SPILLWAY_STATE_H
#define SPILLWAY_STATE_H

#include <stdbool.h>

/* A task: one job, or one member of an array. */
enum task_state {
    TASK_HELD,        /* waits for `release` */
    TASK_PENDING,     /* waits for a worker, a dependency, a limit or a back-off */
    TASK_LEASED,      /* bound to a worker that has not started it yet */
    TASK_RUNNING,     /* its process runs */
    TASK_UNREACHABLE, /* its worker is silent; the lease has not run out */
    TASK_COMPLETING,  /* process ended; logs and outputs are on their way */
    TASK_SUCCEEDED,
    TASK_FAILED,
    TASK_CANCELLED,
    TASK_STATE_COUNT
};

/* Why a task is in the state it is in; REASON_NONE while there is nothing to say. */
enum reason {
    REASON_NONE,
    REASON_USER_EXIT,  /* non-zero exit status */
    REASON_SIGNAL,     /* ended by a signal that we did not send */
    REASON_WALLTIME,   /* ran longer than it asked for */
    REASON_MEMORY,     /* used more memory than it asked for */
    REASON_DEPENDENCY, /* waits for another job; as an end: it can never come true */
    REASON_CANCELLED,  /* a person or a program cancelled it */
    REASON_DEADLINE,   /* its deadline passed */
    REASON_STAGE_IN,   /* an input could not be brought */
    REASON_STAGE_OUT,  /* an output could not be taken */
    REASON_PREEMPTED,  /* the site took its machine back */
    REASON_BOOT,       /* the worker did not start or join */
    REASON_IMAGE,      /* image missing, or it cannot run here */
    REASON_NETWORK,    /* the network between worker and broker or storage */
    REASON_LOST,       /* worker lost */
    REASON_NO_SITE,    /* no site can run it */
    REASON_HELD,       /* pending states' reasons, below: held by the user */
    REASON_LIMIT,      /* the array's or a named concurrency limit */
    REASON_BACKOFF,    /* waits before its next attempt */
    REASON_CAPACITY,   /* fits somewhere, but nothing is free now */
    REASON_NO_IMAGE,   /* also "image": the registry knows none of that name */
    REASON_COUNT
};

/* Whose budget an ended attempt is charged to. */
enum blame { BLAME_NONE, BLAME_USER, BLAME_INFRA, BLAME_PREEMPT };

/* A worker, as its driver and agent let us see it. */
enum worker_state {
    WORKER_INTENT,     /* row committed, create not yet answered */
    WORKER_BOOTING,    /* exists at the site, agent not yet joined */
    WORKER_READY,      /* agent joined */
    WORKER_SILENT,     /* agent not heard of for too long */
    WORKER_DRAINING,   /* takes no new work */
    WORKER_DESTROYING, /* teardown under way; still counts against quota */
    WORKER_GONE,       /* two listings no longer show it */
    WORKER_STATE_COUNT
};

const char *task_state_name(enum task_state state);
/* -1 when `name` is no state. */
int task_state_find(const char *name);
bool task_state_final(enum task_state state);
/* Whether the life cycle has an arrow from -> to. */
bool task_state_may(enum task_state from, enum task_state to);
/* "" for REASON_NONE. */
const char *reason_name(enum reason reason);
int reason_find(const char *name);
/* Whose fault an attempt that ended for `reason` is. */
enum blame reason_blame(enum reason reason);
const char *worker_state_name(enum worker_state state);

#endif
