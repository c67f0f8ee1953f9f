/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - the only readers of the clock. */
#include "base/clock.h"

#include <errno.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

/* BOOTTIME goes on while the machine sleeps: a laptop's lid must not stretch a lease. */
int64_t clock_mono_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_BOOTTIME);
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec span = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    while (nanosleep(&span, &span) < 0 && errno == EINTR)
        ;
}

/* Conditions know no CLOCK_BOOTTIME: the span that is left is put onto the clock that they know. */
struct timespec clock_cond_until(int64_t mono_ms)
{
    int64_t left_ms = mono_ms - clock_mono_ms(), until_us;

    if (left_ms < 0)
        left_ms = 0;
    if (left_ms > 86400000)
        left_ms = 86400000; /* whoever waits for longer looks again */
    until_us = read_us(CLOCK_MONOTONIC) + left_ms * 1000;
    return (struct timespec){ .tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000 };
}

void clock_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}
