/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - what Magnum answers, read.  Pure. */
#include <string.h>

#include "base/own.h"
#include "sites/magnum/magnum.h"

void magnum_cluster_fini(struct magnum_cluster *cluster)
{
    cluster_seen_fini(&cluster->seen);
    free(cluster->api);
    json_decref(cluster->workers);
    cluster->api = NULL;
    cluster->workers = NULL;
}

static char *copy_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

/* It becomes a part of paths. */
static bool is_id(const char *id)
{
    return id && !id[strspn(id, "0123456789abcdefABCDEF-")];
}

int magnum_read(const json_t *answer, struct magnum_cluster *out, struct err *err)
{
    const char *id = os_text(answer, "uuid"), *status = os_text(answer, "status");
    const char *words = os_text(answer, "status_reason"), *end = status ? strrchr(status, '_') : "";
    const json_t *nodes = json_object_get(answer, "node_count");

    if (!is_id(id) || !status)
        return err_set(err, FAULT_UNAVAILABLE, "Magnum shows a cluster without uuid and status");
    *out = (struct magnum_cluster){
        .seen = { .phase = cluster_phase_of(status),
                  .id = xstrdup(id),
                  .created_ms = os_time(json_object_get(answer, "created_at")),
                  .nodes = json_is_integer(nodes) ? json_integer_value(nodes) : -1 },
        .api = copy_or_null(os_text(answer, "api_address")),
        .workers = json_incref(json_object_get(answer, "node_addresses")),
    };
    if (!end || strcmp(end, "_FAILED") != 0)
        return 0;
    out->seen.words = xasprintf("%s: %.400s", status, words ? words : "no word on why");
    out->seen.fault = os_server_fault(out->seen.words);
    return 0;
}

void magnum_same_fini(struct magnum_same *same)
{
    for (size_t i = 0; i < same->count; i++)
        free(same->ids[i]);
    json_decref(same->oldest);
}

void magnum_same_add(struct magnum_same *same, const json_t *cluster, const char *name)
{
    const char *id = os_text(cluster, "uuid"), *called = os_text(cluster, "name");
    int64_t created_ms = os_time(json_object_get(cluster, "created_at"));
    size_t at;

    if (!is_id(id) || !called || strcmp(called, name) != 0 || same->count == MAGNUM_SAME_MOST)
        return;
    for (at = same->count; at > 0 && same->created_ms[at - 1] > created_ms; at--) {
        same->ids[at] = same->ids[at - 1];
        same->created_ms[at] = same->created_ms[at - 1];
    }
    if (at == 0) {
        json_decref(same->oldest);
        same->oldest = json_incref((json_t *)(uintptr_t)cluster);
    }
    same->ids[at] = xstrdup(id);
    same->created_ms[at] = created_ms;
    same->count++;
}

static bool has_text(const json_t *list, const char *text)
{
    const json_t *each;
    size_t i;

    json_array_foreach(list, i, each)
    {
        const char *one = json_string_value(each);

        if (one && text && strcmp(one, text) == 0)
            return true;
    }
    return false;
}

static bool is_worker(const json_t *workers, const struct kube_node *node)
{
    const json_t *each;
    size_t i;

    json_array_foreach(node->addresses, i, each)
    {
        if (has_text(workers, os_text(each, "address")))
            return true;
    }
    return false;
}

json_t *magnum_pick(const json_t *workers, const struct kube_nodes *idle, int64_t most)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < idle->count && (int64_t)json_array_size(ids) < most; i++)
        if (is_worker(workers, &idle->list[i]) && !has_text(ids, idle->list[i].machine))
            json_array_append_new(ids, json_string(idle->list[i].machine));
    return ids;
}

int magnum_pem(const json_t *answer, const char *id, char **pem, struct err *err)
{
    const char *text = os_text(answer, "pem");

    if (!text)
        return err_set(err, FAULT_UNAVAILABLE, "Magnum gives no certificate for cluster %s", id);
    *pem = xstrdup(text);
    return 0;
}
