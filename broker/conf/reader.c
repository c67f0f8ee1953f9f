/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - typed reading of one document, all faults in one pass. */
#include "conf/reader.h"

#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/parse.h"
#include "base/utf8.h"

#define FIELDS_MOST   64 /* keys of one level */
#define TEXT_BYTES    1024
#define PROBLEM_BYTES 400
#define STRINGS_MOST  10000

/* ---- problems
 * ---------------------------------------------------------------------------------------- */

static struct problem *problem_new(struct problems *problems)
{
    if (problems->count >= PROBLEMS_MOST) {
        problems->dropped++;
        return NULL;
    }
    if ((problems->count & (problems->count - 1)) == 0)
        problems->list = xrealloc(problems->list, (problems->count ? problems->count * 2 : 1) *
                                                      sizeof *problems->list);
    return memset(&problems->list[problems->count++], 0, sizeof *problems->list);
}

/* What a stranger wrote is quoted in problems: nothing in it may act on a terminal. */
static char *words(const char *format, va_list args)
{
    char raw[PROBLEM_BYTES], shown[PROBLEM_BYTES];

    vsnprintf(raw, sizeof raw, format, args);
    utf8_trim_end(raw);
    return xstrdup(text_for_terminal(raw, shown, sizeof shown));
}

void problems_add(struct problems *problems, const char *pointer, const char *suggestion,
                  const char *format, ...)
{
    struct problem *problem = problem_new(problems);
    va_list args;

    if (!problem)
        return;
    va_start(args, format);
    problem->text = words(format, args);
    va_end(args);
    problem->pointer = xstrdup(pointer);
    problem->suggestion = suggestion ? xstrdup(suggestion) : NULL;
}

void problems_free(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->list[i].pointer);
        free(problems->list[i].text);
        free(problems->list[i].suggestion);
    }
    free(problems->list);
    *problems = (struct problems){ 0 };
}

static char *reader_pointer(const struct reader *r)
{
    struct buf out = BUF_INIT(JOB_BYTES_MOST);

    for (size_t i = 0; i < r->depth; i++) {
        if (!r->path[i].key) {
            buf_printf(&out, "/%zu", r->path[i].index);
            continue;
        }
        buf_putc(&out, '/');
        for (const char *s = r->path[i].key; *s; s++) {
            if (*s == '~' || *s == '/')
                buf_puts(&out, *s == '~' ? "~0" : "~1");
            else
                buf_putc(&out, *s);
        }
    }
    return buf_take(&out);
}

static void add_problem(struct reader *r, bool at_key, const char *suggestion, const char *format,
                        va_list args)
{
    struct problem *problem = problem_new(r->problems);

    r->found++;
    if (!problem)
        return;
    problem->pointer = reader_pointer(r);
    problem->text = words(format, args);
    problem->suggestion = suggestion && *suggestion ? xstrdup(suggestion) : NULL;
    problem->at_key = at_key;
}

void reader_problem(struct reader *r, const char *suggestion, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_problem(r, false, suggestion, format, args);
    va_end(args);
}

void reader_problem_key(struct reader *r, const char *suggestion, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_problem(r, true, suggestion, format, args);
    va_end(args);
}

void reader_problem_err(struct reader *r, const struct err *err)
{
    const char *cut = strstr(err->text, "; ");

    reader_problem(r, cut ? cut + 2 : NULL, "%.*s",
                   (int)(cut ? cut - err->text : (long)strlen(err->text)), err->text);
}

static const char *kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "a mapping";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "text";
    case JSON_INTEGER:
        return "a number";
    case JSON_REAL:
        return "a decimal number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    default:
        return "nothing";
    }
}

void reader_problem_type(struct reader *r, const char *want, const json_t *value)
{
    if (json_is_null(value))
        reader_problem(r, "give it one, or leave the key out", "has no value");
    else
        reader_problem(r, NULL, "must be %s, not %s", want, kind_of(value));
}

/* ---- levels
 * ------------------------------------------------------------------------------------------ */

void reader_enter(struct reader *r, const char *key)
{
    if (r->depth >= READER_DEPTH)
        abort(); /* the tables are not that deep */
    r->path[r->depth].key = key;
    r->depth++;
}

void reader_enter_at(struct reader *r, size_t index)
{
    reader_enter(r, NULL);
    r->path[r->depth - 1].index = index;
}

void reader_leave(struct reader *r)
{
    r->depth--;
}

static const struct field *find_field(const struct field *fields, const char *key)
{
    for (; fields->key; fields++)
        if (fields->key[0] == key[0] && strcmp(fields->key, key) == 0)
            return fields;
    return NULL;
}

static const char *nearest_field(const struct field *fields, const char *key)
{
    const char *names[FIELDS_MOST];
    size_t count = 0;

    for (; fields->key && count + 1 < FIELDS_MOST; fields++)
        names[count++] = fields->key;
    names[count] = NULL;
    return nearest_word(key, names);
}

static void unknown_key(struct reader *r, const struct level *level, const char *key)
{
    const char *near = nearest_field(level->fields, key);
    char suggestion[160] = "";

    if (level->below && find_field(level->below->fields, key))
        snprintf(suggestion, sizeof suggestion, "it belongs under '%s'", level->below->name);
    else if (near)
        snprintf(suggestion, sizeof suggestion, "did you mean '%s'?", near);
    else if (level->below && (near = nearest_field(level->below->fields, key)))
        snprintf(suggestion, sizeof suggestion, "did you mean '%s', under '%s'?", near,
                 level->below->name);
    reader_problem_key(r, suggestion, "unknown key '%.64s'", key);
}

void read_level(struct reader *r, const struct level *level, const json_t *value, void *out)
{
    json_t *object = (json_t *)(uintptr_t)value; /* iteration wants no const, and changes nothing */

    if (!json_is_object(value)) {
        reader_problem_type(r, "a mapping of keys to values", value);
        return;
    }
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);
        const struct field *field = find_field(level->fields, key);

        reader_enter(r, key);
        if (field)
            field->read(r, field, json_object_iter_value(at),
                        out ? (char *)out + field->offset : NULL);
        else
            unknown_key(r, level, key);
        reader_leave(r);
    }
}

/* ---- numbers
 * ----------------------------------------------------------------------------------------- */

void read_bool(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    (void)field;
    if (!json_is_boolean(value)) {
        if (json_is_string(value))
            reader_problem(r, "write true or false, in small letters and without quotes",
                           "'%.40s' is not true or false", json_string_value(value));
        else
            reader_problem_type(r, "true or false", value);
    } else if (slot) {
        *(bool *)slot = json_is_true(value);
    }
}

static bool whole(struct reader *r, const struct field *field, const json_t *value, int64_t *out)
{
    if (!json_is_integer(value)) {
        reader_problem_type(r, "a whole number", value);
        return false;
    }
    *out = json_integer_value(value);
    if ((double)*out >= field->least && (double)*out <= field->most)
        return true;
    reader_problem(r, NULL, "must be between %.0f and %.0f, not %lld", field->least, field->most,
                   (long long)*out);
    return false;
}

void read_i64(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    int64_t number;

    if (whole(r, field, value, &number) && slot)
        *(int64_t *)slot = number;
}

void read_int(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    int64_t number;

    if (whole(r, field, value, &number) && slot)
        *(int *)slot = (int)number;
}

void read_double(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    double number = json_number_value(value);

    if (!json_is_number(value))
        reader_problem_type(r, "a number", value);
    else if (!(number >= field->least && number <= field->most))
        reader_problem(r, NULL, "must be between %g and %g, not %g", field->least, field->most,
                       number);
    else if (slot)
        *(double *)slot = number;
}

/* ---- text
 * -------------------------------------------------------------------------------------------- */

const char *read_plain(struct reader *r, const json_t *value, char *buffer)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (json_is_integer(value)) {
        snprintf(buffer, 24, "%lld", (long long)json_integer_value(value));
        return buffer;
    }
    if (json_is_real(value))
        reader_problem(r, "put it in quotes, so that it is kept as written",
                       "must be text, not a decimal number");
    else
        reader_problem_type(r, "text", value);
    return NULL;
}

bool read_printable(struct reader *r, const json_t *value, size_t most, const char *want)
{
    size_t length = json_string_length(value);

    if (!json_is_string(value))
        reader_problem(
            r, json_is_number(value) || json_is_boolean(value) ? "put it in quotes" : NULL,
            "must be %s, not %s", want, json_is_null(value) ? "nothing" : kind_of(value));
    else if (length == 0)
        reader_problem(r, "give it some text, or leave the key out", "is empty");
    else if (length > most)
        reader_problem(r, NULL, "is longer than %zu bytes", most);
    else if (!text_is_plain(json_string_value(value), length))
        reader_problem(r, "leave out line breaks, tabs and other control characters",
                       "'%.64s' holds characters that cannot be printed", json_string_value(value));
    else
        return true;
    return false;
}

static bool good_text(struct reader *r, const struct field *field, const json_t *value)
{
    const char *want = field->want ? field->want : "text", *list;

    if (!read_printable(r, value, field->most > 0 ? (size_t)field->most : TEXT_BYTES, want))
        return false;
    if (!field->good || field->good(json_string_value(value)))
        return true;
    list = strstr(want, ", or a list");
    reader_problem(r, NULL, "'%.64s' is not %.*s", json_string_value(value),
                   (int)(list ? list - want : (long)strlen(want)), want);
    return false;
}

void read_text(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    if (!good_text(r, field, value) || !slot)
        return;
    free(*(char **)slot);
    *(char **)slot = xstrdup(json_string_value(value));
}

void read_texts(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    size_t count = json_is_array(value) ? json_array_size(value) : 1, kept = 0;
    size_t most = field->entries ? field->entries : STRINGS_MOST;
    char **list;

    if (count > most) {
        reader_problem(r, NULL, "has more than %zu entries", most);
        return;
    }
    list = xcalloc(count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;

        if (item != value)
            reader_enter_at(r, i);
        if (good_text(r, field, item))
            list[kept++] = xstrdup(json_string_value(item));
        if (item != value)
            reader_leave(r);
    }
    if (!slot || kept == 0) { /* an empty list says no more than none */
        strings_free(take_ptr(list));
        if (!slot)
            return;
    }
    strings_free(*(char ***)slot);
    *(char ***)slot = list;
}

void read_word(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    own_buf struct buf all = BUF_INIT(512);
    const char *near;

    if (!json_is_string(value)) {
        reader_problem_type(r, "a word", value);
        return;
    }
    for (int i = 0; field->words[i]; i++) {
        if (strcmp(field->words[i], json_string_value(value)) == 0) {
            if (slot)
                *(int *)slot = i;
            return;
        }
        buf_printf(&all, "%s%s", i ? ", " : "it is one of ", field->words[i]);
    }
    near = nearest_word(json_string_value(value), field->words);
    if (near)
        buf_printf(&all, "; did you mean %s?", near);
    reader_problem(r, buf_text(&all), "unknown word '%.40s'", json_string_value(value));
}

/* ---- what has units
 * ---------------------------------------------------------------------------------- */

/* Text to be parsed with its unit; a bare number is let through, so that the parser can say that
 * the unit is missing. */
static const char *with_unit(struct reader *r, const json_t *value, char *buffer, const char *want)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value)) {
        snprintf(buffer, 24, "%lld", (long long)json_integer_value(value));
        return buffer;
    }
    reader_problem_type(r, want, value);
    return NULL;
}

void read_bytes(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct err err = ERR_INIT;
    char buffer[24], least[FORMAT_BYTES], most[FORMAT_BYTES];
    const char *text = with_unit(r, value, buffer, "a size such as 8GiB");
    int64_t bytes;

    if (!text)
        return;
    if (parse_bytes(text, &bytes, &err) < 0)
        reader_problem_err(r, &err);
    else if ((double)bytes < field->least || (double)bytes > field->most)
        reader_problem(r, NULL, "must be between %s and %s, not %s",
                       format_bytes((int64_t)field->least, least, sizeof least),
                       format_bytes((int64_t)field->most, most, sizeof most), text);
    else if (slot)
        *(int64_t *)slot = bytes;
}

void read_span(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct err err = ERR_INIT;
    char buffer[24], least[FORMAT_BYTES], most[FORMAT_BYTES];
    const char *text = with_unit(r, value, buffer, "a length of time such as 2h");
    int64_t ms;

    if (!text)
        return;
    if (parse_span(text, &ms, &err) < 0)
        reader_problem_err(r, &err);
    else if ((double)ms < field->least || (field->most > 0 && (double)ms > field->most))
        reader_problem(r, NULL, "must be between %s and %s, not %s",
                       format_span((int64_t)field->least, least, sizeof least),
                       field->most > 0 ? format_span((int64_t)field->most, most, sizeof most)
                                       : "a century",
                       text);
    else if (slot)
        *(int64_t *)slot = ms;
}

void read_time(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct err err = ERR_INIT;
    int64_t ms;

    (void)field;
    if (!json_is_string(value))
        reader_problem_type(r, "a time such as 2026-12-01T08:00:00+01:00", value);
    else if (parse_time(json_string_value(value), &ms, &err) < 0)
        reader_problem_err(r, &err);
    else if (slot)
        *(int64_t *)slot = ms;
}

/* ---- lists of text
 * ----------------------------------------------------------------------------------- */

bool is_site_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t length = strlen(text);

    return length > 0 && length <= 64 && strspn(text, letters) > 0 &&
           strspn(text, "._-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") ==
               length;
}

void strings_free(char **list)
{
    for (char **at = list; at && *at; at++)
        free(*at);
    free(list);
}

size_t strings_count(char *const *list)
{
    size_t count = 0;

    while (list && list[count])
        count++;
    return count;
}

char **strings_copy(char *const *list)
{
    size_t count = strings_count(list);
    char **copy;

    if (!list)
        return NULL;
    copy = xcalloc(count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = xstrdup(list[i]);
    return copy;
}
