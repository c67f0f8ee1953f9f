/* SPDX-License-Identifier: Apache-2.0 */
/* joblog.h - what a job writes to stdout, or to stderr.
 *
 * It comes through a pipe.  A few kilobytes are kept in memory and go with the report; more is kept
 * in a file, up to a limit, beyond which it is counted and dropped: the job goes on. */
#ifndef AGENT_JOBLOG_H
#define AGENT_JOBLOG_H

#include <stdbool.h>

#include "base/buf.h"
#include "digest.h"
#include "loop.h"

struct joblog {
    struct watch watch; /* on the pipe's end, once the job has lived for a moment */
    struct loop *loop;
    int write_fd;    /* the job's end, until it is started */
    struct buf head; /* all of it, up to WIRE_LOG_INLINE */
    int file_fd;     /* the rest too, once there is more; -1 */
    char *file;      /* its path */
    int64_t most;    /* bytes kept; 0: no limit */
    int64_t size, cut;
    int64_t sent; /* bytes the broker has */
    struct digest digest;
};

int joblog_open(struct joblog *log, struct loop *loop, int64_t most, struct err *err);
/* `file` (owned by the log now) is made when it is needed. */
void joblog_name(struct joblog *log, char *file);
void joblog_started(struct joblog *log); /* the job has its end */
void joblog_listen(struct joblog *log);
/* The job is gone: take in what is in the pipe, close it. */
void joblog_end(struct joblog *log);
/* The file too. */
void joblog_free(struct joblog *log);

#endif
