/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - what time it is.
 *
 * Wall time (ms since 1970, UTC) is for records and people; monotonic time is for waiting, so that
 * a clock set forward or back changes no timeout.  Pure code takes the time as an argument instead.
 */
#ifndef SPILLWAY_CLOCK_H
#define SPILLWAY_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
void clock_sleep_ms(int64_t ms);
/* For pthread_cond_timedwait() on a condition made by clock_cond_init(): when `mono_ms` is reached.
 */
struct timespec clock_cond_until(int64_t mono_ms);
void clock_cond_init(pthread_cond_t *cond);

#endif
