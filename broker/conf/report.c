/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - the words and the place of a problem. */
#include "conf/report.h"

#include <string.h>

#include "base/utf8.h"

void pointer_words(const char *pointer, struct buf *out)
{
    char shown[256];
    own_buf struct buf words = BUF_INIT(JOB_BYTES_MOST);

    while (*pointer == '/') {
        size_t length = strcspn(++pointer, "/");

        if (length && strspn(pointer, "0123456789") == length) {
            buf_printf(&words, "[%.*s]", (int)length, pointer);
            pointer += length;
            continue;
        }
        if (words.length)
            buf_putc(&words, '.');
        for (const char *end = pointer + length; pointer < end; pointer++) {
            char c = *pointer;

            if (c == '~' && pointer + 1 < end)
                c = *++pointer == '1' ? '/' : '~';
            buf_putc(&words, c);
        }
    }
    buf_puts(out, text_for_terminal(buf_text(&words), shown, sizeof shown));
}

void problem_line(const struct problem *problem, const struct yaml_doc *doc, const char *file,
                  struct buf *out)
{
    if (file)
        buf_printf(out, "%s:", file);
    if (doc) {
        struct yaml_mark mark = yaml_mark(doc, problem->pointer, problem->at_key);

        buf_printf(out, "%d:%d:", mark.line, mark.column);
    }
    if (file || doc)
        buf_putc(out, ' ');
    if (*problem->pointer && !problem->at_key) {
        pointer_words(problem->pointer, out);
        buf_puts(out, ": ");
    }
    buf_puts(out, problem->text);
    if (problem->suggestion)
        buf_printf(out, "; %s", problem->suggestion);
}

struct placed {
    const struct problem *problem;
    struct yaml_mark mark;
    size_t found;
};

static int by_place(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    if (x->mark.line != y->mark.line)
        return x->mark.line < y->mark.line ? -1 : 1;
    if (x->mark.column != y->mark.column)
        return x->mark.column < y->mark.column ? -1 : 1;
    return x->found < y->found ? -1 : x->found > y->found;
}

void problems_text(const struct problems *problems, const struct yaml_doc *doc, const char *file,
                   struct buf *out)
{
    own_mem struct placed *list = xcalloc(problems->count + 1, sizeof *list);

    for (size_t i = 0; i < problems->count; i++) {
        list[i] = (struct placed){ .problem = &problems->list[i], .found = i };
        if (doc)
            list[i].mark = yaml_mark(doc, problems->list[i].pointer, problems->list[i].at_key);
    }
    qsort(list, problems->count, sizeof *list, by_place);
    for (size_t i = 0; i < problems->count; i++) {
        if (i)
            buf_putc(out, '\n');
        problem_line(list[i].problem, doc, file, out);
    }
    if (problems->dropped)
        buf_printf(out, "\n(and %zu more)", problems->dropped);
}
