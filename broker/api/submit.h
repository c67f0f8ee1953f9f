/* SPDX-License-Identifier: Apache-2.0 */
/* submit.h - from the body of POST /v1/jobs to a submission for the store.
 *
 * submit_read() does no I/O and trusts nothing. */
#ifndef SPILLWAY_API_SUBMIT_H
#define SPILLWAY_API_SUBMIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/auth.h"
#include "api/policy.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/described.h"

#define SUBMIT_JOBS_MOST   10000 /* in one request */
#define SUBMIT_ERRORS_MOST 100   /* problems told */

struct submit {
    json_t *root;
    bool dry_run, anyway;
    size_t count;
    struct described *jobs;
    struct new_job *rows; /* point into jobs */
    struct open_most most;
    struct submission submission;
    char *user, *default_project, *key;
    char digest[SHA256_HEX];
    json_t *warnings; /* list of sentences, or NULL */
};

/* `root` is taken.  On a fault, *errors may hold a list for the problem document. */
int submit_read(json_t *root, const struct policy *policy, const struct caller *caller,
                struct submit *out, json_t **errors, struct err *err);
void submit_free(struct submit *submit);
/* jobs.c: the body of `request`, read so; request->state is a struct submit from then on. */
struct request;
int request_submission(struct request *request, struct err *err);
/* jobs.c: refuses what can never fit at any site, with the table of explain as an extra, unless the
 * body says `anyway`. */
int request_fits(struct request *request, struct submit *submit, struct err *err);
/* A sentence for the answer. */
void submit_warn(struct submit *submit, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* `,"warnings":[...]`. */
void submit_put_warnings(const struct submit *submit, struct buf *out);

/* ---- verdicts: classes of which it was found, seconds ago, that some site can run them */

struct verdicts;
struct verdicts *verdicts_new(void);
void verdicts_free(struct verdicts *verdicts);
bool verdicts_fits(struct verdicts *verdicts, const char *class_key);
void verdicts_add(struct verdicts *verdicts, const char *class_key);

#endif
