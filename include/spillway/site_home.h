/* SPDX-License-Identifier: Apache-2.0 */
/* site_home.h - a site with a queue of its own that its users fill without us (a batch system), and
 * what it takes to run one of their jobs elsewhere.
 *
 * Part of a driver (site_driver.home), called from the site's thread as its other functions are.
 * Policy is the caller's (broker/burst.c): which job, when, in which order.  Every call may be
 * repeated. */
#ifndef SPILLWAY_SITE_HOME_H
#define SPILLWAY_SITE_HOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum home_state {
    HOME_WAITS, /* for room */
    HOME_HELD,
    HOME_STAYS /* waits for something that no other site could give it: its begin, a dependency */
};

/* Of what its user is to be written to. */
enum home_mail { MAIL_BEGIN = 1, MAIL_END = 2, MAIL_FAIL = 4 };

struct home_job {
    char *id; /* the site's own */
    char *user, *account, *partition, *qos, *name, *comment, *folder;
    int64_t submitted_ms;
    int64_t start_ms; /* as the site predicts; -1: it does not say */
    enum home_state state;
    bool mine;   /* of the account that we log in with */
    bool needed; /* other jobs wait for how it ends */
    /* by detail() */
    bool bound; /* needs what is not carried elsewhere: nodes by name, licenses, several nodes */
    int cpus, gpus;
    int64_t memory; /* bytes; 0: not said */
    int64_t walltime_ms;
    char *gpu_model;    /* NULL: any */
    char *mail_to;      /* an address; NULL: nobody */
    unsigned mail_on;   /* enum home_mail */
    char *out, *errors; /* where its output goes; equal, or `errors` NULL: into one file */
};
void home_job_free(struct home_job *job); /* what it holds */

struct home_jobs {
    struct home_job *list;
    size_t count;
};
void home_jobs_free(struct home_jobs *jobs);

struct home_file {
    char *path; /* below the job's folder */
    int64_t size;
    int mode;
    char sha256[65]; /* "" until it was asked for */
};
struct home_files {
    struct home_file *list;
    size_t count;
    bool more; /* there are more than asked for */
};
void home_files_free(struct home_files *files);

/* How a job ended elsewhere. */
struct home_end {
    const char *key; /* of what was staged */
    int exit_code;   /* < 0: by `signal` */
    int signal;
    const char *words; /* one line */
};

/* What is asked of one job.  Many are asked in one call, each with an answer of its own: one that is
 * not 0 before the call is passed over. */
struct home_order {
    struct home_job *job;
    const struct home_end *end; /* bring, end, account */
    struct home_files *files;   /* files, hash */
    size_t most;                /* files */
    struct buf *script;         /* detail */
    int rc;                     /* -1: as `fault` says */
    struct err fault;
};
typedef void home_call(void *self, struct home_order *orders, size_t count,
                       int64_t deadline_mono_ms);

struct site_home {
    /* All that wait there, of this account or of all users, in the order in which they would
     * start. */
    int (*waiting)(void *self, bool all_users, int64_t deadline_mono_ms, struct home_jobs *out,
                   struct err *err);
    /* Fill in the rest, and give the job's script.  1: it is not there any more. */
    home_call *detail;
    /* 0: it is held now, seen to be so; 1: it does not wait any more. */
    home_call *hold;
    /* 0 also when it does not wait any more. */
    home_call *release;
    /* Plain files below the folder, at most `most`, without their hashes. */
    home_call *files;
    home_call *hash;
    int (*get)(void *self, const struct home_job *job, const struct home_file *file, int to,
               int64_t deadline_mono_ms, struct err *err);
    /* Results come under a key of ours first ... */
    int (*stage)(void *self, const char *key, const char *local, const char *path, int mode,
                 int64_t deadline_mono_ms, struct err *err);
    /* ... and then all at once into the job's folder, or to its output files ("stdout", "stderr" at
     * the top of what is staged; results lie below "files"). */
    home_call *bring;
    /* End the original.  0: it has ended; 1: it will soon, ask again; 2: somebody has released it, and
     * it is left alone. */
    home_call *end;
    /* Tell the accounting.  1: it does not know the job yet. */
    home_call *account;
};

#endif
