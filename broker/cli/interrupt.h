/* SPDX-License-Identifier: Apache-2.0 */
/* interrupt.h - Ctrl-C for commands that have something to do before they end.
 *
 * The first one is theirs to see, the second ends the program. */
#ifndef SPILLWAY_CLI_INTERRUPT_H
#define SPILLWAY_CLI_INTERRUPT_H

#include <signal.h>

extern volatile sig_atomic_t interrupted; /* the signal; 0: none */
void catch_interrupts(void);

#endif
