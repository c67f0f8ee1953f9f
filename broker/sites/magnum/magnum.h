/* SPDX-License-Identifier: Apache-2.0 */
/* magnum.h - what the files of the Magnum driver share.
 *
 * Magnum keeps no mark of ours: a cluster is found again by its name, which begins with the broker's
 * UUID's first part and holds the site's name. */
#ifndef SPILLWAY_MAGNUM_H
#define SPILLWAY_MAGNUM_H

#include "sites/cluster.h"
#include "sites/openstack/openstack.h"

/* A cluster as GET /clusters/UUID shows it. */
struct magnum_cluster {
    struct cluster_seen seen;
    char *api;       /* "https://ADDRESS:6443"; NULL: not known yet */
    json_t *workers; /* addresses of its nodes that are no masters; NULL: not told */
};
void magnum_cluster_fini(struct magnum_cluster *cluster);

/* ---- answer.c, pure ---- */

/* From an answer; -1: it is none. */
int magnum_read(const json_t *answer, struct magnum_cluster *out, struct err *err);

#define MAGNUM_SAME_MOST 16
/* All clusters of one name, oldest first, and the oldest as the list shows it. */
struct magnum_same {
    json_t *oldest;
    char *ids[MAGNUM_SAME_MOST];
    int64_t created_ms[MAGNUM_SAME_MOST];
    size_t count;
};
void magnum_same_fini(struct magnum_same *same);
#define own_magnum_same own(magnum_same_fini)
/* `cluster` as a list shows it; only one of that name is added. */
void magnum_same_add(struct magnum_same *same, const json_t *cluster, const char *name);
/* The ids of at most `most` of these nodes, those of which Magnum says that they are its workers. */
json_t *magnum_pick(const json_t *workers, const struct kube_nodes *idle, int64_t most);
/* The certificate in an answer about cluster `id`; *pem is the caller's. */
int magnum_pem(const json_t *answer, const char *id, char **pem, struct err *err);

/* ---- api.c ---- */

/* The cluster of that name, the oldest where there are several, which are removed: a broker that was
 * killed while it made one may have made two.  out->seen.id is NULL: there is none. */
int magnum_look(struct openstack *os, const char *name, int64_t deadline,
                struct magnum_cluster *out, struct err *err);
/* What is sent for a new one. */
struct magnum_wish {
    const char *template, *keypair; /* keypair NULL: none, or the template's */
    const char *name;
    int64_t nodes, minutes; /* minutes: Magnum gives it up by itself after that */
};
int magnum_make(struct openstack *os, const struct magnum_wish *wish, int64_t deadline,
                struct err *err);
/* `leaving`: the servers that go, by their ids; NULL: whichever. */
int magnum_resize(struct openstack *os, const char *id, int64_t nodes, const json_t *leaving,
                  int64_t deadline, struct err *err);
int magnum_remove(struct openstack *os, const char *id, int64_t deadline, struct err *err);
/* The cluster's authority, and the certificate that it gives for a request: PEM, the caller's. */
int magnum_authority(struct openstack *os, const char *id, int64_t deadline, char **pem,
                     struct err *err);
int magnum_sign(struct openstack *os, const char *id, const char *request, int64_t deadline,
                char **pem, struct err *err);

/* ---- pair.c: a key, and the request that names whose it is ---- */

/* PEM; the caller burns the key.  CN=admin, O=system:masters: the name that Magnum's clusters know. */
int pair_make(char **key, char **request, struct err *err);

#endif
