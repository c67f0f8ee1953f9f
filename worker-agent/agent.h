/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h - the agent: what its modules share.
 *
 * An attempt's way: lease.c takes it in -> stage.c brings its inputs -> lease.c waits for room ->
 * run.c runs it -> upload.c sends logs and outputs -> lease.c makes its report -> sync.c tells the
 * broker until it is settled -> lease.c forgets it.  All on one thread. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "attempt.h"
#include "base/arena.h"
#include "base/map.h"
#include "boot.h"
#include "facts.h"
#include "http.h"
#include "roster.h"
#include "slots.h"

struct agent {
    struct loop *loop;
    struct resolver *resolver;
    struct boot boot;
    struct facts facts;
    struct slots slots;
    struct cgroups *cgroups; /* NULL: none may be made */
    struct places *places;
    struct roster *roster;
    struct http *bulk; /* blobs, logs, outputs; the syncs have connections of their own */

    struct map attempts; /* all, by id */
    struct map by_pid;   /* those that run */
    struct map helpers;  /* children that are no job: the keeper, a runtime that tidies up */
    struct list ready;   /* wait for room, the first to come first */
    struct list running;
    int queued, active; /* not yet started; running or completing */

    struct sync *sync;
    struct stage_cache *cache;
    struct arena scratch; /* for the start of one process */
    struct timer strays;
    struct list emptying; /* cgroups that still had processes when their attempt ended */
    pid_t keeper;
    int keeper_fd;
    int null_fd;
    uint64_t files_most; /* RLIMIT_NOFILE as we were given it */
    char *path, *home, *user, *lang;

    bool draining;           /* no new leases */
    bool batch;              /* in a batch job: our jobs are told to end when we are */
    bool leaving;            /* the worker is being taken away, or we were told to end */
    const char *leaving_why; /* "preempted", "signal" */
    bool ending;             /* the broker said that nothing more is to be done, or it is gone */
    bool reap_now;           /* a child has ended */
    bool poweroff;           /* once ended */
    int exit_code;
    struct timer last;   /* the latest end of one that leaves or ends */
    struct timer notice; /* to look for a spot notice */
    struct watch signals;
};

/* ---- lease.c --------------------------------------------------------------------------------- */

/* New leases and cancels, as an answer brings them. */
void lease_take_in(struct agent *agent, json_t *lease);
void lease_cancel(struct agent *agent, int64_t attempt, const char *why);
/* The broker has its report for good. */
void lease_settled(struct agent *agent, int64_t attempt);
/* No new ones; those not started go back. */
void lease_drain(struct agent *agent);
/* Start what fits. */
void lease_start_ready(struct agent *agent);
/* Its inputs are there, or cannot be brought. */
void lease_staged(struct attempt *a, const struct err *err);
/* End `a`, whatever it is doing, without its process (which must be gone): make its report. */
void lease_finish(struct attempt *a, enum reason reason, const char *detail);
/* Processes gone, transfers done: report what run.c found. */
void lease_report(struct attempt *a);
/* End all that runs, for `reason`. */
void lease_stop_all(struct agent *agent, enum reason reason, const char *detail, int64_t grace_ms);

/* ---- run.c ----------------------------------------------------------------------------------- */

/* Start its process; when that cannot be, the attempt is finished with the reason. */
void run_start(struct attempt *a);
/* SIGTERM, and SIGKILL after `grace_ms`. */
void run_stop(struct attempt *a, enum reason reason, const char *detail, int64_t grace_ms);
/* Take in all children that have ended. */
void run_reap(struct agent *agent);
/* Kill what escaped from ended attempts and was handed to us by the kernel. */
void run_strays(struct timer *timer);
void run_kill_all(struct agent *agent);

/* ---- stage.c, upload.c ----------------------------------------------------------------------- */

struct stage_cache *stage_open(struct agent *agent, struct err *err);
/* Calls lease_staged() some time later. */
void stage_start(struct attempt *a);
void stage_stop(struct attempt *a); /* it will not call */
/* Send on what the logs of a running attempt have. */
void upload_logs(struct attempt *a);
/* Its process has ended: send the rest of the logs and the outputs, then lease_report(). */
void upload_start(struct attempt *a);
void upload_stop(struct attempt *a);

/* ---- env.c ----------------------------------------------------------------------------------- */

/* The environment of `a`, in the scratch arena. */
char **env_build(struct agent *agent, const struct attempt *a);
/* "0,2": the ids of the GPUs given. */
const char *env_gpus(struct agent *agent, uint64_t gpus);
/* The value of NAME in it; `otherwise` when unset. */
const char *env_get(char *const *env, const char *name, const char *otherwise);

#endif
