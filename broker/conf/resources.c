/* SPDX-License-Identifier: Apache-2.0 */
/* resources.c - `resources:` of a job, with its alternatives.
 *
 * Each member of any_of starts from the keys that stand beside it, so that what all have in common
 * is written once. */
#include <string.h>

#include "base/own.h"
#include "base/parse.h"
#include "conf/job_parts.h"

#define MIB 1048576.0
#define PIB 1125899906842624.0

/* What is read, until the alternatives are made from it. */
struct reading {
    struct resources base;
    const json_t *any_of;
    bool ordered;
};

/* "4+" without its '+': at least so much. */
static const char *cut_open(const json_t *value, char *copy, size_t size, bool *open)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);

    *open = false;
    if (!text || length == 0 || length >= size || text[length - 1] != '+')
        return text;
    *open = true;
    memcpy(copy, text, length - 1);
    copy[length - 1] = '\0';
    return copy;
}

static void read_amount(struct reader *r, const struct field *field, const json_t *value,
                        void *slot)
{
    struct err err = ERR_INIT;
    char copy[64];
    struct amount amount = { 0 };
    const char *text;

    if (json_is_integer(value)) {
        read_i64(r, field, value, slot ? &((struct amount *)slot)->least : NULL);
        if (slot)
            ((struct amount *)slot)->open = false;
        return;
    }
    if (!json_is_string(value)) {
        reader_problem_type(r, "a whole number, or one like 4+", value);
        return;
    }
    text = cut_open(value, copy, sizeof copy, &amount.open);
    if (parse_i64(text, (int64_t)field->least, (int64_t)field->most, &amount.least, &err) < 0)
        reader_problem_err(r, &err);
    else if (slot)
        *(struct amount *)slot = amount;
}

/* The unit's first letter alone is what other batch systems take. */
static bool names_short_unit(struct reader *r, const char *text)
{
    size_t length = strlen(text);
    char suggestion[80];

    if (length < 2 || length > 40 || !strchr("KMGTkmgt", text[length - 1]) ||
        text[length - 2] < '0' || text[length - 2] > '9')
        return false;
    snprintf(suggestion, sizeof suggestion, "write %.*s%ciB", (int)length - 1, text,
             text[length - 1] & ~0x20);
    reader_problem(r, suggestion, "'%s' has half a unit", text);
    return true;
}

static void read_open_bytes(struct reader *r, const struct field *field, const json_t *value,
                            void *slot)
{
    struct amount amount = { 0 };
    size_t before = r->found;
    char copy[64];
    const char *text = cut_open(value, copy, sizeof copy, &amount.open);
    json_t *cut;

    if (text && names_short_unit(r, text))
        return;
    cut = amount.open ? json_string(text) : NULL;
    read_bytes(r, field, cut ? cut : value, &amount.least);
    json_decref(cut);
    if (slot && r->found == before)
        *(struct amount *)slot = amount;
}

static void read_any_of(struct reader *r, const struct field *field, const json_t *value,
                        void *slot)
{
    (void)field;
    if (!json_is_array(value))
        reader_problem_type(r, "a list of alternatives", value);
    else if (json_array_size(value) < 1 || json_array_size(value) > JOB_OPTIONS_MOST)
        reader_problem(r, NULL, "must have 1 to %d alternatives", JOB_OPTIONS_MOST);
    else if (slot)
        *(const json_t **)slot = value;
}

#define RESOURCE_FIELDS                                                                         \
    FIELD("cpus", read_amount, struct resources, cpus, BETWEEN(1, 100000)),                     \
        FIELD("memory", read_open_bytes, struct resources, memory, BETWEEN(MIB, PIB)),          \
        FIELD("disk", read_open_bytes, struct resources, disk, BETWEEN(MIB, PIB)),              \
        FIELD("gpus", read_int, struct resources, gpus, BETWEEN(0, 1000)),                      \
        FIELD("gpu_model", read_texts, struct resources, gpu_models, .most = 64, .entries = 64, \
              .want = "a model, or a list of them"),                                            \
        FIELD("gpu_memory", read_bytes, struct resources, gpu_memory, BETWEEN(MIB, PIB)),       \
        FIELD("nodes", read_int, struct resources, nodes, BETWEEN(1, 10000)),                   \
        FIELD("walltime", read_span, struct resources, walltime_ms, .least = 1000)

static const struct field any_of_fields[] = { RESOURCE_FIELDS, { 0 } };
static const struct field resource_fields[] = {
    RESOURCE_FIELDS,
    FIELD("any_of", read_any_of, struct reading, any_of),
    FIELD("ordered", read_bool, struct reading, ordered),
    { 0 },
};
const struct level any_of_level = { "resources.any_of", any_of_fields, NULL };
const struct level resources_level = { "resources", resource_fields, NULL };

void resources_init(struct resources *resources)
{
    *resources = (struct resources){ .cpus.least = 1, .gpus = -1, .nodes = 1 };
}

void resources_fini(struct resources *resources)
{
    strings_free(resources->gpu_models);
    resources->gpu_models = NULL;
}

/* A model or a size of GPU asks for one, when their number is not said. */
static void settle(struct reader *r, struct resources *resources)
{
    bool wants = resources->gpu_models || resources->gpu_memory;

    if (resources->gpus == 0 && wants)
        reader_problem(r, "ask for at least one GPU, or leave gpu_model and gpu_memory out",
                       "names a kind of GPU but asks for none");
    if (resources->gpus < 0)
        resources->gpus = wants;
}

static void read_alternatives(struct reader *r, const struct reading *reading,
                              struct job_spec *spec)
{
    size_t count = json_array_size(reading->any_of);

    spec->options = xcalloc(count, sizeof *spec->options);
    spec->option_count = count;
    reader_enter(r, "any_of");
    for (size_t i = 0; i < count; i++) {
        struct resources *option = &spec->options[i];

        *option = reading->base;
        option->gpu_models = strings_copy(reading->base.gpu_models);
        reader_enter_at(r, i);
        read_level(r, &any_of_level, json_array_get(reading->any_of, i), option);
        settle(r, option);
        reader_leave(r);
    }
    reader_leave(r);
}

void read_resources(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct job_spec *spec = slot;
    struct reading reading = { 0 };

    (void)field;
    resources_init(&reading.base);
    read_level(r, &resources_level, value, &reading);
    spec->options_ordered = reading.ordered;
    if (reading.any_of) {
        read_alternatives(r, &reading, spec);
        resources_fini(&reading.base);
        return;
    }
    settle(r, &reading.base);
    spec->options = xmalloc(sizeof *spec->options);
    spec->options[0] = reading.base;
    spec->option_count = 1;
}
