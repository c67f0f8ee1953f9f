/* SPDX-License-Identifier: Apache-2.0 */
/* timer.c - sleeps on the wall clock.
 *
 * timerfd with TFD_TIMER_CANCEL_ON_SET tells when somebody sets the clock.  Where the kernel or a
 * container does not pass that on, the wall clock is compared with the monotonic one at each turn.
 */
#include "cron/timer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"

#define TURN_MS  2000    /* between looks at which runs have ended */
#define IDLE_MS  30000   /* the same, while nothing was committed: late runs */
#define ZONES_MS 3600000 /* between looks at tzdata */
#define LEAP_MS  1500    /* the clocks drifted apart by more: the wall clock was set */
#define FAULT_MS 2000    /* after the store failed */

struct timer {
    struct timer_options options;
    struct agenda *agenda;
    pthread_t thread;
    int timer_fd, wake_fd;
    pthread_mutex_t lock;
    int64_t *changed;                   /* lock; ids to be read again */
    size_t changed_count, changed_room; /* lock */
    bool stop;                          /* lock */
    /* the thread's own */
    int64_t skew_ms, settled_ms, zones_ms, event_last;
};

static void wake(struct timer *timer)
{
    (void)!write(timer->wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
}

static void on_changed(void *arg, int64_t id)
{
    struct timer *timer = arg;

    pthread_mutex_lock(&timer->lock);
    if (timer->changed_count == timer->changed_room) {
        timer->changed_room = timer->changed_room ? timer->changed_room * 2 : 16;
        timer->changed = xrealloc(timer->changed, timer->changed_room * sizeof *timer->changed);
    }
    timer->changed[timer->changed_count++] = id;
    pthread_mutex_unlock(&timer->lock);
    wake(timer);
}

static bool stops(struct timer *timer)
{
    bool stop;

    pthread_mutex_lock(&timer->lock);
    stop = timer->stop;
    pthread_mutex_unlock(&timer->lock);
    return stop;
}

static void read_changes(struct timer *timer)
{
    own_mem int64_t *ids = NULL;
    size_t count;
    struct err err = ERR_INIT;

    pthread_mutex_lock(&timer->lock);
    ids = take_ptr(timer->changed);
    count = timer->changed_count;
    timer->changed_count = timer->changed_room = 0;
    pthread_mutex_unlock(&timer->lock);
    for (size_t i = 0; i < count; i++)
        if (agenda_reload(timer->agenda, ids[i], &err) < 0) {
            log_error("schedules: %s", err.text);
            on_changed(timer, ids[i]);
            clock_sleep_ms(FAULT_MS / 10);
        }
}

static void check_clock(struct timer *timer, bool was_told)
{
    int64_t skew = clock_wall_ms() - clock_mono_ms(), drift = skew - timer->skew_ms;

    timer->skew_ms = skew;
    if (!was_told && drift < LEAP_MS && drift > -LEAP_MS)
        return;
    log_info("the system's clock was set: drift_ms=%lld", (long long)drift);
    agenda_clock_set(timer->agenda, clock_wall_ms() / 1000);
}

static void settle(struct timer *timer)
{
    struct err err = ERR_INIT;
    int rc;

    timer->settled_ms = clock_mono_ms();
    timer->event_last = store_event_last(timer->options.store);
    do
        rc = agenda_settle(timer->agenda, clock_wall_ms(), timer->options.ended, timer->options.arg,
                           &err);
    while (rc > 0 && !stops(timer));
    if (rc < 0)
        log_error("ends of recurring runs: %s", err.text);
}

static bool settle_is_due(const struct timer *timer)
{
    bool quiet = store_event_last(timer->options.store) == timer->event_last;

    return clock_mono_ms() - timer->settled_ms >= (quiet ? IDLE_MS : TURN_MS);
}

/* Ends are noted first: the failure that pauses a schedule must count before it fires again. */
static void fire(struct timer *timer)
{
    struct err err = ERR_INIT;
    int rc;

    if (settle_is_due(timer) || agenda_next(timer->agenda) <= clock_wall_ms() / 1000)
        settle(timer);
    while ((rc = agenda_tick(timer->agenda, clock_wall_ms() / 1000, &err)) > 0 && !stops(timer))
        ;
    if (rc < 0)
        log_error("schedules wait: %s", err.text);
}

static void refresh(struct timer *timer)
{
    int64_t now = clock_mono_ms();
    size_t count;

    if (now - timer->zones_ms < ZONES_MS)
        return;
    timer->zones_ms = now;
    count = agenda_refresh_zones(timer->agenda);
    if (count)
        log_info("time zones read anew: count=%zu", count);
}

/* True when the kernel says that the clock was set. */
static bool sleep_until_next(struct timer *timer)
{
    int64_t next = agenda_next(timer->agenda);
    struct itimerspec spec = { .it_value.tv_sec = next == AGENDA_NEVER ? 0 : next };
    struct pollfd fds[2] = { { .fd = timer->timer_fd, .events = POLLIN },
                             { .fd = timer->wake_fd, .events = POLLIN } };
    uint64_t count;

    /* A past time fires at once; zero would disarm. */
    if (next != AGENDA_NEVER && next <= 0)
        spec.it_value.tv_nsec = 1;
    if (timerfd_settime(timer->timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL) <
            0 &&
        errno == ECANCELED)
        return true;
    if (poll(fds, 2, TURN_MS) <= 0)
        return false;
    if (fds[1].revents)
        (void)!read(timer->wake_fd, &count, sizeof count);
    return fds[0].revents && read(timer->timer_fd, &count, sizeof count) < 0 && errno == ECANCELED;
}

static void *timer_main(void *arg)
{
    struct timer *timer = arg;

    while (!stops(timer)) {
        read_changes(timer);
        fire(timer);
        refresh(timer);
        agenda_prepare(timer->agenda);
        if (stops(timer))
            break;
        check_clock(timer, sleep_until_next(timer));
    }
    return NULL;
}

static void timer_free(struct timer *timer)
{
    if (timer->timer_fd >= 0)
        close(timer->timer_fd);
    if (timer->wake_fd >= 0)
        close(timer->wake_fd);
    pthread_mutex_destroy(&timer->lock);
    agenda_free(timer->agenda);
    free(timer->changed);
    free(timer);
}

int timer_start(const struct timer_options *options, struct timer **out, struct err *err)
{
    struct timer *timer = xcalloc(1, sizeof *timer);
    int rc = 0;

    timer->options = *options;
    timer->agenda = agenda_new(options->store);
    agenda_hook(timer->agenda, &options->hooks);
    timer->skew_ms = clock_wall_ms() - clock_mono_ms();
    timer->zones_ms = clock_mono_ms();
    timer->settled_ms = clock_mono_ms() - IDLE_MS;
    pthread_mutex_init(&timer->lock, NULL);
    timer->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    timer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (timer->timer_fd < 0 || timer->wake_fd < 0)
        rc = err_sys(err, "timer of schedules");
    store_on_schedules(options->store, on_changed, timer);
    if (rc == 0)
        rc = agenda_load(timer->agenda, err);
    if (rc == 0 && (errno = pthread_create(&timer->thread, NULL, timer_main, timer)) != 0)
        rc = err_sys(err, "start the timer's thread");
    if (rc < 0) {
        store_on_schedules(options->store, NULL, NULL);
        timer_free(timer);
        return -1;
    }
    if (agenda_count(timer->agenda))
        log_info("schedules: count=%zu", agenda_count(timer->agenda));
    *out = timer;
    return 0;
}

void timer_stop(struct timer *timer)
{
    if (!timer)
        return;
    store_on_schedules(timer->options.store, NULL, NULL);
    pthread_mutex_lock(&timer->lock);
    timer->stop = true;
    pthread_mutex_unlock(&timer->lock);
    wake(timer);
    pthread_join(timer->thread, NULL);
    timer_free(timer);
}
