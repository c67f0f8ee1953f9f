/* SPDX-License-Identifier: Apache-2.0 */
/* test_http.c - broker/net/http.c against a server on a loopback port that answers by the path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loopback.h"
#include "net/http.h"

static bool serve(struct loopback *server, int fd, const char *request)
{
    const char *path = strchr(request, ' ');

    (void)server;
    if (!path)
        return false;
    if (strncmp(path, " /busy ", 7) == 0)
        loopback_answer(fd, "429 Too Many\r\nRetry-After: 1", "slow down");
    else if (strncmp(path, " /long ", 7) == 0)
        loopback_answer(fd, "200 OK", "0123456789abcdef0123456789abcdef");
    else if (strncmp(path, " /cut ", 6) == 0)
        return (void)!io_write_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx", 41), false;
    else if (strncmp(path, " /dead ", 7) == 0)
        return false;
    else if (strncmp(path, " /never ", 8) == 0)
        return true; /* no answer at all */
    else
        loopback_answer(fd, "200 OK", "{}");
    return true;
}

static int set_up(void **state)
{
    *state = loopback_start(serve);
    return 0;
}

static int tear_down(void **state)
{
    loopback_stop(*state);
    return 0;
}

static struct http_pool *pool_of(double per_second, int burst)
{
    struct http_options options = { .calls_per_second = per_second, .burst = burst };
    struct http_pool *pool = NULL;
    struct err err = ERR_INIT;

    if (http_pool_new(&options, &pool, &err) < 0)
        fail_msg("%s", err.text);
    return pool;
}

static int ask(struct http_pool *pool, const struct loopback *server, const char *path,
               int64_t for_ms, struct http_answer *out, struct err *err)
{
    own_str char *url = xasprintf("http://127.0.0.1:%d%s", server->port, path);
    struct http_request request = {
        .method = "GET", .url = url, .want_header = "x-token", .answer_most = 16
    };

    return http_call(pool, &request, clock_mono_ms() + for_ms, out, err);
}

static void a_connection_is_used_again(void **state)
{
    struct loopback *server = *state;
    struct http_pool *pool = pool_of(0, 0);

    for (int i = 0; i < 5; i++) {
        own_http_answer struct http_answer out = { .status = 0 };
        struct err err = ERR_INIT;

        if (ask(pool, server, "/x", 5000, &out, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(out.status, 200);
        assert_string_equal(buf_text(&out.body), "{}");
        assert_string_equal(out.header, "t-1");
    }
    assert_int_equal(atomic_load(&server->connections), 1);
    assert_int_equal(http_sent(pool), 5);
    http_pool_free(pool);
}

static void many_are_in_flight_with_an_outcome_each(void **state)
{
    struct loopback *server = *state;
    struct http_pool *pool = pool_of(0, 0);
    struct http_request requests[6];
    struct http_answer answers[6];
    struct err errs[6];
    char *urls[6];

    memset(answers, 0, sizeof answers);
    for (size_t i = 0; i < 6; i++) {
        urls[i] = xasprintf("http://127.0.0.1:%d%s", server->port, i == 3 ? "/dead" : "/x");
        requests[i] = (struct http_request){ .method = "GET", .url = urls[i] };
    }
    http_calls(pool, requests, 6, clock_mono_ms() + 5000, answers, errs);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(errs[i].fault, i == 3 ? FAULT_UNAVAILABLE : FAULT_NONE);
        http_answer_free(&answers[i]);
        free(urls[i]);
    }
    http_pool_free(pool);
}

static void no_answer_is_a_fault_with_a_kind(void **state)
{
    static const struct {
        const char *path;
        int64_t for_ms;
        enum fault fault;
    } cases[] = {
        { "/never", 300, FAULT_TIMEOUT },
        { "/cut", 5000, FAULT_UNAVAILABLE },
        { "/dead", 5000, FAULT_UNAVAILABLE },
        { "/long", 5000, FAULT_INVALID },
    };
    struct loopback *server = *state;
    struct http_pool *pool = pool_of(0, 0);

    for (size_t i = 0; i < array_len(cases); i++) {
        own_http_answer struct http_answer out = { .status = 0 };
        struct err err = ERR_INIT;

        assert_int_equal(ask(pool, server, cases[i].path, cases[i].for_ms, &out, &err), -1);
        if (err.fault != cases[i].fault)
            fail_msg("%s: %s, %s", cases[i].path, fault_name(err.fault), err.text);
        assert_true(out.maybe_done); /* it was sent: nobody knows what came of it */
    }
    http_pool_free(pool);
}

static void nobody_there_means_not_done(void **state)
{
    own_http_answer struct http_answer out = { .status = 0 };
    struct http_pool *pool = pool_of(0, 0);
    struct http_request request = {
        .method = "POST", .url = "http://127.0.0.1:1/", .body = "x", .length = 1
    };
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(http_call(pool, &request, clock_mono_ms() + 5000, &out, &err), -1);
    assert_int_equal(err.fault, FAULT_UNAVAILABLE);
    assert_false(out.maybe_done);
    http_pool_free(pool);
}

static void retry_after_is_obeyed(void **state)
{
    own_http_answer struct http_answer out = { .status = 0 }, second = { .status = 0 };
    struct loopback *server = *state;
    struct http_pool *pool = pool_of(0, 0);
    struct err err = ERR_INIT;
    int64_t before = clock_mono_ms();

    assert_int_equal(ask(pool, server, "/busy", 5000, &out, &err), 0);
    assert_int_equal(out.status, 429);
    assert_int_equal(out.retry_after_ms, 1000);
    /* Not enough time to wait for it: refused without a call. */
    assert_int_equal(ask(pool, server, "/x", 100, &second, &err), -1);
    assert_int_equal(err.fault, FAULT_THROTTLED);
    assert_int_equal(atomic_load(&server->requests), 1);
    assert_int_equal(ask(pool, server, "/x", 5000, &second, &err), 0);
    assert_true(clock_mono_ms() - before >= 1000);
    http_pool_free(pool);
}

static void calls_are_paced(void **state)
{
    struct loopback *server = *state;
    struct http_pool *pool = pool_of(20, 2);
    int64_t before = clock_mono_ms();

    for (int i = 0; i < 6; i++) {
        own_http_answer struct http_answer out = { .status = 0 };
        struct err err = ERR_INIT;

        assert_int_equal(ask(pool, server, "/x", 5000, &out, &err), 0);
    }
    /* Two at once, then one every 50 ms. */
    assert_true(clock_mono_ms() - before >= 4 * 50 - 5);
    http_pool_free(pool);
}

static void *end_soon(void *arg)
{
    (void)arg;
    clock_sleep_ms(50);
    http_end_by(clock_mono_ms());
    return NULL;
}

/* Its own deadline would be a timeout, a minute from now. */
static void what_is_under_way_ends_with_the_broker(void **state)
{
    struct loopback *server = *state;
    struct http_pool *pool = pool_of(0, 0);
    own_http_answer struct http_answer out = { .status = 0 }, late = { .status = 0 };
    own_http_answer struct http_answer again = { .status = 0 };
    struct err err = ERR_INIT;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, end_soon, NULL), 0);
    assert_int_equal(ask(pool, server, "/never", 60000, &out, &err), -1);
    assert_int_equal(err.fault, FAULT_UNAVAILABLE);
    assert_true(out.maybe_done);
    pthread_join(thread, NULL);
    assert_false(http_pause(60000, INT64_MAX));
    assert_int_equal(ask(pool, server, "/x", 60000, &late, &err), -1);
    assert_int_equal(err.fault, FAULT_UNAVAILABLE);
    assert_false(late.maybe_done);
    assert_int_equal(http_sent(pool), 1);
    http_end_by(0);
    assert_int_equal(ask(pool, server, "/x", 60000, &again, &err), 0);
    assert_true(http_pause(1, INT64_MAX));
    assert_false(http_pause(1000, clock_mono_ms() + 500));
    http_pool_free(pool);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_connection_is_used_again),
        TEST(many_are_in_flight_with_an_outcome_each),
        TEST(no_answer_is_a_fault_with_a_kind),
        TEST(nobody_there_means_not_done),
        TEST(retry_after_is_obeyed),
        TEST(calls_are_paced),
        TEST(what_is_under_way_ends_with_the_broker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
