/* SPDX-License-Identifier: Apache-2.0 */
/* job_parts.h - the pieces of a job description, one level each; for job.c and its kin only. */
#ifndef SPILLWAY_CONF_JOB_PARTS_H
#define SPILLWAY_CONF_JOB_PARTS_H

#include "conf/reader.h"

/* resources.c: into a struct job_spec, its options and options_ordered. */
read_value read_resources;
extern const struct level resources_level, any_of_level;
void resources_init(struct resources *resources);
void resources_fini(struct resources *resources);

/* inputs.c: files; slots are of a struct job_spec at offset 0. */
read_value read_inputs, read_outputs;
extern const struct level inputs_level;
/* Those that come from other jobs, once `after` is known. */
void check_inputs(struct reader *r, const struct job_spec *spec);
void inputs_free(struct input *inputs, size_t count);

/* parts.c: the others; likewise. */
read_value read_after, read_retries, read_signal, read_limits, read_placement, read_notify,
    read_schedule, read_environment;
extern const struct level after_level, retries_level, signal_level, limits_level, placement_level,
    placement_sites_level, notify_level, schedule_level;
extern const char *const tier_words[], *const objective_words[], *const outcome_words[];
void placement_init(struct placement *placement);
void placement_fini(struct placement *placement);

#endif
