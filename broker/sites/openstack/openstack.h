/* SPDX-License-Identifier: Apache-2.0 */
/* openstack.h - what the files of the OpenStack driver share.
 *
 * Everything we make bears the broker's UUID and the worker's name: servers as metadata
 * (MARK_BROKER, MARK_WORKER), what belongs to Neutron in its description and its name. */
#ifndef SPILLWAY_OPENSTACK_H
#define SPILLWAY_OPENSTACK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "conf/site.h"
#include "sites/openstack/session.h"
#include "spillway/site_driver.h"

#define MARK_BROKER "spillway-broker"
#define MARK_WORKER "spillway-worker"
#define PAGE_MOST   500
#define PAGES_MOST  200

struct flavor {
    char *id, *name;
    int cpus, gpus;
    int64_t memory, disk; /* bytes */
    char *gpu_model;      /* NULL: none, or not known */
    int64_t gpu_memory;
};

struct image {
    char *id, *name;
    int64_t created_ms;
    bool ignition; /* a CoreOS image: its user data is Ignition's, not cloud-init's */
};

struct openstack {
    const struct site_conf *conf;
    struct session *session;
    /* of the site file; NULL: not said */
    const char *network, *availability_zone, *key_name, *agent_url, *agent_sha256;
    const json_t *security_groups, *flavor_names;
    bool config_drive, has_config_drive;
    char *program; /* the agent's */

    char broker[64]; /* its UUID; "" before it was told */
    char *network_id, *group_id;
    struct flavor *flavors;
    size_t flavor_count;
    struct image *images; /* newest first */
    size_t image_count;
    int64_t known_mono_ms; /* when flavors and images were asked for; 0: never */
    bool no_port_quota;    /* this Neutron does not tell it */
};

/* A server as its list shows it. */
struct server {
    char *id, *name, *detail;
    enum instance_state state;
    enum fault fault;
    bool ours;
    int cpus;
    int64_t memory, created_ms;
};
struct servers {
    struct server *list;
    size_t count;
};
void servers_free(struct servers *servers);
#define own_servers own(servers_free)

/* A port, or another thing of Neutron's, that bears our mark. */
struct port {
    char *id, *name;
    int64_t created_ms;
};
struct ports {
    struct port *list;
    size_t count;
};
void ports_free(struct ports *ports);
#define own_ports own(ports_free)

/* ---- nova.c ---- */

/* All servers of the project; `name`: only that one; NULL: all. */
int nova_servers(struct openstack *os, const char *name, int64_t deadline, struct servers *out,
                 struct err *err);
int nova_flavors(struct openstack *os, int64_t deadline, struct err *err);
/* Lines of the quota into `out`, ours counted from `servers`. */
int nova_quota(struct openstack *os, const struct servers *servers, int64_t deadline,
               struct probe *out, struct err *err);
/* *maybe_done: the fault does not say whether the server was made. */
int nova_create(struct openstack *os, const struct order *order, const struct flavor *flavor,
                const struct image *image, const char *port, const char *user_data,
                bool *maybe_done, struct err *err);
int nova_delete(struct openstack *os, const char *id, int64_t deadline, struct err *err);
int nova_console(struct openstack *os, const char *id, int64_t deadline, struct buf *out,
                 struct err *err);
const struct flavor *flavor_find(const struct openstack *os, const char *name);

/* ---- neutron.c ---- */

/* Which network the site's file means, once. */
int neutron_network(struct openstack *os, int64_t deadline, struct err *err);
/* Ports that bear our mark; `name`: of that worker; NULL: all. */
int neutron_ports(struct openstack *os, const char *name, int64_t deadline, struct ports *out,
                  struct err *err);
/* A port of that name on the site's network; *id is owned by the caller. */
int neutron_port_make(struct openstack *os, const char *name, int64_t deadline, char **id,
                      struct err *err);
int neutron_port_delete(struct openstack *os, const char *id, int64_t deadline, struct err *err);
/* Our security group goes with the last port; it is made again when it is needed. */
int neutron_group_drop(struct openstack *os, int64_t deadline, struct err *err);
int neutron_quota(struct openstack *os, int64_t deadline, struct probe *out, struct err *err);

/* ---- glance.c ---- */

int glance_images(struct openstack *os, int64_t deadline, struct err *err);
/* By the site's own name or id of it; NULL, with words that name some there are. */
const struct image *image_find(const struct openstack *os, const char *name, struct err *err);

/* ---- flavor.c, pure ---- */

/* From an element of GET /flavors/detail.  *out owns its strings, and is whole also when -1: no
 * flavor that could be used. */
int flavor_read(const json_t *flavor, const struct site_conf *conf, struct flavor *out);
void flavor_fini(struct flavor *flavor);
/* What a flavor's extra specs say of GPUs: count, and the model in *model (owned; NULL: not said).
 */
int extra_specs_gpus(const json_t *specs, char **model);
/* One line of a probe's quota: `used` is everyone's. */
void quota_add(struct probe *out, const char *name, int64_t limit, int64_t used, int64_t ours);

/* ---- userdata.c, pure ---- */

struct user_data {
    const char *boot;      /* order->boot */
    const char *agent_url; /* where the agent is fetched */
    const char *sha256;
    bool ignition;
};
#define USER_DATA_MOST 65535 /* Nova's own limit, in base64 */
/* base64, as Nova takes it; owned by the caller, who wipes it: it holds the join token. */
int user_data_make(const struct user_data *what, char **out, struct err *err);

/* ---- shared ---- */

/* `text` with all but letters, digits and "-._~" as %XX. */
void put_url(struct buf *out, const char *text);
/* RFC 3339, with or without a zone; 0: none. */
int64_t os_time(const json_t *value);
const char *os_text(const json_t *object, const char *key);
/* The description of what we make at Neutron. */
const char *os_mark(const struct openstack *os, char out[96]);

#endif
