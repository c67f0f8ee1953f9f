/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - the one thread's loop: descriptors, timers, and work done in slices.
 *
 * Everything in the agent happens in a callback of this loop, so nothing here is locked and nothing
 * may block.  Timers run on CLOCK_BOOTTIME: a clock set forward or back changes none, and a
 * laptop's sleep counts. */
#ifndef AGENT_LOOP_H
#define AGENT_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"

struct loop;

/* A descriptor of the caller's; embedded in what it belongs to. */
struct watch {
    int fd;
    uint32_t events; /* asked for now (EPOLLIN, EPOLLOUT); 0: none */
    void (*ready)(struct watch *watch, uint32_t events);
};

struct timer {
    int64_t at;  /* clock_mono_ms() */
    size_t slot; /* place in the heap, from 1; 0: not set */
    void (*fire)(struct timer *timer);
};

/* Work to be done at the next turn; one that has more to do asks again. */
struct later {
    struct list node;
    bool asked;
    void (*run)(struct later *later);
};

struct loop *loop_new(struct err *err);
void loop_free(struct loop *loop);
/* Until loop_stop().  `turn` is called at the end of each round of events. */
void loop_run(struct loop *loop, void (*turn)(void *arg), void *arg);
void loop_stop(struct loop *loop);

/* Watch for `events` from now on; 0 ends it.  Must be 0 before the descriptor is closed. */
void watch_set(struct loop *loop, struct watch *watch, uint32_t events);
void timer_set(struct loop *loop, struct timer *timer, int64_t at_mono_ms);
void timer_clear(struct loop *loop, struct timer *timer);
void later_ask(struct loop *loop, struct later *later);
void later_drop(struct later *later);

#endif
