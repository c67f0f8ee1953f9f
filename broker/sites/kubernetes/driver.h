/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h - a namespace of a Kubernetes cluster as a site. */
#ifndef SPILLWAY_KUBERNETES_DRIVER_H
#define SPILLWAY_KUBERNETES_DRIVER_H

#include "sites/kubernetes/kubeconfig.h"
#include "spillway/site_driver.h"

extern const struct site_driver kubernetes_driver;

/* The keys of a site file that are read here, NULL-terminated: another kind of site that makes its
 * cluster first takes them as they are, but for `kubeconfig` and `context`. */
extern const char *const kubernetes_keys[];
/* As kubernetes_driver.open, with a kubeconfig that is at hand: takes what `kube` holds, also after a
 * fault.  Keys that are not ours are the caller's to check.  What comes out is for the functions of
 * kubernetes_driver. */
int kubernetes_open(const struct site_conf *conf, struct kube_conf *kube, void **self,
                    struct err *err);
/* The shapes that the site file gives; asks nobody. */
void kubernetes_shapes(const void *self, struct probe *out);

/* A node that pods of ours could be put on, and on which there is none. */
struct kube_node {
    char *machine;     /* its server's UUID, in lower case */
    json_t *addresses; /* as it tells them: [{"type": .., "address": ..}]; NULL: none */
};
struct kube_nodes {
    struct kube_node *list;
    size_t count;
};
void kube_nodes_fini(struct kube_nodes *nodes);
/* Those that tell which server they are.  None while a worker's pod is still to be put on one.  The
 * account must be one that may list nodes. */
int kubernetes_idle(void *self, int64_t deadline_mono_ms, struct kube_nodes *out, struct err *err);

#endif
