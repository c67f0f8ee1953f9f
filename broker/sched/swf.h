/* SPDX-License-Identifier: Apache-2.0 */
/* swf.h - workload traces in the Standard Workload Format, version 2.2.
 *
 * A line is a job of 18 numbers parted by blanks, -1 for what is not known; lines that begin with
 * ';' are headers ("; MaxProcs: 240") or comments.  Times are seconds, memory is KiB a processor.
 * Lines that are not so are counted, the first few reported, and skipped.  Pure: text in, jobs out,
 * sorted by submission. */
#ifndef SPILLWAY_SCHED_SWF_H
#define SPILLWAY_SCHED_SWF_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct swf_job {
    int64_t number;
    int64_t submit_ms; /* since the trace's start */
    int64_t run_ms;
    int64_t walltime_ms; /* 0: not asked for */
    int64_t memory;      /* bytes, of all processors together; 0: not asked for */
    int32_t cpus;
    int32_t user, project; /* numbered from 0 in the order of appearance; project: its group */
    int32_t after;         /* place of the job it follows (field 17), or -1 */
    int64_t think_ms;      /* and the time between that one's end and it (field 18) */
};

struct swf_header {
    char *key, *value;
};

#define SWF_REPORTS_MOST 20

struct swf_trace {
    struct swf_job *jobs;
    size_t count;
    int32_t users, projects;
    int64_t *user_ids, *project_ids; /* as the trace numbers them; -1: not known */
    struct swf_header *headers;
    size_t header_count;
    int64_t start_ms;  /* UnixStartTime as wall time, or 0 */
    int64_t max_procs; /* of the header, or 0 */
    size_t malformed;  /* lines that are no jobs */
    size_t unstarted;  /* jobs that never ran: cancelled before, or without a run time */
    size_t cut;        /* ran longer than they had asked for: ended at their walltime */
    struct buf report; /* "line 17: 3 fields, 18 wanted"; SWF_REPORTS_MOST lines at most */
};
void swf_parse(const char *text, size_t length, struct swf_trace *out);
void swf_free(struct swf_trace *trace);
/* NULL when the header is missing. */
const char *swf_header(const struct swf_trace *trace, const char *key);

#endif
