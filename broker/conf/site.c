/* SPDX-License-Identifier: Apache-2.0 */
/* site.c - one entry of `sites:`: the keys that every kind of site has. */
#include "conf/site.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "base/own.h"
#include "base/parse.h"
#include "conf/job_parts.h"
#include "conf/site_parts.h"
#include "net/hash.h"

#define MINUTE_MS       60000.0
#define DAY_MS          86400000.0
#define MIB             1048576.0
#define PIB             1125899906842624.0
#define MAP_MOST        10000 /* entries of images, prices, gpus */
#define PROPERTIES_MOST 100

static const char *const phase_words[] = { "test", "pre-production", "production", NULL };
static const char *const connect_words[] = { "https", "ssh", NULL };

/* ---- maps: {NAME: VALUE}
 * ----------------------------------------------------------------------------- */

/* Room for all entries of a mapping, zeroed; NULL when it is none or too large. */
static void *entries(struct reader *r, const json_t *value, size_t size, const char *want)
{
    if (!json_is_object(value))
        reader_problem_type(r, want, value);
    else if (json_object_size(value) > MAP_MOST)
        reader_problem(r, NULL, "has more than %d entries", MAP_MOST);
    else
        return xcalloc(json_object_size(value) + 1, size);
    return NULL;
}

/* The first entry and the next; iteration wants no const, and changes nothing. */
static void *first_entry(const json_t *object)
{
    return json_object_iter((json_t *)(uintptr_t)object);
}

static void *next_entry(const json_t *object, void *at)
{
    return json_object_iter_next((json_t *)(uintptr_t)object, at);
}

static void read_models(struct reader *r, const json_t *value, struct site_limits *limits)
{
    static const struct field count = { .least = 0, .most = 100000 };

    limits->models =
        entries(r, value, sizeof *limits->models, "a number, or a mapping of models to numbers");
    for (void *at = limits->models ? first_entry(value) : NULL; at; at = next_entry(value, at)) {
        struct gpu_count *model = &limits->models[limits->model_count++];

        model->model = xstrdup(json_object_iter_key(at));
        reader_enter(r, json_object_iter_key(at));
        read_i64(r, &count, json_object_iter_value(at), &model->count);
        reader_leave(r);
    }
}

static void read_limit_gpus(struct reader *r, const struct field *field, const json_t *value,
                            void *slot)
{
    struct site_limits *limits = slot;

    if (json_is_integer(value))
        read_i64(r, field, value, &limits->gpus);
    else
        read_models(r, value, limits);
}

static const struct field limits_fields[] = {
    FIELD("workers", read_i64, struct site_limits, workers, BETWEEN(0, 1000000)),
    FIELD("cores", read_i64, struct site_limits, cores, BETWEEN(0, 100000000)),
    FIELD("memory", read_bytes, struct site_limits, memory, BETWEEN(MIB, PIB)),
    FIELD("disk", read_bytes, struct site_limits, disk, BETWEEN(MIB, PIB)),
    FIELD_SELF("gpus", read_limit_gpus, BETWEEN(0, 100000)),
    { 0 },
};
static const struct level site_limits_level = { "limits", limits_fields, NULL };

static void read_site_limits(struct reader *r, const struct field *field, const json_t *value,
                             void *slot)
{
    (void)field;
    read_level(r, &site_limits_level, value, &((struct site_conf *)slot)->limits);
}

static void read_prices(struct reader *r, const struct field *field, const json_t *value,
                        void *slot)
{
    struct site_conf *conf = slot;

    conf->prices = entries(r, value, sizeof *conf->prices, "a mapping of flavors to prices");
    for (void *at = conf->prices ? first_entry(value) : NULL; at; at = next_entry(value, at)) {
        struct shape_price *price = &conf->prices[conf->price_count++];

        price->shape = xstrdup(json_object_iter_key(at));
        reader_enter(r, json_object_iter_key(at));
        read_double(r, field, json_object_iter_value(at), &price->hour);
        reader_leave(r);
    }
}

static bool is_currency(const char *text)
{
    return strlen(text) == 3 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}

static const struct field price_fields[] = {
    FIELD("currency", read_text, struct site_conf, currency, .good = is_currency,
          .want = "a currency's code such as EUR"),
    FIELD("hour", read_double, struct site_conf, price_hour, BETWEEN(0, 1e6)),
    FIELD("volume", read_double, struct site_conf, price_volume, BETWEEN(0, 1e6)),
    FIELD("address", read_double, struct site_conf, price_address, BETWEEN(0, 1e6)),
    FIELD_SELF("flavors", read_prices, BETWEEN(0, 1e6)),
    { 0 },
};
static const struct level price_level = { "price", price_fields, NULL };

static void read_price(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    (void)field;
    read_level(r, &price_level, value, slot);
}

/* ---- images ---------------------------------------------------------------------------------- */

/* {NAME: "the site's own"} or {NAME: {from, sha256}} */

static const char *const disk_formats[] = { "qcow2", "raw",   "vmdk", "vdi", "vhd",
                                            "vhdx",  "ploop", "iso",  NULL };

static bool is_disk_format(const char *text)
{
    for (const char *const *each = disk_formats; *each; each++)
        if (strcmp(text, *each) == 0)
            return true;
    return false;
}

static bool is_sha512(const char *text)
{
    return strlen(text) == 128 && strspn(text, "0123456789abcdef") == 128;
}

static void read_properties(struct reader *r, const struct field *field, const json_t *value,
                            void *slot)
{
    struct image_name *image = slot;

    (void)field;
    if (!json_is_object(value) || json_object_size(value) > PROPERTIES_MOST) {
        reader_problem_type(r, "a mapping of at most 100 names to texts", value);
        return;
    }
    image->properties = json_object();
    for (void *at = first_entry(value); at; at = next_entry(value, at)) {
        char buffer[24];
        const char *text;

        reader_enter(r, json_object_iter_key(at));
        text = read_plain(r, json_object_iter_value(at), buffer);
        if (text)
            json_object_set_new(image->properties, json_object_iter_key(at), json_string(text));
        reader_leave(r);
    }
}

static const struct field image_fields[] = {
    FIELD("name", read_text, struct image_name, here, .most = 255),
    FIELD("from", read_text, struct image_name, from, .most = 2048),
    FIELD("sha256", read_text, struct image_name, sha256, .good = sha256_is_hex,
          .want = "64 lower-case hex digits"),
    FIELD("sha512", read_text, struct image_name, sha512, .good = is_sha512,
          .want = "128 lower-case hex digits"),
    FIELD("disk_format", read_text, struct image_name, disk_format, .good = is_disk_format,
          .want = "qcow2, raw, vmdk, vdi, vhd, vhdx, ploop or iso"),
    FIELD_SELF("properties", read_properties),
    { 0 },
};
static const struct level image_level = { "images", image_fields, NULL };

/* One that is brought to the site: without a checksum nobody could say that it is the one. */
static void read_brought(struct reader *r, const json_t *value, struct image_name *image)
{
    size_t before = r->found;
    const char *dot;

    read_level(r, &image_level, value, image);
    if (r->found != before)
        return;
    if (!image->from)
        reader_problem(r, "write its name at the site alone, where it is there already",
                       "needs 'from'");
    else if (conf_is_url(image->from) && strcspn(strstr(image->from, "://") + 3, "@") <
                                             strcspn(strstr(image->from, "://") + 3, "/"))
        reader_problem(r, NULL, "'from' must hold no user and no password");
    else if (!image->sha256 && !image->sha512)
        reader_problem(r, "its publisher tells it, often in a file SHA512SUMS",
                       "needs 'sha256' or 'sha512'");
    else if (!image->disk_format && (dot = strrchr(image->from, '.')) && is_disk_format(dot + 1))
        image->disk_format = xstrdup(dot + 1);
    else if (!image->disk_format)
        reader_problem(r, "say which, such as qcow2 or raw",
                       "needs 'disk_format': the name does not end in one");
    if (!image->here)
        image->here = xstrdup(image->name);
}

static void read_images(struct reader *r, const struct field *field, const json_t *value,
                        void *slot)
{
    struct site_conf *conf = slot;

    conf->images =
        entries(r, value, sizeof *conf->images, "a mapping of names to the site's own names");
    for (void *at = conf->images ? first_entry(value) : NULL; at; at = next_entry(value, at)) {
        struct image_name *image = &conf->images[conf->image_count++];

        image->name = xstrdup(json_object_iter_key(at));
        reader_enter(r, image->name);
        if (json_is_object(json_object_iter_value(at)))
            read_brought(r, json_object_iter_value(at), image);
        else
            read_text(r, field, json_object_iter_value(at), &image->here);
        reader_leave(r);
    }
}

/* ---- gpus: {SHAPE: "MODEL:COUNT"} or {SHAPE: {model, count, memory}}
 * --------------------------------- */

static const struct field gpu_fields[] = {
    FIELD("model", read_text, struct shape_gpus, model, .most = 64),
    FIELD("count", read_int, struct shape_gpus, count, BETWEEN(1, 64)),
    FIELD("memory", read_bytes, struct shape_gpus, memory, BETWEEN(MIB, PIB)),
    { 0 },
};
static const struct level gpu_level = { "gpus", gpu_fields, NULL };

static void read_gpu_text(struct reader *r, const char *text, struct shape_gpus *gpu)
{
    const char *colon = strrchr(text, ':');
    int64_t count = 1;

    if (!*text || colon == text || (colon && parse_i64(colon + 1, 1, 64, &count, NULL) < 0)) {
        reader_problem(r, "write it as \"V100:2\"", "'%.64s' is not MODEL:COUNT", text);
        return;
    }
    gpu->model = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);
    gpu->count = (int)count;
}

static void read_gpus(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct site_conf *conf = slot;

    (void)field;
    conf->gpus = entries(r, value, sizeof *conf->gpus, "a mapping of flavors to \"MODEL:COUNT\"");
    for (void *at = conf->gpus ? first_entry(value) : NULL; at; at = next_entry(value, at)) {
        struct shape_gpus *gpu = &conf->gpus[conf->gpu_count++];
        const json_t *item = json_object_iter_value(at);
        size_t before = r->found;

        gpu->shape = xstrdup(json_object_iter_key(at));
        gpu->count = 1;
        reader_enter(r, json_object_iter_key(at));
        if (json_is_string(item))
            read_gpu_text(r, json_string_value(item), gpu);
        else
            read_level(r, &gpu_level, item, gpu);
        if (r->found == before && !gpu->model)
            reader_problem(r, "say which: {model: V100, count: 2}", "needs 'model'");
        reader_leave(r);
    }
}

/* ---- the entry
 * --------------------------------------------------------------------------------------- */

static const struct field calls_fields[] = {
    FIELD("per_second", read_double, struct site_conf, calls_per_second, BETWEEN(0.01, 10000)),
    FIELD("burst", read_int, struct site_conf, calls_burst, BETWEEN(1, 10000)),
    { 0 },
};
static const struct level calls_level = { "calls", calls_fields, NULL };

static void read_calls(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    (void)field;
    read_level(r, &calls_level, value, slot);
}

/* ---- burst
 * ------------------------------------------------------------------------------------------- */

static const char *const end_words[] = { "cancel", "receipt", NULL };

/* "mine", "all", or names. */
static void read_users(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct site_burst *burst = slot;
    const char *word = json_string_value(value);

    if (word && (strcmp(word, "mine") == 0 || strcmp(word, "all") == 0))
        burst->all_users = strcmp(word, "all") == 0;
    else
        read_texts(r, field, value, &burst->users);
}

static void read_end(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    int end = 0;

    read_word(r, field, value, &end);
    ((struct site_burst *)slot)->receipt = end == 1;
}

static const struct field burst_fields[] = {
    FIELD("partition", read_texts, struct site_burst, partitions, .most = 128),
    FIELD("qos", read_texts, struct site_burst, qos, .most = 128),
    FIELD("comment", read_text, struct site_burst, comment, .most = 256),
    FIELD_SELF("users", read_users, .most = 64),
    FIELD_SELF("end", read_end, .words = end_words),
    FIELD("gain", read_span, struct site_burst, gain_ms, BETWEEN(0, 30 * DAY_MS)),
    FIELD("bytes", read_bytes, struct site_burst, bytes_most, BETWEEN(1, PIB)),
    FIELD("files", read_i64, struct site_burst, files_most, BETWEEN(1, 5000)),
    FIELD("jobs", read_i64, struct site_burst, jobs_most, BETWEEN(0, 10000)),
    FIELD("every", read_span, struct site_burst, every_ms, BETWEEN(1000, DAY_MS)),
    { 0 },
};
static const struct level burst_level = { "burst", burst_fields, NULL };

static void read_burst(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct site_burst *burst = &((struct site_conf *)slot)->burst;
    size_t before = r->found;

    (void)field;
    read_level(r, &burst_level, value, burst);
    burst->on = true;
    if (r->found == before && !burst->partitions && !burst->qos && !burst->comment)
        reader_problem(r, "say which jobs: {partition: NAME}, {qos: NAME} or {comment: PATTERN}",
                       "names no partition, QoS or comment");
}

static bool is_country(const char *text)
{
    return strlen(text) == 2 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2;
}

/* No deeper than the scheduler looks. */
static bool is_shareable(const char *path)
{
    int parts = 0;

    if (*path != '/')
        return false;
    while (*(path += strspn(path, "/"))) {
        if (*path == '.' || ++parts > WORKDIR_PARTS)
            return false;
        path += strcspn(path, "/");
    }
    return true;
}

bool conf_is_url(const char *text)
{
    const char *host = strstr(text, "://");

    return host && host[3] && host[3] != '/' && !strchr(text, ' ') &&
           (strncasecmp(text, "https://", 8) == 0 || strncasecmp(text, "http://", 7) == 0);
}

static const struct field site_fields[] = {
    FIELD("name", read_text, struct site_conf, name, .most = 64, .good = is_site_name,
          .want = "a site's name (letters, digits, '.', '_', '-')"),
    FIELD("type", read_text, struct site_conf, type, .most = 64, .good = is_site_name,
          .want = "a kind of site such as local, openstack, kubernetes or slurm"),
    FIELD("tier", read_word, struct site_conf, tier, .words = tier_words),
    FIELD("phase", read_word, struct site_conf, phase, .words = phase_words),
    FIELD("jurisdiction", read_text, struct site_conf, jurisdiction, .good = is_country,
          .want = "a code of two capital letters such as FR"),
    FIELD("cloud_act", read_bool, struct site_conf, cloud_act),
    FIELD("enabled", read_bool, struct site_conf, enabled),
    FIELD("overflow_after", read_span, struct site_conf, overflow_after_ms,
          BETWEEN(0, 30 * DAY_MS)),
    FIELD_SELF("limits", read_site_limits),
    FIELD_SELF("price", read_price),
    FIELD_SELF("images", read_images, .most = 255),
    FIELD_SELF("gpus", read_gpus),
    FIELD("projects", read_texts, struct site_conf, projects, .most = 64, .good = is_site_name,
          .want = "a project's name, or a list of them"),
    FIELD("shared", read_bool, struct site_conf, shared),
    FIELD("shared_directories", read_texts, struct site_conf, shared_directories, .most = 1024,
          .good = is_shareable,
          .want = "a full path of one or two parts, such as /home or /data/lab, or a list of them"),
    FIELD("connect", read_word, struct site_conf, connect, .words = connect_words),
    FIELD("url", read_text, struct site_conf, url, .most = 2048, .good = conf_is_url,
          .want = "an https:// URL"),
    FIELD("idle", read_span, struct site_conf, idle_ms, BETWEEN(0, 30 * DAY_MS)),
    FIELD("max_age", read_span, struct site_conf, max_age_ms, .least = MINUTE_MS),
    FIELD("max_walltime", read_span, struct site_conf, max_walltime_ms, .least = MINUTE_MS),
    FIELD("boot_deadline", read_span, struct site_conf, boot_deadline_ms, BETWEEN(1000, DAY_MS)),
    FIELD("probe", read_span, struct site_conf, probe_ms, BETWEEN(1000, DAY_MS)),
    FIELD("reconcile", read_span, struct site_conf, reconcile_ms, BETWEEN(1000, DAY_MS)),
    FIELD_SELF("calls", read_calls),
    FIELD_SELF("burst", read_burst),
    { 0 },
};

static const char *keys[array_len(site_fields)];
static pthread_once_t keys_once = PTHREAD_ONCE_INIT;

static void fill_keys(void)
{
    for (size_t i = 0; i < array_len(site_fields); i++)
        keys[i] = site_fields[i].key;
}

const char *const *site_conf_keys(void)
{
    pthread_once(&keys_once, fill_keys);
    return keys;
}

static bool is_near(const char *type)
{
    return strcmp(type, "local") == 0 || strcmp(type, "slurm") == 0 || strcmp(type, "ssh") == 0;
}

/* What is not said and depends on what is. */
static void set_defaults(struct site_conf *conf, const json_t *value)
{
    static const double overflow[] = { 0, 2 * MINUTE_MS, 15 * MINUTE_MS };
    bool local = strcmp(conf->type, "local") == 0;

    if (!json_object_get(value, "tier"))
        conf->tier = is_near(conf->type) ? TIER_HOME : TIER_PARTNER;
    if (!json_object_get(value, "cloud_act"))
        conf->cloud_act = conf->tier == TIER_COMMERCIAL;
    if (!json_object_get(value, "overflow_after"))
        conf->overflow_after_ms = (int64_t)overflow[conf->tier];
    if (!json_object_get(value, "shared"))
        conf->shared = local;
    if (local && !json_object_get(value, "shared_directories")) {
        conf->shared_directories = xcalloc(2, sizeof *conf->shared_directories);
        conf->shared_directories[0] = xstrdup("/"); /* this machine */
    }
    if (is_near(conf->type) && !local && !json_object_get(value, "calls")) {
        conf->calls_per_second = 2; /* commands on a login node */
        conf->calls_burst = 20;
    }
    if (local && !json_object_get(value, "boot_deadline"))
        conf->boot_deadline_ms = (int64_t)MINUTE_MS;
    if (local && !json_object_get(value, "probe"))
        conf->probe_ms = 10000;
}

void site_conf_init(struct site_conf *conf, const char *name, const char *type)
{
    *conf = (struct site_conf){
        .name = xstrdup(name),
        .type = xstrdup(type),
        .phase = PHASE_PRODUCTION,
        .enabled = true,
        .limits = { .workers = -1, .cores = -1, .memory = -1, .disk = -1, .gpus = -1 },
        .price_hour = -1,
        .price_volume = -1,
        .price_address = -1,
        .idle_ms = (int64_t)(10 * MINUTE_MS),
        .boot_deadline_ms = (int64_t)(30 * MINUTE_MS), /* first boots of 18 minutes were seen */
        .probe_ms = (int64_t)MINUTE_MS,
        .reconcile_ms = (int64_t)(2 * MINUTE_MS),
        .calls_per_second = 10,
        .calls_burst = 20,
        .burst = { .gain_ms = -1,
                   .bytes_most = (int64_t)(1024 * MIB),
                   .files_most = 1000,
                   .jobs_most = 100,
                   .every_ms = 10000 },
        .driver = json_object(),
    };
    set_defaults(conf, NULL);
}

static const struct field *find_site_field(const char *key)
{
    for (const struct field *field = site_fields; field->key; field++)
        if (strcmp(field->key, key) == 0)
            return field;
    return NULL;
}

void site_conf_read(struct reader *r, const json_t *value, struct site_conf *out)
{
    site_conf_init(out, "", "");
    if (!json_is_object(value)) {
        reader_problem_type(r, "a mapping with 'name' and 'type'", value);
        return;
    }
    for (void *at = first_entry(value); at; at = next_entry(value, at)) {
        const struct field *field = find_site_field(json_object_iter_key(at));

        if (!field) {
            json_object_set(out->driver, json_object_iter_key(at), json_object_iter_value(at));
            continue;
        }
        reader_enter(r, field->key);
        field->read(r, field, json_object_iter_value(at), (char *)out + field->offset);
        reader_leave(r);
    }
    for (const char *const *key = (const char *const[]){ "name", "type", NULL }; *key; key++)
        if (!json_object_get(value, *key))
            reader_problem(r, NULL, "needs '%s'", *key);
    set_defaults(out, value);
}

void site_conf_fini(struct site_conf *conf)
{
    for (size_t i = 0; i < conf->limits.model_count; i++)
        free(conf->limits.models[i].model);
    for (size_t i = 0; i < conf->price_count; i++)
        free(conf->prices[i].shape);
    for (size_t i = 0; i < conf->image_count; i++) {
        free(conf->images[i].name);
        free(conf->images[i].here);
        free(conf->images[i].from);
        free(conf->images[i].sha256);
        free(conf->images[i].sha512);
        free(conf->images[i].disk_format);
        json_decref(conf->images[i].properties);
    }
    for (size_t i = 0; i < conf->gpu_count; i++) {
        free(conf->gpus[i].shape);
        free(conf->gpus[i].model);
    }
    free(conf->limits.models);
    free(conf->prices);
    free(conf->images);
    free(conf->gpus);
    strings_free(conf->projects);
    strings_free(conf->burst.partitions);
    strings_free(conf->burst.qos);
    strings_free(conf->burst.users);
    free(conf->burst.comment);
    free(conf->name);
    free(conf->type);
    free(conf->jurisdiction);
    strings_free(conf->shared_directories);
    free(conf->fault);
    free(conf->currency);
    free(conf->url);
    json_decref(conf->driver);
    *conf = (struct site_conf){ 0 };
}

const char *tier_name(enum tier tier)
{
    return tier_words[tier];
}

const char *phase_name(enum phase phase)
{
    return phase_words[phase];
}

/* ---- look-ups
 * ---------------------------------------------------------------------------------------- */

const char *site_conf_image(const struct site_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->image_count; i++)
        if (strcmp(conf->images[i].name, name) == 0)
            return conf->images[i].here;
    return NULL;
}

const struct shape_gpus *site_conf_gpus(const struct site_conf *conf, const char *shape)
{
    for (size_t i = 0; i < conf->gpu_count; i++)
        if (strcmp(conf->gpus[i].shape, shape) == 0)
            return &conf->gpus[i];
    return NULL;
}

bool site_conf_shares(const struct site_conf *conf, const char *path)
{
    for (char **at = conf->shared_directories; at && *at; at++) {
        size_t length = strlen(*at);

        while (length && (*at)[length - 1] == '/')
            length--;
        if (strncmp(*at, path, length) == 0 && (!path[length] || path[length] == '/'))
            return true;
    }
    return false;
}

double site_conf_price(const struct site_conf *conf, const char *shape)
{
    for (size_t i = 0; i < conf->price_count; i++)
        if (strcmp(conf->prices[i].shape, shape) == 0)
            return conf->prices[i].hour;
    return conf->price_hour;
}
