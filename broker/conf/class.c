/* SPDX-License-Identifier: Apache-2.0 */
/* class.c - what the scheduler sees of a job, as canonical JSON and back.
 *
 * Written straight into a buffer, with keys in alphabetical order and nothing said that is a
 * default: equal needs give equal bytes, and the usual key is short.  Amounts are numbers, "+"
 * behind one says that it is open upwards. */
#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/json.h"
#include "base/own.h"
#include "conf/job.h"
#include "conf/job_parts.h"

/* ---- writing
 * ----------------------------------------------------------------------------------------- */

static void put_number(struct buf *out, int64_t value)
{
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    char digits[24];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        digits[--at] = '-';
    buf_put(out, digits + at, sizeof digits - at);
}

/* ,"key": without the comma where an object begins */
static void put_key(struct buf *out, const char *key)
{
    if (out->data[out->length - 1] != '{')
        buf_putc(out, ',');
    buf_putc(out, '"');
    buf_puts(out, key);
    buf_put(out, "\":", 2);
}

static void put_text(struct buf *out, const char *key, const char *text)
{
    if (!text)
        return;
    put_key(out, key);
    buf_put_json(out, text);
}

static void put_i64(struct buf *out, const char *key, int64_t value, int64_t standard)
{
    if (value == standard)
        return;
    put_key(out, key);
    put_number(out, value);
}

static void put_amount(struct buf *out, const char *key, struct amount amount, int64_t standard)
{
    if (amount.least == standard && !amount.open)
        return;
    put_key(out, key);
    if (amount.open)
        buf_putc(out, '"');
    put_number(out, amount.least);
    if (amount.open)
        buf_put(out, "+\"", 2);
}

static void put_texts(struct buf *out, const char *key, char *const *list)
{
    if (!list)
        return;
    put_key(out, key);
    for (size_t i = 0; list[i]; i++) {
        buf_putc(out, i ? ',' : '[');
        buf_put_json(out, list[i]);
    }
    buf_puts(out, list[0] ? "]" : "[]");
}

static void put_limits(struct buf *out, const struct job_spec *spec)
{
    if (spec->limit_count == 0)
        return;
    put_key(out, "limits");
    buf_putc(out, '{');
    for (size_t i = 0; i < spec->limit_count; i++)
        put_i64(out, spec->limits[i].name, spec->limits[i].count, 0);
    buf_putc(out, '}');
}

static void put_option(struct buf *out, const struct resources *option)
{
    buf_putc(out, '{');
    put_amount(out, "cpus", option->cpus, 1);
    put_amount(out, "disk", option->disk, 0);
    put_i64(out, "gpu_memory", option->gpu_memory, 0);
    put_texts(out, "gpu_model", option->gpu_models);
    put_i64(out, "gpus", option->gpus, 0);
    put_amount(out, "memory", option->memory, 0);
    put_i64(out, "nodes", option->nodes, 1);
    put_i64(out, "walltime", option->walltime_ms, 0);
    buf_putc(out, '}');
}

static void put_placement(struct buf *out, const struct placement *placement)
{
    size_t start = out->length;

    put_key(out, "placement");
    buf_putc(out, '{');
    if (placement->cloud_act_free) {
        put_key(out, "cloud_act");
        buf_puts(out, "false");
    }
    put_texts(out, "exclude", placement->exclude);
    put_texts(out, "jurisdiction", placement->jurisdiction);
    if (placement->max_cost >= 0) {
        put_key(out, "max_cost");
        buf_printf(out, "%.17g", placement->max_cost);
    }
    if (placement->objective != OBJECTIVE_BALANCED)
        put_text(out, "objective", objective_words[placement->objective]);
    put_texts(out, "prefer", placement->prefer);
    put_texts(out, "require", placement->require);
    if (placement->tier != TIER_COMMERCIAL)
        put_text(out, "tier", tier_words[placement->tier]);
    if (out->data[out->length - 1] == '{')
        out->length = start; /* all default */
    else
        buf_putc(out, '}');
}

char *job_class_key(const struct job_spec *spec, const char *project, const char *user)
{
    struct buf out = BUF_INIT(0);

    buf_reserve(&out, 240);
    buf_putc(&out, '{');
    put_text(&out, "container", spec->container);
    put_text(&out, "image", spec->image);
    put_limits(&out, spec);
    put_key(&out, "options");
    for (size_t i = 0; i < spec->option_count; i++) {
        buf_putc(&out, i ? ',' : '[');
        put_option(&out, &spec->options[i]);
    }
    buf_putc(&out, ']');
    if (spec->options_ordered) {
        put_key(&out, "ordered");
        buf_puts(&out, "true");
    }
    put_placement(&out, &spec->placement);
    put_i64(&out, "priority", spec->priority, 0);
    put_text(&out, "project", project);
    put_text(&out, "user", user);
    if (spec->workdir) {
        own_str char *root = workdir_root(spec->workdir);

        put_text(&out, "workdir", root);
    }
    buf_putc(&out, '}');
    return buf_take(&out);
}

char *workdir_root(const char *path)
{
    struct buf out = BUF_INIT(0);

    for (int part = 0; part < WORKDIR_PARTS && *path; part++) {
        size_t length;

        path += strspn(path, "/");
        if (!(length = strcspn(path, "/")))
            break;
        buf_putc(&out, '/');
        buf_put(&out, path, length);
        path += length;
    }
    if (!out.length)
        buf_putc(&out, '/');
    return buf_take(&out);
}

char *job_class_key_new(const struct job_spec *spec, const char *project, const char *user)
{
    char *key = job_class_key(spec, project, user);
    char *whole, own[33];

    if (spec->placement.max_cost < 0)
        return key;
    io_random_hex(own, 16);
    key[strlen(key) - 1] = '\0'; /* its brace */
    whole = xasprintf("%s,\"own\":\"%s\"}", key, own);
    free(key);
    return whole;
}

/* ---- reading
 * ----------------------------------------------------------------------------------------- */

static int corrupt(struct err *err, const char *key)
{
    return err_set(err, FAULT_INTERNAL, "class: '%s' is damaged", key);
}

static int get_text(const json_t *object, const char *key, char **out, struct err *err)
{
    const char *text = NULL;

    if (json_opt_str(object, key, &text, err) < 0)
        return -1;
    *out = text ? xstrdup(text) : NULL;
    return 0;
}

static int get_texts(const json_t *object, const char *key, char ***out, struct err *err)
{
    const json_t *list = NULL;

    if (json_opt_array(object, key, &list, err) < 0 || !list)
        return list ? -1 : 0;
    *out = xcalloc(json_array_size(list) + 1, sizeof **out);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (!text)
            return corrupt(err, key);
        (*out)[i] = xstrdup(text);
    }
    return 0;
}

static int get_amount(const json_t *object, const char *key, struct amount *out, struct err *err)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    char *end = NULL;

    if (!text)
        return json_opt_i64(object, key, 0, INT64_MAX, &out->least, err);
    out->least = strtoll(text, &end, 10);
    out->open = true;
    return strcmp(end, "+") == 0 && out->least >= 0 ? 0 : corrupt(err, key);
}

static int get_int(const json_t *object, const char *key, int *out, struct err *err)
{
    int64_t value = *out;

    if (json_opt_i64(object, key, INT32_MIN, INT32_MAX, &value, err) < 0)
        return -1;
    *out = (int)value;
    return 0;
}

static int get_word(const json_t *object, const char *key, const char *const *words, int *out,
                    struct err *err)
{
    const char *text = NULL;

    if (json_opt_str(object, key, &text, err) < 0)
        return -1;
    for (int i = 0; text && words[i]; i++)
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return 0;
        }
    return text ? corrupt(err, key) : 0;
}

static int get_option(const json_t *object, struct resources *out, struct err *err)
{
    resources_init(out);
    out->gpus = 0;
    if (!json_is_object(object))
        return corrupt(err, "options");
    return get_amount(object, "cpus", &out->cpus, err) < 0 ||
                   get_amount(object, "disk", &out->disk, err) < 0 ||
                   get_amount(object, "memory", &out->memory, err) < 0 ||
                   json_opt_i64(object, "gpu_memory", 0, INT64_MAX, &out->gpu_memory, err) < 0 ||
                   get_texts(object, "gpu_model", &out->gpu_models, err) < 0 ||
                   get_int(object, "gpus", &out->gpus, err) < 0 ||
                   get_int(object, "nodes", &out->nodes, err) < 0 ||
                   json_opt_i64(object, "walltime", 0, INT64_MAX, &out->walltime_ms, err) < 0
               ? -1
               : 0;
}

static int get_options(const json_t *key, struct job_spec *out, struct err *err)
{
    const json_t *list = NULL;
    size_t count;

    if (json_opt_array(key, "options", &list, err) < 0)
        return -1;
    count = json_array_size(list);
    if (count < 1 || count > JOB_OPTIONS_MOST)
        return corrupt(err, "options");
    out->options = xcalloc(count, sizeof *out->options);
    out->option_count = count;
    for (size_t i = 0; i < count; i++)
        if (get_option(json_array_get(list, i), &out->options[i], err) < 0)
            return -1;
    return 0;
}

static int get_limits(const json_t *key, struct job_spec *out, struct err *err)
{
    const json_t *limits = NULL;
    json_t *object;

    if (json_opt_object(key, "limits", &limits, err) < 0)
        return -1;
    object = (json_t *)(uintptr_t)limits;
    out->limits = limits ? xcalloc(json_object_size(limits) + 1, sizeof *out->limits) : NULL;
    for (void *at = object ? json_object_iter(object) : NULL; at;
         at = json_object_iter_next(object, at)) {
        struct limit_use *use = &out->limits[out->limit_count++];

        use->name = xstrdup(json_object_iter_key(at));
        use->count = json_integer_value(json_object_iter_value(at));
    }
    return 0;
}

static int get_placement(const json_t *key, struct placement *out, struct err *err)
{
    const json_t *object = NULL;
    int tier = TIER_COMMERCIAL, objective = OBJECTIVE_BALANCED;
    bool reach = true;

    if (json_opt_object(key, "placement", &object, err) < 0)
        return -1;
    if (!object)
        return 0;
    if (json_opt_bool(object, "cloud_act", &reach, err) < 0 ||
        get_texts(object, "exclude", &out->exclude, err) < 0 ||
        get_texts(object, "jurisdiction", &out->jurisdiction, err) < 0 ||
        get_texts(object, "prefer", &out->prefer, err) < 0 ||
        get_texts(object, "require", &out->require, err) < 0 ||
        get_word(object, "objective", objective_words, &objective, err) < 0 ||
        get_word(object, "tier", tier_words, &tier, err) < 0)
        return -1;
    out->cloud_act_free = !reach;
    out->objective = (enum objective)objective;
    out->tier = (enum tier)tier;
    if (json_object_get(object, "max_cost"))
        out->max_cost = json_number_value(json_object_get(object, "max_cost"));
    return 0;
}

static int read_key(const json_t *key, struct job_spec *out, char **project, char **user,
                    struct err *err)
{
    if (!json_is_object(key))
        return corrupt(err, "key");
    return get_text(key, "container", &out->container, err) < 0 ||
                   get_text(key, "image", &out->image, err) < 0 || get_limits(key, out, err) < 0 ||
                   get_options(key, out, err) < 0 ||
                   json_opt_bool(key, "ordered", &out->options_ordered, err) < 0 ||
                   get_placement(key, &out->placement, err) < 0 ||
                   get_int(key, "priority", &out->priority, err) < 0 ||
                   get_text(key, "project", project, err) < 0 ||
                   get_text(key, "user", user, err) < 0 ||
                   get_text(key, "workdir", &out->workdir, err) < 0
               ? -1
               : 0;
}

int job_class_parse(const char *text, struct job_spec *out, char **project, char **user,
                    struct err *err)
{
    own_json json_t *key = json_parse(text, strlen(text), err);

    *out = (struct job_spec){ .retries_infra = -1, .retries_preempt = -1 };
    placement_init(&out->placement);
    *project = *user = NULL;
    if (key && read_key(key, out, project, user, err) == 0)
        return 0;
    job_spec_free(out);
    free(take_ptr(*project));
    free(take_ptr(*user));
    return -1;
}
