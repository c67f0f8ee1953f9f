/* SPDX-License-Identifier: Apache-2.0 */
/* node.c - which nodes our pods may be put on, and which of them are idle.  Pure. */
#include <ctype.h>
#include <string.h>

#include "base/own.h"
#include "sites/kubernetes/driver.h"
#include "sites/kubernetes/kubernetes.h"

#define UUID_SIZE 36

static bool selects(const json_t *selector, const json_t *labels)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)selector, key, value)
    {
        const char *has = json_string_value(json_object_get(labels, key));

        if (!has || strcmp(has, json_string_value(value)) != 0)
            return false;
    }
    return true;
}

static bool tolerated(const json_t *tolerations, const json_t *taint)
{
    const char *key = kube_text(taint, "key"), *effect = kube_text(taint, "effect");
    const char *value = json_string_value(json_object_get(taint, "value"));
    const json_t *each;
    size_t i;

    if (effect && strcmp(effect, "PreferNoSchedule") == 0)
        return true;
    json_array_foreach(tolerations, i, each)
    {
        const char *op = kube_text(each, "operator"), *k = kube_text(each, "key");
        const char *v = json_string_value(json_object_get(each, "value"));
        const char *e = kube_text(each, "effect");

        if ((e && (!effect || strcmp(e, effect) != 0)) || (k && (!key || strcmp(k, key) != 0)))
            continue;
        if ((op && strcmp(op, "Exists") == 0) || (k && strcmp(v ? v : "", value ? value : "") == 0))
            return true;
    }
    return false;
}

bool node_usable(const struct kubernetes *kube, const json_t *node)
{
    const json_t *each;
    size_t i;

    if (json_is_true(kube_at(node, "spec", "unschedulable", NULL)) ||
        !selects(kube->node_selector, kube_at(node, "metadata", "labels", NULL)))
        return false;
    json_array_foreach(kube_at(node, "spec", "taints", NULL), i, each)
    {
        if (!tolerated(kube->tolerations, each))
            return false;
    }
    json_array_foreach(kube_at(node, "status", "conditions", NULL), i, each)
    {
        const char *type = kube_text(each, "type"), *status = kube_text(each, "status");

        if (type && status && strcmp(type, "Ready") == 0)
            return strcmp(status, "True") == 0;
    }
    return false;
}

void kube_nodes_fini(struct kube_nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++) {
        free(nodes->list[i].machine);
        json_decref(nodes->list[i].addresses);
    }
    free(nodes->list);
    *nodes = (struct kube_nodes){ .list = NULL };
}

/* A cloud's controller calls a node by its server's UUID ("openstack:///UUID"); where there is none,
 * the machine's own is the same. */
static char *machine_of(const json_t *node)
{
    const char *provider = json_string_value(kube_at(node, "spec", "providerID", NULL));
    const char *id = json_string_value(kube_at(node, "status", "nodeInfo", "systemUUID", NULL));
    char *machine;

    if (provider && strncmp(provider, "openstack://", 12) == 0)
        id = strrchr(provider, '/') + 1;
    if (!id || strlen(id) != UUID_SIZE || id[strspn(id, "0123456789abcdefABCDEF-")])
        return NULL;
    machine = xstrdup(id);
    for (char *at = machine; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return machine;
}

void idle_take(struct idle *idle, const json_t *node)
{
    const char *name = kube_text(json_object_get(node, "metadata"), "name");
    const json_t *addresses = kube_at(node, "status", "addresses", NULL);
    struct kube_nodes *out = idle->out;
    char *machine;

    if (!name || json_object_get(idle->busy, name) || !node_usable(idle->kube, node) ||
        !(machine = machine_of(node)))
        return;
    out->list = xrealloc(out->list, (out->count + 1) * sizeof *out->list);
    out->list[out->count++] =
        (struct kube_node){ .machine = machine,
                            .addresses = json_incref((json_t *)(uintptr_t)addresses) };
}
