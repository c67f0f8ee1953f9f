/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_size.h - how many nodes a cluster should have, and when it may have fewer.  Pure.
 *
 * It grows at once and shrinks only after it had too many for a while; while nodes go, and shortly
 * after, nothing new is put on any of them. */
#ifndef SPILLWAY_CLUSTER_SIZE_H
#define SPILLWAY_CLUSTER_SIZE_H

#include <stdbool.h>
#include <stdint.h>

struct cluster_size {
    int64_t least, most, workers; /* nodes, and workers on each; workers 0: it keeps its size */
    int64_t wait_ms;              /* it must have had too many for so long */
    int64_t nodes;                /* when it was last at rest */
    bool grew;                    /* the last change that we began made it larger */
    int64_t ample_mono_ms;        /* since when it has too many; 0: it has not */
    int64_t shrunk_mono_ms;       /* when nodes were last seen to go; 0: never */
    int64_t asked_mono_ms;        /* when we began a change that was not seen yet; 0: none */
};

/* Nodes for that many workers. */
int64_t cluster_size_wanted(const struct cluster_size *size, int64_t workers);
/* How many nodes more than `workers` want may go now.  Asked at each turn; after an answer > 0 it
 * waits anew. */
int64_t cluster_size_spare(struct cluster_size *size, int64_t workers, int64_t now_mono_ms);
/* We begin a change. */
void cluster_size_ask(struct cluster_size *size, bool grows, int64_t now_mono_ms);
/* One that we began may not be shown yet: Magnum tells the new count seconds before it says that
 * anything changes. */
bool cluster_size_is_asked(const struct cluster_size *size, int64_t now_mono_ms);
/* It is seen to change, by whomever. */
void cluster_size_changes(struct cluster_size *size, int64_t now_mono_ms);
/* Nodes go, or went so shortly ago that Kubernetes may still count on them. */
bool cluster_size_falls(const struct cluster_size *size, int64_t now_mono_ms);

#endif
