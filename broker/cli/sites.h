/* SPDX-License-Identifier: Apache-2.0 */
/* sites.h - the table of sites that `sites` and `top` print. */
#ifndef SPILLWAY_CLI_SITES_H
#define SPILLWAY_CLI_SITES_H

#include <jansson.h>

struct cli;
void sites_print(struct cli *cli, const json_t *sites);

#endif
