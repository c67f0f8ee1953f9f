/* SPDX-License-Identifier: Apache-2.0 */
/* yaml.h - YAML to a jansson tree, with the place of every key and value kept beside it.
 *
 * A plain scalar is null, true, false, a whole number or a decimal number only when written the one
 * usual way; all else is text, as is everything in quotes.  So 0755, 1:30:00, 0x1F, +5, yes and
 * True are text, and a number printed back reads as it was written (but for decimals such as 1.10).
 *
 * Refused, with the place: a key given twice, keys that are not scalars, tags, NUL, what is not
 * UTF-8, and documents that are too large, too deep, or grow too large by their aliases.  Pure: no
 * I/O but yaml_load(). */
#ifndef SPILLWAY_CONF_YAML_H
#define SPILLWAY_CONF_YAML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"

#define YAML_BYTES_MOST ((size_t)16 * 1024 * 1024) /* one file */
#define YAML_NODES_MOST 500000 /* in one file, aliases counted as what they stand for */
#define YAML_DEPTH_MOST 64
#define YAML_DOCS_MOST  10000

struct yaml_node; /* place of a value, and of what is below it */

struct yaml_doc {
    json_t *root;
    const struct yaml_node *places;
};

struct yaml_docs {
    struct yaml_doc *list;
    size_t count;
    struct arena arena; /* holds the places */
};
#define YAML_DOCS_INIT                                \
    {                                                 \
        .list = NULL, .count = 0, .arena = ARENA_INIT \
    }

/* Empty documents are left out.  Faults read "LINE:COLUMN: WORDS". */
int yaml_parse(const char *text, size_t length, struct yaml_docs *out, struct err *err);
/* Faults read "PATH:LINE:COLUMN: WORDS"; "-" is standard input. */
int yaml_load(const char *path, struct yaml_docs *out, struct err *err);
void yaml_docs_free(struct yaml_docs *docs);
#define own_yaml own(yaml_docs_free)

struct yaml_mark {
    int line, column; /* from 1; columns count characters */
};
/* Where the value that `pointer` (RFC 6901) names stands, or its key when `key`; of something that
 * is not there, where its nearest parent stands. */
struct yaml_mark yaml_mark(const struct yaml_doc *doc, const char *pointer, bool key);

#endif
