/* SPDX-License-Identifier: Apache-2.0 */
/* expand.c - placeholders. */
#include "conf/expand.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

bool job_expands(const char *text)
{
    return strchr(text, '{') != NULL;
}

static const char *const names[] = { "task", "index",          "job",
                                     "name", "scheduled_time", "previous_success" };

/* Which of them are known: from first up to, not including, last. */
struct known {
    size_t first, last;
};
static const struct known all = { 0, array_len(names) };
static const struct known of_run = { 4, array_len(names) }; /* of a recurring job's run */
static const struct known of_script = { 0, 1 };

/* The value of the placeholder whose name starts at `s`; NULL when it is none that is known.
 * *length is that of the name with its closing brace. */
static const char *value_of(const char *s, const struct job_vars *vars, struct known known,
                            char number[24], size_t *length)
{
    size_t which = known.first;

    *length = strcspn(s, "{}");
    if (s[*length] != '}')
        return NULL;
    while (which < known.last &&
           (strlen(names[which]) != *length || memcmp(names[which], s, *length) != 0))
        which++;
    ++*length;
    if (which == known.last)
        return NULL;
    switch (which) {
    case 0:
    case 1:
    case 2:
        snprintf(number, 24, "%lld", (long long)(which == 2 ? vars->job : vars->index));
        return number;
    case 3:
        return vars->name;
    case 4:
        return vars->scheduled_time;
    case 5:
        return vars->previous_success;
    default:
        return NULL;
    }
}

static char *expand(const char *text, const struct job_vars *vars, struct known known)
{
    struct buf out = BUF_INIT(0);
    const char *brace;
    char number[24];

    for (; (brace = strchr(text, '{')); text = brace) {
        size_t length;
        const char *value;

        buf_put(&out, text, (size_t)(brace - text));
        if (brace[1] == '{' && value_of(brace + 2, vars, known, number, &length) &&
            brace[2 + length] == '}') {
            buf_put(&out, brace + 1, length + 1); /* "{task}" of "{{task}}" */
            brace += length + 3;
        } else if ((value = value_of(brace + 1, vars, known, number, &length))) {
            buf_puts(&out, value);
            brace += length + 1;
        } else {
            buf_putc(&out, *brace++);
        }
    }
    buf_puts(&out, text);
    return buf_take(&out);
}

char *job_expand(const char *text, const struct job_vars *vars)
{
    return expand(text, vars, all);
}

char *job_expand_run(const char *text, const struct job_vars *vars)
{
    return expand(text, vars, of_run);
}

char *job_expand_script(const char *text, const struct job_vars *vars)
{
    return expand(text, vars, of_script);
}

char *job_escape(const char *text, bool script)
{
    const struct job_vars none = { .name = "" };
    struct buf out = BUF_INIT(0);
    const char *brace;
    char number[24];

    for (; (brace = strchr(text, '{')); text = brace) {
        size_t length;

        buf_put(&out, text, (size_t)(brace - text));
        if (value_of(brace + 1, &none, script ? of_script : all, number, &length)) {
            buf_printf(&out, "{%.*s}", (int)length + 1, brace);
            brace += length + 1;
        } else {
            buf_putc(&out, *brace++);
        }
    }
    buf_puts(&out, text);
    return buf_take(&out);
}
