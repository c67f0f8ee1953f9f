/* SPDX-License-Identifier: Apache-2.0 */
/* submit.h - what `submit` and `run` share. */
#ifndef SPILLWAY_CLI_SUBMIT_H
#define SPILLWAY_CLI_SUBMIT_H

#include <jansson.h>

#include "base/err.h"
#include "cli/args.h"
#include "cli/describe.h"

struct cli;
/* Bring the inputs and post the drafts; *answer is the broker's.  Prints the place of what it
 * refuses. */
int submit_drafts(struct cli *cli, const struct args *args, struct drafts *drafts, json_t **answer,
                  struct err *err);
/* The same to another path that takes descriptions: "/v1/schedules". */
int submit_drafts_to(struct cli *cli, const struct args *args, struct drafts *drafts,
                     const char *path, json_t **answer, struct err *err);

#endif
