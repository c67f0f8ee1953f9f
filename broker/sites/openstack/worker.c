/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c - a worker's life: its parts are made one by one, and removed together.
 *
 * The order is that of what may be refused for less: volumes, which take longest, are begun first;
 * then the port and its floating address; the server last.  Whatever part is refused, those made
 * before it go again, and what cannot be removed then is found by its mark later. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "net/hash.h"
#include "sites/openstack/openstack.h"

#define CAREFUL_MS 3600000 /* from a refusal for quota on */

static const struct server *ours_named(const struct servers *servers, const char *name)
{
    for (size_t i = 0; i < servers->count; i++)
        if (servers->list[i].ours && strcmp(servers->list[i].name, name) == 0 &&
            servers->list[i].state != INSTANCE_GONE)
            return &servers->list[i];
    return NULL;
}

int worker_find(struct openstack *os, const char *name, int64_t deadline, struct servers *servers,
                const struct server **out, struct err *err)
{
    *out = NULL;
    if (nova_servers(os, name, deadline, servers, err) < 0)
        return -1;
    *out = ours_named(servers, name);
    return 0;
}

/* How many requests it took: what a site allows in a minute is little. */
static int count_requests(struct openstack *os, const char *what, const char *name, int64_t before,
                          int rc)
{
    log_debug("site %s: %s %s took %lld requests", os->conf->name, what, name,
              (long long)(session_requests(os->session) - before));
    return rc;
}

/* ---- making ---------------------------------------------------------------------------------- */

const struct image *os_choose_image(const struct openstack *os, const char *name, struct err *err)
{
    const struct site_conf *conf = os->conf;
    const struct image_name *mapped = NULL;

    for (size_t i = 0; i < conf->image_count && !mapped; i++)
        if (!name || strcmp(conf->images[i].name, name) == 0)
            mapped = &conf->images[i];
    if (mapped && mapped->from) {
        const struct image *image = image_brought(os, mapped);

        if (!image)
            err_set(err, FAULT_NOT_FOUND, "image '%s' is not there yet", mapped->name);
        return image;
    }
    return image_find(os,
                      mapped            ? mapped->here
                      : name            ? name
                      : os->image_count ? os->images[0].id
                                        : "",
                      err);
}

static int user_data(const struct openstack *os, const char *boot_text, const struct image *image,
                     const struct parts *parts, const struct user_data_ssh *ssh, char **out,
                     struct err *err)
{
    own_json json_t *boot = json_loads(boot_text, 0, NULL);
    const char *url = os_text(boot, "url");
    own_str char *agent_url =
        os->agent_url ? xstrdup(os->agent_url) : xasprintf("%s/v1/agent/program", url ? url : "");
    char sha256[SHA256_HEX];
    int64_t size = 0;

    if (!os->agent_sha256 && sha256_file(os->program, sha256, &size, err) < 0)
        return err_wrap(err, "the agent's program");
    return user_data_make(
        &(struct user_data){ .boot = boot_text,
                             .ssh = ssh,
                             .agent_url = agent_url,
                             .sha256 = os->agent_sha256 ? os->agent_sha256 : sha256,
                             .ignition = image->ignition,
                             .scratch = parts->scratch,
                             .kept = parts->kept,
                             .mount = os->volume_mount },
        out, err);
}

int os_user_data(struct openstack *os, const struct order *order, const struct image *image,
                 const struct parts *parts, char **out, struct err *err)
{
    struct reach_keys keys;
    int rc;

    if (!os->tunnels)
        return user_data(os, order->boot, image, parts, NULL, out, err);
    if (reach_keys(os, order, &keys, err) < 0)
        return -1;
    rc = user_data(os, keys.boot, image, parts, &keys.ssh, out, err);
    reach_keys_fini(&keys);
    return rc;
}

static int make_server(struct openstack *os, const struct order *order, const struct flavor *flavor,
                       const struct image *image, const struct parts *parts, struct err *err)
{
    own_servers struct servers servers = { .list = NULL };
    const struct server *made = NULL;
    char *user_data = NULL;
    bool maybe_done = false;
    int rc;

    if (os_user_data(os, order, image, parts, &user_data, err) < 0 || !user_data)
        return -1;
    rc = nova_create(os, order, flavor, image, parts, user_data, &maybe_done, err);
    if (rc < 0 && err->fault == FAULT_QUOTA)
        os->refused_mono_ms = clock_mono_ms();
    explicit_bzero(user_data, strlen(user_data));
    free(user_data);
    if (rc < 0 && maybe_done &&
        worker_find(os, order->name, order->deadline_mono_ms, &servers, &made, NULL) == 0 && made)
        return 0; /* the answer was lost, not the server */
    return rc;
}

int worker_begin_volumes(struct openstack *os, const struct order *order, const struct image *image,
                         struct parts *parts, char **kept, struct err *err)
{
    int64_t deadline = order->deadline_mono_ms;

    if (os->boot_volume.size && cinder_make(os, order->name, "boot", &os->boot_volume, image->id,
                                            deadline, &parts->boot_volume, err) < 0)
        return -1;
    if (os->scratch.size && cinder_make(os, order->name, "scratch", &os->scratch, NULL, deadline,
                                        &parts->scratch, err) < 0)
        return -1;
    if (os->volume_name && cinder_kept(os, deadline, kept, err) < 0)
        return -1;
    parts->kept = *kept;
    return 0;
}

int worker_finish_parts(struct openstack *os, const struct order *order, struct parts *parts,
                        struct err *err)
{
    int64_t deadline = order->deadline_mono_ms;

    if (os->floating_network &&
        neutron_floating_make(os, order->name, parts->port, deadline, err) < 0)
        return -1;
    if (nova_group_make(os, deadline, err) < 0 ||
        (parts->boot_volume && cinder_wait(os, parts->boot_volume, deadline, err) < 0) ||
        (parts->scratch && cinder_wait(os, parts->scratch, deadline, err) < 0))
        return -1;
    return 0;
}

static int make_parts(struct openstack *os, const struct order *order, const struct flavor *flavor,
                      const struct image *image, struct parts *parts, char **kept, struct err *err)
{
    if (worker_begin_volumes(os, order, image, parts, kept, err) < 0 ||
        neutron_port_make(os, order->name, order->deadline_mono_ms, &parts->port, err) < 0 ||
        worker_finish_parts(os, order, parts, err) < 0)
        return -1;
    return make_server(os, order, flavor, image, parts, err);
}

int worker_remove_parts(struct openstack *os, const char *name, int64_t deadline, struct err *err)
{
    own_things struct things things = { .list = NULL };
    int rc = 0;

    if (neutron_floating(os, name, deadline, &things, err) < 0 ||
        neutron_ports(os, name, deadline, &things, err) < 0 ||
        cinder_volumes(os, name, deadline, &things, err) < 0)
        return -1;
    /* One that cannot go keeps none of the others. */
    for (size_t i = 0; i < things.count; i++)
        if (thing_delete(os, &things.list[i], deadline, rc < 0 ? NULL : err) < 0)
            rc = -1;
    return rc;
}

/* Somebody began before us, and a crash came in between: 1 when the server is there; what there is
 * of the rest goes, and all is made anew. */
static int begun_before(struct openstack *os, const char *name, int64_t deadline, struct err *err)
{
    own_servers struct servers servers = { .list = NULL };
    own_things struct things ports = { .list = NULL };
    const struct server *made = NULL;

    if (neutron_ports(os, name, deadline, &ports, err) < 0)
        return -1;
    if (ports.count == 0)
        return 0;
    if (worker_find(os, name, deadline, &servers, &made, err) < 0)
        return -1;
    return made ? 1 : worker_remove_parts(os, name, deadline, err);
}

/* Where somebody else takes quota too, it is looked at once more before each server: a look costs less
 * than what is made before the refusal, and than the refusal. */
static int still_fits(struct openstack *os, const struct flavor *flavor, int64_t deadline,
                      struct err *err)
{
    struct room_left left;

    if (!os->refused_mono_ms || clock_mono_ms() - os->refused_mono_ms > CAREFUL_MS)
        return 0;
    return nova_room(os, deadline, &left, err) < 0 || !room_take(&left, flavor, err) ? -1 : 0;
}

static int make(struct openstack *os, const struct order *order, struct err *err)
{
    const struct flavor *flavor = flavor_find(os, order->shape);
    const struct image *image = os_choose_image(os, order->image, err);
    struct parts parts = { .port = NULL };
    own_str char *kept = NULL;
    int rc;

    if (!image)
        return -1;
    if (!flavor)
        return err_set(err, FAULT_NOT_FOUND, "no flavor '%s'", order->shape);
    rc = begun_before(os, order->name, order->deadline_mono_ms, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (still_fits(os, flavor, order->deadline_mono_ms, err) < 0)
        return -1;
    rc = make_parts(os, order, flavor, image, &parts, &kept, err);
    if (rc < 0) /* what fails here, destroy repeats */
        worker_remove_parts(os, order->name, order->deadline_mono_ms + UNWIND_MS, NULL);
    if (rc < 0 && err->fault == FAULT_NOT_FOUND)
        free(take_ptr(os->server_group_id)); /* it may be the one that is gone */
    free(parts.port);
    free(parts.boot_volume);
    free(parts.scratch);
    return rc;
}

int worker_make(struct openstack *os, const struct order *order, struct err *err)
{
    int64_t before = session_requests(os->session);

    return count_requests(os, "making", order->name, before, make(os, order, err));
}

/* ---- removing -------------------------------------------------------------------------------- */

/* By name, and where that finds none, among all: a user may have renamed it. */
static int find_to_delete(struct openstack *os, const char *name, int64_t deadline,
                          struct servers *servers, struct err *err)
{
    const struct server *server;

    if (worker_find(os, name, deadline, servers, &server, err) < 0)
        return -1;
    if (server)
        return 0;
    servers_free(servers);
    return nova_servers(os, NULL, deadline, servers, err);
}

static int remove_worker(struct openstack *os, const char *name, int64_t deadline, struct err *err)
{
    own_servers struct servers servers = { .list = NULL };

    if (find_to_delete(os, name, deadline, &servers, err) < 0)
        return -1;
    for (size_t i = 0; i < servers.count; i++)
        if (servers.list[i].ours && strcmp(servers.list[i].name, name) == 0 &&
            nova_delete(os, servers.list[i].id, deadline, err) < 0)
            return -1;
    return worker_remove_parts(os, name, deadline, err);
}

int worker_remove(struct openstack *os, const char *name, int64_t deadline, struct err *err)
{
    int64_t before = session_requests(os->session);

    return count_requests(os, "removing", name, before, remove_worker(os, name, deadline, err));
}

/* The groups that workers share.  A port that is not quite gone still holds its group: it is tried
 * again. */
int shared_remove(struct openstack *os, int64_t deadline, struct err *err)
{
    own_things struct things things = { .list = NULL };

    if (neutron_groups(os, deadline, &things, err) < 0 ||
        nova_groups(os, deadline, &things, err) < 0)
        return -1;
    free(take_ptr(os->group_id));
    free(take_ptr(os->server_group_id));
    for (size_t i = 0; i < things.count; i++) {
        struct err why = ERR_INIT;

        if (thing_delete(os, &things.list[i], deadline, &why) == 0 || why.fault == FAULT_CONFLICT)
            continue;
        if (err)
            *err = why;
        return -1;
    }
    return images_remove(os, deadline, err);
}
