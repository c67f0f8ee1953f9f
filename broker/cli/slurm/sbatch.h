/* SPDX-License-Identifier: Apache-2.0 */
/* sbatch.h - what sbatch puts into a description beside what its options say of the job. */
#ifndef SPILLWAY_CLI_SLURM_SBATCH_H
#define SPILLWAY_CLI_SLURM_SBATCH_H

#include "conf/script.h"

/* The job's environment: what --export says of ours, and what Slurm sets.  Variables that look like
 * secrets are left out unless they are named, and told. */
int sbatch_environment(json_t *description, const struct sbatch_call *call, const char *submit_dir,
                       struct err *err);
/* `stdout` and `stderr` by the patterns of --output and --error. */
int sbatch_files(json_t *description, const struct sbatch_call *call, struct err *err);
/* "slurm-%A_%a.out" with our placeholders; owned by the caller, NULL on a fault. */
char *sbatch_pattern(const char *pattern, const char *name, bool array, struct err *err);

#endif
