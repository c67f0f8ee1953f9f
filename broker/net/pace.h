/* SPDX-License-Identifier: Apache-2.0 */
/* pace.h - how often the other side is asked: a bucket of tokens, and a count of the last minute.
 *
 * Every thread may call.  Time is an argument. */
#ifndef SPILLWAY_NET_PACE_H
#define SPILLWAY_NET_PACE_H

#include <pthread.h>
#include <stdint.h>

#define PACE_SECONDS 60

struct pace {
    pthread_mutex_t lock;
    double per_second, tokens;
    int burst;
    int64_t filled_ms;        /* the bucket, last */
    int64_t second;           /* of the newest count */
    int counts[PACE_SECONDS]; /* calls, by second */
};

void pace_init(struct pace *pace, double per_second, int burst, int64_t now_mono_ms);
void pace_fini(struct pace *pace);
/* 0: one call may go now, and counts; else ms until the next may. */
int64_t pace_take(struct pace *pace, int64_t now_mono_ms);
/* Calls of the last minute. */
int pace_minute(struct pace *pace, int64_t now_mono_ms);

#endif
