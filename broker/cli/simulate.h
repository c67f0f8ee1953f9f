/* SPDX-License-Identifier: Apache-2.0 */
/* simulate.h - what `spillway simulate` reads besides the trace: sites to model, and policies. */
#ifndef SPILLWAY_CLI_SIMULATE_H
#define SPILLWAY_CLI_SIMULATE_H

#include "conf/broker.h"
#include "sched/sim.h"

struct sim_sites {
    struct sim_site *list;
    size_t count;
    struct arena arena; /* holds the rest */
};
/* Sites of a configuration as the simulator wants them.  A site says under `simulate:` what it has;
 * one that does not is guessed from its limits and the trace (see docs/placement.md). */
int sim_sites_of(const struct broker_conf *conf, const struct swf_trace *trace,
                 struct sim_sites *out, struct err *err);
void sim_sites_free(struct sim_sites *sites);

/* What the broker has run since then, as a trace's text. */
struct cli;
int sim_journal(struct cli *cli, int64_t from_ms, struct buf *out, struct err *err);

/* A policy by name, or from a YAML file of parameters. */
int sim_policy(const char *name, struct sched_params *params, int64_t *half_life_ms,
               struct err *err);

#endif
