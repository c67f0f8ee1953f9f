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

#define MARK_BROKER  "spillway-broker"
#define MARK_WORKER  "spillway-worker"
#define MARK_ROLE    "spillway-role"
#define MARK_SITE    "spillway-site"    /* of an image: the site whose file names it */
#define MARK_CONTENT "spillway-content" /* likewise: "sha256:...", once that was seen to be right */
#define PAGE_MOST    500
#define PAGES_MOST   200

struct flavor {
    char *id, *name;
    int cpus, gpus;
    int64_t memory, disk; /* bytes */
    char *gpu_model;      /* NULL: none, or not known */
    char *gpu_class;      /* what Placement counts its GPUs as; NULL: it does not, or not as one */
    int64_t gpu_memory;
};

struct image {
    char *id, *name, *visibility;
    int64_t created_ms, size;
    json_t *properties; /* all that Glance says of it */
    bool ignition;      /* a CoreOS image: its user data is Ignition's, not cloud-init's */
};

/* A volume that each worker gets; size 0: none. */
struct volume_wish {
    int64_t size; /* GiB */
    const char *type;
};

struct openstack {
    const struct site_conf *conf;
    struct session *session;
    /* of the site file; NULL: not said */
    const char *network, *availability_zone, *key_name, *agent_url, *agent_sha256;
    const char *floating_network, *server_group; /* the latter: Nova's word for its policy */
    const char *volume_name, *volume_mount;      /* one that is kept */
    const json_t *security_groups, *flavor_names;
    struct volume_wish boot_volume, scratch;
    bool config_drive, has_config_drive;
    char *program; /* the agent's */
    /* of connect: ssh, else NULL */
    struct tunnels *tunnels;
    const char *ssh_from; /* addresses that the broker comes from; NULL: any */

    char broker[64]; /* its UUID; "" before it was told */
    char *network_id, *group_id, *floating_id, *server_group_id;
    struct flavor *flavors;
    size_t flavor_count;
    struct image *images; /* newest first */
    size_t image_count;
    struct image *brought; /* those that bear a mark of brokers, in any state */
    size_t brought_count;
    struct uploads *uploads; /* NULL: the site file brings none there */
    int64_t known_mono_ms;   /* when flavors and images were asked for; 0: never */
    int64_t refused_mono_ms; /* when a server was last refused for quota; 0: never */
    bool no_placement;       /* this account may not read it */
    bool no_port_quota;      /* this Neutron does not tell it */
    bool no_routers;         /* this Neutron has none, and so no floating addresses */
};

/* A server as its list shows it. */
struct server {
    char *id, *name, *flavor, *detail; /* the flavor's name; NULL: not said */
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

/* What bears our mark and is no server. */
struct thing {
    const char *kind; /* "port", "floating-ip", "volume", "security-group", "server-group" */
    char *id;
    char *name;    /* of the worker it is for; NULL: all share it */
    char *address; /* of a port or a floating address; NULL: none yet */
    char *status;  /* a volume's, as Cinder says it; else NULL */
    char *role;    /* a volume's: "boot" or "scratch"; else NULL */
    int64_t size;  /* a volume's, GiB; of a server group: its members */
    int64_t created_ms;
};
struct things {
    struct thing *list;
    size_t count;
};
void things_free(struct things *things);
#define own_things own(things_free)
/* Copies all strings but `kind`. */
struct thing *things_add(struct things *things, const char *kind, const char *id, const char *name);
size_t things_count(const struct things *things, const char *kind);
/* Cinder's list of volumes: those with the mark of broker `mark`, and where `name` is given of that
 * worker alone, are added.  The id of the last one in the list, which is its own; NULL: none. */
const char *volumes_read(const json_t *volumes, const char *mark, const char *name,
                         struct things *out);
/* The one of that name or id; *count: how many there are, of which any is given. */
const json_t *volume_named(const json_t *volumes, const char *wanted, size_t *count);
/* 0: it may be removed.  1: it goes by itself.  -1: not as it is, with words. */
int volume_may_go(const struct thing *volume, struct err *err);
/* Remove one; gone already is success. */
int thing_delete(struct openstack *os, const struct thing *thing, int64_t deadline,
                 struct err *err);

/* ---- nova.c ---- */

/* All servers of the project; `name`: only that one; NULL: all. */
int nova_servers(struct openstack *os, const char *name, int64_t deadline, struct servers *out,
                 struct err *err);
int nova_flavors(struct openstack *os, int64_t deadline, struct err *err);
/* Lines of the quota into `out`, ours counted from `servers` and `things`. */
int nova_quota(struct openstack *os, const struct servers *servers, const struct things *things,
               int64_t deadline, struct probe *out, struct err *err);
/* What a server is made of, besides its flavor and image; NULL: none. */
struct parts {
    char *port, *boot_volume, *scratch;
    const char *kept; /* the id of a volume that outlives it */
};
/* What is sent for it; nova_burn() it: it holds the join token. */
json_t *nova_body(const struct openstack *os, const struct order *order,
                  const struct flavor *flavor, const struct image *image, const struct parts *parts,
                  const char *user_data);
void nova_burn(json_t *body);
/* What is free of the quota at this moment; < 0: no limit, or not said. */
struct room_left {
    int64_t instances, cores, memory;
    bool shared; /* others have servers there, and may make more at any moment */
};
int nova_room(struct openstack *os, int64_t deadline, struct room_left *out, struct err *err);
/* Takes one such server from it; false, with words: it does not fit. */
bool room_take(struct room_left *left, const struct flavor *flavor, struct err *err);
/* *maybe_done: the fault does not say whether the server was made. */
int nova_create(struct openstack *os, const struct order *order, const struct flavor *flavor,
                const struct image *image, const struct parts *parts, const char *user_data,
                bool *maybe_done, struct err *err);
/* Our server group into os->server_group_id, where the site file wants one. */
int nova_group_make(struct openstack *os, int64_t deadline, struct err *err);
int nova_groups(struct openstack *os, int64_t deadline, struct things *out, struct err *err);
int nova_delete(struct openstack *os, const char *id, int64_t deadline, struct err *err);
int nova_console(struct openstack *os, const char *id, int64_t deadline, struct buf *out,
                 struct err *err);
const struct flavor *flavor_find(const struct openstack *os, const char *name);

/* ---- placement.c ---- */

/* Where the account may read it: a line for each model, of how many GPUs we could have. */
void placement_quota(struct openstack *os, const struct servers *servers, int64_t deadline,
                     struct probe *out);

/* ---- neutron.c ---- */

/* Which network the site's file means, once. */
int neutron_network(struct openstack *os, int64_t deadline, struct err *err);
/* Things that bear our mark; `name`: of that worker; NULL: all. */
int neutron_ports(struct openstack *os, const char *name, int64_t deadline, struct things *out,
                  struct err *err);
int neutron_floating(struct openstack *os, const char *name, int64_t deadline, struct things *out,
                     struct err *err);
int neutron_groups(struct openstack *os, int64_t deadline, struct things *out, struct err *err);
/* A port of that name on the site's network; *id is owned by the caller. */
int neutron_port_make(struct openstack *os, const char *name, int64_t deadline, char **id,
                      struct err *err);
/* The same in three: what it needs is there; what is sent; what came of it. */
int neutron_port_ready(struct openstack *os, int64_t deadline, struct err *err);
json_t *neutron_port_body(const struct openstack *os, const char *name);
int neutron_port_take(struct openstack *os, const struct os_call *call, bool answered,
                      const char *name, int64_t deadline, char **id, struct err *err);
/* A floating address of the site's floating network for that port. */
int neutron_floating_make(struct openstack *os, const char *name, const char *port,
                          int64_t deadline, struct err *err);
int neutron_quota(struct openstack *os, const struct things *things, int64_t deadline,
                  struct probe *out, struct err *err);
/* Rules of the project that let in the whole world, as site_driver.audit wants them. */
int neutron_open_rules(struct openstack *os, int64_t deadline, json_t *out, struct err *err);

/* ---- cinder.c ---- */

int cinder_volumes(struct openstack *os, const char *name, int64_t deadline, struct things *out,
                   struct err *err);
/* Begin to make one for that worker; `image`: with its content, NULL: empty. */
int cinder_make(struct openstack *os, const char *name, const char *role,
                const struct volume_wish *wish, const char *image, int64_t deadline, char **id,
                struct err *err);
/* Until it can be used. */
int cinder_wait(struct openstack *os, const char *id, int64_t deadline, struct err *err);
/* The volume that the site file keeps; *id is owned by the caller. */
int cinder_kept(struct openstack *os, int64_t deadline, char **id, struct err *err);
int cinder_quota(struct openstack *os, const struct servers *servers, const struct things *things,
                 int64_t deadline, struct probe *out, struct err *err);

/* ---- reach.c: tunnels to workers, where connect: ssh wants them; else these do nothing ---- */

/* What an sshd needs to let in the broker, for a tunnel and nothing else. */
struct user_data_ssh {
    const char *user;
    const char *host_key, *host_line; /* OpenSSH's file of the private key; its public line */
    const char *login_line;           /* the public line of the key that logs in */
    int port;                         /* where it may listen, at the loopback */
};

int os_read_ssh(struct openstack *os, const char *dir, struct err *err);
/* Those of an earlier broker, without a question to the cloud. */
void reach_again(struct openstack *os);
/* Those that were just made: all but those with a fault in `errs` (NULL: none has). */
void reach_made(struct openstack *os, const struct order *orders, size_t count,
                const struct err *errs);
/* All that are listed, and no others. */
void reach_all(struct openstack *os, const struct servers *servers, const struct things *things);
/* Says of those listed which cannot be reached, and why. */
void reach_faults(struct openstack *os, struct resources_list *list);
void reach_words(struct openstack *os, const char *name, struct buf *out);
void reach_end(struct openstack *os, const char *name);
/* The user data's part; *boot is the payload that goes with it.  Keys are wiped by reach_keys_fini(). */
struct reach_keys {
    struct user_data_ssh ssh;
    struct buf host_key, host_line, login_line;
    char *boot;
};
int reach_keys(struct openstack *os, const struct order *order, struct reach_keys *out,
               struct err *err);
void reach_keys_fini(struct reach_keys *keys);

/* ---- worker.c ---- */

#define UNWIND_MS 20000 /* more for the removal of what was begun */

/* The server of that name with our mark, in `servers`; *out is NULL where there is none. */
int worker_find(struct openstack *os, const char *name, int64_t deadline, struct servers *servers,
                const struct server **out, struct err *err);
int worker_make(struct openstack *os, const struct order *order, struct err *err);
/* Many at once, see site_driver.create_many. */
void worker_make_many(struct openstack *os, const struct order *orders, size_t count,
                      struct err *errs);
/* The steps that both share: volumes begun; floating address, group, and volumes waited for; all but
 * the server removed.  `kept` is owned by the caller. */
int worker_begin_volumes(struct openstack *os, const struct order *order, const struct image *image,
                         struct parts *parts, char **kept, struct err *err);
int worker_finish_parts(struct openstack *os, const struct order *order, struct parts *parts,
                        struct err *err);
int worker_remove_parts(struct openstack *os, const char *name, int64_t deadline, struct err *err);
int worker_remove(struct openstack *os, const char *name, int64_t deadline, struct err *err);
/* What workers share. */
int shared_remove(struct openstack *os, int64_t deadline, struct err *err);

/* ---- glance.c ---- */

int glance_images(struct openstack *os, int64_t deadline, struct err *err);
/* Those older than a year, as site_driver.audit wants them. */
void images_old(const struct openstack *os, int64_t now_ms, json_t *out);
/* Whether the image has all of "KEY=VALUE, KEY=VALUE". */
bool image_has(const json_t *properties, const char *wanted);
void image_fini(struct image *image);
/* By the site's own id or name of it, or by properties; of several the newest.  NULL, with words that name some there are. */
const struct image *image_find(const struct openstack *os, const char *name, struct err *err);

/* Whether it has that content, by the service's own sum or by our mark in a project of ours. */
bool image_is(const json_t *image, const struct image_name *wanted, const char *project);
/* The one that the site file brings there; NULL: it is not there yet. */
const struct image *image_brought(const struct openstack *os, const struct image_name *wanted);
/* Whether the site file still wants it, whole or not. */
bool image_wanted(const struct site_conf *conf, const json_t *image);
/* Those of this site that the site file does not want any more. */
int images_remove(struct openstack *os, int64_t deadline, struct err *err);
void images_list(const struct openstack *os, struct resources_list *out);

/* ---- upload.c: brings images there, in a thread of its own ---- */

struct uploads;
/* NULL, and 0: the site file names none. */
int uploads_open(const struct site_conf *conf, struct uploads **out, struct err *err);
void uploads_close(struct uploads *uploads); /* gives up what is under way; NULL allowed */
/* Begin with those that are not among the images known. */
void uploads_want(struct openstack *os);
/* One has come since the last question: what is known of images is old. */
bool uploads_came(struct uploads *uploads);
/* Those that are awaited, and for people how far each is. */
void uploads_put(struct openstack *os, struct probe *out);

/* ---- flavor.c, pure ---- */

/* From an element of GET /flavors/detail.  *out owns its strings, and is whole also when -1: no
 * flavor that could be used. */
int flavor_read(const json_t *flavor, const struct site_conf *conf, struct flavor *out);
void flavor_fini(struct flavor *flavor);
/* What a flavor's extra specs say of GPUs: count, and the model in *model (owned; NULL: not said).
 */
int extra_specs_gpus(const json_t *specs, char **model);
/* How many of that resource class are free for requests of `each`, by an answer to
 * /allocation_candidates. */
int64_t candidates_free(const json_t *answer, const char *class, int each);
/* A line of a probe's quota: `used` is everyone's. */
struct quota *quota_add(struct probe *out, const char *name, int64_t limit, int64_t used,
                        int64_t ours);

/* ---- userdata.c, pure ---- */

struct user_data {
    const char *boot;      /* order->boot */
    const char *agent_url; /* where the agent is fetched */
    const char *sha256;
    bool ignition;
    const char *scratch, *kept, *mount; /* ids of volumes, and where the second is mounted */
    const struct user_data_ssh *ssh;    /* the broker comes to it by SSH; NULL: it does not */
};
#define USER_DATA_MOST 65535 /* Nova's own limit, in base64 */
/* base64, as Nova takes it; owned by the caller, who wipes it: it holds the join token. */
int user_data_make(const struct user_data *what, char **out, struct err *err);

/* ---- driver.c: what a site of type heat reads, knows and gives as this one does ---- */

/* Flavors, images and the network, asked for when that was long ago, or `anew`. */
int os_know(struct openstack *os, bool anew, int64_t deadline, struct err *err);
int os_read_names(const struct site_conf *conf, const char *pointer, const json_t **out,
                  struct err *err);
int os_read_agent(struct openstack *os, struct err *err);
int os_session(const struct site_conf *conf, struct session **out, struct err *err);
int os_open_session(struct openstack *os, struct err *err);
void os_put_shapes(struct openstack *os, struct probe *out);
void os_put_images(struct openstack *os, struct probe *out);
void os_put_counted(const struct servers *servers, struct probe *out);
/* NULL, with words: there is none. */
const struct image *os_choose_image(const struct openstack *os, const char *name, struct err *err);
/* base64; owned by the caller, who wipes it. */
int os_user_data(struct openstack *os, const struct order *order, const struct image *image,
                 const struct parts *parts, char **out, struct err *err);

/* ---- shared ---- */

/* `text` with all but letters, digits and "-._~" as %XX. */
void put_url(struct buf *out, const char *text);
/* RFC 3339, with or without a zone; 0: none. */
int64_t os_time(const json_t *value);
const char *os_text(const json_t *object, const char *key);
/* A call for which "not there" is success. */
int os_delete(struct openstack *os, enum os_service service, const char *path, int64_t deadline,
              struct err *err);
int os_get(struct openstack *os, enum os_service service, const char *path, int64_t deadline,
           json_t **out, struct err *err);
/* The description of what we make at Neutron. */
const char *os_mark(const struct openstack *os, char out[96]);

#endif
