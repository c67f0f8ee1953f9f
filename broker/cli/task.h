/* SPDX-License-Identifier: Apache-2.0 */
/* task.h - a TASK of the API, in words. */
#ifndef SPILLWAY_CLI_TASK_H
#define SPILLWAY_CLI_TASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "user-exit (3)", "signal (9, SIGKILL)", "capacity"; owned by the caller. */
char *task_reason(const json_t *task);
/* "failed: walltime: ran longer than ...": state, reason and detail, each said once; owned by the
 * caller. */
char *task_end(const json_t *task);
/* How long it has run, or ran; "-" before it started. */
const char *task_elapsed(const json_t *task, int64_t now_ms, char *out, size_t size);
/* Whether its state is a final one.  Of an array job: whether all its tasks have ended. */
bool task_ended(const json_t *task);
/* Whether it, or every task of an array job, succeeded. */
bool task_succeeded(const json_t *task);
/* Of an array job: how many tasks are in a state; of a task: 1 or 0. */
int64_t task_count(const json_t *task, const char *state);
/* How many tasks it stands for. */
int64_t task_total(const json_t *task);

#endif
