/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h - what `sites probe` does once the site has answered. */
#ifndef SPILLWAY_CLI_PROBE_H
#define SPILLWAY_CLI_PROBE_H

#include <stdint.h>

struct cli;
struct err;
/* A small job at `site`, its worker made for it and removed again; prints how long each step took.
 * `asked_ms`: how long the site took to answer.  EXIT_NO: the way does not lead to its end. */
int probe_whole_way(struct cli *cli, const char *site, int64_t asked_ms, int64_t timeout_ms,
                    struct err *err);

#endif
