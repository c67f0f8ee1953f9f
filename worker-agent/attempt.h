/* SPDX-License-Identifier: Apache-2.0 */
/* attempt.h - one attempt in the agent's hands: what the lease says, how far it is, how it ended.
 */
#ifndef AGENT_ATTEMPT_H
#define AGENT_ATTEMPT_H

#include <jansson.h>
#include <sys/resource.h>

#include "base/list.h"
#include "cgroup.h"
#include "joblog.h"
#include "loop.h"
#include "place.h"
#include "slots.h"
#include "spillway/state.h"

struct agent;

enum phase {
    PHASE_STAGING, /* its inputs are on their way */
    PHASE_READY,   /* waits for room */
    PHASE_RUNNING,
    PHASE_COMPLETING, /* ended; logs and outputs are on their way */
    PHASE_FINISHED    /* its report is made; waits until the broker has it for good */
};

struct attempt {
    struct agent *agent;
    int64_t id;
    json_t *lease; /* freed when it has ended; what is borrowed from it below is then NULL */
    const char *task, *container, *script;
    const char *workdir, *out_file, *err_file; /* NULL: in a place of ours; to the log */
    bool append;
    struct need need;
    int64_t disk, walltime_ms, signal_before_ms, grace_ms, log_most, output_most;
    int early_signal;

    enum phase phase;
    struct list node; /* in the agent's queue, or among those that run */
    size_t roster_row;

    /* while it runs */
    uint64_t gpus;
    pid_t pid;
    struct place *place;
    bool place_is_clean;
    struct joblog logs[2];
    struct cgroup *cgroup;
    struct timer
        tick; /* first to listen to its logs, then to send them on and look at its memory */
    struct timer wall; /* early signal, walltime */
    struct timer kill; /* the end of its grace */
    bool early_sent;
    enum reason stop; /* why we are ending it; REASON_NONE: we are not */
    const char *stop_detail;
    char *container_rm; /* name of a container that a runtime may leave; NULL */

    /* its transfers */
    struct stage *stage;
    struct upload *upload;

    /* how it ended */
    int64_t oom_kills; /* of all our jobs, as it began */
    int64_t started_wall_ms, finished_wall_ms, started_ms, wall_ms, cpu_ms, max_rss;
    int exit_code; /* -1: did not exit */
    int signal;
    enum reason reason;
    char *detail;
    json_t *outputs; /* as the report lists them; NULL: none */

    /* what the broker is to be told; sync.c's */
    struct list say;
    int say_where;
    bool say_running, say_completing, say_returned, say_more;
    char *report; /* of a finished one: the JSON text */
    int64_t told_ms;
};

/* The lease as the broker sent it, checked.  Takes a reference on `lease`. */
struct attempt *attempt_from_lease(struct agent *agent, json_t *lease, struct err *err);
/* One of which only the id is known: of an earlier life, or of a lease that makes no sense. */
struct attempt *attempt_bare(struct agent *agent, int64_t id);
void attempt_free(struct attempt *attempt);
/* The id of a lease; 0: it has none. */
int64_t lease_id(const json_t *lease);
/* Its final report. */
char *attempt_report(const struct attempt *attempt);

#endif
