/* SPDX-License-Identifier: Apache-2.0 */
/* lease.h - the text of a lease: what an agent must know to run one task (wire.h, LEASE).
 *
 * Keeps the last description it read, since tasks of one array come in a row.  One thread at a
 * time; reads the store, so no lock may be held. */
#ifndef SPILLWAY_LEASE_H
#define SPILLWAY_LEASE_H

#include "store/store.h"

struct leases;
struct leases_options {
    int64_t log_most, output_most, walltime_ms; /* the broker's; walltime where the job has none */
};
struct leases *leases_new(struct store *store, const struct leases_options *options);
void leases_free(struct leases *leases);

/* What the worker gets: an open amount ("4+") may get more than was asked. */
struct grant {
    int64_t cpus, memory, disk, gpus;
    unsigned alternative; /* of resources.any_of */
};
/* Owned by the caller; NULL with a fault: the description cannot be read, or names results that are
 * not there (FAULT_NOT_FOUND). */
char *lease_text(struct leases *leases, const struct lease *lease, const struct grant *grant,
                 struct err *err);

#endif
