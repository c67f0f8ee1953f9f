/* SPDX-License-Identifier: Apache-2.0 */
/* explain.h - the table of sites that `explain` and `submit --dry-run` print. */
#ifndef SPILLWAY_CLI_EXPLAIN_H
#define SPILLWAY_CLI_EXPLAIN_H

#include <jansson.h>

struct cli;
void explain_print_sites(struct cli *cli, const json_t *sites);

#endif
