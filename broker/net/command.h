/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - run a program and take what it prints, within bounds.
 *
 * It has no terminal and no input, a process group of its own, and is killed with all that it
 * started when the deadline is reached.  Blocks; any thread. */
#ifndef SPILLWAY_NET_COMMAND_H
#define SPILLWAY_NET_COMMAND_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* argv[0] is a path, or a name that PATH finds.  `env`: "NAME=VALUE", NULL-terminated, put before
 * the environment that we have.  `out` and `errors` are bounded by their caps.  0: it ended by
 * itself with status 0. -1: FAULT_NOT_FOUND, FAULT_TIMEOUT, FAULT_INVALID (it prints too much) or
 * FAULT_UNAVAILABLE (another status; its last words are in the fault). */
int command_run(const char *const argv[], const char *const env[], int64_t deadline_mono_ms,
                struct buf *out, struct buf *errors, struct err *err);

#endif
