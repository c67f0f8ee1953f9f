/* SPDX-License-Identifier: Apache-2.0 */
/* expand.h - placeholders in command, environment, inputs and outputs: {task}, {job}, {name} ...
 *
 * Only the names below are known; any other text in braces is left as it is, so that shell, awk and
 * JSON can be written plainly.  {{task}} stands for {task} itself. */
#ifndef SPILLWAY_CONF_EXPAND_H
#define SPILLWAY_CONF_EXPAND_H

#include <stdbool.h>
#include <stdint.h>

struct job_vars {
    int64_t job;
    int64_t index;    /* {index} and {task}: the array index, 0 for a plain job */
    const char *name; /* {name} */
    /* of a recurring job; NULL: left as they are */
    const char *scheduled_time, *previous_success;
};

/* Owned by the caller. */
char *job_expand(const char *text, const struct job_vars *vars);
/* Only {task}: for the script of an array, whose own braces, as of "{name}" in Python, are left alone. */
char *job_expand_script(const char *text, const struct job_vars *vars);
/* Only {scheduled_time} and {previous_success}; the others wait for the task. */
char *job_expand_run(const char *text, const struct job_vars *vars);
/* The text such that job_expand() gives it back as it is; `script`: job_expand_script(). */
char *job_escape(const char *text, bool script);
/* Whether there is anything to expand: most texts have nothing. */
bool job_expands(const char *text);

#endif
