/* SPDX-License-Identifier: Apache-2.0 */
/* program.h - the agent's program, as this broker gives it to its workers. */
#ifndef SPILLWAY_SITES_PROGRAM_H
#define SPILLWAY_SITES_PROGRAM_H

/* spillway-agent beside this program, or in its libexec; owned by the caller. */
char *agent_program(void);

#endif
