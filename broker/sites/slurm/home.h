/* SPDX-License-Identifier: Apache-2.0 */
/* home.h - Slurm's own queue, and what it takes to run a job of it elsewhere. */
#ifndef SPILLWAY_SLURM_HOME_H
#define SPILLWAY_SLURM_HOME_H

#include "spillway/site_home.h"

extern const struct site_home slurm_home;

/* A line of squeue in HOME_FORMAT, with SLURM_TIME_FORMAT=%s; false: it is none. */
#define HOME_FORMAT "%i\037%r\037%V\037%S\037%u\037%a\037%P\037%q\037%D\037%E\037%Z\037%j\037%k"
bool home_job_read(char *line, const char *me, struct home_job *out);
/* The line of `scontrol show job -o`. */
void home_detail_read(const char *line, struct home_job *job);
/* "%j" and kin in the name of an output file, as sbatch(1) says; owned by the caller. */
char *home_path_expand(const struct home_job *job, const char *path);

/* What one of several scripts has left that ran in turn: what it printed, its status, its errors. */
struct home_part {
    char *text;
    size_t length;
    int status;
    const char *errors; /* one line */
};
/* The next of them from *at, whose `left` bytes are cut; `mark` stands at the begin of the line that
 * ends each.  false: there is none, or not all of it. */
bool home_part_next(char **at, size_t *left, const char *mark, struct home_part *out);

#endif
