/* SPDX-License-Identifier: Apache-2.0 */
/* reach.c - workers of a cloud that lets nothing out: which address the broker comes to, with which
 * keys, and what is told of those that it cannot reach.
 *
 * The address is the floating one where workers get one, else that of the port.  The rows of ports
 * and floating addresses say it, so that every listing puts right what a crash left undone. */
#include <arpa/inet.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/parse.h"
#include "sites/openstack/openstack.h"
#include "sites/tunnels.h"

#define KEY_MOST 2048

/* ---- configuration --------------------------------------------------------------------------- */

/* "192.0.2.0/24", as Neutron takes it. */
static bool is_prefix(const char *text)
{
    const char *slash = strchr(text, '/');
    own_str char *address = xstrndup(text, slash ? (size_t)(slash - text) : 0);
    bool six = strchr(text, ':') != NULL;
    unsigned char bytes[16];
    int64_t length = 0;

    return inet_pton(six ? AF_INET6 : AF_INET, address, bytes) == 1 &&
           parse_i64(slash + 1, 0, six ? 128 : 32, &length, NULL) == 0;
}

int os_read_ssh(struct openstack *os, const char *dir, struct err *err)
{
    static const char *const known[] = { "from", NULL };
    static const char *const only_ssh[] = { "/ssh", "/tunnel", NULL };

    for (const char *const *key = only_ssh; *key && os->conf->connect != CONNECT_SSH; key++)
        if (site_conf_get(os->conf, *key))
            return site_conf_error(os->conf, *key, err, "is only used with connect: ssh");
    if (os->conf->connect != CONNECT_SSH)
        return 0;
    if (site_conf_only(os->conf, "/ssh", known, err) < 0 ||
        site_conf_str(os->conf, "/ssh/from", &os->ssh_from, err) < 0)
        return -1;
    if (os->ssh_from && !is_prefix(os->ssh_from))
        return site_conf_error(os->conf, "/ssh/from", err, "must be a prefix such as 192.0.2.0/24");
    return tunnels_open(os->conf, dir, &os->tunnels, err);
}

/* ---- keys ------------------------------------------------------------------------------------ */

int reach_keys(struct openstack *os, const struct order *order, struct reach_keys *out,
               struct err *err)
{
    struct ssh_key host, login;

    memset(out, 0, sizeof *out);
    out->host_key.cap = out->host_line.cap = out->login_line.cap = KEY_MOST;
    if (tunnels_keys(os->tunnels, order->name, &host, &login, err) < 0)
        return -1;
    buf_reserve(&out->host_key, KEY_MOST - 1); /* it does not move, and can be wiped */
    ssh_key_put_file(&host, &out->host_key);
    ssh_key_put_line(&host, &out->host_line);
    ssh_key_put_line(&login, &out->login_line);
    ssh_key_wipe(&host);
    ssh_key_wipe(&login);
    out->ssh = (struct user_data_ssh){ .user = TUNNEL_USER,
                                       .host_key = buf_text(&out->host_key),
                                       .host_line = buf_text(&out->host_line),
                                       .login_line = buf_text(&out->login_line),
                                       .port = tunnels_port(os->tunnels) };
    if (tunnels_boot(os->tunnels, order->boot, &out->boot, err) == 0)
        return 0;
    reach_keys_fini(out);
    return -1;
}

void reach_keys_fini(struct reach_keys *keys)
{
    if (keys->host_key.data)
        explicit_bzero(keys->host_key.data, keys->host_key.room);
    if (keys->boot)
        explicit_bzero(keys->boot, strlen(keys->boot));
    buf_free(&keys->host_key);
    buf_free(&keys->host_line);
    buf_free(&keys->login_line);
    free(take_ptr(keys->boot));
}

/* ---- tunnels --------------------------------------------------------------------------------- */

static const char *address_of(const struct openstack *os, const struct things *things,
                              const char *name)
{
    const char *kind = os->floating_network ? "floating-ip" : "port";

    for (size_t i = 0; i < things->count; i++) {
        const struct thing *thing = &things->list[i];

        if (thing->address && thing->name && strcmp(thing->kind, kind) == 0 &&
            strcmp(thing->name, name) == 0)
            return thing->address;
    }
    return NULL;
}

static void want(struct openstack *os, const struct things *things, const char *name)
{
    const char *address = address_of(os, things, name);

    if (address)
        tunnels_want(os->tunnels, name, address);
}

void reach_again(struct openstack *os)
{
    if (os->tunnels)
        tunnels_recall(os->tunnels);
}

void reach_made(struct openstack *os, const struct order *orders, size_t count,
                const struct err *errs)
{
    own_things struct things things = { .list = NULL };
    const char *name = count == 1 ? orders[0].name : NULL;
    int64_t deadline = orders[0].deadline_mono_ms;
    struct err err = ERR_INIT;

    if (!os->tunnels)
        return;
    if ((os->floating_network ? neutron_floating(os, name, deadline, &things, &err)
                              : neutron_ports(os, name, deadline, &things, &err)) < 0)
        log_warn("site %s: new workers' addresses wait for the next listing: %s", os->conf->name,
                 err.text);
    for (size_t i = 0; i < count; i++)
        if (!errs || errs[i].fault == FAULT_NONE)
            want(os, &things, orders[i].name);
}

void reach_all(struct openstack *os, const struct servers *servers, const struct things *things)
{
    if (!os->tunnels)
        return;
    for (size_t i = 0; i < servers->count; i++)
        if (servers->list[i].ours && (servers->list[i].state == INSTANCE_BOOTING ||
                                      servers->list[i].state == INSTANCE_ACTIVE))
            want(os, things, servers->list[i].name);
    tunnels_drop(os->tunnels, NULL);
}

void reach_end(struct openstack *os, const char *name)
{
    if (os->tunnels)
        tunnels_drop(os->tunnels, name);
}

void reach_words(struct openstack *os, const char *name, struct buf *out)
{
    own_buf struct buf words = BUF_INIT(1024);
    bool refused;

    if (os->tunnels && tunnels_fault(os->tunnels, name, &refused, &words))
        buf_printf(out, "%s\n", buf_text(&words));
}

void reach_faults(struct openstack *os, struct resources_list *list)
{
    for (size_t i = 0; os->tunnels && i < list->count; i++) {
        struct resource *resource = &list->list[i];
        own_buf struct buf words = BUF_INIT(1024);

        if (strcmp(resource->kind, "worker") != 0 || resource->detail ||
            !tunnels_fault(os->tunnels, resource->name, &resource->refused, &words))
            continue;
        resource->detail = buf_take(&words);
        if (resource->refused)
            resource->fault = FAULT_AUTH;
    }
}
