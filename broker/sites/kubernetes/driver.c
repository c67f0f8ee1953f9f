/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c - a namespace of a Kubernetes cluster as a site.
 *
 * Making a worker is two requests, its Job and the Secret that the Job owns; removing it is one, and
 * the cluster's own garbage collector takes the rest.  Everything in between is read from the watch. */
#include "sites/kubernetes/driver.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "sites/kubernetes/kubernetes.h"
#include "sites/program.h"

#define SETTLE_MS    2000
#define TAIL_LINES   60
#define EVENTS_MOST  20
#define USER_DEFAULT 65534 /* "nobody" of most images */
#define MINUTE_MS    60000

const char *const kubernetes_keys[] = { "namespace",
                                        "agent_image",
                                        "image",
                                        "service_account",
                                        "priority_class",
                                        "runtime_class",
                                        "image_pull_policy",
                                        "image_pull_secrets",
                                        "node_selector",
                                        "tolerations",
                                        "labels",
                                        "annotations",
                                        "run_as_user",
                                        "allow_root",
                                        "shapes",
                                        "gpu_resources",
                                        "gpu_labels",
                                        "gpu_models",
                                        "room_deadline",
                                        "pull_deadline",
                                        "keep_finished",
                                        "disk",
                                        NULL };

/* ---- configuration --------------------------------------------------------------------------- */

static int read_map(const struct site_conf *conf, const char *pointer, const json_t **out,
                    struct err *err)
{
    json_t *map = (json_t *)(uintptr_t)site_conf_get(conf, pointer), *value;
    const char *key;

    if (!map)
        return 0;
    if (!json_is_object(map))
        return site_conf_error(conf, pointer, err, "must be a mapping of names to text");
    json_object_foreach(map, key, value)
    {
        if (!json_is_string(value))
            return site_conf_error(conf, pointer, err,
                                   "%.60s: must be text; put what is not in quotes", key);
    }
    *out = map;
    return 0;
}

static int read_list(const struct site_conf *conf, const char *pointer, bool of_text,
                     const json_t **out, struct err *err)
{
    const json_t *list = site_conf_get(conf, pointer), *each;
    size_t i;

    if (!list)
        return 0;
    if (!json_is_array(list))
        return site_conf_error(conf, pointer, err, "must be a list");
    json_array_foreach(list, i, each)
    {
        if (of_text ? !json_is_string(each) : !json_is_object(each))
            return site_conf_error(conf, pointer, err,
                                   of_text ? "must be a list of names"
                                           : "must be a list of {key, operator, value, effect}");
    }
    *out = list;
    return 0;
}

static int read_user(struct kubernetes *kube, struct err *err)
{
    const struct site_conf *conf = kube->conf;
    bool named = site_conf_get(conf, "/run_as_user") != NULL;

    if (site_conf_bool(conf, "/allow_root", &kube->allow_root, err) < 0 ||
        site_conf_i64(conf, "/run_as_user", 0, INT32_MAX, &kube->run_as_user, err) < 0)
        return -1;
    if (!named)
        kube->run_as_user = kube->allow_root ? -1 : USER_DEFAULT;
    if (kube->run_as_user == 0 && !kube->allow_root)
        return site_conf_error(conf, "/run_as_user", err, "0 is root; set allow_root as well");
    return 0;
}

static int read_texts(struct kubernetes *kube, struct err *err)
{
    const struct {
        const char *pointer;
        const char **to;
    } texts[] = { { "/agent_image", &kube->agent_image },
                  { "/image", &kube->image },
                  { "/service_account", &kube->service_account },
                  { "/priority_class", &kube->priority_class },
                  { "/runtime_class", &kube->runtime_class },
                  { "/image_pull_policy", &kube->pull_policy } };

    for (size_t i = 0; i < array_len(texts); i++)
        if (site_conf_str(kube->conf, texts[i].pointer, texts[i].to, err) < 0)
            return -1;
    if (kube->pull_policy && strcmp(kube->pull_policy, "Always") != 0 &&
        strcmp(kube->pull_policy, "IfNotPresent") != 0 && strcmp(kube->pull_policy, "Never") != 0)
        return site_conf_error(kube->conf, "/image_pull_policy", err,
                               "must be Always, IfNotPresent or Never");
    return 0;
}

static int read_conf(struct kubernetes *kube, struct err *err)
{
    const struct site_conf *conf = kube->conf;
    const char *name = NULL;

    if (conf->connect != CONNECT_HTTPS)
        return site_conf_error(conf, "/connect", err, "a site of type %s is reached by https only",
                               conf->type);
    if (site_conf_str(conf, "/namespace", &name, err) < 0 || read_texts(kube, err) < 0 ||
        read_user(kube, err) < 0 ||
        read_map(conf, "/node_selector", &kube->node_selector, err) < 0 ||
        read_map(conf, "/labels", &kube->labels, err) < 0 ||
        read_map(conf, "/annotations", &kube->annotations, err) < 0 ||
        read_list(conf, "/tolerations", false, &kube->tolerations, err) < 0 ||
        read_list(conf, "/image_pull_secrets", true, &kube->pull_secrets, err) < 0 ||
        site_conf_span(conf, "/room_deadline", &kube->room_ms, err) < 0 ||
        site_conf_span(conf, "/pull_deadline", &kube->registry_ms, err) < 0 ||
        site_conf_span(conf, "/keep_finished", &kube->keep_ms, err) < 0 ||
        site_conf_bytes(conf, "/disk", &kube->disk, err) < 0)
        return -1;
    if (!name)
        name = kube->kube.namespace ? kube->kube.namespace : "default";
    if (strlen(name) > 63 || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")])
        return site_conf_error(conf, "/namespace", err, "'%.64s' is no name of a namespace", name);
    kube->namespace = xstrdup(name);
    return capacity_read_conf(kube, err);
}

static void kubernetes_close(void *self)
{
    struct kubernetes *kube = self;

    watch_stop(kube->watch);
    client_free(kube->client);
    login_free(kube->login);
    kube_conf_fini(&kube->kube);
    capacity_fini(kube);
    if (kube->wake >= 0)
        close(kube->wake);
    free(kube->namespace);
    free(kube->program);
    free(kube);
}

int kubernetes_open(const struct site_conf *conf, struct kube_conf *from, void **self,
                    struct err *err)
{
    struct kubernetes *kube = xcalloc(1, sizeof *kube);

    kube->conf = conf;
    kube->kube = *from;
    memset(from, 0, sizeof *from);
    kube->program = agent_program();
    kube->room_ms = kube->registry_ms = 5 * (int64_t)MINUTE_MS;
    kube->keep_ms = 60 * (int64_t)MINUTE_MS;
    kube->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    kube->login = login_new(&kube->kube);
    if (read_conf(kube, err) < 0 || client_new(&kube->kube, kube->login, conf->calls_per_second,
                                               conf->calls_burst, &kube->client, err) < 0) {
        kubernetes_close(kube);
        return -1;
    }
    if (kube->kube.insecure)
        log_warn("site %s: insecure-skip-tls-verify: whoever answers for %s is believed; "
                 "give its certificate-authority instead",
                 conf->name, kube->kube.server);
    *self = kube;
    return 0;
}

static int open_by_conf(const struct site_conf *conf, const char *dir, void **self, struct err *err)
{
    const char *known[array_len(kubernetes_keys) + 2] = { "kubeconfig", "context" };
    const char *context = NULL, *given = NULL;
    own_str char *file = NULL;
    struct kube_conf kube = { .server = NULL };
    struct err why = ERR_INIT;
    int rc;

    (void)dir;
    memcpy(known + 2, kubernetes_keys, sizeof kubernetes_keys);
    if (site_conf_only(conf, "", known, err) < 0 ||
        site_conf_str(conf, "/kubeconfig", &given, err) < 0 ||
        site_conf_path(conf, "/kubeconfig", &file, err) < 0 ||
        site_conf_str(conf, "/context", &context, err) < 0)
        return -1;
    rc = given && strcmp(given, "in-cluster") == 0
             ? kube_conf_in_cluster(KUBE_ACCOUNT_DIR, &kube, &why)
             : kube_conf_load(file, context, &kube, &why);
    if (rc < 0)
        return site_conf_error(conf, context ? "/context" : "/kubeconfig", err, "%.400s", why.text);
    return kubernetes_open(conf, &kube, self, err);
}

void kubernetes_shapes(const void *self, struct probe *out)
{
    capacity_put_shapes(self, out);
}

/* ---- the watch ------------------------------------------------------------------------------- */

static int follow(struct kubernetes *kube, const char *broker, int64_t deadline_mono_ms,
                  struct err *err)
{
    if (!kube->watch) {
        struct watch_options options = { .conf = &kube->kube,
                                         .login = kube->login,
                                         .site = kube->conf->name,
                                         .namespace = kube->namespace,
                                         .broker = broker,
                                         .configmaps = !kube->agent_image,
                                         .room_ms = kube->room_ms,
                                         .registry_ms = kube->registry_ms,
                                         .wake = kube->wake };

        snprintf(kube->broker, sizeof kube->broker, "%s", broker);
        if (watch_start(&options, &kube->watch, err) < 0)
            return -1;
    }
    return watch_ready(kube->watch, deadline_mono_ms, err);
}

static int watch_fd(void *self)
{
    return ((struct kubernetes *)self)->wake;
}

static int probe(void *self, int64_t deadline_mono_ms, struct probe *out, struct err *err)
{
    return capacity_probe(self, deadline_mono_ms, out, err);
}

/* ---- making ---------------------------------------------------------------------------------- */

/* The Job of that name, when it bears our mark: *uid is owned by the caller; NULL: there is none. */
static int find_job(struct kubernetes *kube, const char *name, int64_t deadline, char **uid,
                    struct err *err)
{
    own_str char *path = xasprintf("/apis/batch/v1/namespaces/%s/jobs/%s", kube->namespace, name);
    own_call struct call call = { .method = "GET", .path = path };
    const char *broker;

    *uid = NULL;
    if (client_call(kube->client, &call, deadline, err) < 0)
        return call.status == 404 ? 0 : -1;
    broker = kube_text(kube_at(call.answer, "metadata", "labels", NULL), LABEL_BROKER);
    if (!broker || strcmp(broker, kube->broker) != 0)
        return err_set(err, FAULT_CONFLICT, "a job %s is there, which is not ours", name);
    *uid = xstrdup(json_string_value(kube_at(call.answer, "metadata", "uid", NULL)));
    watch_made(kube->watch, call.answer);
    return 0;
}

static char *job_path(const struct kubernetes *kube, const char *name)
{
    return xasprintf("/apis/batch/v1/namespaces/%s/jobs/%s", kube->namespace, name);
}

static json_t *delete_options(void)
{
    return json_pack("{s:s, s:s, s:s}", "apiVersion", "v1", "kind", "DeleteOptions",
                     "propagationPolicy", "Background");
}

static int delete_job(struct kubernetes *kube, const char *name, int64_t deadline, struct err *err)
{
    own_str char *path = job_path(kube, name);
    own_json json_t *body = delete_options();
    own_call struct call call = { .method = "DELETE", .path = path, .body = body };

    if (client_call(kube->client, &call, deadline, err) < 0 && call.status != 404)
        return -1;
    return 0;
}

/* One order on its way. */
struct making {
    struct podspec spec;
    char *uid; /* of its Job */
    json_t *body;
    struct err *err;
};

/* The Job as the server has it now, or a fault; what is there decides where somebody began before us
 * or the answer was lost. */
static void settle_job(struct kubernetes *kube, struct making *making, struct call *call)
{
    const struct order *order = making->spec.order;
    const char *made = json_string_value(kube_at(call->answer, "metadata", "uid", NULL));
    struct err found = ERR_INIT;

    if (making->err->fault == FAULT_NONE && made) {
        making->uid = xstrdup(made);
        watch_made(kube->watch, call->answer);
    } else if (making->err->fault == FAULT_NONE) {
        err_set(making->err, FAULT_UNAVAILABLE, "the answer to a new Job is none");
    } else if (call->status == 409 || call->maybe_done) {
        if (find_job(kube, order->name, order->deadline_mono_ms, &making->uid, &found) < 0)
            *making->err = found;
        else if (making->uid)
            *making->err = (struct err)ERR_INIT;
    }
}

static void settle_secret(struct kubernetes *kube, struct making *making, struct call *call)
{
    if (call->status == 409)
        *making->err = (struct err)ERR_INIT;
    if (making->err->fault != FAULT_NONE) /* what fails here, destroy repeats */
        delete_job(kube, making->spec.order->name, making->spec.order->deadline_mono_ms, NULL);
}

/* Post the bodies of all that have no fault yet; `settle` is told of each. */
static void post(struct kubernetes *kube, struct making *list, size_t count, const char *path,
                 void (*settle)(struct kubernetes *kube, struct making *making, struct call *call))
{
    own_mem struct call *calls = xcalloc(count + 1, sizeof *calls);
    own_mem struct err *errs = xcalloc(count + 1, sizeof *errs);
    own_mem struct making **each = xcalloc(count + 1, sizeof(struct making *));
    size_t sent = 0;

    for (size_t i = 0; i < count; i++) {
        if (list[i].err->fault != FAULT_NONE)
            continue;
        each[sent] = &list[i];
        calls[sent++] = (struct call){ .method = "POST", .path = path, .body = list[i].body };
    }
    if (sent)
        client_calls(kube->client, calls, sent, list[0].spec.order->deadline_mono_ms, errs);
    for (size_t i = 0; i < sent; i++) {
        *each[i]->err = errs[i];
        settle(kube, each[i], &calls[i]);
        call_fini(&calls[i]);
    }
    for (size_t i = 0; i < count; i++) {
        json_decref(list[i].body);
        list[i].body = NULL;
    }
}

static void post_secrets(struct kubernetes *kube, struct making *list, size_t count)
{
    own_str char *path = xasprintf("/api/v1/namespaces/%s/secrets", kube->namespace);

    for (size_t i = 0; i < count; i++)
        if (list[i].err->fault == FAULT_NONE) {
            list[i].body = podspec_secret(&list[i].spec, list[i].uid, list[i].err);
            if (!list[i].body)
                delete_job(kube, list[i].spec.order->name, list[i].spec.order->deadline_mono_ms,
                           NULL);
        }
    post(kube, list, count, path, settle_secret);
}

/* All Jobs, then all Secrets: kubelets want a Secret some time after its Job was made. */
static void create_many(void *self, const struct order *orders, size_t count, struct err *errs)
{
    struct kubernetes *kube = self;
    /* What the site file adds (tolerations, ...) and the server does not know is told, not dropped. */
    own_str char *path =
        xasprintf("/apis/batch/v1/namespaces/%s/jobs%s", kube->namespace,
                  kube_has(&kube->version, KUBE_STRICT) ? "?fieldValidation=Strict" : "");
    own_mem struct making *list = xcalloc(count + 1, sizeof *list);
    int64_t deadline = orders[0].deadline_mono_ms;
    struct err why = ERR_INIT;
    int rc = follow(kube, orders[0].broker, deadline, &why);

    kube->made_mono_ms = clock_mono_ms();
    if (rc == 0)
        rc = agent_ready(kube, deadline, &why);
    for (size_t i = 0; i < count; i++) {
        list[i].spec = (struct podspec){ .kube = kube,
                                         .order = &orders[i],
                                         .shape = capacity_shape(kube, orders[i].shape) };
        list[i].err = &errs[i];
        errs[i] = why;
        if (rc == 0 && !list[i].spec.shape)
            err_set(&errs[i], FAULT_NOT_FOUND, "no shape '%s'", orders[i].shape);
        else if (rc == 0)
            list[i].body = podspec_job(&list[i].spec);
    }
    post(kube, list, count, path, settle_job);
    post_secrets(kube, list, count);
    for (size_t i = 0; i < count; i++)
        free(list[i].uid);
}

static int create(void *self, const struct order *order, struct err *err)
{
    struct err why = ERR_INIT;

    create_many(self, order, 1, &why);
    if (why.fault == FAULT_NONE)
        return 0;
    *err = why;
    return -1;
}

/* ---- what is there --------------------------------------------------------------------------- */

static struct resource *add(struct resources_list *list, const char *kind, const char *id,
                            const char *name)
{
    struct resource *resource = resource_list_add(list, kind, id, name);

    resource->state = INSTANCE_ACTIVE;
    resource->created_ms = clock_wall_ms();
    return resource;
}

/* A Job stands for all that is its own; what outlives it is shown by itself. */
static void add_worker(void *arg, const struct tracked *worker)
{
    struct resource *resource = add(arg, worker->uid ? "worker" : "pod",
                                    worker->uid ? worker->name : worker->pod, worker->name);

    resource->state = worker->verdict.state;
    resource->fault = worker->verdict.fault;
    resource->reason = worker->verdict.reason;
    resource->created_ms = worker->created_ms;
    if (worker->verdict.words[0])
        resource->detail = xstrdup(worker->verdict.words);
    if (!worker->uid && resource->state != INSTANCE_FAILED) {
        resource->state = INSTANCE_FAILED;
        free(resource->detail);
        resource->detail = xstrdup("its Job was deleted");
    }
}

/* Shared by all workers: of interest once none is left. */
static void add_configmaps(struct kubernetes *kube, struct resources_list *out)
{
    char names[16][64];
    size_t count = watch_configmaps(kube->watch, names, array_len(names));

    for (size_t i = 0; i < count && i < array_len(names); i++)
        add(out, "configmap", names[i], NULL);
}

static int list(void *self, const char *broker, int64_t deadline_mono_ms,
                struct resources_list *out, struct err *err)
{
    struct kubernetes *kube = self;
    uint64_t count;

    (void)!read(kube->wake, &count, sizeof count);
    if (follow(kube, broker, deadline_mono_ms, err) < 0)
        return -1;
    watch_each(kube->watch, add_worker, out);
    if (out->count)
        return 0;
    if (agent_tidy(kube, deadline_mono_ms, err) < 0)
        return -1;
    add_configmaps(kube, out);
    return 0;
}

struct look {
    enum instance_state state;
    struct buf *detail;
    char *pod;
    bool job, leaves, pod_leaves;
};

static void look_at(void *arg, const struct tracked *worker)
{
    struct look *look = arg;

    look->state = worker->verdict.state;
    look->job = worker->uid != NULL;
    look->leaves = worker->job_leaves;
    look->pod_leaves = worker->pod_leaves;
    look->pod = worker->pod ? xstrdup(worker->pod) : NULL;
    if (look->detail && worker->verdict.words[0])
        buf_puts(look->detail, worker->verdict.words);
}

static int watch_settled(struct kubernetes *kube, int64_t deadline_mono_ms, struct err *err)
{
    if (!kube->watch)
        return err_set(err, FAULT_UNAVAILABLE, "the cluster is not followed yet");
    return watch_ready(kube->watch, deadline_mono_ms, err);
}

static int inspect(void *self, const char *name, int64_t deadline_mono_ms, enum instance_state *out,
                   struct buf *detail, struct err *err)
{
    struct kubernetes *kube = self;
    struct look look = { .state = INSTANCE_GONE, .detail = detail };

    if (watch_settled(kube, deadline_mono_ms, err) < 0)
        return -1;
    watch_find(kube->watch, name, look_at, &look);
    free(look.pod);
    *out = look.state;
    return 0;
}

/* ---- nodes without a worker ------------------------------------------------------------------ */

static void take_one(void *arg, const json_t *node)
{
    idle_take(arg, node);
}

static void note_busy(void *arg, const struct tracked *worker)
{
    struct idle *idle = arg;

    if (worker->node)
        json_object_set_new(idle->busy, worker->node, json_true());
    else
        idle->unsettled = true;
}

int kubernetes_idle(void *self, int64_t deadline, struct kube_nodes *out, struct err *err)
{
    struct kubernetes *kube = self;
    own_json json_t *busy = json_object();
    struct idle idle = { .kube = kube, .busy = busy, .out = out };

    if (watch_settled(kube, deadline, err) < 0)
        return -1;
    watch_each(kube->watch, note_busy, &idle);
    if (idle.unsettled)
        return 0;
    return client_list(kube->client, "/api/v1/nodes", NULL, deadline, take_one, &idle, NULL, err);
}

/* ---- why it failed --------------------------------------------------------------------------- */

struct events {
    struct buf *out;
    int count;
};

static void put_event(void *arg, const json_t *event)
{
    struct events *events = arg;
    const char *why = kube_text(event, "reason"), *words = kube_text(event, "message");

    if (events->count++ < EVENTS_MOST)
        buf_printf(events->out, "event %s: %.800s\n", why ? why : "", words ? words : "");
}

static void put_events(struct kubernetes *kube, const char *of, int64_t deadline, struct buf *out)
{
    own_str char *path =
        xasprintf("/api/v1/namespaces/%s/events?fieldSelector=involvedObject.name%%3D%s",
                  kube->namespace, of);
    struct events events = { .out = out };
    struct err why = ERR_INIT;

    if (client_list(kube->client, path, NULL, deadline, put_event, &events, NULL, &why) < 0)
        buf_printf(out, "no events: %s\n", why.text);
}

static void put_log(struct kubernetes *kube, const char *pod, int64_t deadline, struct buf *out)
{
    own_str char *path =
        xasprintf("/api/v1/namespaces/%s/pods/%s/log?container=worker&tailLines=%d",
                  kube->namespace, pod, TAIL_LINES);
    own_call struct call call = {
        .method = "GET", .path = path, .accept = "*/*", .wants_text = true
    };
    struct err why = ERR_INIT;

    if (client_call(kube->client, &call, deadline, &why) == 0)
        buf_printf(out, "%s\n", buf_text(&call.text));
    else
        buf_printf(out, "no log: %s\n", why.text);
}

static int diagnose(void *self, const char *name, int64_t deadline_mono_ms, struct buf *out,
                    struct err *err)
{
    struct kubernetes *kube = self;
    struct look look = { .state = INSTANCE_GONE };

    (void)err;
    if (!kube->watch)
        return 0;
    watch_find(kube->watch, name, look_at, &look);
    put_events(kube, name, deadline_mono_ms, out);
    if (look.pod) {
        put_events(kube, look.pod, deadline_mono_ms, out);
        put_log(kube, look.pod, deadline_mono_ms, out);
    }
    free(look.pod);
    return 0;
}

/* ---- removing -------------------------------------------------------------------------------- */

static int delete_pod(struct kubernetes *kube, const char *name, int64_t deadline, struct err *err)
{
    own_str char *path = xasprintf("/api/v1/namespaces/%s/pods/%s", kube->namespace, name);
    own_call struct call call = { .method = "DELETE", .path = path };

    if (client_call(kube->client, &call, deadline, err) < 0 && call.status != 404)
        return -1;
    return 0;
}

/* A pod without its Job is the garbage collector's, which takes seconds; one that somebody cut off
 * from it ("--cascade=orphan") is ours. */
static int destroy(void *self, const char *name, int64_t deadline_mono_ms, struct err *err)
{
    struct kubernetes *kube = self;
    struct look look = { .state = INSTANCE_GONE };
    int rc = 0;

    if (watch_settled(kube, deadline_mono_ms, err) < 0)
        return -1;
    watch_find(kube->watch, name, look_at, &look);
    if (look.job && !look.leaves)
        rc = delete_job(kube, name, deadline_mono_ms, err);
    else if (!look.job && look.pod && !look.pod_leaves)
        rc = delete_pod(kube, look.pod, deadline_mono_ms, err);
    free(look.pod);
    return rc;
}

/* What the first try of many met that patience or a new credential mends is tried by itself. */
static void settle_delete(struct kubernetes *kube, const char *name, const struct call *call,
                          int64_t deadline, struct err *err)
{
    bool again = call->status == 401 || err->fault == FAULT_THROTTLED;

    if (err->fault == FAULT_NONE || (call->status != 404 && !again))
        return;
    *err = (struct err)ERR_INIT;
    if (again && delete_job(kube, name, deadline, err) == 0)
        *err = (struct err)ERR_INIT;
}

/* Jobs are deleted at once; whatever else a worker may have left is rare, and goes by itself. */
static void destroy_many(void *self, const char *const *names, size_t count,
                         int64_t deadline_mono_ms, struct err *errs)
{
    struct kubernetes *kube = self;
    own_mem struct call *calls = xcalloc(count, sizeof *calls);
    own_mem struct err *each = xcalloc(count, sizeof *each);
    own_mem size_t *of = xcalloc(count, sizeof *of);
    own_json json_t *body = delete_options();
    struct err why = ERR_INIT;
    int rc = watch_settled(kube, deadline_mono_ms, &why);
    size_t sent = 0;

    for (size_t i = 0; i < count; i++) {
        struct look look = { .state = INSTANCE_GONE };

        errs[i] = why;
        if (rc < 0)
            continue;
        watch_find(kube->watch, names[i], look_at, &look);
        free(look.pod);
        if (!look.job) {
            if (destroy(kube, names[i], deadline_mono_ms, &errs[i]) == 0)
                errs[i] = (struct err)ERR_INIT;
        } else if (!look.leaves) {
            of[sent] = i;
            calls[sent++] =
                (struct call){ .method = "DELETE", .path = job_path(kube, names[i]), .body = body };
        }
    }
    if (sent)
        client_calls(kube->client, calls, sent, deadline_mono_ms, each);
    for (size_t i = 0; i < sent; i++) {
        errs[of[i]] = each[i];
        settle_delete(kube, names[of[i]], &calls[i], deadline_mono_ms, &errs[of[i]]);
        free((char *)calls[i].path);
        call_fini(&calls[i]);
    }
}

static int audit(void *self, int64_t deadline_mono_ms, json_t *findings, struct err *err)
{
    return audit_look(self, deadline_mono_ms, findings, err);
}

const struct site_driver kubernetes_driver = {
    .type = "kubernetes",
    .settle_ms = SETTLE_MS,
    .per_image = true,
    .open = open_by_conf,
    .close = kubernetes_close,
    .probe = probe,
    .create = create,
    .create_many = create_many,
    .list = list,
    .inspect = inspect,
    .diagnose = diagnose,
    .destroy = destroy,
    .destroy_many = destroy_many,
    .watch_fd = watch_fd,
    .audit = audit,
};
