/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_seen.c - a cluster as its maker's API shows it.  Pure. */
#include <string.h>

#include "base/own.h"
#include "sites/cluster.h"

void cluster_seen_fini(struct cluster_seen *seen)
{
    free(seen->id);
    free(seen->words);
    memset(seen, 0, sizeof *seen);
}

enum cluster_phase cluster_phase_of(const char *status)
{
    bool of_birth = strncmp(status, "CREATE_", 7) == 0, of_end = strncmp(status, "DELETE_", 7) == 0;
    const char *end = strrchr(status, '_');

    if (end && strcmp(end, "_FAILED") == 0)
        return of_birth || of_end ? CLUSTER_BROKEN : CLUSTER_UP;
    if (of_end)
        return CLUSTER_LEAVING;
    if (!end || strcmp(end, "_COMPLETE") == 0)
        return CLUSTER_UP;
    return of_birth ? CLUSTER_MAKING : CLUSTER_CHANGING;
}
