/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h - a workload replayed against sites and a policy, in virtual time, by the very scheduler.
 *
 * Boots take time and fail, quotas hold until a worker is gone, workers are lost: all by a seed, so
 * that the same input gives the same output, byte for byte.  The network costs nothing and run
 * times are the trace's, wherever a job runs.  A job runs on one worker.  Pure. */
#ifndef SPILLWAY_SCHED_SIM_H
#define SPILLWAY_SCHED_SIM_H

#include "base/buf.h"
#include "sched/sched.h"
#include "sched/swf.h"

struct sim_site {
    const char *name;
    enum tier tier;
    struct sched_shape *shapes;
    size_t shape_count;
    struct sched_quota *quotas; /* limit and others; the rest is kept here */
    size_t quota_count;
    int64_t max_workers; /* < 0: none */
    int64_t fixed;      /* workers of the first shape that are there always, as a cluster's nodes */
    int64_t boot_ms;    /* mean */
    double boot_spread; /* of its logarithm; 0: always the mean */
    double boot_failures; /* part of the boots that fail */
    int64_t lifetime_ms;  /* mean, until a worker is lost; 0: never */
    int64_t teardown_ms;  /* from a destroy until its quota is free */
    int64_t overflow_after_ms, idle_ms, max_walltime_ms;
};

struct sim_options {
    const struct sim_site *sites;
    size_t site_count;
    struct sched_params params;
    int64_t half_life_ms;
    uint64_t seed;
    int64_t tick_ms; /* events so close together are decided on in one pass; 1000 */
};

struct sim_site_result {
    int64_t jobs, workers, boots_failed, workers_lost;
    double worker_hours, busy_cpu_hours, cpu_hours, cost;
};
/* Of each job of the trace, in its order. */
struct sim_job_result {
    int64_t start_ms, end_ms; /* -1: never started */
    int32_t site;
};

struct sim_result {
    int64_t jobs;     /* ended */
    int64_t unplaced; /* no site could run them */
    int64_t overflowed;
    double makespan_s, mean_wait_s, median_wait_s, p95_wait_s, mean_bounded_slowdown, cost;
    struct sim_site_result *sites;
    size_t site_count;
    struct sim_job_result *each;
    size_t count;
    int64_t passes;
};
void sim_run(const struct sim_options *options, const struct swf_trace *trace,
             struct sim_result *out);
/* The sums of *out from its `each` and `sites`; sim_run() does it. */
void sim_sum(const struct sim_options *options, const struct swf_trace *trace,
             struct sim_result *out);
void sim_result_free(struct sim_result *result);

/* Bounded slowdown: a job shorter than this does not count as if it had been delayed a lot. */
#define SIM_BOUND_MS 10000

/* One policy's outcome by name, for reports. */
struct sim_outcome {
    const char *policy;
    struct sim_result result;
};
/* {"jobs", "makespan_s", ..., "sites": [...]}; of several outcomes, a list with "policy" in each.
 */
int sim_json(const struct sim_options *options, const struct sim_outcome *outcomes, size_t count,
             struct buf *out);
/* For people: the outcomes side by side, then the sites of each. */
int sim_text(const struct sim_options *options, const struct sim_outcome *outcomes, size_t count,
             struct buf *out);
/* SVG: busy cpus by site over time, a strip for each outcome. */
int sim_plot(const struct sim_options *options, const struct swf_trace *trace,
             const struct sim_outcome *outcomes, size_t count, struct buf *out);

#endif
