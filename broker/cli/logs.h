/* SPDX-License-Identifier: Apache-2.0 */
/* logs.h - a task's output as it comes, as `logs -f` and `run` show it. */
#ifndef SPILLWAY_CLI_LOGS_H
#define SPILLWAY_CLI_LOGS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct cli;

struct log_view {
    const char *id;
    bool wanted[2];                         /* stdout, stderr */
    bool apart;                             /* stderr goes to our standard error */
    int64_t attempt;                        /* 0: the last one, and those that follow */
    int64_t node;                           /* of a task that runs on several workers */
    const volatile sig_atomic_t *interrupt; /* NULL: none */
    /* It came; 0: dealt with, go on.  NULL: stop. */
    int (*on_interrupt)(struct cli *cli, const char *id, struct err *err);
};

/* Until the task has ended (or that attempt).  1: interrupted. */
int logs_follow(struct cli *cli, const struct log_view *view, struct err *err);

#endif
