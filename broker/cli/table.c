/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - aligned columns. */
#include "cli/table.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#define COLUMNS_MOST 24
#define GAP          2
#define GIVES_LEAST  12 /* a column is not cut below this */

struct cell {
    char *text;
    size_t width;
    enum style style;
};

struct table {
    const struct column *columns;
    size_t count; /* columns */
    struct cell *cells;
    size_t used, room;
};

struct table *table_new(const struct column *columns)
{
    struct table *table = xcalloc(1, sizeof *table);

    table->columns = columns;
    while (columns[table->count].heading && table->count < COLUMNS_MOST)
        table->count++;
    return table;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->used; i++)
        free(table->cells[i].text);
    free(table->cells);
    free(table);
}

void table_cell_styled(struct table *table, const char *text, enum style style)
{
    struct cell *cell;

    if (table->used == table->room) {
        table->room = table->room ? 2 * table->room : 64;
        table->cells = xrealloc(table->cells, table->room * sizeof *table->cells);
    }
    cell = &table->cells[table->used++];
    cell->text = safe_text(text && *text ? text : "-");
    cell->width = text_width(cell->text);
    cell->style = style;
}

void table_cell(struct table *table, const char *text)
{
    table_cell_styled(table, text, STYLE_PLAIN);
}

void table_cellf(struct table *table, const char *format, ...)
{
    own_buf struct buf text = BUF_INIT(0);
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    table_cell(table, buf_text(&text));
}

size_t table_rows(const struct table *table)
{
    return table->used / table->count;
}

static void measure(const struct table *table, int width, size_t widths[COLUMNS_MOST])
{
    size_t total = 0;

    for (size_t c = 0; c < table->count; c++) {
        widths[c] = text_width(table->columns[c].heading);
        for (size_t i = c; i < table->used; i += table->count)
            if (table->cells[i].width > widths[c])
                widths[c] = table->cells[i].width;
        total += widths[c] + (c ? GAP : 0);
    }
    while (width > 0 && total > (size_t)width) {
        size_t widest = table->count;

        for (size_t c = 0; c < table->count; c++)
            if (table->columns[c].gives && widths[c] > GIVES_LEAST &&
                (widest == table->count || widths[c] > widths[widest]))
                widest = c;
        if (widest == table->count)
            return;
        widths[widest]--;
        total--;
    }
}

/* Bytes of `text` that fit in `width` columns. */
static size_t cut_at(const char *text, size_t width)
{
    size_t at = 0;

    while (text[at]) {
        size_t next = at + 1;
        own_str char *head = NULL;

        while (((unsigned char)text[next] & 0xC0) == 0x80)
            next++;
        head = xstrndup(text, next);
        if (text_width(head) > width)
            break;
        at = next;
    }
    return at;
}

static void put_cell(const struct term *term, const struct cell *cell, size_t width, bool right,
                     bool last, struct buf *out)
{
    size_t bytes = strlen(cell->text), shown = cell->width;
    const char *mark = "";

    if (shown > width) { /* a cut is marked */
        bytes = cut_at(cell->text, width - 1);
        mark = "~";
        shown = width;
    }
    if (right)
        buf_printf(out, "%*s", (int)(width - shown), "");
    buf_printf(out, "%s%.*s%s%s", style_begin(term, cell->style), (int)bytes, cell->text, mark,
               style_end(term, cell->style));
    if (!right && !last)
        buf_printf(out, "%*s", (int)(width - shown), "");
    buf_puts(out, last ? "\n" : "  ");
}

void table_put(const struct table *table, const struct term *term, int width, struct buf *out)
{
    size_t widths[COLUMNS_MOST] = { 0 };

    assert(table->count > 0);
    measure(table, width, widths);
    for (size_t c = 0; c < table->count; c++) {
        struct cell heading = { .text = (char *)table->columns[c].heading, .style = STYLE_BOLD };

        heading.width = text_width(heading.text);
        put_cell(term, &heading, widths[c], table->columns[c].right, c + 1 == table->count, out);
    }
    for (size_t i = 0; i < table->used; i++) {
        size_t c = i % table->count;

        put_cell(term, &table->cells[i], widths[c], table->columns[c].right, c + 1 == table->count,
                 out);
    }
}

void table_print(const struct table *table, const struct term *term)
{
    own_buf struct buf out = BUF_INIT(0);

    table_put(table, term, term->out_is_tty ? term_columns() : 0, &out);
    fwrite(buf_text(&out), 1, out.length, stdout);
}
