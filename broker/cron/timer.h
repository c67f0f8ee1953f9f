/* SPDX-License-Identifier: Apache-2.0 */
/* timer.h - the thread that fires schedules.
 *
 * It sleeps until the next start, is woken by changes of schedules and by a system clock that is
 * set, and notes every few seconds which runs have ended. */
#ifndef SPILLWAY_CRON_TIMER_H
#define SPILLWAY_CRON_TIMER_H

#include "cron/agenda.h"

struct timer;

struct timer_options {
    struct store *store;
    agenda_ended *ended; /* from the timer's thread; may be NULL */
    void *arg;
    struct agenda_hooks hooks; /* from the timer's thread */
};
/* Takes the store's on_schedules. */
int timer_start(const struct timer_options *options, struct timer **out, struct err *err);
void timer_stop(struct timer *timer);

#endif
