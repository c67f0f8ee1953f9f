/* SPDX-License-Identifier: Apache-2.0 */
/* kubernetes.h - what the files of the Kubernetes driver share.
 *
 * A worker is a batch/v1 Job with one pod and a Secret that the Job owns.  All we make bears two
 * labels, the broker's UUID and the worker's name, and the worker's name is the Job's. */
#ifndef SPILLWAY_KUBERNETES_H
#define SPILLWAY_KUBERNETES_H

#include "conf/site.h"
#include "net/hash.h"
#include "sites/kubernetes/client.h"
#include "sites/kubernetes/watch.h"
#include "spillway/site_driver.h"

#define SHAPES_MOST 64 /* the scheduler's own limit */
#define MODELS_MOST 32

/* A kind of GPU: what a pod asks for, and which nodes have it. */
struct gpu_kind {
    char *model;                    /* as jobs ask for it; NULL: not known */
    char *resource;                 /* "nvidia.com/gpu" */
    char *label;                    /* of the nodes; NULL: none is needed to find them */
    char **values;                  /* of that label; NULL-terminated */
    int64_t memory;                 /* of each */
    int64_t there;                  /* on usable nodes */
    int64_t free;                   /* of these, not asked for by others' pods */
    int most;                       /* on one node */
    int64_t node_cpus, node_memory; /* of such a node, at most */
};

struct kube_shape {
    struct shape shape;
    const struct gpu_kind *gpu; /* NULL: none */
};

/* What the cluster's nodes have together. */
struct nodes {
    bool known;                                 /* the account may list them */
    int64_t cpu_milli, memory, disk, pods;      /* allocatable */
    int64_t used_milli, used_memory, used_pods; /* by others' pods, where they may be listed */
    int64_t most_cpus, most_memory;             /* of one node */
    size_t count;
};

/* What newer servers have and older ones do not. */
enum kube_feature { KUBE_STRICT, KUBE_POD_FAILURE, KUBE_POD_REPLACEMENT, KUBE_FEATURES };

struct kube_version {
    int minor; /* of 1.x; 0: not told */
    char words[48];
};

struct kubernetes {
    const struct site_conf *conf;
    struct kube_conf kube;
    struct login *login;
    struct client *client;
    struct watch *watch; /* NULL: the broker's UUID was not told yet */
    int wake;
    char *namespace;
    char broker[64];

    /* of the site file; NULL: not said */
    const char *agent_image, *image, *service_account, *priority_class, *runtime_class;
    const char *pull_policy;
    const json_t *node_selector, *tolerations, *pull_secrets, *labels, *annotations;
    const json_t *gpu_models;
    char **gpu_resources, **gpu_labels;
    int64_t run_as_user;
    bool allow_root;
    int64_t room_ms, registry_ms, keep_ms, disk;

    struct gpu_kind gpus[MODELS_MOST];
    size_t gpu_count;
    struct kube_shape shapes[SHAPES_MOST];
    size_t shape_count;
    bool shapes_given; /* by the site file */

    struct kube_version version;
    int64_t version_mono_ms; /* when it was asked for; 0: never */

    char *program; /* the agent's */
    char sha256[SHA256_HEX];
    size_t parts;         /* ConfigMaps that hold it */
    bool agent_made;      /* they are there */
    int64_t made_mono_ms; /* when anything was made last */
};

/* ---- version.c, pure ---- */

/* Out of an answer to GET /version. */
void kube_version_read(const json_t *answer, struct kube_version *out);
/* Such a server has it, in force by default. */
bool kube_has(const struct kube_version *version, enum kube_feature feature);
/* For people. */
json_t *kube_version_json(const struct kube_version *version);

/* ---- podspec.c, pure ---- */

struct podspec {
    const struct kubernetes *kube;
    const struct order *order;
    const struct kube_shape *shape;
};
/* The Job of a worker. */
json_t *podspec_job(const struct podspec *spec);
/* Its Secret; `uid`: the Job's.  Holds the join token: json_wipe() it. */
json_t *podspec_secret(const struct podspec *spec, const char *uid, struct err *err);
/* The name of the ConfigMap with part `part` of the agent. */
void podspec_part_name(const struct kubernetes *kube, size_t part, char out[64]);
json_t *podspec_labels(const struct kubernetes *kube, const char *worker);

/* ---- agent.c: the agent's program, where no image brings it ---- */

/* The ConfigMaps are there. */
int agent_ready(struct kubernetes *kube, int64_t deadline_mono_ms, struct err *err);
/* No worker is left: remove them. */
int agent_tidy(struct kubernetes *kube, int64_t deadline_mono_ms, struct err *err);

/* ---- capacity.c ---- */

int capacity_read_conf(struct kubernetes *kube, struct err *err);
int capacity_probe(struct kubernetes *kube, int64_t deadline_mono_ms, struct probe *out,
                   struct err *err);
/* The shapes as they were given, or were made at the last probe. */
void capacity_put_shapes(const struct kubernetes *kube, struct probe *out);
const struct kube_shape *capacity_shape(const struct kubernetes *kube, const char *name);
void capacity_fini(struct kubernetes *kube);
/* "NVIDIA-A100-SXM4-40GB" -> "A100", with 40 GiB in *memory (0: not said); owned by the caller. */
char *gpu_model_of(const char *label, int64_t *memory);

/* ---- node.c, pure ---- */

/* Ready, and neither a taint nor the node selector keeps our pods off it. */
bool node_usable(const struct kubernetes *kube, const json_t *node);

struct kube_nodes;
/* Nodes that are idle, as a list of nodes shows them one by one. */
struct idle {
    const struct kubernetes *kube;
    json_t *busy;   /* an object whose keys are the names of nodes with a worker */
    bool unsettled; /* a worker's pod is on none yet */
    struct kube_nodes *out;
};
void idle_take(struct idle *idle, const json_t *node);

/* ---- audit.c ---- */

/* What is unsafe about the account and the cluster, a sentence each, into an array. */
int audit_look(struct kubernetes *kube, int64_t deadline_mono_ms, json_t *findings,
               struct err *err);
/* The pure parts: rules of a review; a service, a pod (client_each over an array). */
void audit_rules(const json_t *rules, const char *namespace, json_t *findings);
void audit_service(void *findings, const json_t *service);
void audit_pod(void *findings, const json_t *pod);

#endif
