/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c - a cluster that Magnum makes from a template, as a site.
 *
 * Magnum answers at once and works for minutes; the life of the cluster is sites/cluster.c's. */
#include "sites/magnum/driver.h"

#include <string.h>

#include "base/own.h"
#include "sites/magnum/magnum.h"
#include "sites/openstack/driver.h"

#define MINUTE_MS 60000

static const char *const keys[] = { "cloud", "clouds_file", "region", "template", "keypair", NULL };

struct maker {
    struct openstack *os;
    const char *template, *keypair;
    char *api;       /* of the cluster, at the last look */
    json_t *workers; /* and the addresses of its nodes */
};

static void maker_close(void *self)
{
    struct maker *maker = self;

    openstack_driver.close(maker->os);
    free(maker->api);
    json_decref(maker->workers);
    free(maker);
}

static int maker_look(void *self, const char *broker, const char *name, int64_t deadline,
                      struct cluster_seen *out, struct err *err)
{
    struct maker *maker = self;
    struct magnum_cluster found = { .seen = { .nodes = -1 } };

    (void)broker;
    if (magnum_look(maker->os, name, deadline, &found, err) < 0)
        return -1;
    free(maker->api);
    json_decref(maker->workers);
    maker->api = found.api;
    maker->workers = found.workers;
    *out = found.seen;
    return 0;
}

static int maker_make(void *self, const char *broker, const char *name, int64_t nodes,
                      int64_t deadline, struct err *err)
{
    struct maker *maker = self;
    int64_t minutes = (maker->os->conf->boot_deadline_ms + MINUTE_MS - 1) / MINUTE_MS;
    const struct magnum_wish wish = { .template = maker->template,
                                      .keypair = maker->keypair,
                                      .name = name,
                                      .nodes = nodes,
                                      .minutes = minutes };

    (void)broker;
    return magnum_make(maker->os, &wish, deadline, err);
}

static void burn(char **secret)
{
    if (*secret)
        explicit_bzero(*secret, strlen(*secret));
    free(*secret);
}

/* As Magnum's own client makes a kubeconfig: the cluster's authority, a key of ours, and the
 * certificate that Magnum signs for it. */
static int maker_enter(void *self, const struct cluster_seen *seen, int64_t deadline,
                       struct kube_conf *out, struct err *err)
{
    struct maker *maker = self;
    own(burn) char *key = NULL;
    own_str char *request = NULL, *authority = NULL, *signed_one = NULL;

    if (!maker->api)
        return err_set(err, FAULT_UNAVAILABLE, "Magnum does not tell its address yet");
    if (strncmp(maker->api, "https://", 8) != 0)
        return err_set(err, FAULT_INVALID,
                       "its address is %.200s: Spillway does not talk to a cluster without TLS",
                       maker->api);
    if (pair_make(&key, &request, err) < 0 ||
        magnum_authority(maker->os, seen->id, deadline, &authority, err) < 0 ||
        magnum_sign(maker->os, seen->id, request, deadline, &signed_one, err) < 0)
        return -1;
    *out = (struct kube_conf){ .where = xasprintf("cluster %s", seen->id),
                               .server = xstrdup(maker->api),
                               .ca = authority,
                               .cert = signed_one,
                               .key = key };
    key = authority = signed_one = NULL;
    return 0;
}

static int maker_resize(void *self, const struct cluster_seen *seen, int64_t nodes,
                        int64_t deadline, struct err *err)
{
    return magnum_resize(((struct maker *)self)->os, seen->id, nodes, NULL, deadline, err);
}

static int maker_shrink(void *self, const struct cluster_seen *seen, const struct kube_nodes *idle,
                        int64_t most, int64_t deadline, struct err *err)
{
    struct maker *maker = self;
    own_json json_t *ids = magnum_pick(maker->workers, idle, most);
    int count = (int)json_array_size(ids);

    if (count == 0)
        return 0;
    return magnum_resize(maker->os, seen->id, seen->nodes - count, ids, deadline, err) < 0 ? -1
                                                                                           : count;
}

static int maker_remove(void *self, const struct cluster_seen *seen, int64_t deadline,
                        struct err *err)
{
    return magnum_remove(((struct maker *)self)->os, seen->id, deadline, err);
}

static int maker_faults(void *self, const struct cluster_seen *seen, int64_t deadline,
                        struct buf *out, struct err *err)
{
    struct maker *maker = self;
    own_str char *path = xasprintf("/clusters/%s", seen->id);
    own_json json_t *answer = NULL;
    const char *part;
    const json_t *words;

    if (os_get(maker->os, OS_CONTAINER, path, deadline, &answer, err) < 0)
        return -1;
    json_object_foreach(json_object_get(answer, "faults"), part, words)
    {
        buf_printf(out, "%.100s: %.400s\n", part,
                   json_string_value(words) ? json_string_value(words) : "");
    }
    return 0;
}

static int64_t maker_credential_end(void *self)
{
    return session_credential_end(((struct maker *)self)->os->session);
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

static int read_maker(struct maker *out, const struct site_conf *conf, struct err *err)
{
    if (cluster_only(conf, keys, err) < 0 ||
        site_conf_need_str(conf, "/template", &out->template, err) < 0 ||
        site_conf_str(conf, "/keypair", &out->keypair, err) < 0)
        return -1;
    return os_open_session(out->os, err);
}

static int magnum_open(const struct site_conf *conf, const char *dir, void **self, struct err *err)
{
    struct maker *made = xcalloc(1, sizeof *made);

    made->os = xcalloc(1, sizeof *made->os);
    made->os->conf = conf;
    if (read_maker(made, conf, err) < 0) {
        maker_close(made);
        return -1;
    }
    return cluster_open(conf, dir, &maker, made, true, self, err);
}

const struct site_driver magnum_driver = { .type = "magnum", .open = magnum_open, CLUSTER_DRIVER };
