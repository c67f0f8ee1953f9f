/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_size.c - the arithmetic of a cluster's size. */
#include "sites/cluster_size.h"

/* Until a change that was asked for is surely shown, and until Kubernetes has noticed that a node is
 * gone (it gives one 40 to 50 s). */
#define GONE_MS 60000

int64_t cluster_size_wanted(const struct cluster_size *size, int64_t workers)
{
    int64_t nodes;

    if (!size->workers)
        return size->least;
    nodes = (workers + size->workers - 1) / size->workers;
    return nodes < size->least ? size->least : nodes > size->most ? size->most : nodes;
}

int64_t cluster_size_spare(struct cluster_size *size, int64_t workers, int64_t now_mono_ms)
{
    int64_t spare = size->nodes - cluster_size_wanted(size, workers);

    if (!size->workers || spare <= 0) {
        size->ample_mono_ms = 0;
        return 0;
    }
    if (!size->ample_mono_ms)
        size->ample_mono_ms = now_mono_ms;
    if (now_mono_ms - size->ample_mono_ms < size->wait_ms)
        return 0;
    size->ample_mono_ms = now_mono_ms;
    return spare;
}

void cluster_size_ask(struct cluster_size *size, bool grows, int64_t now_mono_ms)
{
    size->grew = grows;
    if (!grows)
        size->shrunk_mono_ms = now_mono_ms;
    size->asked_mono_ms = now_mono_ms;
}

bool cluster_size_is_asked(const struct cluster_size *size, int64_t now_mono_ms)
{
    return size->asked_mono_ms && now_mono_ms - size->asked_mono_ms < GONE_MS;
}

void cluster_size_changes(struct cluster_size *size, int64_t now_mono_ms)
{
    size->asked_mono_ms = 0;
    if (!size->grew)
        size->shrunk_mono_ms = now_mono_ms;
}

bool cluster_size_falls(const struct cluster_size *size, int64_t now_mono_ms)
{
    return size->shrunk_mono_ms && now_mono_ms - size->shrunk_mono_ms < GONE_MS;
}
