/* SPDX-License-Identifier: Apache-2.0 */
/* podspec.c - the Job and the Secret of a worker.  Pure.
 *
 * The pod meets the restricted Pod Security Standard: no service-account token, no root unless the
 * site file allows it, seccomp RuntimeDefault, no capability, no way to more privileges.
 *
 * Three folders are mounted: /spillway/boot (the Secret), /spillway/agent (ConfigMaps with the agent
 * in parts and a loader, where no image brings it) and /spillway/work.  The image needs no shell: the
 * loader is a static program that joins the parts in /spillway/work and runs the result. */
#include <string.h>

#include "base/json.h"
#include "sites/kubernetes/kubernetes.h"

#define TERM_S        30
#define DAY_S         86400
#define AGE_MOST_S    ((int64_t)30 * DAY_S) /* of a worker whose site sets no max_age */
#define DEFAULT_IMAGE "docker.io/library/debian:stable-slim"

static void put_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string(text));
}

static void put_copy(json_t *object, const char *key, const json_t *value)
{
    if (value)
        json_object_set_new(object, key, json_deep_copy(value));
}

void podspec_part_name(const struct kubernetes *kube, size_t part, char out[64])
{
    snprintf(out, 64, "spillway-%.8s-agent-%.8s-%zu", kube->broker, kube->sha256, part);
}

json_t *podspec_labels(const struct kubernetes *kube, const char *worker)
{
    return json_pack("{s:s, s:s, s:s*}", "app.kubernetes.io/managed-by", "spillway", LABEL_BROKER,
                     kube->broker, LABEL_WORKER, worker);
}

static json_t *all_labels(const struct podspec *spec)
{
    json_t *labels = podspec_labels(spec->kube, spec->order->name);

    /* The site's own first, so that they cannot hide ours. */
    if (spec->kube->labels)
        json_object_update_missing(labels, (json_t *)(uintptr_t)spec->kube->labels);
    return labels;
}

/* ---- what it may use ------------------------------------------------------------------------- */

static json_t *amounts(const struct kube_shape *shape)
{
    own_str char *memory = xasprintf("%lld", (long long)shape->shape.memory);
    own_str char *disk = xasprintf("%lld", (long long)shape->shape.disk);
    json_t *out = json_pack("{s:i, s:s}", "cpu", shape->shape.cpus, "memory", memory);

    if (shape->shape.disk)
        put_text(out, "ephemeral-storage", disk);
    if (shape->gpu && shape->shape.gpus)
        json_object_set_new(out, shape->gpu->resource, json_integer(shape->shape.gpus));
    return out;
}

static json_t *resources(const struct kube_shape *shape)
{
    return json_pack("{s:o, s:o}", "requests", amounts(shape), "limits", amounts(shape));
}

static json_t *container_security(const struct kubernetes *kube)
{
    json_t *out =
        json_pack("{s:b, s:{s:[s]}}", "allowPrivilegeEscalation", 0, "capabilities", "drop", "ALL");

    if (!kube->allow_root)
        json_object_set_new(out, "runAsNonRoot", json_true());
    return out;
}

static json_t *pod_security(const struct kubernetes *kube)
{
    json_t *out = json_pack("{s:{s:s}}", "seccompProfile", "type", "RuntimeDefault");

    if (!kube->allow_root)
        json_object_set_new(out, "runAsNonRoot", json_true());
    if (kube->run_as_user >= 0) {
        json_object_set_new(out, "runAsUser", json_integer(kube->run_as_user));
        json_object_set_new(out, "runAsGroup", json_integer(kube->run_as_user));
        json_object_set_new(out, "fsGroup", json_integer(kube->run_as_user));
    }
    return out;
}

/* Nodes whose label names one of the values that stand for the model. */
static json_t *gpu_affinity(const struct gpu_kind *gpu)
{
    json_t *values = json_array();

    for (char **value = gpu->values; value && *value; value++)
        json_array_append_new(values, json_string(*value));
    return json_pack("{s:{s:{s:[{s:[{s:s, s:s, s:o}]}]}}}", "nodeAffinity",
                     "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms",
                     "matchExpressions", "key", gpu->label, "operator", "In", "values", values);
}

/* ---- volumes --------------------------------------------------------------------------------- */

static json_t *agent_volume(const struct kubernetes *kube)
{
    json_t *sources = json_array();

    for (size_t i = 0; i < kube->parts; i++) {
        char name[64];

        podspec_part_name(kube, i, name);
        json_array_append_new(sources, json_pack("{s:{s:s}}", "configMap", "name", name));
    }
    return json_pack("{s:s, s:{s:i, s:o}}", "name", "agent", "projected", "defaultMode", 0555,
                     "sources", sources);
}

static json_t *volumes(const struct podspec *spec)
{
    json_t *list = json_array(), *work;
    bool own_user = spec->kube->run_as_user >= 0;

    json_array_append_new(list,
                          json_pack("{s:s, s:{s:s, s:i}}", "name", "boot", "secret", "secretName",
                                    spec->order->name, "defaultMode", own_user ? 0440 : 0444));
    work = json_pack("{s:s, s:{}}", "name", "work", "emptyDir");
    json_array_append_new(list, work);
    if (!spec->kube->agent_image)
        json_array_append_new(list, agent_volume(spec->kube));
    return list;
}

static json_t *mount(const char *name, const char *path, bool read_only)
{
    return json_pack("{s:s, s:s, s:b}", "name", name, "mountPath", path, "readOnly",
                     (int)read_only);
}

/* ---- containers ------------------------------------------------------------------------------ */

static json_t *command(const struct kubernetes *kube)
{
    json_t *list = json_array();

    if (!kube->agent_image) {
        json_array_append_new(list, json_string("/spillway/agent/start"));
        json_array_append_new(list, json_string("/spillway/work/agent"));
        for (size_t i = 0; i < kube->parts; i++) {
            own_str char *part = xasprintf("/spillway/agent/part.%zu", i);

            json_array_append_new(list, json_string(part));
        }
        json_array_append_new(list, json_string("--"));
    } else {
        json_array_append_new(list, json_string("/spillway/work/agent"));
    }
    json_array_append_new(list, json_string("--boot"));
    json_array_append_new(list, json_string("/spillway/boot/boot.json"));
    return list;
}

static const char *image_of(const struct podspec *spec)
{
    const struct kubernetes *kube = spec->kube;
    const struct order *order = spec->order;
    const char *here = order->image ? site_conf_image(kube->conf, order->image) : NULL;

    if (order->container)
        return order->container;
    if (here || order->image)
        return here ? here : order->image;
    if (kube->image)
        return kube->image;
    return kube->conf->image_count ? kube->conf->images[0].here : DEFAULT_IMAGE;
}

static json_t *worker_container(const struct podspec *spec)
{
    const struct kubernetes *kube = spec->kube;
    json_t *mounts = json_pack("[o,o]", mount("boot", "/spillway/boot", true),
                               mount("work", "/spillway/work", false));
    json_t *out;

    if (!kube->agent_image)
        json_array_append_new(mounts, mount("agent", "/spillway/agent", true));
    out =
        json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:o}", "name", "worker", "image", image_of(spec),
                  "command", command(kube), "workingDir", "/", "resources", resources(spec->shape),
                  "securityContext", container_security(kube), "volumeMounts", mounts);
    put_text(out, "imagePullPolicy", kube->pull_policy);
    return out;
}

/* The operator's image puts the agent into /spillway/work. */
static json_t *agent_container(const struct podspec *spec)
{
    const struct kubernetes *kube = spec->kube;
    json_t *small = json_pack("{s:s, s:s}", "cpu", "100m", "memory", "64Mi");
    json_t *out =
        json_pack("{s:s, s:s, s:[s,s], s:{s:O, s:O}, s:o, s:[o]}", "name", "agent", "image",
                  kube->agent_image, "args", "--install", "/spillway/work/agent", "resources",
                  "requests", small, "limits", small, "securityContext", container_security(kube),
                  "volumeMounts", mount("work", "/spillway/work", false));

    json_decref(small);
    put_text(out, "imagePullPolicy", kube->pull_policy);
    return out;
}

static json_t *pull_secrets(const json_t *names)
{
    json_t *list = json_array();
    const json_t *each;
    size_t i;

    json_array_foreach(names, i, each)
    {
        json_array_append_new(list, json_pack("{s:s}", "name", json_string_value(each)));
    }
    return list;
}

static json_t *pod(const struct podspec *spec)
{
    const struct kubernetes *kube = spec->kube;
    json_t *out =
        json_pack("{s:s, s:b, s:b, s:i, s:o, s:[o], s:o}", "restartPolicy", "Never",
                  "automountServiceAccountToken", 0, "enableServiceLinks", 0,
                  "terminationGracePeriodSeconds", TERM_S, "securityContext", pod_security(kube),
                  "containers", worker_container(spec), "volumes", volumes(spec));

    if (kube->agent_image)
        json_object_set_new(out, "initContainers", json_pack("[o]", agent_container(spec)));
    put_text(out, "serviceAccountName", kube->service_account);
    put_text(out, "priorityClassName", kube->priority_class);
    put_text(out, "runtimeClassName", kube->runtime_class);
    put_copy(out, "nodeSelector", kube->node_selector);
    put_copy(out, "tolerations", kube->tolerations);
    if (kube->pull_secrets)
        json_object_set_new(out, "imagePullSecrets", pull_secrets(kube->pull_secrets));
    if (spec->shape->gpu && spec->shape->shape.gpus && spec->shape->gpu->label &&
        spec->shape->gpu->values)
        json_object_set_new(out, "affinity", gpu_affinity(spec->shape->gpu));
    return out;
}

/* ---- the objects ----------------------------------------------------------------------------- */

static int64_t age_most_s(const struct site_conf *conf)
{
    int64_t boot = conf->boot_deadline_ms / 1000;

    return conf->max_age_ms ? conf->max_age_ms / 1000 + boot + DAY_S / 24 : AGE_MOST_S;
}

/* A pod that the cluster takes ends its Job with a reason of its own, which is still there when the pod
 * is not: after hours without us, or with its node.  And the Job brings no second pod for one that is
 * told to go: the join token died with the first. */
static void put_policies(const struct kubernetes *kube, json_t *job)
{
    if (kube_has(&kube->version, KUBE_POD_FAILURE))
        json_object_set_new(job, "podFailurePolicy",
                            json_pack("{s:[{s:s, s:[{s:s, s:s}]}]}", "rules", "action", "FailJob",
                                      "onPodConditions", "type", "DisruptionTarget", "status",
                                      "True"));
    if (kube_has(&kube->version, KUBE_POD_REPLACEMENT))
        json_object_set_new(job, "podReplacementPolicy", json_string("Failed"));
}

json_t *podspec_job(const struct podspec *spec)
{
    const struct kubernetes *kube = spec->kube;
    json_t *meta = json_pack("{s:s, s:s, s:o}", "name", spec->order->name, "namespace",
                             kube->namespace, "labels", all_labels(spec));
    json_t *inner = json_pack("{s:o}", "labels", all_labels(spec)), *job;

    put_copy(inner, "annotations", kube->annotations);
    json_object_set_new(meta, "annotations",
                        json_pack("{s:s}", NOTE_SHAPE, spec->shape->shape.name));
    job = json_pack("{s:i, s:i, s:i, s:I, s:I, s:{s:o, s:o}}", "parallelism", 1, "completions", 1,
                    "backoffLimit", 0, "activeDeadlineSeconds", (json_int_t)age_most_s(kube->conf),
                    "ttlSecondsAfterFinished", (json_int_t)(kube->keep_ms / 1000), "template",
                    "metadata", inner, "spec", pod(spec));
    put_policies(kube, job);
    return json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", "batch/v1", "kind", "Job", "metadata",
                     meta, "spec", job);
}

/* The broker's payload with what only this kind of site knows: where to work, what share of the node
 * it has, and that the job's own image is where it is already. */
static char *boot_text(const struct podspec *spec, struct err *err)
{
    const struct order *order = spec->order;
    own_json json_t *boot = json_parse(order->boot, strlen(order->boot), err);
    const char *url = kube_text(boot, "url");

    if (!boot)
        return NULL;
    if (!url || (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)) {
        err_set(err, FAULT_INVALID,
                "pods of this site cannot reach the broker at %.200s; set broker.listen and "
                "broker.url, or the site's url",
                url ? url : "(nowhere)");
        return NULL;
    }
    json_object_set_new(boot, "dir", json_string("/spillway/work/worker"));
    json_object_set_new(boot, "cpus", json_integer(spec->shape->shape.cpus));
    json_object_set_new(boot, "memory_bytes", json_integer(spec->shape->shape.memory));
    if (spec->shape->gpu && spec->shape->shape.gpus) {
        json_object_set_new(boot, "gpus", json_integer(spec->shape->shape.gpus));
        json_object_set_new(boot, "gpu_memory_bytes", json_integer(spec->shape->shape.gpu_memory));
        put_text(boot, "gpu_model", spec->shape->shape.gpu_model);
    }
    if (order->container)
        json_object_set_new(boot, "container", json_string(order->container));
    return json_dumps(boot, JSON_COMPACT);
}

json_t *podspec_secret(const struct podspec *spec, const char *uid, struct err *err)
{
    char *boot = boot_text(spec, err);
    json_t *secret;

    if (!boot)
        return NULL;
    secret = json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:o, s:[{s:s, s:s, s:s, s:s}]}, s:{s:s}}",
                       "apiVersion", "v1", "kind", "Secret", "type", "Opaque", "metadata", "name",
                       spec->order->name, "namespace", spec->kube->namespace, "labels",
                       all_labels(spec), "ownerReferences", "apiVersion", "batch/v1", "kind", "Job",
                       "name", spec->order->name, "uid", uid, "stringData", "boot.json", boot);
    explicit_bzero(boot, strlen(boot));
    free(boot);
    return secret;
}
