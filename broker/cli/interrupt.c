/* SPDX-License-Identifier: Apache-2.0 */
/* interrupt.c - SIGINT and SIGTERM, once. */
#include "cli/interrupt.h"

volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    interrupted = signal_number;
    signal(signal_number, SIG_DFL);
}

void catch_interrupts(void)
{
    struct sigaction action = { .sa_handler = on_interrupt };

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
