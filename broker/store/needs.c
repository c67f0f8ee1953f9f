/* SPDX-License-Identifier: Apache-2.0 */
/* needs.c - which blobs a job's tasks read: named when it was submitted, or left by an earlier job.
 *
 * What is recorded here may be fetched by the workers that run the job, and is not pruned before
 * the job has ended. */
#include "store/internal.h"

static const char ADD_NEED[] = "INSERT OR IGNORE INTO job_blobs (job, sha256) VALUES (?, ?)";
static const char HAS_NEED[] = "SELECT 1 FROM job_blobs WHERE job = ? AND sha256 = ?";
static const char WORKER_NEEDS[] =
    "SELECT 1 FROM job_blobs b JOIN attempts a ON a.job = b.job WHERE b.sha256 = ?2 "
    "AND a.worker = ?1 AND a.ended = 0 LIMIT 1";

struct needs_op {
    struct op op;
    int64_t job;
    char *const *blobs;
};

static int64_t needs_apply(struct tx *tx, struct op *op, struct err *err)
{
    const struct needs_op *needs = (const struct needs_op *)op;

    for (char *const *blob = needs->blobs; *blob; blob++)
        if (db_run(tx->db, err, ADD_NEED, "it", needs->job, *blob) < 0)
            return -1;
    return 0;
}

/* 1: all are recorded already, as for every task of an array but the first. */
static int has_all(struct store *store, int64_t job, char *const *blobs, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    int64_t found = 1;

    if (!reader.db)
        return -1;
    for (; *blobs && found; blobs++)
        if (db_int(reader.db, 0, &found, err, HAS_NEED, "it", job, *blobs) < 0)
            return -1;
    return found != 0;
}

int store_job_needs(struct store *store, int64_t job, char *const *blobs, struct err *err)
{
    struct needs_op op = { .op.apply = needs_apply, .job = job, .blobs = blobs };
    int rc = has_all(store, job, blobs, err);

    return rc != 0 ? (rc < 0 ? -1 : 0) : (int)writer_call(store, &op.op, err);
}

int store_worker_needs(struct store *store, int64_t worker, const char *sha256, struct err *err)
{
    own_reader struct reader reader = { store, reader_take(store, err) };
    int64_t found = 0;

    if (!reader.db || db_int(reader.db, 0, &found, err, WORKER_NEEDS, "it", worker, sha256) < 0)
        return -1;
    return found ? 0 : 1;
}
