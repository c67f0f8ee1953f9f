/* SPDX-License-Identifier: Apache-2.0 */
/* idle.c - nodes that none of our pods is on, for who can take nodes away. */
#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "sites/kubernetes/driver.h"
#include "sites/kubernetes/kubernetes.h"

#define UUID_SIZE 36

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

    if (!name || json_object_get(idle->busy, name) || !capacity_usable(idle->kube, node) ||
        !(machine = machine_of(node)))
        return;
    out->list = xrealloc(out->list, (out->count + 1) * sizeof *out->list);
    out->list[out->count++] =
        (struct kube_node){ .machine = machine,
                            .addresses = json_incref((json_t *)(uintptr_t)addresses) };
}

static void take_one(void *arg, const json_t *node)
{
    idle_take(arg, node);
}

static void note_busy(void *arg, const struct tracked *worker)
{
    struct idle *idle = arg;

    if (worker->node)
        json_object_set_new(idle->busy, worker->node, json_true());
    else
        idle->unsettled = true;
}

int kubernetes_idle(void *self, int64_t deadline, struct kube_nodes *out, struct err *err)
{
    struct kubernetes *kube = self;
    own_json json_t *busy = json_object();
    struct idle idle = { .kube = kube, .busy = busy, .out = out };

    if (!kube->watch)
        return err_set(err, FAULT_UNAVAILABLE, "the cluster is not followed yet");
    if (watch_ready(kube->watch, deadline, err) < 0)
        return -1;
    watch_each(kube->watch, note_busy, &idle);
    if (idle.unsettled)
        return 0;
    return client_list(kube->client, "/api/v1/nodes", NULL, deadline, take_one, &idle, NULL, err);
}
