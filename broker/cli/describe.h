/* SPDX-License-Identifier: Apache-2.0 */
/* describe.h - from a command line to checked job descriptions.
 *
 * A draft is one description and where it came from, so that every fault can be told with file,
 * line and column.  Nothing is sent before all drafts are without fault. */
#ifndef SPILLWAY_CLI_DESCRIBE_H
#define SPILLWAY_CLI_DESCRIBE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/own.h"
#include "cli/args.h"
#include "conf/job.h"

struct source; /* a file that was read */

struct draft {
    json_t *description;
    struct source *source; /* NULL: the command line alone */
    size_t document;       /* of the source, from 0 */
    size_t
        file_inputs; /* so many of its inputs stand in the file: their paths start at its folder */
    struct job_spec spec; /* filled by drafts_check() */
};

struct drafts {
    struct draft *list;
    size_t count;
    struct source **sources;
    size_t source_count;
};
void drafts_free(struct drafts *drafts);
#define own_drafts own(drafts_free)

/* 1: the words make no sense together, *err says why. */
int drafts_usage(const struct args *args, struct err *err);
/* Files, scripts, standard input or the words behind "--"; options written into each. */
int drafts_read(const struct args *args, struct drafts *out, struct err *err);
/* Check them all; prints every fault as FILE:LINE:COLUMN: WORDS.  -1: there were any. */
int drafts_check(const struct args *args, struct drafts *drafts, struct err *err);
/* The folder that a draft's input paths start at; "": here. */
const char *draft_folder(const struct draft *draft, size_t input);
/* Print one fault of a draft, `pointer` into its description; `suggestion` may be NULL. */
void draft_fault(const struct args *args, const struct draft *draft, const char *pointer,
                 const char *text, const char *suggestion);

/* The options that bear the names of a description's keys, from conf/options.h. */
const struct option *job_option_table(void);

#endif
