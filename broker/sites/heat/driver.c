/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c - a project of an OpenStack cloud as a site whose workers are stacks.
 *
 * What a worker is made of is the operator's template; we give it a name, user data and what else
 * it takes, and remove the stack.  Flavors, images and the quota are the project's, as for a site
 * of type openstack: whatever server bears a stack's name, or begins with it, counts as ours. */
#include "sites/heat/driver.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "net/hash.h"
#include "sites/heat/heat.h"
#include "sites/openstack/driver.h"
#include "sites/program.h"

#define SETTLE_MS 2000
#define KNOWN_MS  600000 /* flavors and images are asked for this often */

static const char *const keys[] = { "cloud",   "clouds_file", "region", "network", "template",
                                    "flavors", "parameters",  "agent",  NULL };

struct heat {
    struct openstack *os;
    struct hot hot;
};

/* ---- configuration --------------------------------------------------------------------------- */

static void heat_close(void *self)
{
    struct heat *heat = self;

    openstack_driver.close(heat->os);
    hot_fini(&heat->hot);
    free(heat);
}

static int read_conf(struct openstack *os, struct err *err)
{
    const struct site_conf *conf = os->conf;

    if (conf->connect != CONNECT_HTTPS)
        return site_conf_error(conf, "/connect", err,
                               "a site of type heat is reached by https only");
    if (site_conf_only(conf, "", keys, err) < 0 ||
        site_conf_str(conf, "/network", &os->network, err) < 0 ||
        os_read_names(conf, "/flavors", &os->flavor_names, err) < 0)
        return -1;
    return os_read_agent(os, err);
}

static int heat_open(const struct site_conf *conf, const char *dir, void **self, struct err *err)
{
    struct heat *heat = xcalloc(1, sizeof *heat);

    (void)dir;
    heat->os = xcalloc(1, sizeof *heat->os);
    heat->os->conf = conf;
    heat->os->program = agent_program();
    if (read_conf(heat->os, err) < 0 || hot_load(conf, &heat->hot, err) < 0 ||
        os_open_session(heat->os, err) < 0) {
        heat_close(heat);
        return -1;
    }
    if (!hot_takes(&heat->hot, "user_data")) {
        heat_close(heat);
        return site_conf_error(conf, "/template", err,
                               "it has no parameter 'user_data', which starts the agent");
    }
    *self = heat;
    return 0;
}

/* ---- what there is --------------------------------------------------------------------------- */

static int know(struct openstack *os, int64_t deadline, struct err *err)
{
    int64_t now = clock_mono_ms();

    if (os->known_mono_ms && now - os->known_mono_ms < KNOWN_MS)
        return 0;
    if (nova_flavors(os, deadline, err) < 0 || glance_images(os, deadline, err) < 0)
        return -1;
    os->known_mono_ms = now ? now : 1;
    return 0;
}

/* Heat puts no mark of ours on what it makes; workers' names begin with the broker's UUID. */
static void mark_ours(const struct openstack *os, struct servers *servers)
{
    char prefix[32];

    snprintf(prefix, sizeof prefix, "spillway-%.8s-", os->broker);
    for (size_t i = 0; *os->broker && i < servers->count; i++)
        if (strncmp(servers->list[i].name, prefix, strlen(prefix)) == 0)
            servers->list[i].ours = true;
}

static int heat_probe(void *self, int64_t deadline, struct probe *out, struct err *err)
{
    struct heat *heat = self;
    struct openstack *os = heat->os;
    own_servers struct servers servers = { .list = NULL };

    if (know(os, deadline, err) < 0 || nova_servers(os, NULL, deadline, &servers, err) < 0)
        return -1;
    mark_ours(os, &servers);
    if (nova_quota(os, &servers, &(struct things){ .list = NULL }, deadline, out, err) < 0)
        return -1;
    os_put_shapes(os, out);
    os_put_images(os, out);
    os_put_counted(&servers, out);
    out->credential_end_ms = session_credential_end(os->session);
    return 0;
}

/* ---- workers --------------------------------------------------------------------------------- */

/* Wiped before it is freed: it holds the join token. */
static void burn(struct buf *text)
{
    if (text->data)
        explicit_bzero(text->data, text->length);
    buf_free(text);
}

static int put_user_data(const struct heat *heat, const struct order *order,
                         const struct image *image, json_t *parameters, struct err *err)
{
    own(burn) struct buf text = BUF_INIT(USER_DATA_MOST);
    const struct parts none = { .port = NULL };
    char *base64 = NULL;

    if (os_user_data(heat->os, order, image, &none, &base64, err) < 0)
        return -1;
    buf_put_unbase64(&text, base64, strlen(base64));
    explicit_bzero(base64, strlen(base64));
    free(base64);
    json_object_set_new(parameters, "user_data", json_string(buf_text(&text)));
    return 0;
}

static void put_if_taken(const struct heat *heat, json_t *parameters, const char *key,
                         const char *value)
{
    if (value && hot_takes(&heat->hot, key))
        json_object_set_new(parameters, key, json_string(value));
}

static int make_parameters(const struct heat *heat, const struct order *order, json_t *parameters,
                           struct err *err)
{
    const struct openstack *os = heat->os;
    const json_t *constants = site_conf_get(os->conf, "/parameters");
    const struct image plain = { .ignition = false }; /* the template's own */
    const struct image *image = NULL;

    if (hot_takes(&heat->hot, "image") && !(image = os_choose_image(os, order->image, err)))
        return -1;
    put_if_taken(heat, parameters, "name", order->name);
    put_if_taken(heat, parameters, "flavor", order->shape);
    put_if_taken(heat, parameters, "network", os->network);
    put_if_taken(heat, parameters, "image", image ? image->id : NULL);
    if (constants)
        json_object_update(parameters, (json_t *)(uintptr_t)constants);
    return put_user_data(heat, order, image ? image : &plain, parameters, err);
}

/* The stack of that name; NULL: none. */
static int find(struct heat *heat, const char *name, int64_t deadline, struct stacks *stacks,
                const struct stack **out, struct err *err)
{
    *out = NULL;
    if (stacks_list(heat->os, STACK_WORKER, name, deadline, stacks, err) < 0)
        return -1;
    if (stacks->count)
        *out = &stacks->list[0];
    return 0;
}

/* Strings of a JSON document are ours to wipe. */
static void burn_parameters(json_t *parameters)
{
    const char *secret = json_string_value(json_object_get(parameters, "user_data"));

    if (secret)
        explicit_bzero((char *)(uintptr_t)secret, strlen(secret));
    json_decref(parameters);
}

static int heat_create(void *self, const struct order *order, struct err *err)
{
    struct heat *heat = self;
    own_stacks struct stacks stacks = { .list = NULL };
    const struct stack *found = NULL;
    json_t *parameters = json_object();
    bool maybe_done = false;
    int rc;

    snprintf(heat->os->broker, sizeof heat->os->broker, "%s", order->broker);
    rc = know(heat->os, order->deadline_mono_ms, err);
    if (rc == 0)
        rc = make_parameters(heat, order, parameters, err);
    if (rc == 0)
        rc = stack_create(heat->os, order->name, &heat->hot, parameters, order->deadline_mono_ms,
                          &maybe_done, err);
    burn_parameters(parameters);
    if (rc < 0 && maybe_done &&
        find(heat, order->name, order->deadline_mono_ms, &stacks, &found, NULL) == 0 && found)
        return 0; /* the answer was lost, or a crash came in between */
    return rc;
}

static int heat_list(void *self, const char *broker, int64_t deadline, struct resources_list *out,
                     struct err *err)
{
    struct heat *heat = self;
    own_stacks struct stacks stacks = { .list = NULL };

    snprintf(heat->os->broker, sizeof heat->os->broker, "%s", broker);
    if (stacks_list(heat->os, STACK_WORKER, NULL, deadline, &stacks, err) < 0)
        return -1;
    out->list = xcalloc(stacks.count + 1, sizeof *out->list);
    for (size_t i = 0; i < stacks.count; i++) {
        const struct stack *stack = &stacks.list[i];

        out->list[out->count++] =
            (struct resource){ .kind = xstrdup("worker"),
                               .id = xstrdup(stack->id),
                               .name = xstrdup(stack->name),
                               .state = stack->state,
                               .detail = stack->detail ? xstrdup(stack->detail) : NULL,
                               .fault = stack->fault,
                               .created_ms = stack->created_ms };
    }
    return 0;
}

static int heat_inspect(void *self, const char *name, int64_t deadline, enum instance_state *out,
                        struct buf *detail, struct err *err)
{
    own_stacks struct stacks stacks = { .list = NULL };
    const struct stack *stack;

    if (find(self, name, deadline, &stacks, &stack, err) < 0)
        return -1;
    *out = stack ? stack->state : INSTANCE_GONE;
    if (stack && stack->detail)
        buf_puts(detail, stack->detail);
    return 0;
}

static void put_consoles(struct heat *heat, const char *name, int64_t deadline, struct buf *out)
{
    own_servers struct servers servers = { .list = NULL };
    struct err why = ERR_INIT;

    if (nova_servers(heat->os, NULL, deadline, &servers, &why) < 0)
        return;
    for (size_t i = 0; i < servers.count; i++) {
        const struct server *server = &servers.list[i];

        if (strncmp(server->name, name, strlen(name)) != 0)
            continue;
        buf_printf(out, "%s: ", server->name);
        if (nova_console(heat->os, server->id, deadline, out, &why) < 0)
            buf_printf(out, "no console log: %s\n", why.text);
    }
}

static int heat_diagnose(void *self, const char *name, int64_t deadline, struct buf *out,
                         struct err *err)
{
    struct heat *heat = self;
    own_stacks struct stacks stacks = { .list = NULL };
    const struct stack *stack;
    json_t *addresses = NULL;

    if (find(heat, name, deadline, &stacks, &stack, err) < 0)
        return -1;
    if (!stack)
        return 0;
    if (stack_faults(heat->os, stack, deadline, out, err) < 0)
        return -1;
    if (stack_output(heat->os, stack, "addresses", deadline, &addresses, NULL) == 0 && addresses) {
        own_str char *text = json_dumps(addresses, JSON_COMPACT | JSON_ENCODE_ANY);

        buf_printf(out, "addresses: %s\n", text ? text : "");
    }
    json_decref(addresses);
    put_consoles(heat, name, deadline, out);
    return 0;
}

static int heat_destroy(void *self, const char *name, int64_t deadline, struct err *err)
{
    struct heat *heat = self;
    own_stacks struct stacks stacks = { .list = NULL };
    const struct stack *stack;

    if (find(heat, name, deadline, &stacks, &stack, err) < 0)
        return -1;
    if (!stack || strcmp(stack->status, "DELETE_IN_PROGRESS") == 0)
        return 0;
    return stack_delete(heat->os, stack, deadline, err);
}

static const struct site_driver *other(const struct site_conf *conf)
{
    return site_conf_get(conf, "/kubeconfig") ? &heat_cluster_driver : &heat_driver;
}

const struct site_driver heat_driver = {
    .type = "heat",
    .other = other,
    .settle_ms = SETTLE_MS,
    .open = heat_open,
    .close = heat_close,
    .probe = heat_probe,
    .create = heat_create,
    .list = heat_list,
    .inspect = heat_inspect,
    .diagnose = heat_diagnose,
    .destroy = heat_destroy,
};
