/* SPDX-License-Identifier: Apache-2.0 */
/* wait.h - waiting for jobs to end, as `wait` and `submit --wait` do. */
#ifndef SPILLWAY_CLI_WAIT_H
#define SPILLWAY_CLI_WAIT_H

#include <stddef.h>
#include <stdint.h>

struct cli;
struct err;
/* EXIT_OK: all succeeded; EXIT_NO: any did not; -1: a fault, FAULT_TIMEOUT when the time is up.
 * Says on standard error which did not succeed, or with --json prints the final objects. */
int wait_for(struct cli *cli, const char *const *ids, size_t count, int64_t timeout_ms,
             struct err *err);

#endif
