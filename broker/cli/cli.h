/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h - what every command of `spillway` is made of.
 *
 * A command is a table entry: its words, its options, its help and one function.  The same tables
 * give the parser, --help, the man page and the completion, so none of them can fall behind.  A
 * command's function returns an exit code, or -1 with a fault that main.c turns into one.  One
 * thread. */
#ifndef SPILLWAY_CLI_H
#define SPILLWAY_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cli/args.h"
#include "cli/client.h"
#include "cli/term.h"

/* Documented in spillway(1).  `run` exits as its job did. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_NO = 1, /* a job that was waited for did not succeed; a check found something */
    EXIT_USAGE = 2,
    EXIT_NOT_FOUND = 3,
    EXIT_NOT_ALLOWED = 4,
    EXIT_CONFLICT = 5,
    EXIT_UNREACHABLE = 6,
    EXIT_INVALID = 7,
    EXIT_UNAVAILABLE = 8, /* also: a --timeout passed */
    EXIT_INTERNAL = 70
};

struct cli {
    struct term term;
    bool json;
    struct client *client; /* made by cli_client() */
    const char *url, *token_file;
};

/* The broker, connected to at the first call; -1: no usable URL or token. */
int cli_client(struct cli *cli, struct client **out, struct err *err);
/* GET a JSON document; the path is a format and must be encoded already (query_add, path_escape).
 */
int cli_get(struct cli *cli, json_t **out, struct err *err, const char *path, ...)
    __attribute__((format(printf, 4, 5)));
/* Each page of a list in turn, as the API answered it; `query` is encoded, with its own "?" if it
 * has one.  A page_fn that returns -1 ends it. */
typedef int page_fn(void *arg, const json_t *answer, struct err *err);
int cli_pages(struct cli *cli, const char *query, page_fn *each, void *arg, struct err *err);
/* All of a list, appended: answer[key] of each page. */
int cli_get_all(struct cli *cli, const char *query, const char *key, json_t *list, struct err *err);
/* POST `body` (NULL: none); *out may be NULL. */
int cli_post(struct cli *cli, const char *path, const json_t *body, json_t **out, struct err *err);

/* One JSON document on standard output, indented; or on one line, at once. */
void print_json(const json_t *value);
void print_json_line(const json_t *value);
/* An object for people, key by key, of an object in it its plain values; what is nested deeper is
 * left to the caller. */
void print_object(const json_t *object);
/* A warning on standard error, fit for a terminal. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Wrong use that only the command itself can see: says so, and gives EXIT_USAGE. */
int usage_fault(const struct args *args, const struct err *err);
/* The exit code of a fault: one switch (main.c). */
int exit_code_of(const struct err *err, bool unreachable);

/* Fields of an answer, with nothing to free: "" and 0 where absent or null. */
const char *field_text(const json_t *object, const char *key);
int64_t field_int(const json_t *object, const char *key);
double field_real(const json_t *object, const char *key);
bool field_true(const json_t *object, const char *key);
/* A time of the API in ms; 0: none. */
int64_t field_time(const json_t *object, const char *key);

/* "1234", "1234.7": what names a job or a task.  FAULT_INVALID otherwise: it goes into a path. */
int job_id_check(const char *text, struct err *err);
/* All words of the command line must be such; at least one. */
int job_ids_check(const struct args *args, struct err *err);

extern const struct command *const commands[]; /* ends with NULL */
extern const struct option global_options[];

#endif
