/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - epoll, one timerfd under a heap of timers, and a list of deferred work. */
#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"

#define BATCH 64

struct loop {
    int epoll_fd, timer_fd;
    bool stopped;
    struct epoll_event batch[BATCH];
    int batch_count;
    struct timer **heap; /* from index 1; the earliest first */
    size_t count, room;
    int64_t armed; /* what timer_fd is set to; 0: nothing */
    struct list laters;
};

struct loop *loop_new(struct err *err)
{
    struct loop *loop = xcalloc(1, sizeof *loop);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

    list_init(&loop->laters);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->timer_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->timer_fd, &event) < 0) {
        err_sys(err, "event loop");
        loop_free(loop);
        return NULL;
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->timer_fd >= 0)
        close(loop->timer_fd);
    free(loop->heap);
    free(loop);
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

void watch_set(struct loop *loop, struct watch *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };
    int what = !watch->events ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

    if (events == watch->events)
        return;
    watch->events = events;
    /* Failure can only mean a descriptor that cannot be polled or a kernel out of memory. */
    if (epoll_ctl(loop->epoll_fd, what, watch->fd, &event) < 0 && what != EPOLL_CTL_DEL)
        abort();
    if (events)
        return;
    /* The owner may be freed now: what this round still holds of it must not be delivered. */
    for (int i = 0; i < loop->batch_count; i++)
        if (loop->batch[i].data.ptr == watch)
            loop->batch[i].events = 0;
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void put(struct loop *loop, size_t slot, struct timer *timer)
{
    loop->heap[slot] = timer;
    timer->slot = slot;
}

static void sift_up(struct loop *loop, size_t slot, struct timer *timer)
{
    for (; slot > 1 && loop->heap[slot / 2]->at > timer->at; slot /= 2)
        put(loop, slot, loop->heap[slot / 2]);
    put(loop, slot, timer);
}

static void sift_down(struct loop *loop, size_t slot, struct timer *timer)
{
    for (size_t child; (child = 2 * slot) <= loop->count; slot = child) {
        if (child < loop->count && loop->heap[child + 1]->at < loop->heap[child]->at)
            child++;
        if (loop->heap[child]->at >= timer->at)
            break;
        put(loop, slot, loop->heap[child]);
    }
    put(loop, slot, timer);
}

void timer_clear(struct loop *loop, struct timer *timer)
{
    size_t slot = timer->slot;
    struct timer *last;

    if (!slot)
        return;
    timer->slot = 0;
    last = loop->heap[loop->count--];
    if (last == timer)
        return;
    if (slot > 1 && loop->heap[slot / 2]->at > last->at)
        sift_up(loop, slot, last);
    else
        sift_down(loop, slot, last);
}

void timer_set(struct loop *loop, struct timer *timer, int64_t at_mono_ms)
{
    timer_clear(loop, timer);
    timer->at = at_mono_ms;
    if (loop->count + 2 > loop->room) {
        loop->room = loop->room ? loop->room * 2 : 64;
        loop->heap = xrealloc(loop->heap, loop->room * sizeof(struct timer *));
    }
    sift_up(loop, ++loop->count, timer);
}

/* Left alone when it is set to an earlier time: one idle wake-up is cheaper than a call each time a
 * short job sets and clears its timers. */
static void arm(struct loop *loop)
{
    int64_t at = loop->count ? loop->heap[1]->at : 0;
    struct itimerspec spec = { .it_interval = { 0, 0 } };

    if (!at || (loop->armed && loop->armed <= at))
        return;
    spec.it_value.tv_sec = at / 1000;
    spec.it_value.tv_nsec = at % 1000 * 1000000 + 1; /* all zero would disarm */
    timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
    loop->armed = at;
}

static void fire_due(struct loop *loop)
{
    uint64_t times;
    int64_t now = clock_mono_ms();

    (void)!read(loop->timer_fd, &times, sizeof times);
    loop->armed = 0;
    while (loop->count && loop->heap[1]->at <= now) {
        struct timer *timer = loop->heap[1];

        timer_clear(loop, timer);
        timer->fire(timer);
    }
}

/* ---- deferred work --------------------------------------------------------------------------- */

void later_ask(struct loop *loop, struct later *later)
{
    if (later->asked)
        return;
    later->asked = true;
    list_add_tail(&loop->laters, &later->node);
}

void later_drop(struct later *later)
{
    if (later->asked)
        list_del(&later->node);
    later->asked = false;
}

/* What asks again while it runs waits for the next turn, so that descriptors get theirs. */
static void run_laters(struct loop *loop)
{
    struct list now;

    if (list_empty(&loop->laters))
        return;
    now = loop->laters;
    now.next->prev = now.prev->next = &now;
    list_init(&loop->laters);
    while (!list_empty(&now)) {
        struct later *later = list_item(now.next, struct later, node);

        later_drop(later);
        later->run(later);
    }
}

void loop_run(struct loop *loop, void (*turn)(void *arg), void *arg)
{
    while (!loop->stopped) {
        bool timers = false;

        run_laters(loop);
        turn(arg);
        if (loop->stopped)
            break;
        arm(loop);
        loop->batch_count =
            epoll_wait(loop->epoll_fd, loop->batch, BATCH, list_empty(&loop->laters) ? -1 : 0);
        if (loop->batch_count < 0 && errno != EINTR)
            abort();
        for (int i = 0; i < loop->batch_count; i++) {
            struct watch *watch = loop->batch[i].data.ptr;

            if (!watch)
                timers = true;
            else if (loop->batch[i].events)
                watch->ready(watch, loop->batch[i].events);
        }
        loop->batch_count = 0;
        if (timers)
            fire_due(loop);
    }
}
