/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.c - a stack of the operator's template that is a Kubernetes cluster.
 *
 * The template's output, named by `kubeconfig:` in the site file, says how to log in.  Where the
 * template takes `nodes`, the stack is updated as demand changes; the life of the cluster is
 * sites/cluster.c's. */
#include "sites/cluster.h"

#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "base/parse.h"
#include "net/hash.h"
#include "sites/heat/heat.h"
#include "sites/openstack/driver.h"

#define KUBECONFIG_MOST ((size_t)256 * 1024)

static const char *const keys[] = { "cloud",    "clouds_file", "region",     "network",
                                    "template", "parameters",  "kubeconfig", NULL };

struct maker {
    struct openstack *os;
    struct hot hot;
    const char *output;
    char name[256]; /* the stack's */
};

/* ---- configuration --------------------------------------------------------------------------- */

static void maker_close(void *self)
{
    struct maker *maker = self;

    openstack_driver.close(maker->os);
    hot_fini(&maker->hot);
    free(maker);
}

static int read_maker(struct maker *maker, const struct site_conf *conf, struct err *err)
{
    if (cluster_only(conf, keys, err) < 0 ||
        site_conf_str(conf, "/network", &maker->os->network, err) < 0 ||
        site_conf_need_str(conf, "/kubeconfig", &maker->output, err) < 0 ||
        hot_load(conf, &maker->hot, err) < 0)
        return -1;
    if (!json_object_get(maker->hot.outputs, maker->output))
        return site_conf_error(conf, "/kubeconfig", err, "the template has no output '%.60s'",
                               maker->output);
    return os_open_session(maker->os, err);
}

/* ---- the stack ------------------------------------------------------------------------------- */

static struct stack stack_of(struct maker *maker, const struct cluster_seen *seen)
{
    return (struct stack){ .id = seen->id, .name = maker->name };
}

/* How many nodes it was asked for, where the template takes that. */
static int read_nodes(struct maker *maker, const struct stack *stack, int64_t deadline,
                      struct cluster_seen *out, struct err *err)
{
    own_json json_t *parameters = NULL;
    const char *nodes;

    if (!hot_takes(&maker->hot, "nodes") ||
        (out->phase != CLUSTER_UP && out->phase != CLUSTER_CHANGING))
        return 0;
    if (stack_parameters(maker->os, stack, deadline, &parameters, err) < 0)
        return -1;
    nodes = os_text(parameters, "nodes");
    if (nodes && parse_i64(nodes, 0, INT32_MAX, &out->nodes, NULL) < 0)
        out->nodes = -1;
    return 0;
}

static int maker_look(void *self, const char *broker, const char *name, int64_t deadline,
                      struct cluster_seen *out, struct err *err)
{
    struct maker *maker = self;
    own_stacks struct stacks stacks = { .list = NULL };
    const struct stack *stack;

    snprintf(maker->os->broker, sizeof maker->os->broker, "%s", broker);
    snprintf(maker->name, sizeof maker->name, "%s", name);
    if (stacks_list(maker->os, STACK_CLUSTER, name, deadline, &stacks, err) < 0)
        return -1;
    if (stacks.count == 0)
        return 0;
    stack = &stacks.list[0];
    out->phase = cluster_phase_of(stack->status);
    out->id = xstrdup(stack->id);
    out->words = stack->detail ? xstrdup(stack->detail) : NULL;
    out->fault = stack->fault;
    out->created_ms = stack->created_ms;
    return read_nodes(maker, stack, deadline, out, err);
}

static void put_nodes(const struct maker *maker, json_t *parameters, int64_t nodes)
{
    if (hot_takes(&maker->hot, "nodes"))
        json_object_set_new(parameters, "nodes", json_integer(nodes));
}

static int maker_make(void *self, const char *broker, const char *name, int64_t nodes,
                      int64_t deadline, struct err *err)
{
    struct maker *maker = self;
    const json_t *constants = site_conf_get(maker->os->conf, "/parameters");
    own_json json_t *parameters = json_pack("{s:s}", "name", name);
    bool maybe_done = false;

    (void)broker;
    put_nodes(maker, parameters, nodes);
    if (maker->os->network && hot_takes(&maker->hot, "network"))
        json_object_set_new(parameters, "network", json_string(maker->os->network));
    if (constants)
        json_object_update(parameters, (json_t *)(uintptr_t)constants);
    if (stack_create(maker->os, name, &maker->hot, parameters, deadline, &maybe_done, err) == 0)
        return 0;
    return maybe_done ? 0 : -1; /* the next look tells */
}

static int maker_resize(void *self, const struct cluster_seen *seen, int64_t nodes,
                        int64_t deadline, struct err *err)
{
    struct maker *maker = self;
    own_json json_t *parameters = json_object();
    struct stack stack = stack_of(maker, seen);

    put_nodes(maker, parameters, nodes);
    return stack_update(maker->os, &stack, &maker->hot, parameters, deadline, err);
}

/* Its members that are among them, at most `most`. */
static json_t *pick(const json_t *members, const struct kube_nodes *idle, int64_t most)
{
    json_t *ids = json_object(), *list = json_array();

    for (size_t i = 0; i < idle->count && (int64_t)json_object_size(ids) < most; i++)
        if (json_object_get(members, idle->list[i].machine))
            json_object_set_new(ids, idle->list[i].machine, json_true());
    for (void *at = json_object_iter(ids); at; at = json_object_iter_next(ids, at))
        json_array_append_new(list, json_string(json_object_iter_key(at)));
    json_decref(ids);
    return list;
}

static int maker_shrink(void *self, const struct cluster_seen *seen, const struct kube_nodes *idle,
                        int64_t most, int64_t deadline, struct err *err)
{
    struct maker *maker = self;
    struct stack stack = stack_of(maker, seen);
    own_json json_t *members = NULL, *ids = NULL, *parameters = json_object();
    int count;

    if (!hot_takes(&maker->hot, "nodes_to_remove"))
        return 0;
    if (stack_members(maker->os, &stack, deadline, &members, err) < 0)
        return -1;
    ids = pick(members, idle, most);
    count = (int)json_array_size(ids);
    if (count == 0)
        return 0;
    put_nodes(maker, parameters, seen->nodes - count);
    json_object_set(parameters, "nodes_to_remove", ids);
    return stack_update(maker->os, &stack, &maker->hot, parameters, deadline, err) < 0 ? -1 : count;
}

static int maker_remove(void *self, const struct cluster_seen *seen, int64_t deadline,
                        struct err *err)
{
    struct maker *maker = self;
    struct stack stack = stack_of(maker, seen);

    return stack_delete(maker->os, &stack, deadline, err);
}

static int maker_faults(void *self, const struct cluster_seen *seen, int64_t deadline,
                        struct buf *out, struct err *err)
{
    struct maker *maker = self;
    struct stack stack = stack_of(maker, seen);

    return stack_faults(maker->os, &stack, deadline, out, err);
}

static int64_t maker_credential_end(void *self)
{
    return session_credential_end(((struct maker *)self)->os->session);
}

/* ---- its kubeconfig -------------------------------------------------------------------------- */

static void burn(struct buf *text)
{
    if (text->data)
        explicit_bzero(text->data, text->length);
    buf_free(text);
}

/* It holds keys; strings of a JSON document are ours to wipe. */
static void burn_value(json_t *value)
{
    json_t *only = json_is_object(value) ? json_object_iter_value(json_object_iter(value)) : value;
    const char *secret = json_string_value(only);

    if (secret)
        explicit_bzero((char *)(uintptr_t)secret, strlen(secret));
    json_decref(value);
}

static int maker_enter(void *self, const struct cluster_seen *seen, int64_t deadline,
                       struct kube_conf *out, struct err *err)
{
    struct maker *maker = self;
    struct stack stack = stack_of(maker, seen);
    own(burn) struct buf text = BUF_INIT(KUBECONFIG_MOST);
    own_str char *where = xasprintf("output %s of stack %s", maker->output, maker->name);
    json_t *value = NULL;
    int rc;

    if (stack_output(maker->os, &stack, maker->output, deadline, &value, err) < 0)
        return -1;
    if (!value)
        return err_set(err, FAULT_UNAVAILABLE, "%s: not there yet", where);
    rc = kubeconfig_of_output(value, &text, err);
    burn_value(value);
    if (rc < 0)
        return err_wrap(err, "%s", where);
    return kube_conf_parse(buf_text(&text), text.length, where, NULL, NULL, out, err);
}

static const struct cluster_maker maker = {
    .look = maker_look,
    .make = maker_make,
    .enter = maker_enter,
    .resize = maker_resize,
    .shrink = maker_shrink,
    .remove = maker_remove,
    .faults = maker_faults,
    .credential_end = maker_credential_end,
    .close = maker_close,
};

static int open_cluster(const struct site_conf *conf, const char *dir, void **self, struct err *err)
{
    struct maker *made = xcalloc(1, sizeof *made);

    made->os = xcalloc(1, sizeof *made->os);
    made->os->conf = conf;
    made->hot.use = STACK_CLUSTER;
    if (read_maker(made, conf, err) < 0) {
        maker_close(made);
        return -1;
    }
    return cluster_open(conf, dir, &maker, made, hot_takes(&made->hot, "nodes"), self, err);
}

const struct site_driver heat_cluster_driver = { .type = "heat",
                                                 .open = open_cluster,
                                                 CLUSTER_DRIVER };
