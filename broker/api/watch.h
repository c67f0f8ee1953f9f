/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - connections that wait for something that may never come.
 *
 * libmicrohttpd does not look at a suspended connection: here one thread does.  It rings a watched
 * connection, once, when its client hung up, when events were committed (streams; many commits in a
 * row make one ring), when more of its log came, or when its time is up. */
#ifndef SPILLWAY_API_WATCH_H
#define SPILLWAY_API_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum ring { RING_GONE, RING_EVENTS, RING_DUE };

/* Called once, by the watching thread, which then watches it no more.  Must not call back into
 * here. */
typedef void watch_ring(void *arg, enum ring why);

struct watched {
    struct list link;
    bool in; /* the watch's lock */
    int fd;
    bool events;     /* rings for events */
    int64_t log;     /* rings when this attempt's log grows; 0: none */
    int64_t due_ms;  /* monotonic; 0: never */
    int64_t rung_ms; /* the last ring for events: they are kept apart */
    bool wanted;     /* events came that it was not rung for yet */
    watch_ring *ring;
    void *arg;
};

struct watch;
struct watch *watch_new(void);
void watch_free(struct watch *watch); /* stops the thread */

/* Counts commits; read it before looking for news, hand it to watch_add after finding none. */
uint64_t watch_seen(struct watch *watch);
/* Watch from now on; a commit since `seen` rings at once. */
void watch_add(struct watch *watch, struct watched *watched, uint64_t seen);
/* When this returns `ring` is not running and will not be called. */
void watch_remove(struct watch *watch, struct watched *watched);
/* Events were committed.  Any thread; short. */
void watch_events(void *watch);
/* The log of `attempt` grew. */
void watch_log(struct watch *watch, int64_t attempt);
/* Ring all, for good: the API stops.  What is added later is rung at once. */
void watch_close(struct watch *watch);
/* Called by the thread every few seconds. */
void watch_every(struct watch *watch, void (*each)(void *arg), void *arg);

#endif
