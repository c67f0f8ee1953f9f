/* SPDX-License-Identifier: Apache-2.0 */
/* blob.h - inputs by content, fetched once for all attempts that want them.
 *
 * DIR/cache holds them by hash.  Attempts get copies: a link would let a job that runs as our user
 * change what the next one gets. */
#ifndef AGENT_BLOB_H
#define AGENT_BLOB_H

#include "agent.h"
#include "digest.h"

struct blobs;

/* Where an input comes from. */
struct source {
    const char *sha256; /* NULL: not known (only with a URL) */
    const char *url;    /* NULL: the broker's own store */
    int64_t size;       /* < 0: not known */
};

/* One that waits for a blob. */
struct blob_wait {
    struct list node;
    struct blob *blob; /* NULL: not waiting and not holding */
    /* It is there, and stays while the wait holds it; or `err` says why not. */
    void (*ready)(struct blob_wait *wait, const struct err *err);
};

struct blobs *blobs_open(struct agent *agent, struct err *err);
/* `ready` comes later, never from within. */
void blob_want(struct blobs *blobs, const struct source *source, struct blob_wait *wait);
/* No longer wanted, or no longer needed. */
void blob_let_go(struct blob_wait *wait);
/* For reading; -1 with errno when someone touched it, and it must be wanted again. */
int blob_open_file(const struct blob_wait *wait);
int64_t blob_size(const struct blob_wait *wait);
/* Room on the disk is short: remove what nobody holds. */
void blobs_shrink(struct blobs *blobs);

#endif
