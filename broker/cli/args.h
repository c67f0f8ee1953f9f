/* SPDX-License-Identifier: Apache-2.0 */
/* args.h - command lines by table: options, words, what is behind "--".
 *
 * Options may stand anywhere before "--", as --name VALUE, --name=VALUE, -n VALUE, -nVALUE; flags
 * may be bundled (-fa).  What is unknown is refused with the nearest known name.  Pure. */
#ifndef SPILLWAY_CLI_ARGS_H
#define SPILLWAY_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct cli;
struct args;

/* What a word or a value is, for the completion. */
enum completes {
    COMPLETES_NOTHING,
    COMPLETES_FILE,
    COMPLETES_DIR,
    COMPLETES_JOB,
    COMPLETES_SITE,
    COMPLETES_WORKER,
    COMPLETES_STATE,
    COMPLETES_COMMAND
};

/* In the order in which a line of the help reads. */
struct option {        /* NOLINT(clang-analyzer-optin.performance.Padding) */
    const char *name;  /* without "--"; NULL ends a table */
    char letter;       /* 0: none */
    const char *value; /* what its argument is called; NULL: a flag */
    const char *help;
    enum completes completes;
};

struct command {
    const char *name;
    const char *help;                           /* one line */
    const char *synopsis;                       /* what follows the name */
    const char *text;                           /* a paragraph or two, plain text; may be NULL */
    const struct option *options;               /* may be NULL */
    const struct option *(*more_options)(void); /* a table made at run time; may be NULL */
    const char *example;                        /* lines */
    const char *exits; /* what this command's exit codes mean; may be NULL */
    enum completes words;
    int words_least, words_most; /* -1: any number */
    bool takes_rest;             /* allows "--" */
    bool hidden;
    const struct command *const *subs; /* ends with NULL; may be NULL */
    int (*run)(struct cli *cli, const struct args *args, struct err *err);
};

struct given {
    const struct option *option;
    const char *value; /* NULL for a flag */
};

struct args {
    const struct command *command;
    struct given *given;
    size_t given_count;
    const char **words; /* NULL-terminated */
    size_t word_count;
    const char *const *rest; /* behind "--", NULL-terminated; NULL when there is no "--" */
};

/* Finds the command in argv[0..] by `commands`, and parses the rest by its tables and `globals`.
 * FAULT_INVALID: what is wrong and what to try.  argv must outlive *out.  *out holds what was
 * understood also after a fault, so that --help works on a broken line. */
int args_parse(const struct command *const *commands, const struct option *globals, char **argv,
               struct args *out, struct err *err);
void args_free(struct args *args);

bool args_has(const struct args *args, const char *name);
/* The last one given; NULL: none. */
const char *args_get(const struct args *args, const char *name);
/* Left alone when not given. */
int args_i64(const struct args *args, const char *name, int64_t least, int64_t most, int64_t *out,
             struct err *err);
int args_span(const struct args *args, const char *name, int64_t *out_ms, struct err *err);

/* The help of one command, or of all. */
void help_command(const struct command *const *commands, const struct command *command,
                  const struct option *globals, struct buf *out);
void help_overview(const struct command *const *commands, const struct option *globals,
                   struct buf *out);
/* "sites show": a sub-command's full name. */
void command_full_name(const struct command *const *commands, const struct command *command,
                       struct buf *out);

#endif
