/* SPDX-License-Identifier: Apache-2.0 */
/* site_driver.c - how a driver reads its own keys of a site, and reports what is wrong with them.
 */
#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/parse.h"
#include "conf/report.h"
#include "conf/site.h"
#include "conf/site_parts.h"

static int fault_at(const struct site_conf *conf, const char *pointer, bool key, struct err *err,
                    const char *words)
{
    own_buf struct buf where = BUF_INIT(4096), full = BUF_INIT(4096);

    if (!conf->doc) {
        buf_printf(&where, "site %s: ", conf->name);
        pointer_words(pointer, &where);
    } else {
        struct yaml_mark mark;

        buf_printf(&full, "/sites/%zu%s", conf->index, pointer);
        mark = yaml_mark(conf->doc, buf_text(&full), key);
        buf_printf(&where, "%s:%d:%d: ", conf->file, mark.line, mark.column);
        pointer_words(buf_text(&full), &where);
    }
    return err_set(err, FAULT_INVALID, "%s%s%s", buf_text(&where),
                   conf->doc || *pointer ? ": " : "", words);
}

int site_conf_error(const struct site_conf *conf, const char *pointer, struct err *err,
                    const char *format, ...)
{
    char words[512];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    return fault_at(conf, pointer, false, err, words);
}

const json_t *site_conf_get(const struct site_conf *conf, const char *pointer)
{
    const json_t *value = conf->driver;

    while (value && *pointer == '/') {
        size_t length = strcspn(++pointer, "/");
        char key[256];

        if (length >= sizeof key)
            return NULL;
        memcpy(key, pointer, length);
        key[length] = '\0';
        value = json_is_array(value) ? json_array_get(value, strtoul(key, NULL, 10))
                                     : json_object_get(value, key);
        pointer += length;
    }
    return value;
}

static const char *nearest_key(const char *key, const char *const *known, bool top)
{
    const char *near = nearest_word(key, known);

    return near || !top ? near : nearest_word(key, site_conf_keys());
}

int site_conf_only(const struct site_conf *conf, const char *pointer, const char *const *known,
                   struct err *err)
{
    json_t *object = (json_t *)(uintptr_t)site_conf_get(conf, pointer);

    if (!object)
        return 0;
    if (!json_is_object(object))
        return site_conf_error(conf, pointer, err, "must be a mapping of keys to values");
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at), *const *word = known, *near;
        own_str char *place = NULL, *words = NULL;

        while (*word && strcmp(*word, key) != 0)
            word++;
        /* `simulate:` is for `spillway simulate`, whatever the driver. */
        if (*word || (!*pointer && strcmp(key, "simulate") == 0))
            continue;
        near = nearest_key(key, known, !*pointer);
        place = xasprintf("%s/%s", pointer, key);
        words = near ? xasprintf("unknown key; did you mean '%s'?", near)
                     : xasprintf("unknown key for a site of type %s", conf->type);
        return fault_at(conf, place, true, err, words);
    }
    return 0;
}

/* ---- values
 * ------------------------------------------------------------------------------------------ */

int site_conf_str(const struct site_conf *conf, const char *pointer, const char **out,
                  struct err *err)
{
    const json_t *value = site_conf_get(conf, pointer);

    if (!value)
        return 0;
    if (!json_is_string(value) || json_string_length(value) == 0)
        return site_conf_error(conf, pointer, err, "must be text%s",
                               json_is_number(value) ? "; put it in quotes" : "");
    *out = json_string_value(value);
    return 0;
}

int site_conf_need_str(const struct site_conf *conf, const char *pointer, const char **out,
                       struct err *err)
{
    if (!site_conf_get(conf, pointer))
        return site_conf_error(conf, pointer, err, "is missing");
    return site_conf_str(conf, pointer, out, err);
}

int site_conf_i64(const struct site_conf *conf, const char *pointer, int64_t least, int64_t most,
                  int64_t *out, struct err *err)
{
    const json_t *value = site_conf_get(conf, pointer);

    if (!value)
        return 0;
    if (!json_is_integer(value))
        return site_conf_error(conf, pointer, err, "must be a whole number");
    if (json_integer_value(value) < least || json_integer_value(value) > most)
        return site_conf_error(conf, pointer, err, "must be between %lld and %lld",
                               (long long)least, (long long)most);
    *out = json_integer_value(value);
    return 0;
}

int site_conf_bool(const struct site_conf *conf, const char *pointer, bool *out, struct err *err)
{
    const json_t *value = site_conf_get(conf, pointer);

    if (!value)
        return 0;
    if (!json_is_boolean(value))
        return site_conf_error(conf, pointer, err, "must be true or false");
    *out = json_is_true(value);
    return 0;
}

/* The text of what has a unit, so that a bare number is told that its unit is missing. */
static const char *unit_text(const json_t *value, char number[24])
{
    if (!json_is_integer(value))
        return json_string_value(value);
    snprintf(number, 24, "%lld", (long long)json_integer_value(value));
    return number;
}

int site_conf_span(const struct site_conf *conf, const char *pointer, int64_t *out_ms,
                   struct err *err)
{
    const json_t *value = site_conf_get(conf, pointer);
    struct err words = ERR_INIT;
    char number[24];
    const char *text = value ? unit_text(value, number) : NULL;

    if (!value)
        return 0;
    if (!text)
        return site_conf_error(conf, pointer, err, "must be a length of time such as 2h");
    return parse_span(text, out_ms, &words) < 0
               ? site_conf_error(conf, pointer, err, "%.300s", words.text)
               : 0;
}

int site_conf_bytes(const struct site_conf *conf, const char *pointer, int64_t *out,
                    struct err *err)
{
    const json_t *value = site_conf_get(conf, pointer);
    struct err words = ERR_INIT;
    char number[24];
    const char *text = value ? unit_text(value, number) : NULL;

    if (!value)
        return 0;
    if (!text)
        return site_conf_error(conf, pointer, err, "must be a size such as 8GiB");
    return parse_bytes(text, out, &words) < 0
               ? site_conf_error(conf, pointer, err, "%.300s", words.text)
               : 0;
}

int site_conf_path(const struct site_conf *conf, const char *pointer, char **out, struct err *err)
{
    const char *text = NULL;

    if (site_conf_str(conf, pointer, &text, err) < 0)
        return -1;
    *out = text ? conf_path(conf->file, text) : NULL;
    return 0;
}

double site_conf_cost(const struct site_conf *conf, const char *kind, const char *shape,
                      int64_t bytes, int64_t age_ms)
{
    double hour = -1;

    if (strcmp(kind, "volume") == 0)
        hour = conf->price_volume * (double)bytes / (double)(1 << 30);
    else if (strcmp(kind, "floating-ip") == 0)
        hour = conf->price_address;
    else if (shape && strcmp(kind, "worker") == 0)
        hour = site_conf_price(conf, shape);
    return hour < 0 || age_ms < 0 ? -1 : hour * (double)age_ms / 3600000;
}

char *site_conf_source(const struct site_conf *conf, const struct image_name *image)
{
    return conf_is_url(image->from) ? xstrdup(image->from) : conf_path(conf->file, image->from);
}

char *conf_path(const char *file, const char *text)
{
    const char *home = getenv("HOME"), *slash = file ? strrchr(file, '/') : NULL;

    if (text[0] == '~' && (text[1] == '/' || !text[1]) && home)
        return xasprintf("%s%s", home, text + 1);
    if (text[0] == '/' || !slash)
        return xstrdup(text);
    return xasprintf("%.*s/%s", (int)(slash - file), file, text);
}
