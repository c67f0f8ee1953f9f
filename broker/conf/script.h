/* SPDX-License-Identifier: Apache-2.0 */
/* script.h - a batch script with `#SPILLWAY --option value` or `#SBATCH` lines, to a description.
 *
 * As with sbatch, such lines count until the first line that is a command.  #SPILLWAY wins over
 * #SBATCH.  What an #SBATCH line asks for and Spillway has no counterpart of is named in a warning;
 * what neither knows is a fault.  Pure: no I/O. */
#ifndef SPILLWAY_CONF_SCRIPT_H
#define SPILLWAY_CONF_SCRIPT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIPT_BYTES_MOST ((size_t)512 * 1024)
#define SCRIPT_NOTES_MOST 100

struct script_note {
    int line; /* from 1 */
    char *text;
};
struct script_notes {
    struct script_note *list;
    size_t count, dropped;
};

struct script_place { /* which line set which key */
    char *key;        /* "resources.walltime" */
    int line;
};

struct script {
    json_t *description; /* to be given to job_spec_parse(); holds the text as `script` */
    struct script_notes warnings, faults;
    struct script_place *places;
    size_t place_count;
};

/* 0: no fault; -1: see `faults`.  `name` is the job's name unless a line says otherwise (a file's
 * base name, as a rule).  Free *out in both cases. */
int script_parse(const char *text, size_t length, const char *name, int64_t now_ms,
                 struct script *out);
void script_free(struct script *script);

/* What sbatch's options ask of the command that submits, not of the job; NULL and 0: not said.
 * Values lie in the script's text or in the words, so `spillway submit` can only warn of them. */
struct sbatch_call {
    char *chdir, *output, *error, *export, *wrap, *partition;
    bool append, parsable, wait, test_only, singleton, quiet;
    int64_t tasks, tasks_per_node, cpus_per_task, nodes;
    int64_t memory_per_cpu; /* bytes */
};
void sbatch_call_free(struct sbatch_call *call);
/* The same as script_parse() for sbatch itself: its command line (`words`, options alone) wins over
 * the lines, and a dependency without counterpart is a fault.  Notes of the words bear line 0. */
int sbatch_parse(const char *text, size_t length, const char *name, int64_t now_ms,
                 const char *const *words, size_t word_count, struct sbatch_call *call,
                 struct script *out);
/* How many of sbatch's `words` (NULL-terminated) are options and their values: the script's name is
 * behind them. */
size_t sbatch_option_words(const char *const *words);
/* The place of a problem that job_spec_parse() found: the line of the option that set `pointer`, or
 * 0. */
int script_line_of(const struct script *script, const char *pointer);

#endif
