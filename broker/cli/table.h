/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - rows in aligned columns, for people.
 *
 * Every cell is made fit for a terminal.  On one, the columns marked `gives` are cut until a row
 * fits in a line; elsewhere nothing is cut. */
#ifndef SPILLWAY_CLI_TABLE_H
#define SPILLWAY_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/own.h"
#include "cli/term.h"

struct column {
    const char *heading; /* NULL ends the list */
    bool right;          /* figures */
    bool gives;          /* may be cut */
};

struct table;
struct table *table_new(const struct column *columns);
void table_free(struct table *table);
static inline void table_free_(struct table **slot)
{
    table_free(*slot);
}
#define own_table own(table_free_)
/* The next cell, row by row; NULL and "" are shown as "-". */
void table_cell(struct table *table, const char *text);
void table_cell_styled(struct table *table, const char *text, enum style style);
void table_cellf(struct table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
size_t table_rows(const struct table *table);
/* `width`: columns to fit into; 0: any. */
void table_put(const struct table *table, const struct term *term, int width, struct buf *out);
/* To standard output. */
void table_print(const struct table *table, const struct term *term);

#endif
