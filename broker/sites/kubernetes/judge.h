/* SPDX-License-Identifier: Apache-2.0 */
/* judge.h - what the objects of a cluster say about a worker.  Pure. */
#ifndef SPILLWAY_KUBERNETES_JUDGE_H
#define SPILLWAY_KUBERNETES_JUDGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "spillway/site_driver.h"
#include "spillway/state.h"

#define WORDS_MOST 480

/* How one object stands; `words` are the cluster's own. */
struct verdict {
    enum instance_state state;
    enum fault fault;
    /* Where it says something about the job; else REASON_NONE.  Of one that has not failed: what it
     * will have been, once it has. */
    enum reason reason;
    enum { WAITS_NOT, WAITS_ROOM, WAITS_REGISTRY } waits; /* for what; it may still come */
    char words[WORDS_MOST];
};

void judge_job(const json_t *job, struct verdict *out);
void judge_pod(const json_t *pod, struct verdict *out);
/* An event that means that the worker will not come; false: it means nothing of the kind. */
bool judge_event(const json_t *event, struct verdict *out);

/* What there is of one worker. */
struct signs {
    const struct verdict *job, *pod, *event; /* NULL: there is none */
    const struct verdict *last;              /* of its pod, also once that is gone */
    bool pod_leaves;                         /* its agent has its grace */
    bool pod_taken;                          /* was deleted before it ended, and the Job was not */
};
/* All of it together. */
void judge_worker(const struct signs *signs, struct verdict *out);

/* Room that a pod asks for: the sum over its containers, or the most of an init container. */
struct asked {
    int64_t cpu_milli, memory, disk;
};
void pod_asks(const json_t *pod, struct asked *out);
int64_t pod_asks_of(const json_t *pod, const char *resource); /* GPUs */
/* "250m", "1500Mi", "2", "1e3", "4G"; thousandths of it.  -1: not a quantity. */
int64_t quantity_milli(const char *text);
int64_t quantity(const char *text); /* rounded up; -1 */
/* Of a JSON string or number; 0: none. */
int64_t quantity_of(const json_t *value);

#endif
