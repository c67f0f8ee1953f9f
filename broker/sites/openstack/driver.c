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
#include "sites/tunnels.h"

#define SETTLE_MS   2000
#define KNOWN_MS    600000 /* flavors and images are asked for this often */
#define SHAPES_MOST 64     /* the scheduler's own limit */
#define GIB         ((int64_t)1 << 30)

static const char *const keys[] = { "cloud",    "clouds_file",      "region",
                                    "network",  "security_groups",  "availability_zone",
                                    "key_name", "config_drive",     "flavors",
                                    "agent",    "boot_volume",      "scratch",
                                    "volume",   "floating_network", "server_group",
                                    "ssh",      "tunnel",           NULL };
static const char *const agent_keys[] = { "url", "sha256", NULL };
static const char *const volume_keys[] = { "size", "type", NULL };
static const char *const kept_keys[] = { "name", "mount", NULL };
static const char *const policies[] = { "affinity", "anti-affinity", "soft-affinity",
                                        "soft-anti-affinity", NULL };

/* ---- configuration --------------------------------------------------------------------------- */

int os_read_names(const struct site_conf *conf, const char *pointer, const json_t **out,
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

int os_read_agent(struct openstack *os, struct err *err)
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

/* `key`: "/scratch".  Cinder counts whole GiB. */
static int read_volume(struct openstack *os, const char *key, struct volume_wish *out,
                       struct err *err)
{
    own_str char *size = xasprintf("%s/size", key), *type = xasprintf("%s/type", key);
    int64_t bytes = 0;

    if (!site_conf_get(os->conf, key))
        return 0;
    if (site_conf_only(os->conf, key, volume_keys, err) < 0 ||
        site_conf_bytes(os->conf, size, &bytes, err) < 0 ||
        site_conf_str(os->conf, type, &out->type, err) < 0)
        return -1;
    if (bytes <= 0)
        return site_conf_error(os->conf, key, err, "needs a size such as 100GiB");
    out->size = (bytes + GIB - 1) / GIB;
    return 0;
}

static bool is_plain_path(const char *path)
{
    return path[0] == '/' && path[1] && !strstr(path, "..") &&
           strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") ==
               strlen(path);
}

static int read_kept(struct openstack *os, struct err *err)
{
    if (!site_conf_get(os->conf, "/volume"))
        return 0;
    if (site_conf_only(os->conf, "/volume", kept_keys, err) < 0 ||
        site_conf_need_str(os->conf, "/volume/name", &os->volume_name, err) < 0 ||
        site_conf_need_str(os->conf, "/volume/mount", &os->volume_mount, err) < 0)
        return -1;
    if (!is_plain_path(os->volume_mount))
        return site_conf_error(os->conf, "/volume/mount", err,
                               "must be an absolute path of letters, digits, '.', '_' and '-'");
    return 0;
}

static int read_group(struct openstack *os, struct err *err)
{
    if (site_conf_str(os->conf, "/server_group", &os->server_group, err) < 0)
        return -1;
    for (const char *const *each = policies; os->server_group && *each; each++)
        if (strcmp(os->server_group, *each) == 0)
            return 0;
    return os->server_group
               ? site_conf_error(os->conf, "/server_group", err,
                                 "must be anti-affinity, soft-anti-affinity, affinity or "
                                 "soft-affinity")
               : 0;
}

static int read_conf(struct openstack *os, struct err *err)
{
    const struct site_conf *conf = os->conf;

    os->has_config_drive = site_conf_get(conf, "/config_drive") != NULL;
    if (site_conf_only(conf, "", keys, err) < 0 ||
        site_conf_str(conf, "/network", &os->network, err) < 0 ||
        site_conf_str(conf, "/availability_zone", &os->availability_zone, err) < 0 ||
        site_conf_str(conf, "/key_name", &os->key_name, err) < 0 ||
        site_conf_bool(conf, "/config_drive", &os->config_drive, err) < 0 ||
        os_read_names(conf, "/flavors", &os->flavor_names, err) < 0 ||
        os_read_names(conf, "/security_groups", &os->security_groups, err) < 0 ||
        site_conf_str(conf, "/floating_network", &os->floating_network, err) < 0 ||
        read_volume(os, "/boot_volume", &os->boot_volume, err) < 0 ||
        read_volume(os, "/scratch", &os->scratch, err) < 0)
        return -1;
    return read_kept(os, err) < 0 || read_group(os, err) < 0 ? -1 : os_read_agent(os, err);
}

int os_session(const struct site_conf *conf, struct session **out, struct err *err)
{
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
    return session_new(&cloud, conf->calls_per_second, conf->calls_burst, out, err);
}

int os_open_session(struct openstack *os, struct err *err)
{
    return os_session(os->conf, &os->session, err);
}

static void os_close(void *self)
{
    struct openstack *os = self;

    tunnels_close(os->tunnels);
    uploads_close(os->uploads);
    session_free(os->session);
    for (size_t i = 0; i < os->flavor_count; i++)
        flavor_fini(&os->flavors[i]);
    for (size_t i = 0; i < os->image_count; i++)
        image_fini(&os->images[i]);
    for (size_t i = 0; i < os->brought_count; i++)
        image_fini(&os->brought[i]);
    free(os->flavors);
    free(os->images);
    free(os->brought);
    free(os->network_id);
    free(os->group_id);
    free(os->floating_id);
    free(os->server_group_id);
    free(os->program);
    free(os);
}

static int os_open(const struct site_conf *conf, const char *dir, void **self, struct err *err)
{
    struct openstack *os = xcalloc(1, sizeof *os);

    os->conf = conf;
    os->program = agent_program();
    if (read_conf(os, err) < 0 || os_read_ssh(os, dir, err) < 0 || os_open_session(os, err) < 0 ||
        uploads_open(conf, &os->uploads, err) < 0) {
        os_close(os);
        return -1;
    }
    *self = os;
    return 0;
}

/* ---- what there is --------------------------------------------------------------------------- */

/* Flavors and images change seldom. */
int os_know(struct openstack *os, bool anew, int64_t deadline, struct err *err)
{
    int64_t now = clock_mono_ms();

    anew |= uploads_came(os->uploads);
    if (!anew && os->known_mono_ms && now - os->known_mono_ms < KNOWN_MS)
        return 0;
    if (neutron_network(os, deadline, err) < 0 || nova_flavors(os, deadline, err) < 0 ||
        glance_images(os, deadline, err) < 0)
        return -1;
    os->no_placement = false; /* somebody may have been granted it meanwhile */
    os->known_mono_ms = now ? now : 1;
    uploads_want(os);
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

void os_put_shapes(struct openstack *os, struct probe *out)
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
            .disk = os->scratch.size       ? os->scratch.size * GIB
                    : os->boot_volume.size ? os->boot_volume.size * GIB
                                           : flavor->disk,
            .gpus = flavor->gpus,
            .gpu_model = flavor->gpu_model ? xstrdup(flavor->gpu_model) : NULL,
            .gpu_memory = flavor->gpu_memory,
            .price_hour = -1,
        };
    }
}

void os_put_images(struct openstack *os, struct probe *out)
{
    out->images = xcalloc(os->image_count + 1, sizeof *out->images);
    for (size_t i = 0; i < os->image_count; i++)
        out->images[i] = xstrdup(os->images[i].name);
}

void os_put_counted(const struct servers *servers, struct probe *out)
{
    size_t count = 0;

    out->counted = xcalloc(servers->count + 1, sizeof *out->counted);
    for (size_t i = 0; i < servers->count; i++)
        if (servers->list[i].ours)
            out->counted[count++] = xstrdup(servers->list[i].name);
}

static int list_all(struct openstack *os, int64_t deadline, struct things *out, struct err *err)
{
    if (neutron_ports(os, NULL, deadline, out, err) < 0 ||
        neutron_floating(os, NULL, deadline, out, err) < 0 ||
        cinder_volumes(os, NULL, deadline, out, err) < 0 ||
        neutron_groups(os, deadline, out, err) < 0)
        return -1;
    return nova_groups(os, deadline, out, err);
}

/* For people: a name alone does not say whose it is, and how old. */
static json_t *images_json(const struct openstack *os)
{
    json_t *list = json_array();

    for (size_t i = 0; i < os->image_count; i++) {
        const struct image *image = &os->images[i];
        char stamp[FORMAT_BYTES];

        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s, s:I}", "name", image->name, "id",
                                        image->id, "visibility", image->visibility, "created",
                                        format_time(image->created_ms, stamp, sizeof stamp),
                                        "size_bytes", (json_int_t)image->size));
    }
    return json_pack("{s:o}", "images", list);
}

static int os_probe(void *self, int64_t deadline, struct probe *out, struct err *err)
{
    struct openstack *os = self;
    own_servers struct servers servers = { .list = NULL };
    own_things struct things things = { .list = NULL };

    reach_again(os);
    if (os_know(os, false, deadline, err) < 0)
        return -1;
    /* Servers first: one that comes in between is then counted as another's until the next time,
     * which promises too little rather than too much. */
    if (nova_servers(os, NULL, deadline, &servers, err) < 0 ||
        (os->broker[0] && list_all(os, deadline, &things, err) < 0) ||
        nova_quota(os, &servers, &things, deadline, out, err) < 0 ||
        neutron_quota(os, &things, deadline, out, err) < 0 ||
        cinder_quota(os, &servers, &things, deadline, out, err) < 0)
        return -1;
    placement_quota(os, &servers, deadline, out);
    os_put_shapes(os, out);
    os_put_images(os, out);
    os_put_counted(&servers, out);
    out->more = images_json(os);
    uploads_put(os, out);
    out->credential_end_ms = session_credential_end(os->session);
    return 0;
}

/* ---- workers --------------------------------------------------------------------------------- */

static void learn_broker(struct openstack *os, const char *broker)
{
    snprintf(os->broker, sizeof os->broker, "%s", broker);
}

static int os_create(void *self, const struct order *order, struct err *err)
{
    struct openstack *os = self;

    learn_broker(os, order->broker);
    if (os_know(os, false, order->deadline_mono_ms, err) < 0 || worker_make(os, order, err) < 0)
        return -1;
    reach_made(os, order, 1, NULL);
    return 0;
}

static void os_create_many(void *self, const struct order *orders, size_t count, struct err *errs)
{
    learn_broker(self, orders[0].broker);
    worker_make_many(self, orders, count, errs);
    reach_made(self, orders, count, errs);
}

static void add_resource(struct resources_list *out, const char *kind, const char *id,
                         const char *name, int64_t created_ms)
{
    out->list = xrealloc(out->list, (out->count + 1) * sizeof *out->list);
    out->list[out->count++] = (struct resource){ .kind = xstrdup(kind),
                                                 .id = xstrdup(id),
                                                 .name = name ? xstrdup(name) : NULL,
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

static bool is_error(const char *status)
{
    return status && strncmp(status, "error", 5) == 0;
}

static void add_thing(const struct thing *thing, struct resources_list *out)
{
    bool alone = thing->name && !has_server(out, thing->name);
    struct resource *made;

    add_resource(out, thing->kind, thing->id, thing->name, thing->created_ms);
    made = &out->list[out->count - 1];
    if (strcmp(thing->kind, "volume") == 0)
        made->bytes = thing->size * GIB;
    if (is_error(thing->status)) {
        made->state = INSTANCE_FAILED;
        made->fault = FAULT_UNAVAILABLE;
        made->detail = xasprintf("the volume is %s", thing->status);
    } else if (alone) {
        made->state = INSTANCE_GONE;
        made->detail = xasprintf("the server of this %s is gone", thing->kind);
    } else if (thing->status) {
        made->detail = xasprintf("%lld GiB, %s", (long long)thing->size, thing->status);
    }
}

/* Servers come first: of what bears a worker's name, its server says how it is. */
static int os_list(void *self, const char *broker, int64_t deadline, struct resources_list *out,
                   struct err *err)
{
    struct openstack *os = self;
    own_servers struct servers servers = { .list = NULL };
    own_things struct things things = { .list = NULL };

    learn_broker(os, broker);
    if (nova_servers(os, NULL, deadline, &servers, err) < 0 ||
        list_all(os, deadline, &things, err) < 0)
        return -1;
    add_servers(&servers, out);
    for (size_t i = 0; i < things.count; i++)
        add_thing(&things.list[i], out);
    images_list(os, out);
    uploads_want(os); /* the first list tells whose they will be */
    reach_all(os, &servers, &things);
    reach_faults(os, out);
    return 0;
}

static int os_inspect(void *self, const char *name, int64_t deadline, enum instance_state *out,
                      struct buf *detail, struct err *err)
{
    struct openstack *os = self;
    own_servers struct servers servers = { .list = NULL };
    const struct server *server;

    if (worker_find(os, name, deadline, &servers, &server, err) < 0)
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

    if (worker_find(os, name, deadline, &servers, &server, err) < 0)
        return -1;
    if (!server)
        return 0;
    /* A server that never had a host has no console either. */
    if (server->fault != FAULT_NO_CAPACITY && nova_console(os, server->id, deadline, out, &why) < 0)
        buf_printf(out, "no console log: %s\n", why.text);
    reach_words(os, name, out);
    return 0;
}

static int os_destroy(void *self, const char *name, int64_t deadline, struct err *err)
{
    if (!name)
        return shared_remove(self, deadline, err);
    reach_end(self, name);
    return worker_remove(self, name, deadline, err);
}

/* ---- what is not ours ------------------------------------------------------------------------ */

static int os_audit(void *self, int64_t deadline, json_t *out, struct err *err)
{
    struct openstack *os = self;

    if (os_know(os, true, deadline, err) < 0 || neutron_open_rules(os, deadline, out, err) < 0)
        return -1;
    images_old(os, clock_wall_ms(), out);
    return 0;
}

const struct site_driver openstack_driver = {
    .type = "openstack",
    .settle_ms = SETTLE_MS,
    .uploads = true,
    .shares = true,
    .open = os_open,
    .close = os_close,
    .probe = os_probe,
    .create = os_create,
    .create_many = os_create_many,
    .list = os_list,
    .inspect = os_inspect,
    .diagnose = os_diagnose,
    .destroy = os_destroy,
    .audit = os_audit,
};
