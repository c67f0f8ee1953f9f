/* SPDX-License-Identifier: Apache-2.0 */
/* test_watch.c - who is rung, when, and that nobody is after watch_remove(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "api/rate.h"
#include "api/watch.h"
#include "base/clock.h"
#include "base/own.h"

#define PATIENCE_MS 10000

struct client {
    struct watched watched;
    int near, far;
    atomic_int rings;
    atomic_int why;
};

static void rung(void *arg, enum ring why)
{
    struct client *client = arg;

    atomic_store(&client->why, why);
    atomic_fetch_add(&client->rings, 1);
}

static void client_init(struct client *client)
{
    int pair[2];

    *client = (struct client){ .near = -1 };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    client->near = client->watched.fd = pair[0];
    client->far = pair[1];
    client->watched.ring = rung;
    client->watched.arg = client;
    list_init(&client->watched.link);
}

static void client_fini(struct watch *watch, struct client *client)
{
    watch_remove(watch, &client->watched);
    close(client->near);
    if (client->far >= 0)
        close(client->far);
}

static bool waits_for_ring(struct client *client, int count)
{
    int64_t end = clock_mono_ms() + PATIENCE_MS;

    while (atomic_load(&client->rings) < count && clock_mono_ms() < end)
        clock_sleep_ms(1);
    return atomic_load(&client->rings) == count;
}

static int set_up(void **state)
{
    *state = watch_new();
    return 0;
}

static int tear_down(void **state)
{
    watch_free(*state);
    return 0;
}

static void a_client_that_hangs_up_is_noticed(void **state)
{
    struct client client;

    client_init(&client);
    watch_add(*state, &client.watched, watch_seen(*state));
    close(client.far);
    client.far = -1;
    assert_true(waits_for_ring(&client, 1));
    assert_int_equal(client.why, RING_GONE);
    client_fini(*state, &client);
}

static void events_ring_streams_alone_and_once(void **state)
{
    struct client stream, call;

    client_init(&stream);
    client_init(&call);
    stream.watched.events = true;
    watch_add(*state, &stream.watched, watch_seen(*state));
    watch_add(*state, &call.watched, watch_seen(*state));
    for (int i = 0; i < 100; i++)
        watch_events(*state);
    assert_true(waits_for_ring(&stream, 1));
    assert_int_equal(stream.why, RING_EVENTS);
    clock_sleep_ms(50);
    assert_int_equal(atomic_load(&stream.rings), 1);
    assert_int_equal(atomic_load(&call.rings), 0);
    client_fini(*state, &stream);
    client_fini(*state, &call);
}

/* The commit came after the stream looked and before it was added. */
static void a_commit_in_between_is_not_missed(void **state)
{
    struct client client;
    uint64_t seen = watch_seen(*state);

    client_init(&client);
    client.watched.events = true;
    watch_events(*state);
    watch_add(*state, &client.watched, seen);
    assert_true(waits_for_ring(&client, 1));
    client_fini(*state, &client);
}

static void a_time_rings(void **state)
{
    struct client client;

    client_init(&client);
    client.watched.due_ms = clock_mono_ms() + 20;
    watch_add(*state, &client.watched, watch_seen(*state));
    assert_true(waits_for_ring(&client, 1));
    assert_int_equal(client.why, RING_DUE);
    assert_true(clock_mono_ms() >= client.watched.due_ms);
    client_fini(*state, &client);
}

static void a_log_rings_its_followers_alone(void **state)
{
    struct client one, other;

    client_init(&one);
    client_init(&other);
    one.watched.log = 7;
    other.watched.log = 8;
    watch_add(*state, &one.watched, watch_seen(*state));
    watch_add(*state, &other.watched, watch_seen(*state));
    watch_log(*state, 7);
    assert_true(waits_for_ring(&one, 1));
    clock_sleep_ms(50);
    assert_int_equal(atomic_load(&other.rings), 0);
    client_fini(*state, &one);
    client_fini(*state, &other);
}

static void nobody_waits_past_the_close(void **state)
{
    struct client before, after;

    client_init(&before);
    client_init(&after);
    watch_add(*state, &before.watched, watch_seen(*state));
    watch_close(*state);
    assert_int_equal(atomic_load(&before.rings), 1);
    watch_add(*state, &after.watched, watch_seen(*state));
    assert_int_equal(atomic_load(&after.rings), 1);
    assert_int_equal(after.why, RING_GONE);
    client_fini(*state, &before);
    client_fini(*state, &after);
}

static void *make_events(void *arg)
{
    for (int i = 0; i < 20000; i++)
        watch_events(arg);
    return NULL;
}

/* After watch_remove() the client may be freed: a thread sanitizer sees it if that is not so. */
static void removed_ones_are_left_alone(void **state)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, make_events, *state), 0);
    for (int i = 0; i < 300; i++) {
        struct client *client = xmalloc(sizeof *client);

        client_init(client);
        client->watched.events = true;
        watch_add(*state, &client->watched, watch_seen(*state));
        if (i % 3 == 0)
            shutdown(client->far, SHUT_RDWR);
        client_fini(*state, client);
        free(client);
    }
    pthread_join(thread, NULL);
}

static void a_rate_is_taken_and_comes_back(void **state)
{
    struct rate *rate = rate_new(10, 3);
    char name[32];

    (void)state;
    assert_true(rate_take(rate, "a", 1, 0));
    assert_true(rate_take(rate, "a", 1, 0));
    assert_true(rate_take(rate, "a", 0, 0)); /* asks only */
    assert_true(rate_take(rate, "a", 1, 0));
    assert_false(rate_take(rate, "a", 1, 0));
    assert_false(rate_take(rate, "a", 0, 0));
    assert_true(rate_take(rate, "b", 1, 0));
    assert_false(rate_take(rate, "a", 1, 99));
    assert_true(rate_take(rate, "a", 1, 100));
    assert_false(rate_take(rate, "a", 1, 50)); /* a clock that goes back gives nothing */
    for (int i = 0; i < 10000; i++) { /* bounded: strangers share one once the table is full */
        snprintf(name, sizeof name, "n%d", i);
        rate_take(rate, name, 1, 200);
    }
    assert_false(rate_take(rate, "a stranger", 1, 200));
    rate_free(rate);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_that_hangs_up_is_noticed), TEST(events_ring_streams_alone_and_once),
        TEST(a_commit_in_between_is_not_missed), TEST(a_time_rings),
        TEST(a_log_rings_its_followers_alone),   TEST(nobody_waits_past_the_close),
        TEST(removed_ones_are_left_alone),       cmocka_unit_test(a_rate_is_taken_and_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
