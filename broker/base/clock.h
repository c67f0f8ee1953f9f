/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - what time it is.
 *
 * Wall time (ms since 1970, UTC) is for records and people; monotonic time is for waiting, so that
 * a clock set forward or back changes no timeout.  Pure code takes the time as an argument instead.
 */
#ifndef SPILLWAY_CLOCK_H
#define SPILLWAY_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
void clock_sleep_ms(int64_t ms);

#endif
