/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c - a project of an OpenStack cloud as a site.
 *
 * What a worker is made of: a port with our security group, and a server on it.  Everything is
 * found again by name and mark, so that a broker that crashed, or an answer that was lost, leaves
 * nothing that the next look does not see. */
#include "sites/openstack/driver.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/parse.h"
#include "net/hash.h"
#include "sites/openstack/openstack.h"
#include "sites/program.h"

#define SETTLE_MS   2000
#define KNOWN_MS    600000 /* flavors and images are asked for this often */
#define SHAPES_MOST 64     /* the scheduler's own limit */

static const char *const keys[] = { "cloud",
                                    "clouds_file",
                                    "region",
                                    "network",
                                    "security_groups",
                                    "availability_zone",
                                    "key_name",
                                    "config_drive",
                                    "flavors",
                                    "agent",
                                    NULL };
static const char *const agent_keys[] = { "url", "sha256", NULL };

/* ---- shared ---------------------------------------------------------------------------------- */

void put_url(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            strchr("-._~", c))
            buf_putc(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

const char *os_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text && *text ? text : NULL;
}

int64_t os_time(const json_t *value)
{
    const char *text = json_string_value(value);
    own_str char *zoned = NULL;
    int64_t ms = 0;

    if (!text || parse_time(text, &ms, NULL) == 0)
        return ms;
    zoned = xasprintf("%sZ", text);
    return parse_time(zoned, &ms, NULL) == 0 ? ms : 0;
}

/* ---- configuration --------------------------------------------------------------------------- */

static int read_names(const struct site_conf *conf, const char *pointer, const json_t **out,
                      struct err *err)
{
    const json_t *list = site_conf_get(conf, pointer), *each;
    size_t i;

    if (!list)
        return 0;
    if (!json_is_array(list))
        return site_conf_error(conf, pointer, err, "must be a list of names");
    json_array_foreach(list, i, each)
    {
        if (!json_is_string(each))
            return site_conf_error(conf, pointer, err, "must be a list of names");
    }
    *out = list;
    return 0;
}

static int read_agent(struct openstack *os, struct err *err)
{
    if (site_conf_only(os->conf, "/agent", agent_keys, err) < 0 ||
        site_conf_str(os->conf, "/agent/url", &os->agent_url, err) < 0 ||
        site_conf_str(os->conf, "/agent/sha256", &os->agent_sha256, err) < 0)
        return -1;
    if (!os->agent_url != !os->agent_sha256)
        return site_conf_error(os->conf, "/agent", err, "needs both url and sha256, or neither");
    if (os->agent_sha256 && !sha256_is_hex(os->agent_sha256))
        return site_conf_error(os->conf, "/agent/sha256", err, "must be 64 lower-case hex digits");
    return 0;
}

static int read_conf(struct openstack *os, struct err *err)
{
    const struct site_conf *conf = os->conf;

    os->has_config_drive = site_conf_get(conf, "/config_drive") != NULL;
    if (conf->connect != CONNECT_HTTPS)
        return site_conf_error(conf, "/connect", err,
                               "a site of type openstack is reached by https only");
    if (site_conf_only(conf, "", keys, err) < 0 ||
        site_conf_str(conf, "/network", &os->network, err) < 0 ||
        site_conf_str(conf, "/availability_zone", &os->availability_zone, err) < 0 ||
        site_conf_str(conf, "/key_name", &os->key_name, err) < 0 ||
        site_conf_bool(conf, "/config_drive", &os->config_drive, err) < 0 ||
        read_names(conf, "/flavors", &os->flavor_names, err) < 0 ||
        read_names(conf, "/security_groups", &os->security_groups, err) < 0)
        return -1;
    return read_agent(os, err);
}

static int open_session(struct openstack *os, struct err *err)
{
    const struct site_conf *conf = os->conf;
    const char *name = NULL, *region = NULL;
    own_str char *file = NULL;
    struct cloud cloud;
    struct err why = ERR_INIT;

    if (site_conf_str(conf, "/cloud", &name, err) < 0 ||
        site_conf_path(conf, "/clouds_file", &file, err) < 0 ||
        site_conf_str(conf, "/region", &region, err) < 0)
        return -1;
    if (cloud_load(name, file, region, &cloud, &why) < 0)
        return site_conf_error(conf, file ? "/clouds_file" : "/cloud", err, "%.400s", why.text);
    return session_new(&cloud, conf->calls_per_second, conf->calls_burst, &os->session, err);
}

static void os_close(void *self)
{
    struct openstack *os = self;

    session_free(os->session);
    for (size_t i = 0; i < os->flavor_count; i++)
        flavor_fini(&os->flavors[i]);
    for (size_t i = 0; i < os->image_count; i++) {
        free(os->images[i].id);
        free(os->images[i].name);
    }
    free(os->flavors);
    free(os->images);
    free(os->network_id);
    free(os->group_id);
    free(os->program);
    free(os);
}

static int os_open(const struct site_conf *conf, const char *dir, void **self, struct err *err)
{
    struct openstack *os = xcalloc(1, sizeof *os);

    (void)dir;
    os->conf = conf;
    os->program = agent_program();
    if (read_conf(os, err) < 0 || open_session(os, err) < 0) {
        os_close(os);
        return -1;
    }
    *self = os;
    return 0;
}

/* ---- what there is --------------------------------------------------------------------------- */

/* Flavors and images change seldom. */
static int know(struct openstack *os, bool anew, int64_t deadline, struct err *err)
{
    int64_t now = clock_mono_ms();

    if (!anew && os->known_mono_ms && now - os->known_mono_ms < KNOWN_MS)
        return 0;
    if (neutron_network(os, deadline, err) < 0 || nova_flavors(os, deadline, err) < 0 ||
        glance_images(os, deadline, err) < 0)
        return -1;
    os->known_mono_ms = now ? now : 1;
    return 0;
}

static int by_size(const void *a, const void *b)
{
    const struct flavor *left = a, *right = b;

    if (!left->gpus != !right->gpus)
        return left->gpus ? -1 : 1; /* what is rare is not cut off */
    if (left->cpus != right->cpus)
        return left->cpus < right->cpus ? -1 : 1;
    return left->memory < right->memory ? -1 : left->memory > right->memory;
}

static void put_shapes(struct openstack *os, struct probe *out)
{
    size_t most = os->flavor_count;

    if (most > SHAPES_MOST) {
        log_warn("site %s: %zu flavors, the first %d are used; name those to use: flavors",
                 os->conf->name, most, SHAPES_MOST);
        qsort(os->flavors, most, sizeof *os->flavors, by_size);
        most = SHAPES_MOST;
    }
    out->shapes = xcalloc(most + 1, sizeof *out->shapes);
    for (size_t i = 0; i < most; i++) {
        const struct flavor *flavor = &os->flavors[i];

        out->shapes[out->shape_count++] = (struct shape){
            .name = xstrdup(flavor->name),
            .cpus = flavor->cpus,
            .memory = flavor->memory,
            .disk = flavor->disk,
            .gpus = flavor->gpus,
            .gpu_model = flavor->gpu_model ? xstrdup(flavor->gpu_model) : NULL,
            .gpu_memory = flavor->gpu_memory,
            .price_hour = -1,
        };
    }
}

static void put_images(struct openstack *os, struct probe *out)
{
    out->images = xcalloc(os->image_count + 1, sizeof *out->images);
    for (size_t i = 0; i < os->image_count; i++)
        out->images[i] = xstrdup(os->images[i].name);
}

static void put_counted(const struct servers *servers, struct probe *out)
{
    size_t count = 0;

    out->counted = xcalloc(servers->count + 1, sizeof *out->counted);
    for (size_t i = 0; i < servers->count; i++)
        if (servers->list[i].ours)
            out->counted[count++] = xstrdup(servers->list[i].name);
}

static int os_probe(void *self, int64_t deadline, struct probe *out, struct err *err)
{
    struct openstack *os = self;
    own_servers struct servers servers = { .list = NULL };

    if (know(os, false, deadline, err) < 0)
        return -1;
    /* Servers first: one that comes in between is then counted as another's until the next time,
     * which promises too little rather than too much. */
    if (nova_servers(os, NULL, deadline, &servers, err) < 0 ||
        nova_quota(os, &servers, deadline, out, err) < 0 ||
        neutron_quota(os, deadline, out, err) < 0)
        return -1;
    put_shapes(os, out);
    put_images(os, out);
    put_counted(&servers, out);
    out->credential_end_ms = session_credential_end(os->session);
    return 0;
}

/* ---- workers --------------------------------------------------------------------------------- */

static void learn_broker(struct openstack *os, const char *broker)
{
    snprintf(os->broker, sizeof os->broker, "%s", broker);
}

static const struct server *ours_named(const struct servers *servers, const char *name)
{
    for (size_t i = 0; i < servers->count; i++)
        if (servers->list[i].ours && strcmp(servers->list[i].name, name) == 0 &&
            servers->list[i].state != INSTANCE_GONE)
            return &servers->list[i];
    return NULL;
}

/* The server of that name with our mark, in `servers`; *out is NULL where there is none. */
static int find_server(struct openstack *os, const char *name, int64_t deadline,
                       struct servers *servers, const struct server **out, struct err *err)
{
    *out = NULL;
    if (nova_servers(os, name, deadline, servers, err) < 0)
        return -1;
    *out = ours_named(servers, name);
    return 0;
}

static const struct image *choose_image(const struct openstack *os, const char *name,
                                        struct err *err)
{
    const struct site_conf *conf = os->conf;
    const char *here = name ? site_conf_image(conf, name) : NULL;

    if (!here)
        here = name                ? name
               : conf->image_count ? conf->images[0].here
               : os->image_count   ? os->images[0].id
                                   : "";
    return image_find(os, here, err);
}

static int make_user_data(const struct openstack *os, const struct order *order,
                          const struct image *image, char **out, struct err *err)
{
    own_json json_t *boot = json_loads(order->boot, 0, NULL);
    const char *url = os_text(boot, "url");
    own_str char *agent_url =
        os->agent_url ? xstrdup(os->agent_url) : xasprintf("%s/v1/agent/program", url ? url : "");
    char sha256[SHA256_HEX];
    int64_t size = 0;

    if (!os->agent_sha256 && sha256_file(os->program, sha256, &size, err) < 0)
        return err_wrap(err, "the agent's program");
    return user_data_make(
        &(struct user_data){ .boot = order->boot,
                             .agent_url = agent_url,
                             .sha256 = os->agent_sha256 ? os->agent_sha256 : sha256,
                             .ignition = image->ignition },
        out, err);
}

static int make_server(struct openstack *os, const struct order *order, const char *port,
                       struct err *err)
{
    own_servers struct servers servers = { .list = NULL };
    const struct flavor *flavor = flavor_find(os, order->shape);
    const struct image *image = choose_image(os, order->image, err);
    const struct server *made = NULL;
    char *user_data = NULL;
    bool maybe_done = false;
    int rc;

    if (!image)
        return -1;
    if (!flavor)
        return err_set(err, FAULT_NOT_FOUND, "no flavor '%s'", order->shape);
    if (make_user_data(os, order, image, &user_data, err) < 0 || !user_data)
        return -1;
    rc = nova_create(os, order, flavor, image, port, user_data, &maybe_done, err);
    explicit_bzero(user_data, strlen(user_data));
    free(user_data);
    if (rc < 0 && maybe_done &&
        find_server(os, order->name, order->deadline_mono_ms, &servers, &made, NULL) == 0 && made)
        return 0; /* the answer was lost, not the server */
    return rc;
}

static int create(struct openstack *os, const struct order *order, struct err *err)
{
    own_servers struct servers servers = { .list = NULL };
    own_ports struct ports ports = { .list = NULL };
    own_str char *port = NULL;
    int64_t deadline = order->deadline_mono_ms;
    const struct server *made = NULL;

    if (know(os, false, deadline, err) < 0 ||
        neutron_ports(os, order->name, deadline, &ports, err) < 0)
        return -1;
    if (ports.count) { /* somebody began before us: a crash came in between */
        if (find_server(os, order->name, deadline, &servers, &made, err) < 0)
            return -1;
        if (made)
            return 0;
        port = xstrdup(ports.list[0].id);
    } else if (neutron_port_make(os, order->name, deadline, &port, err) < 0) {
        return -1;
    }
    if (make_server(os, order, port, err) == 0)
        return 0;
    neutron_port_delete(os, port, deadline, NULL); /* what fails here, destroy repeats */
    return -1;
}

/* How many requests it took: what a site allows in a minute is little. */
static int count_requests(struct openstack *os, const char *what, const char *name, int64_t before,
                          int rc)
{
    log_debug("site %s: %s %s took %lld requests", os->conf->name, what, name,
              (long long)(session_requests(os->session) - before));
    return rc;
}

static int os_create(void *self, const struct order *order, struct err *err)
{
    struct openstack *os = self;
    int64_t before = session_requests(os->session);

    learn_broker(os, order->broker);
    return count_requests(os, "making", order->name, before, create(os, order, err));
}

static void add_resource(struct resources_list *out, const char *kind, const char *id,
                         const char *name, int64_t created_ms)
{
    out->list = xrealloc(out->list, (out->count + 1) * sizeof *out->list);
    out->list[out->count++] = (struct resource){ .kind = xstrdup(kind),
                                                 .id = xstrdup(id),
                                                 .name = xstrdup(name),
                                                 .state = INSTANCE_ACTIVE,
                                                 .created_ms = created_ms };
}

static void add_servers(const struct servers *servers, struct resources_list *out)
{
    for (size_t i = 0; i < servers->count; i++) {
        const struct server *server = &servers->list[i];
        struct resource *made;

        if (!server->ours)
            continue;
        add_resource(out, "worker", server->id, server->name, server->created_ms);
        made = &out->list[out->count - 1];
        made->state = server->state;
        made->fault = server->fault;
        made->detail = server->detail ? xstrdup(server->detail) : NULL;
    }
}

static bool has_server(const struct resources_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->list[i].kind, "worker") == 0 && strcmp(list->list[i].name, name) == 0)
            return true;
    return false;
}

/* Servers come first: of what bears a worker's name, its server says how it is. */
static int os_list(void *self, const char *broker, int64_t deadline, struct resources_list *out,
                   struct err *err)
{
    struct openstack *os = self;
    own_servers struct servers servers = { .list = NULL };
    own_ports struct ports ports = { .list = NULL };

    learn_broker(os, broker);
    if (nova_servers(os, NULL, deadline, &servers, err) < 0 ||
        neutron_ports(os, NULL, deadline, &ports, err) < 0)
        return -1;
    add_servers(&servers, out);
    for (size_t i = 0; i < ports.count; i++) {
        bool alone = !has_server(out, ports.list[i].name);
        struct resource *made;

        add_resource(out, "port", ports.list[i].id, ports.list[i].name, ports.list[i].created_ms);
        made = &out->list[out->count - 1];
        if (!alone)
            continue;
        made->state = INSTANCE_GONE;
        made->detail = xstrdup("the server of this port is gone");
    }
    return 0;
}

static int os_inspect(void *self, const char *name, int64_t deadline, enum instance_state *out,
                      struct buf *detail, struct err *err)
{
    struct openstack *os = self;
    own_servers struct servers servers = { .list = NULL };
    const struct server *server;

    if (find_server(os, name, deadline, &servers, &server, err) < 0)
        return -1;
    *out = server ? server->state : INSTANCE_GONE;
    if (server && server->detail)
        buf_puts(detail, server->detail);
    return 0;
}

static int os_diagnose(void *self, const char *name, int64_t deadline, struct buf *out,
                       struct err *err)
{
    struct openstack *os = self;
    own_servers struct servers servers = { .list = NULL };
    const struct server *server;
    struct err why = ERR_INIT;

    if (find_server(os, name, deadline, &servers, &server, err) < 0)
        return -1;
    if (!server)
        return 0;
    /* A server that never had a host has no console either. */
    if (server->fault != FAULT_NO_CAPACITY && nova_console(os, server->id, deadline, out, &why) < 0)
        buf_printf(out, "no console log: %s\n", why.text);
    return 0;
}

/* By name, and where that finds none, among all: a user may have renamed it. */
static int find_to_delete(struct openstack *os, const char *name, int64_t deadline,
                          struct servers *servers, struct err *err)
{
    const struct server *server;

    if (find_server(os, name, deadline, servers, &server, err) < 0)
        return -1;
    if (server)
        return 0;
    servers_free(servers);
    return nova_servers(os, NULL, deadline, servers, err);
}

static int destroy(struct openstack *os, const char *name, int64_t deadline, struct err *err)
{
    own_servers struct servers servers = { .list = NULL };
    own_ports struct ports ports = { .list = NULL };
    size_t others = 0;

    if (find_to_delete(os, name, deadline, &servers, err) < 0)
        return -1;
    for (size_t i = 0; i < servers.count; i++)
        if (servers.list[i].ours && strcmp(servers.list[i].name, name) == 0 &&
            nova_delete(os, servers.list[i].id, deadline, err) < 0)
            return -1;
    if (neutron_ports(os, NULL, deadline, &ports, err) < 0)
        return -1;
    for (size_t i = 0; i < ports.count; i++) {
        if (strcmp(ports.list[i].name, name) != 0)
            others++;
        else if (neutron_port_delete(os, ports.list[i].id, deadline, err) < 0)
            return -1;
    }
    return others ? 0 : neutron_group_drop(os, deadline, err);
}

static int os_destroy(void *self, const char *name, int64_t deadline, struct err *err)
{
    struct openstack *os = self;
    int64_t before = session_requests(os->session);

    return count_requests(os, "removing", name, before, destroy(os, name, deadline, err));
}

const struct site_driver openstack_driver = {
    .type = "openstack",
    .settle_ms = SETTLE_MS,
    .open = os_open,
    .close = os_close,
    .probe = os_probe,
    .create = os_create,
    .list = os_list,
    .inspect = os_inspect,
    .diagnose = os_diagnose,
    .destroy = os_destroy,
};
