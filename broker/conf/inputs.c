/* SPDX-License-Identifier: Apache-2.0 */
/* inputs.c - `inputs:` and `outputs:` of a job.
 *
 * Whatever is written, `to` and the outputs stay below the job's directory: the checks here are
 * what the agent's own stand behind, not in place of them. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/glob.h"
#include "base/io.h"
#include "base/own.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "conf/job_parts.h"

#define SOURCE_BYTES 4096

static bool is_url(const char *text)
{
    return strncasecmp(text, "https://", 8) == 0 || strncasecmp(text, "http://", 7) == 0;
}

/* "s3://bucket": some other scheme. */
static bool has_scheme(const char *text)
{
    size_t letters =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

    return letters > 1 && strncmp(text + letters, "://", 3) == 0;
}

/* "job:NAME/PATTERN": what an earlier job has left. */
static bool is_job(const char *text)
{
    return strncmp(text, "job:", 4) == 0;
}

/* Without "./" in front and '/' behind: "./data/" is "data". */
static char *trimmed(const char *text)
{
    size_t length;

    while (text[0] == '.' && text[1] == '/')
        for (text += 2; *text == '/';)
            text++;
    for (length = strlen(text); length > 1 && text[length - 1] == '/';)
        length--;
    return xstrndup(text, length);
}

/* Where a source lands when nothing is said: a path below here keeps its folders, any other and a
 * URL only the last part. */
static char *default_target(const char *from)
{
    own_str char *path = NULL;
    const char *base;

    if (is_job(from)) {
        base = strchr(from, '/') + 1;
        return glob_is_pattern(base) ? xstrndup(from + 4, (size_t)(base - from) - 5)
                                     : xstrdup(base);
    }
    if (is_url(from)) {
        const char *start = strstr(from, "://") + 3, *end = start + strcspn(start, "?#");

        for (base = end; base > start && base[-1] != '/';)
            base--;
        return base == start ? xstrdup("") : xstrndup(base, (size_t)(end - base));
    }
    path = trimmed(from);
    base = strrchr(path, '/');
    if (base && !io_path_is_below(path))
        return xstrdup(base + 1);
    return take_ptr(path);
}

static void bad_path(struct reader *r, const char *path)
{
    reader_problem(r,
                   path[0] == '/' ? "write a path without the leading '/'"
                                  : "write a relative path without '..'",
                   "'%.100s' is not a path below the job's directory", path);
}

static void read_from(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    const char *text = json_string_value(value);

    if (!read_printable(r, value, SOURCE_BYTES, "a path or an https:// URL"))
        return;
    if (has_scheme(text) && !is_url(text)) {
        reader_problem(r, "use an https:// URL, or a path on this machine",
                       "'%.60s': this kind of URL cannot be fetched", text);
        return;
    }
    if (is_job(text) &&
        (!strchr(text, '/') || text[4] == '/' || !io_path_is_below(strchr(text, '/') + 1))) {
        reader_problem(r, "write it as job:NAME/results/*.tsv",
                       "'%.100s' names no files of an earlier job", text);
        return;
    }
    (void)field;
    if (slot)
        *(char **)slot = xstrdup(text);
}

static void read_to(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    own_str char *path = NULL;

    (void)field;
    if (!read_printable(r, value, SOURCE_BYTES, "a path"))
        return;
    path = trimmed(json_string_value(value));
    if (!io_path_is_below(path))
        bad_path(r, json_string_value(value));
    else if (slot)
        *(char **)slot = take_ptr(path);
}

static void read_sha256(struct reader *r, const struct field *field, const json_t *value,
                        void *slot)
{
    const char *text = json_string_value(value);
    char *lower;

    (void)field;
    if (!text || strlen(text) != 64 || strspn(text, "0123456789abcdefABCDEF") != 64) {
        reader_problem(r, "take what sha256sum prints", "must be 64 hexadecimal digits");
        return;
    }
    if (!slot)
        return;
    lower = xstrdup(text);
    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    *(char **)slot = lower;
}

/* Text only: a bare 755 in YAML would be the number 755, which is 01363. */
static void read_mode(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    const char *text = json_string_value(value);

    (void)field;
    if (!text || strspn(text, "01234567") != strlen(text) || strlen(text) < 3 || strlen(text) > 4 ||
        (strlen(text) == 4 && text[0] != '0')) {
        reader_problem(r, "write it as \"0644\" or \"0755\", in quotes",
                       "must be permission bits in octal");
        return;
    }
    if (slot)
        *(int *)slot = (int)strtol(text, NULL, 8);
}

static const struct field input_fields[] = {
    FIELD("from", read_from, struct input, from),
    FIELD("to", read_to, struct input, to),
    FIELD("sha256", read_sha256, struct input, sha256),
    FIELD("size", read_i64, struct input, size, BETWEEN(0, 9007199254740992.0)),
    FIELD("mode", read_mode, struct input, mode),
    { 0 },
};
const struct level inputs_level = { "inputs", input_fields, NULL };

/* An object whose parts were good by themselves. */
static void settle_input(struct reader *r, struct input *input)
{
    if (!input->from && !(input->sha256 && input->to)) {
        reader_problem(r, "say from where", "needs 'from'");
        return;
    }
    /* Content that is here already may come without a name of its own: readers find one all the same. */
    if (!input->from)
        input->from = xasprintf("./%s", input->to);
    if (strncasecmp(input->from, "http://", 7) == 0 && !input->sha256)
        reader_problem(r, "use https://, or give the sha256 of what must arrive",
                       "plain http:// can be changed on the way");
    if (input->to)
        return;
    input->to = default_target(input->from);
    if (!io_path_is_below(input->to))
        reader_problem(r, "say where it goes: {from: ..., to: NAME}",
                       "'%.60s' does not tell a name for the file", input->from);
}

static void read_input(struct reader *r, const json_t *value, struct input *input)
{
    size_t before = r->found;

    input->size = -1;
    if (json_is_string(value))
        read_from(r, NULL, value, &input->from);
    else if (json_is_object(value))
        read_level(r, &inputs_level, value, input);
    else
        reader_problem_type(r, "a path, a URL, or {from: ..., to: ...}", value);
    if (r->found == before)
        settle_input(r, input);
}

/* '/' before every other character, so that what lies below a path comes right behind it. */
static int by_target(const void *a, const void *b)
{
    const struct input *const *x = a, *const *y = b;
    const char *s = (*x)->to, *t = (*y)->to;

    while (*s && *s == *t) {
        s++;
        t++;
    }
    if (*s == *t)
        return *x < *y ? -1 : *x > *y;
    if (!*s || !*t)
        return *s ? 1 : -1;
    if (*s == '/' || *t == '/')
        return *s == '/' ? -1 : 1;
    return (unsigned char)*s < (unsigned char)*t ? -1 : 1;
}

/* Neighbours in that order.  A folder's own input and one for a file in it may stand side by side;
 * what was uploaded is a file, and nothing lies below it. */
static void refuse_clash(struct reader *r, const struct input *above, const struct input *below,
                         size_t index)
{
    size_t length = strlen(above->to);

    reader_enter_at(r, index);
    if (strcmp(above->to, below->to) == 0)
        reader_problem(r, "give each its own 'to'", "'%.100s' is written by two inputs", below->to);
    else if (above->sha256 && strncmp(above->to, below->to, length) == 0 &&
             below->to[length] == '/')
        reader_problem(r, "give it another 'to'", "'%.100s' lies below '%.100s', which is a file",
                       below->to, above->to);
    reader_leave(r);
}

static void refuse_clashes(struct reader *r, const struct input *inputs, size_t count)
{
    own_mem const struct input **order = xcalloc(count, sizeof(struct input *));
    size_t targets = 0;

    for (size_t i = 0; i < count; i++)
        if (inputs[i].to)
            order[targets++] = &inputs[i];
    qsort(order, targets, sizeof(struct input *), by_target);
    for (size_t i = 1; i < targets; i++)
        refuse_clash(r, order[i - 1], order[i], (size_t)(order[i] - inputs));
}

void read_inputs(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    struct job_spec *spec = slot;
    size_t count = json_is_array(value) ? json_array_size(value) : 1;

    (void)field;
    if (count > JOB_INPUTS_MOST) {
        reader_problem(r, "put them into a directory and name that", "has more than %d entries",
                       JOB_INPUTS_MOST);
        return;
    }
    spec->inputs = count ? xcalloc(count, sizeof *spec->inputs) : NULL;
    spec->input_count = count;
    for (size_t i = 0; i < count; i++) {
        if (json_is_array(value))
            reader_enter_at(r, i);
        read_input(r, json_is_array(value) ? json_array_get(value, i) : value, &spec->inputs[i]);
        if (json_is_array(value))
            reader_leave(r);
    }
    if (count > 1)
        refuse_clashes(r, spec->inputs, count);
}

/* Is the job of that name or id among those that this one waits for? */
static bool waits_for(const struct job_spec *spec, const char *name)
{
    int64_t id = 0;

    parse_i64(name, 1, INT64_MAX, &id, NULL);
    for (size_t i = 0; i < spec->after_count; i++)
        if (spec->after[i].name ? strcmp(spec->after[i].name, name) == 0 : spec->after[i].job == id)
            return true;
    return false;
}

void check_inputs(struct reader *r, const struct job_spec *spec)
{
    for (size_t i = 0; i < spec->input_count; i++) {
        own_str char *name = NULL;
        const char *from = spec->inputs[i].from;

        if (!from || !is_job(from))
            continue;
        name = xstrndup(from + 4, strcspn(from + 4, "/"));
        if (waits_for(spec, name))
            continue;
        reader_enter(r, "inputs");
        reader_enter_at(r, i);
        reader_problem(r, "name it under 'after', so that this job waits for it",
                       "this job does not wait for '%.100s'", name);
        reader_leave(r);
        reader_leave(r);
    }
}

void inputs_free(struct input *inputs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(inputs[i].from);
        free(inputs[i].to);
        free(inputs[i].sha256);
    }
    free(inputs);
}

/* "results/" means all that is below it. */
static void settle_output(struct reader *r, char **slot)
{
    own_str char *path = trimmed(*slot);
    bool folder = (*slot)[strlen(*slot) - 1] == '/';

    if (!io_path_is_below(path)) {
        bad_path(r, *slot);
        return;
    }
    free(*slot);
    *slot = folder ? xasprintf("%s/**", path) : take_ptr(path);
}

void read_outputs(struct reader *r, const struct field *field, const json_t *value, void *slot)
{
    static const struct field pattern = { .most = SOURCE_BYTES, .want = "a path or a pattern" };
    struct job_spec *spec = slot;
    size_t before = r->found;

    (void)field;
    read_texts(r, &pattern, value, &spec->outputs);
    if (r->found != before)
        return;
    for (size_t i = 0; spec->outputs && spec->outputs[i]; i++) {
        if (json_is_array(value))
            reader_enter_at(r, i);
        settle_output(r, &spec->outputs[i]);
        if (json_is_array(value))
            reader_leave(r);
    }
}
