/* SPDX-License-Identifier: Apache-2.0 */
/* flavor.c - what flavors and quotas mean: GPUs in extra specs, and the sums.  Pure. */
#include <ctype.h>
#include <fnmatch.h>
#include <string.h>

#include "base/own.h"
#include "base/parse.h"
#include "sites/openstack/openstack.h"

#define MIB ((int64_t)1 << 20)
#define GIB ((int64_t)1 << 30)

/* ---- GPUs ------------------------------------------------------------------------------------ */

static bool has_word(const char *text, const char *word)
{
    const char *at = strcasestr(text, word);

    return at != NULL;
}

/* "CUSTOM_GPU_NVIDIA_A100" -> "A100", "nvidia-v100" -> "V100": what is left without the words that
 * say only that it is a GPU.  NULL: nothing is. */
static char *model_of(const char *name)
{
    static const char *const idle[] = { "CUSTOM", "GPU", "VGPU",  "PGPU",   "PCI", "NVIDIA",
                                        "TESLA",  "AMD", "CLASS", "DEVICE", NULL };
    own_buf struct buf model = BUF_INIT(128);
    own_str char *copy = xstrdup(name);
    char *save = NULL;

    for (char *word = strtok_r(copy, "_-: ", &save); word; word = strtok_r(NULL, "_-: ", &save)) {
        const char *const *each = idle;

        while (*each && strcasecmp(*each, word) != 0)
            each++;
        if (*each)
            continue;
        for (char *c = word; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        buf_printf(&model, "%s%s", model.length ? "-" : "", word);
    }
    return model.length ? buf_take(&model) : NULL;
}

static int count_of(const char *text)
{
    int64_t count = 0;

    return text && parse_i64(text, 0, 1024, &count, NULL) == 0 ? (int)count : 0;
}

/* "resources:VGPU", "resources1:CUSTOM_GPU_V100": the class; NULL: another kind of key. */
static const char *class_of(const char *key)
{
    const char *colon = strchr(key, ':');

    if (strncmp(key, "resources", 9) != 0 || !colon)
        return NULL;
    return colon + 1;
}

static void set_model(char **model, char *found)
{
    if (*model)
        free(found);
    else
        *model = found;
}

/* "a100:1,v100:2": aliases that an operator named; all of them are taken for GPUs where the name
 * does not say network or storage. */
static int alias_gpus(const char *text, char **model)
{
    own_str char *copy = xstrdup(text);
    char *save = NULL;
    int count = 0;

    for (char *each = strtok_r(copy, ", ", &save); each; each = strtok_r(NULL, ", ", &save)) {
        char *colon = strchr(each, ':');

        if (has_word(each, "nic") || has_word(each, "net") || has_word(each, "nvme") ||
            has_word(each, "qat") || has_word(each, "ssd"))
            continue;
        if (colon)
            *colon = '\0';
        count += colon ? count_of(colon + 1) : 1;
        set_model(model, model_of(each));
    }
    return count;
}

static bool is_gpu_class(const char *class)
{
    return class && (strcmp(class, "VGPU") == 0 || strcmp(class, "PGPU") == 0 ||
                     (strncmp(class, "CUSTOM_", 7) == 0 &&
                      (has_word(class, "GPU") || has_word(class, "NVIDIA"))));
}

/* The only one that its GPUs are of; owned by the caller. */
static char *gpu_class_of(const json_t *specs)
{
    const char *key, *found = NULL;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)specs, key, value)
    {
        const char *class = class_of(key);

        if (!is_gpu_class(class) || count_of(json_string_value(value)) == 0)
            continue;
        if (found)
            return NULL;
        found = class;
    }
    return found ? xstrdup(found) : NULL;
}

int extra_specs_gpus(const json_t *specs, char **model)
{
    const char *key;
    json_t *value;
    int count = 0;

    *model = NULL;
    json_object_foreach((json_t *)(uintptr_t)specs, key, value)
    {
        const char *text = json_string_value(value), *class = class_of(key);

        if (!text)
            continue;
        if (is_gpu_class(class)) {
            count += count_of(text);
            if (strncmp(class, "CUSTOM_", 7) == 0)
                set_model(model, model_of(class));
        } else if (strcmp(key, "pci_passthrough:alias") == 0) {
            count += alias_gpus(text, model);
        }
    }
    if (!count || *model)
        return count;
    /* A vGPU's class says no model, but the traits that it requires may: those that an operator
     * named, for of the others none is of a model. */
    json_object_foreach((json_t *)(uintptr_t)specs, key, value)
    {
        const char *text = json_string_value(value), *trait = strchr(key, ':');

        if (strncmp(key, "trait", 5) == 0 && trait && strncmp(trait, ":CUSTOM_", 8) == 0 &&
            (has_word(trait, "GPU") || has_word(trait, "NVIDIA")) && text &&
            strcmp(text, "required") == 0)
            set_model(model, model_of(trait + 1));
    }
    return count;
}

/* ---- flavors --------------------------------------------------------------------------------- */

void flavor_fini(struct flavor *flavor)
{
    free(flavor->id);
    free(flavor->name);
    free(flavor->gpu_model);
    free(flavor->gpu_class);
    memset(flavor, 0, sizeof *flavor);
}

static int64_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_integer(value) && json_integer_value(value) > 0 ? json_integer_value(value) : 0;
}

int flavor_read(const json_t *flavor, const struct site_conf *conf, struct flavor *out)
{
    const char *id = os_text(flavor, "id"), *name = os_text(flavor, "name");
    const struct shape_gpus *mapped;

    memset(out, 0, sizeof *out);
    if (!id || !name || number_of(flavor, "vcpus") == 0 ||
        json_is_true(json_object_get(flavor, "OS-FLV-DISABLED:disabled")))
        return -1;
    out->id = xstrdup(id);
    out->name = xstrdup(name);
    out->cpus = (int)number_of(flavor, "vcpus");
    out->memory = number_of(flavor, "ram") * MIB;
    out->disk = (number_of(flavor, "disk") + number_of(flavor, "OS-FLV-EXT-DATA:ephemeral")) * GIB;
    out->gpu_class = gpu_class_of(json_object_get(flavor, "extra_specs"));
    mapped = site_conf_gpus(conf, name);
    if (mapped) { /* the operator knows better */
        out->gpus = mapped->count;
        out->gpu_model = mapped->model ? xstrdup(mapped->model) : NULL;
        out->gpu_memory = mapped->memory;
    } else {
        out->gpus = extra_specs_gpus(json_object_get(flavor, "extra_specs"), &out->gpu_model);
    }
    return 0;
}

/* ---- what Placement could give --------------------------------------------------------------- */

int64_t candidates_free(const json_t *answer, const char *class, int each)
{
    json_t *summaries = json_object_get(answer, "provider_summaries"), *summary;
    int64_t sum = 0;
    const char *id;

    json_object_foreach(summaries, id, summary)
    {
        const json_t *of = json_object_get(json_object_get(summary, "resources"), class);
        int64_t free = number_of(of, "capacity") - number_of(of, "used");

        if (free >= each && free < 1000000)
            sum += free / each * each;
    }
    return sum;
}

/* ---- quota ----------------------------------------------------------------------------------- */

struct quota *quota_add(struct probe *out, const char *name, int64_t limit, int64_t used,
                        int64_t ours)
{
    struct quota *line;

    out->quotas = xrealloc(out->quotas, (out->quota_count + 1) * sizeof *out->quotas);
    line = &out->quotas[out->quota_count++];
    *line = (struct quota){
        .name = xstrdup(name),
        .limit = limit < 0 ? -1 : limit,
        .ours = ours,
        /* What was counted between the two answers may be ours alone. */
        .others = used > ours ? used - ours : 0,
    };
    return line;
}
