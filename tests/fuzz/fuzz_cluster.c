/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_cluster.c - libFuzzer: what Magnum, Heat and a cluster of theirs answer, as clusters, stacks, nodes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "sites/heat/heat.h"
#include "sites/kubernetes/kubernetes.h"
#include "sites/magnum/magnum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PICK_MOST 2

static void as_cluster(const json_t *answer)
{
    struct magnum_cluster cluster = { .api = NULL };
    own_str char *pem = NULL;
    struct err err = ERR_INIT;

    if (magnum_read(answer, &cluster, &err) == 0 &&
        (!cluster.seen.id || strchr(cluster.seen.id, '/') || cluster.seen.phase > CLUSTER_BROKEN ||
         (cluster.seen.phase == CLUSTER_BROKEN && !cluster.seen.words)))
        abort();
    magnum_cluster_fini(&cluster);
    if ((magnum_pem(answer, "x", &pem, &err) == 0) != (pem != NULL))
        abort();
}

static void as_clusters(const json_t *answer)
{
    const json_t *list = json_object_get(answer, "clusters"), *each;
    own_magnum_same struct magnum_same same = { .count = 0 };
    size_t i;

    json_array_foreach(list, i, each)
    {
        magnum_same_add(&same, each, "ours");
    }
    if (same.count > MAGNUM_SAME_MOST || (same.count > 0) != (same.oldest != NULL))
        abort();
    for (i = 1; i < same.count; i++)
        if (same.created_ms[i] < same.created_ms[i - 1])
            abort();
    if (same.count && strcmp(os_text(same.oldest, "uuid"), same.ids[0]) != 0)
        abort();
}

static void as_stacks(const json_t *answer)
{
    const json_t *list = json_object_get(answer, "stacks");
    own_json json_t *members = stack_members_of(json_object_get(answer, "resources"));
    own_stacks struct stacks all = { .list = NULL }, one = { .list = NULL };

    stacks_read(list, NULL, PICK_MOST, &all);
    stacks_read(list, "ours", PICK_MOST, &one);
    if (all.count > json_array_size(list) || one.count > all.count ||
        json_object_size(members) > json_array_size(json_object_get(answer, "resources")))
        abort();
    for (size_t i = 0; i < all.count; i++)
        if ((all.list[i].state == INSTANCE_FAILED) != (all.list[i].detail != NULL))
            abort();
}

static void as_nodes(const json_t *answer)
{
    struct kubernetes kube = { .conf = NULL };
    own_json json_t *busy = json_object(), *ids = NULL;
    own(kube_nodes_fini) struct kube_nodes nodes = { .list = NULL };
    struct idle idle = { .kube = &kube, .busy = busy, .out = &nodes };
    const json_t *each;
    size_t i;

    json_array_foreach(json_object_get(answer, "items"), i, each)
    {
        idle_take(&idle, each);
    }
    for (i = 0; i < nodes.count; i++)
        if (strlen(nodes.list[i].machine) != 36)
            abort();
    ids = magnum_pick(json_object_get(answer, "node_addresses"), &nodes, PICK_MOST);
    if (json_array_size(ids) > PICK_MOST || json_array_size(ids) > nodes.count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    own_str char *text = xstrndup((const char *)data, size);
    own_json json_t *answer = json_loadb(text, strlen(text), 0, NULL);

    if (cluster_phase_of(text) > CLUSTER_BROKEN)
        abort();
    if (!answer)
        return 0;
    as_cluster(answer);
    as_clusters(answer);
    as_stacks(answer);
    as_nodes(answer);
    return 0;
}
