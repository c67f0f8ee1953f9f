/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h - reading a jansson tree by tables of keys; for the files of conf/ only.
 *
 * A table line says how a key's value is read, where it goes and between which bounds.  Every fault
 * is added to the problems with its JSON pointer, and reading goes on, so that one pass finds them
 * all. The pointer is written only then: reading a good document allocates for its values alone. */
#ifndef SPILLWAY_CONF_READER_H
#define SPILLWAY_CONF_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/job.h"

#define READER_DEPTH 12

struct reader {
    struct problems *problems;
    size_t found; /* problems of this reading */
    size_t depth;
    struct {
        const char *key; /* NULL: the index */
        size_t index;
    } path[READER_DEPTH];
};

struct field;
/* Read `value` into `slot`, which may be NULL: only check.  A slot that has a value already is
 * overwritten, and freed first where it owns. */
typedef void read_value(struct reader *r, const struct field *field, const json_t *value,
                        void *slot);

struct field {
    const char *key;
    read_value *read;
    size_t offset;
    double least, most; /* of numbers, sizes and spans; `most` also of lengths; 0: see reader.c */
    const char *const *words; /* of read_word: NULL-terminated, in the order of the enum */
    bool (*good)(const char *text);
    size_t entries;   /* most of a list; 0: see reader.c */
    const char *want; /* what `good` wants, for the message: "a site's name" */
};

#define FIELD(name, reader, type, member, ...)                                         \
    {                                                                                  \
        .key = (name), .read = (reader), .offset = offsetof(type, member), __VA_ARGS__ \
    }
/* For readers that take the whole struct. */
#define FIELD_SELF(name, reader, ...)                \
    {                                                \
        .key = (name), .read = (reader), __VA_ARGS__ \
    }
#define BETWEEN(low, high) .least = (low), .most = (high)

/* One level of a document: the keys that it may have. */
struct level {
    const char *name;           /* "resources" */
    const struct field *fields; /* ends with a NULL key */
    const struct level *below;  /* where else a misplaced key may belong; NULL */
};

/* The value must be a mapping; each of its keys is read into `out` + offset (NULL: only checked).
 */
void read_level(struct reader *r, const struct level *level, const json_t *value, void *out);

void reader_enter(struct reader *r, const char *key); /* the key is borrowed until it is left */
void reader_enter_at(struct reader *r, size_t index);
void reader_leave(struct reader *r);
/* A problem with the value at the current place, or with its key. */
void reader_problem(struct reader *r, const char *suggestion, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
void reader_problem_key(struct reader *r, const char *suggestion, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
/* The words of `err`; what stands behind its first "; " becomes the suggestion. */
void reader_problem_err(struct reader *r, const struct err *err) __attribute__((cold));
/* "must be WANT, not a list". */
void reader_problem_type(struct reader *r, const char *want, const json_t *value)
    __attribute__((cold));

/* Slots: bool, int, int64_t, double, int (an enum), char *, char ** (NULL-terminated). */
read_value read_bool, read_int, read_i64, read_double, read_word;
read_value read_text;            /* printable, not empty, at most `most` (default 1024) bytes */
read_value read_texts;           /* a list of such, or a single one */
read_value read_bytes;           /* int64_t */
read_value read_span, read_time; /* int64_t ms */

/* Text of a string, a whole number or a truth value, as written: `buffer` has 24 bytes.  NULL and a
 * problem when it is none of them. */
const char *read_plain(struct reader *r, const json_t *value, char *buffer);
/* Is the text printable, not empty, at most `most` bytes?  Adds the problem. */
bool read_printable(struct reader *r, const json_t *value, size_t most, const char *want);

bool is_site_name(
    const char *text); /* letters, digits, '.', '_', '-'; starts with one of the first two */
void strings_free(char **list);
char **strings_copy(char *const *list); /* NULL of NULL */
size_t strings_count(char *const *list);

#endif
