/* SPDX-License-Identifier: Apache-2.0 */
/* pace.c - a bucket of tokens, and a ring of counts. */
#include "net/pace.h"

#include <string.h>

void pace_init(struct pace *pace, double per_second, int burst, int64_t now_mono_ms)
{
    *pace = (struct pace){ .per_second = per_second,
                           .burst = burst,
                           .tokens = burst,
                           .filled_ms = now_mono_ms,
                           .second = now_mono_ms / 1000 };
    pthread_mutex_init(&pace->lock, NULL);
}

void pace_fini(struct pace *pace)
{
    pthread_mutex_destroy(&pace->lock);
}

/* Seconds in which nothing was asked count nothing. */
static void turn(struct pace *pace, int64_t now_ms)
{
    int64_t second = now_ms / 1000;

    if (second - pace->second >= PACE_SECONDS) {
        memset(pace->counts, 0, sizeof pace->counts);
        pace->second = second;
    }
    while (pace->second < second)
        pace->counts[++pace->second % PACE_SECONDS] = 0;
}

int64_t pace_take(struct pace *pace, int64_t now_ms)
{
    int64_t wait = 0;

    pthread_mutex_lock(&pace->lock);
    pace->tokens += (double)(now_ms - pace->filled_ms) * pace->per_second / 1000;
    if (pace->tokens > pace->burst)
        pace->tokens = pace->burst;
    pace->filled_ms = now_ms;
    turn(pace, now_ms);
    if (pace->tokens < 1) {
        wait = (int64_t)((1 - pace->tokens) * 1000 / pace->per_second) + 1;
    } else {
        pace->tokens -= 1;
        pace->counts[pace->second % PACE_SECONDS]++;
    }
    pthread_mutex_unlock(&pace->lock);
    return wait;
}

int pace_minute(struct pace *pace, int64_t now_ms)
{
    int sum = 0;

    pthread_mutex_lock(&pace->lock);
    turn(pace, now_ms);
    for (int i = 0; i < PACE_SECONDS; i++)
        sum += pace->counts[i];
    pthread_mutex_unlock(&pace->lock);
    return sum;
}
