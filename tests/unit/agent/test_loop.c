/* SPDX-License-Identifier: Apache-2.0 */
/* test_loop.c - worker-agent/loop.c: timers fire in order, what was dropped does not come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include <cmocka.h>

#include "../../../worker-agent/loop.h"
#include "base/clock.h"
#include "base/own.h"

#define TIMERS 500

static struct loop *loop;
static int fired, turns;
static int64_t last_at;

static void in_order(struct timer *timer)
{
    assert_true(timer->at >= last_at);
    last_at = timer->at;
    fired++;
}

static void stop(struct timer *timer)
{
    (void)timer;
    loop_stop(loop);
}

static void turn(void *arg)
{
    (void)arg;
    turns++;
}

static int set_up(void **state)
{
    (void)state;
    loop = loop_new(NULL);
    fired = turns = 0;
    last_at = 0;
    return loop == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

static void timers_fire_in_order(void **state)
{
    struct timer timers[TIMERS] = { { .at = 0 } }, end = { .fire = stop };
    int64_t now = clock_mono_ms();
    uint32_t seed = 7;
    int wanted = 0;

    (void)state;
    for (int i = 0; i < TIMERS; i++) {
        seed = seed * 1664525 + 1013904223;
        timers[i].fire = in_order;
        timer_set(loop, &timers[i], now + (seed >> 16) % 60);
    }
    for (int i = 0; i < TIMERS; i++) {
        seed = seed * 1664525 + 1013904223;
        if (seed >> 31)
            timer_clear(loop, &timers[i]);
        else if (seed >> 30 & 1)
            timer_set(loop, &timers[i], now + (seed >> 16) % 60);
        wanted += timers[i].slot != 0;
    }
    timer_set(loop, &end, now + 80);
    loop_run(loop, turn, NULL);
    assert_int_equal(fired, wanted);
}

/* A timer far off was armed first: a nearer one must not wait for it. */
static void a_nearer_timer_is_not_late(void **state)
{
    struct timer far = { .fire = in_order }, near = { .fire = stop };

    (void)state;
    timer_set(loop, &far, clock_mono_ms() + 3600000);
    timer_set(loop, &near, clock_mono_ms() + 5);
    loop_run(loop, turn, NULL);
    assert_int_equal(fired, 0);
    timer_clear(loop, &far);
}

static void work_that_asks_again_waits_a_turn(struct later *later)
{
    if (++fired == 3)
        loop_stop(loop);
    else
        later_ask(loop, later);
}

static void deferred_work_comes_in_turns(void **state)
{
    struct later later = { .run = work_that_asks_again_waits_a_turn };
    struct later dropped = { .run = work_that_asks_again_waits_a_turn };

    (void)state;
    later_ask(loop, &later);
    later_ask(loop, &later); /* asked twice, run once */
    later_ask(loop, &dropped);
    later_drop(&dropped);
    loop_run(loop, turn, NULL);
    assert_int_equal(fired, 3);
    assert_int_equal(turns, 3);
}

static struct watch pair[2];

/* The first to be told takes the other away. */
static void take_other_away(struct watch *watch, uint32_t events)
{
    (void)events;
    fired++;
    watch_set(loop, watch == &pair[0] ? &pair[1] : &pair[0], 0);
    watch_set(loop, watch, 0);
    loop_stop(loop);
}

static void a_watch_that_ended_is_not_told(void **state)
{
    int fds[2][2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(fds[i]), 0);
        assert_int_equal(write(fds[i][1], "x", 1), 1);
        pair[i] = (struct watch){ .fd = fds[i][0], .ready = take_other_away };
        watch_set(loop, &pair[i], EPOLLIN);
    }
    loop_run(loop, turn, NULL);
    assert_int_equal(fired, 1);
    for (int i = 0; i < 2; i++) {
        close(fds[i][0]);
        close(fds[i][1]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(timers_fire_in_order),
        TEST(a_nearer_timer_is_not_late),
        TEST(deferred_work_comes_in_turns),
        TEST(a_watch_that_ended_is_not_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
