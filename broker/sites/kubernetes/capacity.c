/* SPDX-License-Identifier: Apache-2.0 */
/* capacity.c - what a cluster could still run.
 *
 * Three sources, as many as the account may read: the namespace's ResourceQuotas, the nodes'
 * allocatable room less what others' pods ask for, and the site file's own limits, which the
 * scheduler applies.  Shapes are the site file's, or steps of one CPU, two, four ... up to the
 * largest node, with memory in proportion. */
#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"
#include "sites/kubernetes/kubernetes.h"

#define GIB          ((int64_t)1 << 30)
#define MIB          ((int64_t)1 << 20)
#define CPUS_UNKNOWN 8         /* the largest shape where nothing says how large nodes are */
#define MEMORY_A_CPU (4 * GIB) /* likewise */
#define LEAST_A_CPU  (512 * MIB)
#define VERSION_MS   (10 * (int64_t)60000) /* between two questions which version it is */

/* ---- the site file --------------------------------------------------------------------------- */

static void strings_free_(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

static int read_names(const struct site_conf *conf, const char *pointer,
                      const char *const otherwise[], char ***out, struct err *err)
{
    const json_t *list = site_conf_get(conf, pointer), *each;
    size_t count = 0, i;

    if (list && !json_is_array(list))
        return site_conf_error(conf, pointer, err, "must be a list of names");
    while (!list && otherwise[count])
        count++;
    *out = xcalloc((list ? json_array_size(list) : count) + 1, sizeof **out);
    for (i = 0; !list && i < count; i++)
        (*out)[i] = xstrdup(otherwise[i]);
    json_array_foreach(list, i, each)
    {
        if (!json_string_length(each))
            return site_conf_error(conf, pointer, err, "must be a list of names");
        (*out)[i] = xstrdup(json_string_value(each));
    }
    return 0;
}

static struct gpu_kind *kind_of(struct kubernetes *kube, const char *model, const char *resource)
{
    struct gpu_kind *kind;

    for (size_t i = 0; i < kube->gpu_count; i++) {
        kind = &kube->gpus[i];
        if (strcmp(kind->resource, resource) == 0 &&
            (model ? kind->model && strcmp(kind->model, model) == 0 : !kind->model))
            return kind;
    }
    if (kube->gpu_count == MODELS_MOST)
        return NULL;
    kind = &kube->gpus[kube->gpu_count++];
    memset(kind, 0, sizeof *kind);
    kind->resource = xstrdup(resource);
    kind->model = model ? xstrdup(model) : NULL;
    return kind;
}

static int read_shape(struct kubernetes *kube, const char *name, struct err *err)
{
    static const char *const keys[] = { "cpus",      "memory",     "disk", "gpus",
                                        "gpu_model", "gpu_memory", NULL };
    const struct site_conf *conf = kube->conf;
    struct kube_shape *shape = &kube->shapes[kube->shape_count];
    own_str char *at = xasprintf("/shapes/%s", name);
    int64_t cpus = 0, gpus = 0;
    const char *model = NULL;
    struct {
        const char *key;
        int64_t *to;
    } sizes[] = { { "memory", &shape->shape.memory },
                  { "disk", &shape->shape.disk },
                  { "gpu_memory", &shape->shape.gpu_memory } };
    own_str char *p1 = xasprintf("%s/cpus", at), *p2 = xasprintf("%s/gpus", at);
    own_str char *p3 = xasprintf("%s/gpu_model", at);

    if (kube->shape_count == SHAPES_MOST)
        return site_conf_error(conf, "/shapes", err, "more than %d", SHAPES_MOST);
    if (strchr(name, '/') || strlen(name) > 63)
        return site_conf_error(conf, "/shapes", err, "'%.64s' is no name of a shape", name);
    if (site_conf_only(conf, at, keys, err) < 0 ||
        site_conf_i64(conf, p1, 1, 4096, &cpus, err) < 0 ||
        site_conf_i64(conf, p2, 0, 64, &gpus, err) < 0 || site_conf_str(conf, p3, &model, err) < 0)
        return -1;
    for (size_t i = 0; i < array_len(sizes); i++) {
        own_str char *pointer = xasprintf("%s/%s", at, sizes[i].key);

        if (site_conf_bytes(conf, pointer, sizes[i].to, err) < 0)
            return -1;
    }
    if (!cpus || !shape->shape.memory)
        return site_conf_error(conf, at, err, "needs 'cpus' and 'memory'");
    shape->shape.name = xstrdup(name);
    shape->shape.cpus = (int)cpus;
    shape->shape.gpus = (int)gpus;
    shape->shape.price_hour = -1;
    kube->shape_count++;
    if (gpus) {
        shape->shape.gpu_model = model ? xstrdup(model) : NULL;
        shape->gpu = kind_of(kube, model, kube->gpu_resources[0]);
    }
    return 0;
}

int capacity_read_conf(struct kubernetes *kube, struct err *err)
{
    static const char *const resources[] = { "nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/i915",
                                             NULL };
    static const char *const labels[] = {
        "nvidia.com/gpu.product",        "cloud.google.com/gke-accelerator",
        "k8s.amazonaws.com/accelerator", "gpu.nvidia.com/class",
        "amd.com/gpu.product-name",      NULL
    };
    const struct site_conf *conf = kube->conf;
    json_t *shapes = (json_t *)(uintptr_t)site_conf_get(conf, "/shapes");
    json_t *models = (json_t *)(uintptr_t)site_conf_get(conf, "/gpu_models");

    if (read_names(conf, "/gpu_resources", resources, &kube->gpu_resources, err) < 0 ||
        read_names(conf, "/gpu_labels", labels, &kube->gpu_labels, err) < 0)
        return -1;
    if (!kube->gpu_resources[0])
        return site_conf_error(conf, "/gpu_resources", err, "names none");
    if (models && !json_is_object(models))
        return site_conf_error(conf, "/gpu_models", err,
                               "must be a mapping of labels' values to models");
    kube->gpu_models = models;
    if (shapes && (!json_is_object(shapes) || json_object_size(shapes) == 0))
        return site_conf_error(conf, "/shapes", err, "must be a mapping of names to shapes");
    for (void *at = json_object_iter(shapes); at; at = json_object_iter_next(shapes, at))
        if (read_shape(kube, json_object_iter_key(at), err) < 0)
            return -1;
    kube->shapes_given = shapes != NULL;
    return 0;
}

static void shapes_drop(struct kubernetes *kube)
{
    for (size_t i = 0; i < kube->shape_count; i++) {
        free(kube->shapes[i].shape.name);
        free(kube->shapes[i].shape.gpu_model);
    }
    memset(kube->shapes, 0, sizeof kube->shapes);
    kube->shape_count = 0;
}

void capacity_fini(struct kubernetes *kube)
{
    shapes_drop(kube);
    for (size_t i = 0; i < kube->gpu_count; i++) {
        free(kube->gpus[i].model);
        free(kube->gpus[i].resource);
        free(kube->gpus[i].label);
        strings_free_(kube->gpus[i].values);
    }
    strings_free_(kube->gpu_resources);
    strings_free_(kube->gpu_labels);
}

const struct kube_shape *capacity_shape(const struct kubernetes *kube, const char *name)
{
    for (size_t i = 0; i < kube->shape_count; i++)
        if (strcmp(kube->shapes[i].shape.name, name) == 0)
            return &kube->shapes[i];
    return NULL;
}

/* ---- GPU models ------------------------------------------------------------------------------ */

/* "40GB", "80gb" -> bytes; 0: it is no size. */
static int64_t size_word(const char *word, size_t length)
{
    size_t digits = 0;

    while (digits < length && isdigit((unsigned char)word[digits]))
        digits++;
    if (!digits || digits > 5 || length != digits + 2 || strncasecmp(word + digits, "GB", 2) != 0)
        return 0;
    return strtoll(word, NULL, 10) * GIB;
}

static bool is_brand(const char *word, size_t length)
{
    static const char *const brands[] = { "nvidia", "tesla",    "geforce", "quadro",
                                          "amd",    "instinct", "intel",   NULL };

    for (const char *const *brand = brands; *brand; brand++)
        if (strlen(*brand) == length && strncasecmp(word, *brand, length) == 0)
            return true;
    return false;
}

char *gpu_model_of(const char *label, int64_t *memory)
{
    own_buf struct buf model = BUF_INIT(256);
    bool series = false, done = false;

    *memory = 0;
    for (const char *at = label; *at;) {
        size_t length = strcspn(at, "-_ ");

        if (size_word(at, length)) {
            *memory = size_word(at, length);
            done = true;
        } else if (length && !done && !is_brand(at, length)) {
            for (size_t i = 0; i < length; i++)
                buf_putc(&model, (char)toupper((unsigned char)at[i]));
            /* "RTX-A6000" and "GTX-1080" are two words of one name. */
            series = !series &&
                     (strncasecmp(at, "RTX", length) == 0 || strncasecmp(at, "GTX", length) == 0);
            done = !series;
        }
        at += length;
        at += *at != '\0';
    }
    return model.length ? buf_take(&model) : NULL;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

struct survey {
    struct kubernetes *kube;
    struct nodes nodes;
    struct node {
        char *name;
        int64_t milli, memory, gpus;
        int64_t kept_milli, kept_memory; /* by what runs on every node */
        struct gpu_kind *kind;
    } * list;
};

static void add_value(struct gpu_kind *kind, const char *label, const char *value)
{
    size_t count = 0;

    if (!kind->label)
        kind->label = xstrdup(label);
    if (strcmp(kind->label, label) != 0)
        return;
    for (; kind->values && kind->values[count]; count++)
        if (strcmp(kind->values[count], value) == 0)
            return;
    kind->values = xrealloc(kind->values, (count + 2) * sizeof *kind->values);
    kind->values[count] = xstrdup(value);
    kind->values[count + 1] = NULL;
}

/* Which model a node's GPUs are, by the first of its labels that says so. */
static struct gpu_kind *node_kind(struct kubernetes *kube, const json_t *labels,
                                  const char *resource)
{
    for (char **label = kube->gpu_labels; *label; label++) {
        const char *value = kube_text(labels, *label);
        const char *given = value ? kube_text(kube->gpu_models, value) : NULL;
        int64_t memory = 0, mib = quantity_of(json_object_get(labels, "nvidia.com/gpu.memory"));
        own_str char *found = NULL;
        struct gpu_kind *kind;

        if (!value)
            continue;
        found = gpu_model_of(value, &memory);
        kind = kind_of(kube, given ? given : found, resource);
        if (!kind)
            return NULL;
        add_value(kind, *label, value);
        kind->memory = mib ? mib * MIB : memory;
        return kind;
    }
    return kind_of(kube, NULL, resource);
}

static int64_t allocatable(const json_t *node, const char *resource)
{
    return quantity_of(kube_at(node, "status", "allocatable", resource, NULL));
}

static void take_node(void *arg, const json_t *node)
{
    struct survey *survey = arg;
    struct nodes *all = &survey->nodes;
    const char *name = kube_text(json_object_get(node, "metadata"), "name");
    const char *cpu = json_string_value(kube_at(node, "status", "allocatable", "cpu", NULL));
    int64_t milli = cpu ? quantity_milli(cpu) : 0, memory = allocatable(node, "memory");
    int64_t disk = allocatable(node, "ephemeral-storage");
    struct node *one;

    if (!name || milli <= 0 || !node_usable(survey->kube, node))
        return;
    survey->list = xrealloc(survey->list, (all->count + 1) * sizeof *survey->list);
    one = &survey->list[all->count++];
    *one = (struct node){ .name = xstrdup(name), .milli = milli, .memory = memory };
    all->cpu_milli += milli;
    all->memory += memory;
    all->disk += disk;
    all->pods += allocatable(node, "pods");
    for (char **resource = survey->kube->gpu_resources; *resource && !one->gpus; resource++) {
        if (!(one->gpus = allocatable(node, *resource)))
            continue;
        one->kind = node_kind(survey->kube, kube_at(node, "metadata", "labels", NULL), *resource);
        if (!one->kind)
            continue;
        one->kind->there += one->gpus;
        one->kind->most = one->gpus > one->kind->most ? (int)one->gpus : one->kind->most;
    }
}

static void at_least(int64_t *most, int64_t value)
{
    *most = value > *most ? value : *most;
}

/* The largest pod that a node could take, were it not for others' work. */
static void find_most(struct survey *survey)
{
    for (size_t i = 0; i < survey->nodes.count; i++) {
        const struct node *node = &survey->list[i];
        int64_t cpus = (node->milli - node->kept_milli) / 1000;
        int64_t memory = node->memory - node->kept_memory;

        at_least(&survey->nodes.most_cpus, cpus);
        at_least(&survey->nodes.most_memory, memory);
        if (node->kind) {
            at_least(&node->kind->node_cpus, cpus);
            at_least(&node->kind->node_memory, memory);
        }
    }
}

static struct node *node_named(struct survey *survey, const char *name)
{
    for (size_t i = 0; name && i < survey->nodes.count; i++)
        if (strcmp(survey->list[i].name, name) == 0)
            return &survey->list[i];
    return NULL;
}

static bool is_on_every_node(const json_t *pod)
{
    const json_t *each;
    size_t i;

    json_array_foreach(kube_at(pod, "metadata", "ownerReferences", NULL), i, each)
    {
        const char *kind = kube_text(each, "kind");

        if (kind && strcmp(kind, "DaemonSet") == 0)
            return true;
    }
    return false;
}

/* Pods of others that hold room on the nodes that count. */
static void take_other(void *arg, const json_t *pod)
{
    struct survey *survey = arg;
    const char *broker = json_string_value(kube_at(pod, "metadata", "labels", LABEL_BROKER, NULL));
    struct node *node = node_named(survey, kube_text(json_object_get(pod, "spec"), "nodeName"));
    struct asked asked;

    if (!node || (broker && strcmp(broker, survey->kube->broker) == 0))
        return;
    pod_asks(pod, &asked);
    survey->nodes.used_milli += asked.cpu_milli;
    survey->nodes.used_memory += asked.memory;
    survey->nodes.used_pods++;
    if (is_on_every_node(pod)) {
        node->kept_milli += asked.cpu_milli;
        node->kept_memory += asked.memory;
    }
    if (node->kind)
        node->kind->free -= pod_asks_of(pod, node->kind->resource);
}

static void survey_free(struct survey *survey)
{
    for (size_t i = 0; i < survey->nodes.count; i++)
        free(survey->list[i].name);
    free(survey->list);
}

/* A refusal is an answer: the account may not see nodes. */
static int list_if_allowed(struct kubernetes *kube, const char *path, int64_t deadline,
                           client_each *each, void *arg, bool *allowed, struct err *err)
{
    struct err why = ERR_INIT;

    *allowed = true;
    if (client_list(kube->client, path, NULL, deadline, each, arg, NULL, &why) == 0)
        return 0;
    if (why.fault == FAULT_AUTH && strstr(why.text, ": 403")) {
        *allowed = false;
        return 0;
    }
    if (err)
        *err = why;
    return -1;
}

static int look_at_nodes(struct survey *survey, int64_t deadline, struct err *err)
{
    struct kubernetes *kube = survey->kube;
    bool others = false;

    for (size_t i = 0; i < kube->gpu_count; i++)
        kube->gpus[i].there = kube->gpus[i].most = 0;
    if (list_if_allowed(kube, "/api/v1/nodes", deadline, take_node, survey, &survey->nodes.known,
                        err) < 0)
        return -1;
    for (size_t i = 0; i < kube->gpu_count; i++)
        kube->gpus[i].free = kube->gpus[i].there;
    if (!survey->nodes.known)
        return 0;
    if (list_if_allowed(kube,
                        "/api/v1/pods?fieldSelector=status.phase%21%3DSucceeded%2C"
                        "status.phase%21%3DFailed",
                        deadline, take_other, survey, &others, err) < 0)
        return -1;
    find_most(survey);
    return 0;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static void add_shape(struct kubernetes *kube, int64_t cpus, int64_t memory, int64_t disk,
                      const struct gpu_kind *gpu, int gpus)
{
    struct kube_shape *shape = &kube->shapes[kube->shape_count];
    const char *model = gpu && gpu->model ? gpu->model : "gpu";

    memory = memory / MIB * MIB;
    if (kube->shape_count == SHAPES_MOST || cpus < 1 || memory < 64 * MIB)
        return;
    *shape = (struct kube_shape){
        .gpu = gpu,
        .shape = { .cpus = (int)cpus,
                   .memory = memory,
                   .disk = disk,
                   .gpus = gpus,
                   .gpu_model = gpu && gpu->model ? xstrdup(gpu->model) : NULL,
                   .gpu_memory = gpu ? gpu->memory : 0,
                   .price_hour = -1 },
    };
    shape->shape.name =
        gpu ? xasprintf("c%d-m%lld-%sx%d", (int)cpus, (long long)(memory / MIB), model, gpus)
            : xasprintf("c%d-m%lld", (int)cpus, (long long)(memory / MIB));
    for (size_t i = 0; i < kube->shape_count; i++)
        if (strcmp(kube->shapes[i].shape.name, shape->shape.name) == 0) {
            free(shape->shape.name);
            free(shape->shape.gpu_model);
            return;
        }
    kube->shape_count++;
}

/* One CPU, two, four ... and the whole; each also with twice and four times its share of memory. */
static void ladder(struct kubernetes *kube, int64_t cpus, int64_t memory)
{
    int64_t each = cpus ? memory / cpus : 0;

    for (int64_t n = 1; n <= cpus; n = n * 2 <= cpus || n == cpus ? n * 2 : cpus)
        for (int64_t more = 1; more <= 4; more *= 2)
            if (each * n * more <= memory)
                add_shape(kube, n, each * n * more, kube->disk, NULL, 0);
    add_shape(kube, 1, memory < LEAST_A_CPU ? memory : LEAST_A_CPU, kube->disk, NULL, 0);
}

/* One GPU, two, four ... and all of a node, with their share of it. */
static void gpu_ladder(struct kubernetes *kube, const struct gpu_kind *gpu)
{
    int64_t cpus, memory;

    for (int n = 1; n <= gpu->most; n = n * 2 <= gpu->most || n == gpu->most ? n * 2 : gpu->most) {
        cpus = gpu->node_cpus * n / gpu->most;
        memory = gpu->node_memory / gpu->most * n;
        /* Something is left for what runs on every node. */
        add_shape(kube, cpus > 1 ? cpus - (n == gpu->most) : 1, memory - memory / 8, kube->disk,
                  gpu, n);
    }
}

static void make_shapes(struct kubernetes *kube, const struct nodes *nodes,
                        const struct probe *probe)
{
    const struct site_limits *limits = &kube->conf->limits;
    int64_t cpus = nodes->known ? nodes->most_cpus : CPUS_UNKNOWN, memory;

    memory = nodes->known ? nodes->most_memory : cpus * MEMORY_A_CPU;
    for (size_t i = 0; !nodes->known && i < probe->quota_count; i++) {
        const struct quota *line = &probe->quotas[i];

        if (strcmp(line->name, "cores") == 0 && line->limit >= 0 && line->limit < cpus)
            cpus = line->limit;
        if (strcmp(line->name, "memory") == 0 && line->limit >= 0 && line->limit < memory)
            memory = line->limit;
    }
    if (!nodes->known && limits->cores >= 0 && limits->cores < cpus)
        cpus = limits->cores;
    if (!nodes->known && limits->memory >= 0 && limits->memory < memory)
        memory = limits->memory;
    shapes_drop(kube);
    for (size_t i = 0; i < kube->gpu_count; i++)
        if (kube->gpus[i].most)
            gpu_ladder(kube, &kube->gpus[i]);
    ladder(kube, cpus, memory);
}

void capacity_put_shapes(const struct kubernetes *kube, struct probe *out)
{
    out->shapes = xcalloc(kube->shape_count + 1, sizeof *out->shapes);
    for (size_t i = 0; i < kube->shape_count; i++) {
        struct shape *shape = &out->shapes[out->shape_count++];

        *shape = kube->shapes[i].shape;
        shape->name = xstrdup(shape->name);
        shape->gpu_model = shape->gpu_model ? xstrdup(shape->gpu_model) : NULL;
        shape->price_hour = -1;
    }
}

/* ---- quotas ---------------------------------------------------------------------------------- */

/* Ours, by what our workers' shapes ask for. */
struct ours {
    const struct kubernetes *kube;
    int64_t workers, cpus, memory, disk;
    int64_t gpus[MODELS_MOST];
};

/* `used` is everyone's, without what is still to come. */
static void quota_add(struct probe *out, const char *name, int64_t limit, int64_t used,
                      int64_t ours, int64_t coming)
{
    struct quota *line;

    ours = (ours < used ? ours : used) + coming;
    used += coming;
    for (size_t i = 0; i < out->quota_count; i++) {
        line = &out->quotas[i];
        if (strcmp(line->name, name) != 0)
            continue;
        if (limit - used >= line->limit - line->ours - line->others)
            return; /* another quota is the tighter one */
        free(line->name);
        *line = out->quotas[--out->quota_count];
        break;
    }
    out->quotas = xrealloc(out->quotas, (out->quota_count + 1) * sizeof *out->quotas);
    line = &out->quotas[out->quota_count++];
    *line = (struct quota){
        .name = xstrdup(name), .limit = limit, .ours = ours, .others = used - ours
    };
}

/* Those with a pod, and those that will have one. */
struct both {
    struct ours there, coming;
};

struct quotas {
    struct kubernetes *kube;
    struct probe *out;
    const struct both *both;
};

static int64_t whole_cpus(const json_t *value, bool up)
{
    int64_t milli = json_is_string(value) ? quantity_milli(json_string_value(value))
                                          : json_integer_value(value) * 1000;

    return milli < 0 ? 0 : (milli + (up ? 999 : 0)) / 1000;
}

static int64_t all_gpus(const struct ours *ours)
{
    int64_t sum = 0;

    for (size_t i = 0; i < ours->kube->gpu_count; i++)
        sum += ours->gpus[i];
    return sum;
}

static void take_line(const struct quotas *quotas, const char *name, const json_t *hard,
                      const json_t *used)
{
    static const struct {
        const char *there, *here;
    } names[] = { { "pods", "instances" },
                  { "count/pods", "instances" },
                  { "count/jobs.batch", "instances" },
                  { "secrets", "instances" },
                  { "count/secrets", "instances" },
                  { "cpu", "cores" },
                  { "requests.cpu", "cores" },
                  { "limits.cpu", "cores" },
                  { "memory", "memory" },
                  { "requests.memory", "memory" },
                  { "limits.memory", "memory" },
                  { "requests.ephemeral-storage", "disk" },
                  { "limits.ephemeral-storage", "disk" } };
    const struct ours *there = &quotas->both->there, *coming = &quotas->both->coming;

    for (size_t i = 0; i < array_len(names); i++) {
        const char *here = names[i].here;

        if (strcmp(name, names[i].there) != 0)
            continue;
        if (strcmp(here, "cores") == 0)
            quota_add(quotas->out, here, whole_cpus(hard, false), whole_cpus(used, true),
                      there->cpus, coming->cpus);
        else if (strcmp(here, "memory") == 0)
            quota_add(quotas->out, here, quantity_of(hard), quantity_of(used), there->memory,
                      coming->memory);
        else if (strcmp(here, "disk") == 0)
            quota_add(quotas->out, here, quantity_of(hard), quantity_of(used), there->disk,
                      coming->disk);
        else
            quota_add(quotas->out, here, quantity_of(hard), quantity_of(used), there->workers,
                      coming->workers);
        return;
    }
    if (strncmp(name, "requests.", 9) == 0)
        for (char **resource = quotas->kube->gpu_resources; *resource; resource++)
            if (strcmp(name + 9, *resource) == 0)
                quota_add(quotas->out, "gpus", quantity_of(hard), quantity_of(used),
                          all_gpus(there), all_gpus(coming));
}

/* Quotas with a scope are for some pods alone.  Ours ask for something and have no deadline of their
 * own: the Job has. */
static bool counts(const json_t *quota)
{
    const json_t *scopes = kube_at(quota, "spec", "scopes", NULL), *each;
    size_t i;

    json_array_foreach(scopes, i, each)
    {
        const char *scope = json_string_value(each);

        if (!scope || (strcmp(scope, "NotBestEffort") != 0 && strcmp(scope, "NotTerminating") != 0))
            return false;
    }
    return !json_array_size(kube_at(quota, "spec", "scopeSelector", "matchExpressions", NULL));
}

static void take_quota(void *arg, const json_t *quota)
{
    const struct quotas *quotas = arg;
    const json_t *hard = kube_at(quota, "status", "hard", NULL);
    const json_t *used = kube_at(quota, "status", "used", NULL);
    const char *name;
    json_t *value;

    if (!hard)
        hard = kube_at(quota, "spec", "hard", NULL);
    if (!counts(quota))
        return;
    json_object_foreach((json_t *)(uintptr_t)hard, name, value)
    {
        take_line(quotas, name, value, json_object_get(used, name));
    }
}

static void add_ours(struct ours *ours, const struct tracked *worker)
{
    const struct kubernetes *kube = ours->kube;
    const struct kube_shape *shape = worker->shape ? capacity_shape(kube, worker->shape) : NULL;

    ours->workers++;
    ours->cpus += shape ? shape->shape.cpus : (worker->asked.cpu_milli + 999) / 1000;
    ours->memory += shape ? shape->shape.memory : worker->asked.memory;
    ours->disk += shape ? shape->shape.disk : worker->asked.disk;
    if (shape && shape->gpu)
        ours->gpus[shape->gpu - kube->gpus] += shape->shape.gpus;
}

/* A Job whose pod is not there yet is in nobody's count. */
static void count_ours(void *arg, const struct tracked *worker)
{
    struct both *both = arg;

    if (worker->verdict.state != INSTANCE_FAILED)
        add_ours(worker->pod ? &both->there : &both->coming, worker);
}

static void node_quotas(struct kubernetes *kube, const struct nodes *nodes, const struct both *both,
                        struct probe *out)
{
    const struct ours *there = &both->there, *coming = &both->coming;

    if (!nodes->known)
        return;
    quota_add(out, "cores", nodes->cpu_milli / 1000, (nodes->used_milli + 999) / 1000 + there->cpus,
              there->cpus, coming->cpus);
    quota_add(out, "memory", nodes->memory, nodes->used_memory + there->memory, there->memory,
              coming->memory);
    quota_add(out, "instances", nodes->pods, nodes->used_pods + there->workers, there->workers,
              coming->workers);
    for (size_t i = 0; i < kube->gpu_count; i++) {
        const struct gpu_kind *gpu = &kube->gpus[i];
        own_str char *name = gpu->model ? xasprintf("gpus:%s", gpu->model) : xstrdup("gpus");

        quota_add(out, name, gpu->there, gpu->there - gpu->free + there->gpus[i], there->gpus[i],
                  coming->gpus[i]);
    }
}

/* Servers are upgraded under us.  One that does not tell its version stays what it was. */
static void look_at_version(struct kubernetes *kube, int64_t deadline)
{
    own_call struct call call = { .method = "GET", .path = "/version" };
    struct err why = ERR_INIT;
    int64_t now = clock_mono_ms();

    if (kube->version_mono_ms && now - kube->version_mono_ms < VERSION_MS)
        return;
    if (client_call(kube->client, &call, deadline, &why) == 0)
        kube_version_read(call.answer, &kube->version);
    if (call.status) /* also when we may not ask: it answered */
        kube->version_mono_ms = now;
}

int capacity_probe(struct kubernetes *kube, int64_t deadline, struct probe *out, struct err *err)
{
    own_str char *path = xasprintf("/api/v1/namespaces/%s/resourcequotas", kube->namespace);
    struct survey survey = { .kube = kube };
    struct both both = { .there = { .kube = kube }, .coming = { .kube = kube } };
    struct quotas quotas = { .kube = kube, .out = out, .both = &both };
    bool allowed = false;
    int rc;

    look_at_version(kube, deadline);
    if (kube->watch)
        watch_each(kube->watch, count_ours, &both);
    rc = look_at_nodes(&survey, deadline, err);
    if (rc == 0)
        rc = list_if_allowed(kube, path, deadline, take_quota, &quotas, &allowed, err);
    if (rc == 0) {
        node_quotas(kube, &survey.nodes, &both, out);
        if (!kube->shapes_given)
            make_shapes(kube, &survey.nodes, out);
        capacity_put_shapes(kube, out);
        out->credential_end_ms = login_end(kube->login);
        out->more = kube_version_json(&kube->version);
    }
    survey_free(&survey);
    return rc;
}
