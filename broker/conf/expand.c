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

#define NAMES_OF_RUN 4 /* names[] from here on belong to a recurring job's run */

/* The value of the placeholder whose name starts at `s`; NULL when it is none, or stands before
 * `first` in the list.  *length is that of the name with its closing brace. */
static const char *value_of(const char *s, const struct job_vars *vars, size_t first,
                            char number[24], size_t *length)
{
    static const char *const names[] = { "task", "index",          "job",
                                         "name", "scheduled_time", "previous_success" };
    size_t which = first;

    *length = strcspn(s, "{}");
    if (s[*length] != '}')
        return NULL;
    while (which < array_len(names) &&
           (strlen(names[which]) != *length || memcmp(names[which], s, *length) != 0))
        which++;
    ++*length;
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

static char *expand(const char *text, const struct job_vars *vars, size_t first)
{
    struct buf out = BUF_INIT(0);
    const char *brace;
    char number[24];

    for (; (brace = strchr(text, '{')); text = brace) {
        size_t length;
        const char *value;

        buf_put(&out, text, (size_t)(brace - text));
        if (brace[1] == '{' && value_of(brace + 2, vars, first, number, &length) &&
            brace[2 + length] == '}') {
            buf_put(&out, brace + 1, length + 1); /* "{task}" of "{{task}}" */
            brace += length + 3;
        } else if ((value = value_of(brace + 1, vars, first, number, &length))) {
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
    return expand(text, vars, 0);
}

char *job_expand_run(const char *text, const struct job_vars *vars)
{
    return expand(text, vars, NAMES_OF_RUN);
}
