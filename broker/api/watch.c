/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - one thread that looks at connections while they are suspended.
 *
 * Rings are called with the lock held, so that watch_remove() can promise that none runs after it.
 */
#include "api/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"

#define APART_MS 20   /* between two rings of one stream for events */
#define EVERY_MS 5000 /* the housekeeping call */

struct watch {
    pthread_t thread;
    int epoll, wake;
    atomic_uint_fast64_t seen;
    atomic_bool woken; /* `wake` was written and not yet read */
    atomic_int
        listening; /* how many wait for events: a commit that nobody waits for wakes nobody */
    pthread_mutex_t lock;
    struct list streams; /* lock; ring for events, a log or a time */
    struct list calls;   /* lock; ring only when the client is gone */
    bool closed, stop;   /* lock */
    void (*each)(void *arg);
    void *each_arg;
};

static void nudge(struct watch *watch)
{
    uint64_t one = 1;

    if (!atomic_exchange(&watch->woken, true) && write(watch->wake, &one, sizeof one) < 0)
        log_error("cannot wake the watch of connections");
}

/* With the lock. */
static void take_out(struct watch *watch, struct watched *watched)
{
    if (!watched->in)
        return;
    watched->in = false;
    atomic_fetch_sub(&watch->listening, watched->events);
    list_del(&watched->link);
    epoll_ctl(watch->epoll, EPOLL_CTL_DEL, watched->fd, NULL);
}

static void ring(struct watch *watch, struct watched *watched, enum ring why, int64_t now_ms)
{
    take_out(watch, watched);
    watched->wanted = false;
    watched->rung_ms = now_ms;
    watched->ring(watched->arg, why);
}

/* When `watched` has to be rung, for what it waits for now; INT64_MAX: not by the clock. */
static int64_t ring_at(const struct watched *watched)
{
    int64_t at = watched->due_ms ? watched->due_ms : INT64_MAX;

    if (watched->wanted && watched->rung_ms + APART_MS < at)
        at = watched->rung_ms + APART_MS;
    return at;
}

/* Rings what is due; returns the time of the next. */
static int64_t ring_due(struct watch *watch, int64_t now_ms)
{
    int64_t next = INT64_MAX;

    list_each_safe(at, &watch->streams)
    {
        struct watched *watched = list_item(at, struct watched, link);
        int64_t when = ring_at(watched);

        if (when <= now_ms)
            ring(watch, watched, watched->wanted ? RING_EVENTS : RING_DUE, now_ms);
        else if (when < next)
            next = when;
    }
    return next;
}

static void want_all(struct watch *watch)
{
    list_each(at, &watch->streams)
    {
        struct watched *watched = list_item(at, struct watched, link);

        watched->wanted |= watched->events;
    }
}

static void drain_wake(struct watch *watch)
{
    uint64_t count;

    /* In this order: who finds `woken` still set has changed something that we look at below. */
    while (read(watch->wake, &count, sizeof count) < 0 && errno == EINTR)
        continue;
    atomic_store(&watch->woken, false);
}

/* An event of epoll for a connection that was taken out since is told by its `in`: the struct lives
 * until watch_remove(), which holds the lock that we hold. */
static void look(struct watch *watch, const struct epoll_event *events, int count, int64_t now_ms)
{
    for (int i = 0; i < count; i++) {
        struct watched *gone = NULL;

        if (!events[i].data.ptr) {
            drain_wake(watch);
            continue;
        }
        list_each(at, &watch->streams) if (list_item(at, struct watched, link) ==
                                           events[i].data.ptr) gone = events[i].data.ptr;
        list_each(at, &watch->calls) if (!gone && list_item(at, struct watched, link) ==
                                                      events[i].data.ptr) gone = events[i].data.ptr;
        if (gone)
            ring(watch, gone, RING_GONE, now_ms);
    }
}

static int timeout_until(int64_t next_ms, int64_t now_ms)
{
    if (next_ms <= now_ms)
        return 0;
    return next_ms - now_ms > EVERY_MS ? EVERY_MS : (int)(next_ms - now_ms);
}

static void keep_house(struct watch *watch)
{
    void (*each)(void *arg);
    void *arg;

    pthread_mutex_lock(&watch->lock);
    each = watch->each;
    arg = watch->each_arg;
    pthread_mutex_unlock(&watch->lock);
    if (each)
        each(arg);
}

static void *run(void *arg)
{
    struct watch *watch = arg;
    int64_t housekeeping = clock_mono_ms() + EVERY_MS, next = INT64_MAX, now;
    struct epoll_event events[64];
    uint64_t last = 0;
    bool stop = false;

    while (!stop) {
        int count;

        now = clock_mono_ms();
        next = next < housekeeping ? next : housekeeping;
        count = epoll_wait(watch->epoll, events, array_len(events), timeout_until(next, now));
        now = clock_mono_ms();
        pthread_mutex_lock(&watch->lock);
        look(watch, events, count, now);
        if (atomic_load(&watch->seen) != last) {
            last = atomic_load(&watch->seen);
            want_all(watch);
        }
        next = ring_due(watch, now);
        stop = watch->stop;
        pthread_mutex_unlock(&watch->lock);
        if (now >= housekeeping && !stop) {
            housekeeping = now + EVERY_MS;
            keep_house(watch);
        }
    }
    return NULL;
}

struct watch *watch_new(void)
{
    struct watch *watch = xcalloc(1, sizeof *watch);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

    list_init(&watch->streams);
    list_init(&watch->calls);
    pthread_mutex_init(&watch->lock, NULL);
    watch->epoll = epoll_create1(EPOLL_CLOEXEC);
    watch->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->epoll < 0 || watch->wake < 0 ||
        epoll_ctl(watch->epoll, EPOLL_CTL_ADD, watch->wake, &event) < 0 ||
        pthread_create(&watch->thread, NULL, run, watch) != 0)
        abort(); /* at start, out of descriptors or threads */
    return watch;
}

void watch_every(struct watch *watch, void (*each)(void *arg), void *arg)
{
    pthread_mutex_lock(&watch->lock);
    watch->each_arg = arg;
    watch->each = each;
    pthread_mutex_unlock(&watch->lock);
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->stop = true;
    pthread_mutex_unlock(&watch->lock);
    nudge(watch);
    pthread_join(watch->thread, NULL);
    close(watch->epoll);
    close(watch->wake);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

uint64_t watch_seen(struct watch *watch)
{
    return atomic_load(&watch->seen);
}

void watch_add(struct watch *watch, struct watched *watched, uint64_t seen)
{
    struct epoll_event event = { .events = EPOLLRDHUP | EPOLLHUP | EPOLLONESHOT,
                                 .data.ptr = watched };
    bool stream = watched->events || watched->log || watched->due_ms;

    pthread_mutex_lock(&watch->lock);
    if (watch->closed || epoll_ctl(watch->epoll, EPOLL_CTL_ADD, watched->fd, &event) < 0) {
        watched->ring(watched->arg, RING_GONE);
    } else {
        watched->in = true;
        /* Before `seen` is read: who commits later sees that we listen. */
        atomic_fetch_add(&watch->listening, watched->events);
        watched->wanted = watched->events && atomic_load(&watch->seen) != seen;
        list_add_tail(stream ? &watch->streams : &watch->calls, &watched->link);
        if (stream)
            nudge(watch); /* its time may be the next */
    }
    pthread_mutex_unlock(&watch->lock);
}

void watch_remove(struct watch *watch, struct watched *watched)
{
    pthread_mutex_lock(&watch->lock);
    take_out(watch, watched);
    pthread_mutex_unlock(&watch->lock);
}

void watch_events(void *arg)
{
    struct watch *watch = arg;

    atomic_fetch_add(&watch->seen, 1);
    if (atomic_load(&watch->listening))
        nudge(watch);
}

void watch_log(struct watch *watch, int64_t attempt)
{
    bool any = false;

    pthread_mutex_lock(&watch->lock);
    list_each(at, &watch->streams)
    {
        struct watched *watched = list_item(at, struct watched, link);

        if (watched->log == attempt)
            any = watched->wanted = true;
    }
    pthread_mutex_unlock(&watch->lock);
    if (any)
        nudge(watch);
}

void watch_close(struct watch *watch)
{
    int64_t now_ms = clock_mono_ms();

    pthread_mutex_lock(&watch->lock);
    watch->closed = true;
    while (!list_empty(&watch->streams))
        ring(watch, list_item(watch->streams.next, struct watched, link), RING_GONE, now_ms);
    while (!list_empty(&watch->calls))
        ring(watch, list_item(watch->calls.next, struct watched, link), RING_GONE, now_ms);
    pthread_mutex_unlock(&watch->lock);
}
