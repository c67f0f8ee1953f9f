/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - the life cycles as tables. */
#include "spillway/state.h"

#include <string.h>

#define TO(state) (1u << TASK_##state)

static const struct {
    const char *name;
    unsigned next; /* arrows of the life cycle */
} life[TASK_STATE_COUNT] = {
    [TASK_HELD] = { "held", TO(PENDING) | TO(CANCELLED) | TO(FAILED) },
    [TASK_PENDING] = { "pending", TO(HELD) | TO(LEASED) | TO(CANCELLED) | TO(FAILED) },
    /* PENDING: worker lost, or the lease was given back by a drain */
    [TASK_LEASED] = { "leased", TO(PENDING) | TO(RUNNING) | TO(UNREACHABLE) | TO(COMPLETING) |
                                    TO(SUCCEEDED) | TO(FAILED) | TO(CANCELLED) },
    [TASK_RUNNING] = { "running", TO(PENDING) | TO(UNREACHABLE) | TO(COMPLETING) | TO(SUCCEEDED) |
                                      TO(FAILED) | TO(CANCELLED) },
    [TASK_UNREACHABLE] = { "unreachable", TO(PENDING) | TO(LEASED) | TO(RUNNING) | TO(COMPLETING) |
                                              TO(SUCCEEDED) | TO(FAILED) | TO(CANCELLED) },
    [TASK_COMPLETING] = { "completing", TO(PENDING) | TO(UNREACHABLE) | TO(SUCCEEDED) | TO(FAILED) |
                                            TO(CANCELLED) },
    /* a final task moves only by `retry` */
    [TASK_SUCCEEDED] = { "succeeded", 0 },
    [TASK_FAILED] = { "failed", TO(PENDING) },
    [TASK_CANCELLED] = { "cancelled", TO(PENDING) },
};

static const struct {
    const char *name;
    enum blame blame;
} reasons[REASON_COUNT] = {
    [REASON_NONE] = { "", BLAME_NONE },
    [REASON_USER_EXIT] = { "user-exit", BLAME_USER },
    [REASON_SIGNAL] = { "signal", BLAME_USER },
    [REASON_WALLTIME] = { "walltime", BLAME_USER },
    [REASON_MEMORY] = { "memory", BLAME_USER },
    [REASON_DEPENDENCY] = { "dependency", BLAME_NONE },
    [REASON_CANCELLED] = { "cancelled", BLAME_NONE },
    [REASON_DEADLINE] = { "deadline", BLAME_NONE },
    [REASON_STAGE_IN] = { "stage-in", BLAME_USER },
    [REASON_STAGE_OUT] = { "stage-out", BLAME_USER },
    [REASON_PREEMPTED] = { "preempted", BLAME_PREEMPT },
    [REASON_BOOT] = { "boot", BLAME_INFRA },
    [REASON_IMAGE] = { "image", BLAME_INFRA },
    [REASON_NETWORK] = { "network", BLAME_INFRA },
    [REASON_LOST] = { "lost", BLAME_INFRA },
    [REASON_NO_SITE] = { "no-site", BLAME_NONE },
    [REASON_HELD] = { "held", BLAME_NONE },
    [REASON_LIMIT] = { "limit", BLAME_NONE },
    [REASON_BACKOFF] = { "backoff", BLAME_NONE },
    [REASON_CAPACITY] = { "capacity", BLAME_NONE },
    [REASON_NO_IMAGE] = { "image", BLAME_USER },
};

static const char *const worker_names[WORKER_STATE_COUNT] = {
    [WORKER_INTENT] = "intent", [WORKER_BOOTING] = "booting",   [WORKER_READY] = "ready",
    [WORKER_SILENT] = "silent", [WORKER_DRAINING] = "draining", [WORKER_DESTROYING] = "destroying",
    [WORKER_GONE] = "gone",
};

const char *task_state_name(enum task_state state)
{
    return life[state].name;
}

int task_state_find(const char *name)
{
    for (int i = 0; i < TASK_STATE_COUNT; i++)
        if (strcmp(life[i].name, name) == 0)
            return i;
    return -1;
}

bool task_state_final(enum task_state state)
{
    return state == TASK_SUCCEEDED || state == TASK_FAILED || state == TASK_CANCELLED;
}

bool task_state_may(enum task_state from, enum task_state to)
{
    return life[from].next & 1u << to;
}

const char *reason_name(enum reason reason)
{
    return reasons[reason].name;
}

int reason_find(const char *name)
{
    for (int i = 0; i < REASON_COUNT; i++)
        if (strcmp(reasons[i].name, name) == 0)
            return i;
    return -1;
}

enum blame reason_blame(enum reason reason)
{
    return reasons[reason].blame;
}

const char *worker_state_name(enum worker_state state)
{
    return worker_names[state];
}
