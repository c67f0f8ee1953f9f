/* SPDX-License-Identifier: Apache-2.0 */
/* workdir.h - a job that runs in a directory of its user's, not in a place of ours. */
#ifndef AGENT_WORKDIR_H
#define AGENT_WORKDIR_H

#include "attempt.h"
#include "base/own.h"

struct workdir {
    int fd, out_fd, err_fd; /* -1: none, or the log */
};
#define WORKDIR_INIT                         \
    {                                        \
        .fd = -1, .out_fd = -1, .err_fd = -1 \
    }

/* The directory, and the files that output goes to.  The words name what cannot be opened. */
int workdir_open(const struct attempt *attempt, struct workdir *out, struct err *err);
void workdir_close(struct workdir *workdir);
#define own_workdir own(workdir_close)

#endif
