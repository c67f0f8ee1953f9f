/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - the options of `submit` and `run`, one for each key of a job description.
 *
 * One table serves the command line, its help, the man page, shell completion and the `#SPILLWAY`
 * lines of scripts.  An option only writes into a description; job_spec_parse() judges the result.
 */
#ifndef SPILLWAY_CONF_OPTIONS_H
#define SPILLWAY_CONF_OPTIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct job_option {
    const char *name;   /* "walltime", without dashes */
    const char *alias;  /* "time", or NULL */
    const char *word;   /* of its argument, "SPAN"; NULL: it takes none */
    bool repeats;       /* may be given several times, each adds */
    const char *key;    /* "resources.walltime" */
    const char *help;   /* one line */
    const char *values; /* the words it takes, space-separated, for completion; NULL: free text */
    int (*set)(const struct job_option *option, const char *value, int64_t now_ms,
               json_t *description, struct err *err);
};

/* Ends with an entry whose name is NULL. */
extern const struct job_option job_options[];

/* By name or alias; NULL when there is none. */
const struct job_option *job_option_find(const char *name);
/* The nearest name, for "did you mean"; NULL. */
const char *job_option_nearest(const char *name);
/* Write into `description`.  `value` is NULL for an option that takes none.  `now_ms` (wall time)
 * is what "now+2h" starts from.  Faults read "--cpus: WORDS". */
int job_option_set(const struct job_option *option, const char *value, int64_t now_ms,
                   json_t *description, struct err *err);
/* "2026-12-01T08:00:00+01:00", "now+2h", "2h" (from now), and in local time "16:00", "tomorrow",
 * "2026-12-01", "2026-12-01T08:00"; ms since 1970 UTC. */
int job_option_time(const char *text, int64_t now_ms, int64_t *out_ms, struct err *err);

#endif
