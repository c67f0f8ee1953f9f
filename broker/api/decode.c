/* SPDX-License-Identifier: Apache-2.0 */
/* decode.c - URLs, query parameters, ids, ranges. */
#include "api/decode.h"

#include <inttypes.h>
#include <string.h>

#include "base/own.h"
#include "base/parse.h"
#include "base/utf8.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int url_decode(const char *text, size_t length, char *out, size_t size, struct err *err)
{
    size_t at = 0;

    for (size_t i = 0; i < length; i++, at++) {
        int high, low;

        if (at + 1 >= size)
            return err_set(err, FAULT_INVALID, "longer than %zu bytes", size - 1);
        if (text[i] != '%') {
            out[at] = text[i];
            continue;
        }
        if (i + 2 >= length || (high = hex_digit(text[i + 1])) < 0 ||
            (low = hex_digit(text[i + 2])) < 0)
            return err_set(err, FAULT_INVALID, "a '%%' must be followed by two hex digits");
        out[at] = (char)(high << 4 | low);
        i += 2;
    }
    out[at] = '\0';
    if (!text_is_plain(out, at))
        return err_set(err, FAULT_INVALID, "holds control characters or is not UTF-8");
    return 0;
}

static const char *known_name(const char *const *known, const char *name)
{
    for (; known && *known; known++)
        if (strcmp(*known, name) == 0)
            return *known;
    return NULL;
}

static int unknown_parameter(const char *const *known, const char *name, struct err *err)
{
    const char *near = known ? nearest_word(name, known) : NULL;
    char shown[80];

    text_for_terminal(name, shown, sizeof shown);
    if (near)
        return err_set(err, FAULT_INVALID, "unknown parameter '%s': did you mean '%s'?", shown,
                       near);
    return err_set(err, FAULT_INVALID, "unknown parameter '%s'", shown);
}

int query_add(struct query *query, const char *const *known, const char *name, const char *value,
              struct err *err)
{
    const char *found = known_name(known, name);
    char decoded[QUERY_VALUE_MOST + 1];

    if (!found)
        return unknown_parameter(known, name, err);
    if (query_get(query, found))
        return err_set(err, FAULT_INVALID, "%s: given twice", found);
    if (query->count == QUERY_MOST)
        return err_set(err, FAULT_INVALID, "more than %d parameters", QUERY_MOST);
    value = value ? value : "";
    if (url_decode(value, strlen(value), decoded, sizeof decoded, err) < 0)
        return err_wrap(err, "%s", found);
    query->list[query->count].name = found;
    query->list[query->count++].value = xstrdup(decoded);
    return 0;
}

void query_free(struct query *query)
{
    for (size_t i = 0; i < query->count; i++)
        free(query->list[i].value);
    query->count = 0;
}

const char *query_get(const struct query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++)
        if (strcmp(query->list[i].name, name) == 0)
            return query->list[i].value;
    return NULL;
}

int query_i64(const struct query *query, const char *name, int64_t least, int64_t most,
              int64_t *out, struct err *err)
{
    const char *text = query_get(query, name);

    if (text && parse_i64(text, least, most, out, err) < 0)
        return err_wrap(err, "%s", name);
    return 0;
}

int query_bool(const struct query *query, const char *name, bool *out, struct err *err)
{
    const char *text = query_get(query, name);

    if (!text)
        return 0;
    if (strcmp(text, "") == 0 || strcmp(text, "1") == 0 || strcmp(text, "true") == 0)
        *out = true;
    else if (strcmp(text, "0") == 0 || strcmp(text, "false") == 0)
        *out = false;
    else
        return err_set(err, FAULT_INVALID, "%s: must be 1 or 0", name);
    return 0;
}

int query_time(const struct query *query, const char *name, int64_t *out_ms, struct err *err)
{
    const char *text = query_get(query, name);

    if (text && parse_time(text, out_ms, err) < 0)
        return err_wrap(err, "%s", name);
    return 0;
}

static int unknown_state(const char *name, const char *word, struct err *err)
{
    const char *names[TASK_STATE_COUNT + 1] = { NULL }, *near;

    for (int i = 0; i < TASK_STATE_COUNT; i++)
        names[i] = task_state_name((enum task_state)i);
    near = nearest_word(word, names);
    if (near)
        return err_set(err, FAULT_INVALID, "%s: '%s' is no state: did you mean '%s'?", name, word,
                       near);
    return err_set(err, FAULT_INVALID,
                   "%s: '%s' is no state; states are held, pending, leased, running, unreachable, "
                   "completing, succeeded, failed and cancelled",
                   name, word);
}

int query_states(const struct query *query, const char *name, unsigned *out, struct err *err)
{
    const char *text = query_get(query, name);

    for (; text; text = strchr(text, ',') ? strchr(text, ',') + 1 : NULL) {
        char word[40];
        size_t length = strcspn(text, ",");
        int state;

        if (length >= sizeof word)
            return err_set(err, FAULT_INVALID, "%s: one of its words is no state", name);
        memcpy(word, text, length);
        word[length] = '\0';
        state = task_state_find(word);
        if (state < 0)
            return unknown_state(name, word, err);
        *out |= 1u << state;
    }
    return 0;
}

/* Digits only: parse_i64 would take a sign. */
static int id_part(const char *text, size_t length, int64_t *out)
{
    int64_t value = 0;

    if (length == 0 || length > 18)
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    *out = value;
    return 0;
}

int target_parse(const char *text, struct target *out, struct err *err)
{
    size_t whole = strcspn(text, ".");
    struct target target = { .job = 0, .index = -1 };
    char shown[64];

    if (id_part(text, whole, &target.job) < 0 || target.job == 0 ||
        (text[whole] && id_part(text + whole + 1, strlen(text + whole + 1), &target.index) < 0))
        return err_set(err, FAULT_NOT_FOUND,
                       "no job '%s': ids are like 1234, or 1234.7 for one task",
                       text_for_terminal(text, shown, sizeof shown));
    *out = target;
    return 0;
}

/* 1: not a range that is served. */
static int range_ends(const char *text, int64_t size, int64_t *from, int64_t *to)
{
    const char *dash = strchr(text, '-');
    size_t before = dash ? (size_t)(dash - text) : 0, after = dash ? strlen(dash + 1) : 0;

    if (before + after == 0)
        return 1;
    *to = size - 1;
    if (before == 0) { /* the last so many bytes */
        int64_t count;

        if (id_part(dash + 1, after, &count) < 0)
            return 1;
        *from = count > size ? 0 : size - count;
        return 0;
    }
    if (id_part(text, before, from) < 0 || (after && id_part(dash + 1, after, to) < 0))
        return 1;
    if (after && *to < *from)
        return 1;
    *to = *to >= size ? size - 1 : *to;
    return 0;
}

int range_parse(const char *text, int64_t size, int64_t *first, int64_t *length, struct err *err)
{
    int64_t from, to;

    if (strncmp(text, "bytes=", 6) != 0 || range_ends(text + 6, size, &from, &to) != 0)
        return 1;
    if (from >= size)
        return err_set(err, FAULT_INVALID, "the range begins at or beyond the end, %" PRId64, size);
    *first = from;
    *length = to - from + 1;
    return 0;
}

bool key_is_fit(const char *key)
{
    size_t length = strlen(key);

    for (size_t i = 0; i < length; i++)
        if (key[i] < 0x21 || key[i] > 0x7E)
            return false;
    return length >= 1 && length <= 255;
}

size_t json_depth(const char *text, size_t length)
{
    size_t depth = 0, most = 0;
    bool string = false;

    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                string = false;
        } else if (c == '"') {
            string = true;
        } else if (c == '{' || c == '[') {
            most = ++depth > most ? depth : most;
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        }
    }
    return most;
}

bool name_is_fit(const char *name)
{
    size_t length = strlen(name);

    return length >= 1 && length <= 128 && text_is_plain(name, length) && !strpbrk(name, ",/");
}
