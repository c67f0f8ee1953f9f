/* SPDX-License-Identifier: Apache-2.0 */
/* test_http.c - worker-agent/http.c: answers as servers really send them, and as they should not.
 *
 * The server is in the same thread: a listening socket accepts before anyone calls accept(), so the
 * test writes the whole answer and only then lets the client's loop run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "../../../worker-agent/http.h"
#include "base/clock.h"

struct world {
    char dir[64], path[100];
    int listen_fd;
    struct loop *loop;
    struct server server;
    struct http *http;
    struct http_request request;
    bool done;
    struct buf pieces;
    size_t refuse_after; /* bytes; 0: take all */
    struct timer deadline;
    int64_t idle_ms; /* 0: long */
};

static void on_done(struct http_request *request)
{
    struct world *w = list_item(request, struct world, request);

    w->done = true;
    loop_stop(w->loop);
}

static int on_piece(struct http_request *request, const char *data, size_t length)
{
    struct world *w = list_item(request, struct world, request);

    buf_put(&w->pieces, data, length);
    if (w->refuse_after && w->pieces.length > w->refuse_after)
        return err_set(&request->err, FAULT_UNAVAILABLE, "no room");
    return 0;
}

static void too_late(struct timer *timer)
{
    loop_stop(list_item(timer, struct world, deadline)->loop);
}

static void no_turn(void *arg)
{
    (void)arg;
}

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof *w);
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf(w->dir, sizeof w->dir, "/tmp/spillway-http-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof w->path, "%s/s", w->dir);
    memcpy(address.sun_path, w->path, strlen(w->path) + 1);
    w->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(w->listen_fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(w->listen_fd, 8), 0);
    w->server.url =
        (struct url){ .scheme = URL_UNIX, .host = xstrdup(w->path), .target = xstrdup("") };
    w->loop = loop_new(NULL);
    w->http = http_new(w->loop, NULL, &w->server, 1);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    http_free(w->http);
    http_request_fini(&w->request);
    loop_free(w->loop);
    url_free(&w->server.url);
    close(w->listen_fd);
    unlink(w->path);
    rmdir(w->dir);
    buf_free(&w->pieces);
    free(w);
    return 0;
}

static void ask(struct world *w, const char *method)
{
    http_request_fini(&w->request);
    http_request_init(&w->request, method, xstrdup("/x"));
    w->request.done = on_done;
    w->request.idle_ms = w->idle_ms ? w->idle_ms : 20000;
    w->done = false;
    http_send(w->http, &w->request);
}

/* Runs until the request is done, or for `ms`. */
static void run(struct world *w, int64_t ms)
{
    struct loop *loop = w->loop;

    w->deadline.fire = too_late;
    timer_set(loop, &w->deadline, clock_mono_ms() + ms);
    loop_run(loop, no_turn, NULL);
    timer_clear(loop, &w->deadline);
}

/* The next connection gets `answer` in pieces of `step` bytes, and its end when `close_it`. */
static int serve(struct world *w, const char *answer, size_t step, bool close_it)
{
    int fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    size_t length = strlen(answer);

    assert_true(fd >= 0);
    for (size_t at = 0; at < length; at += step)
        assert_true(write(fd, answer + at, at + step > length ? length - at : step) > 0);
    if (!close_it)
        return fd;
    shutdown(fd, SHUT_WR);
    return fd;
}

/* A fresh loop is needed once one was stopped. */
static void exchange(struct world *w, const char *method, const char *answer, bool close_it)
{
    int fd;

    ask(w, method);
    fd = serve(w, answer, strlen(answer) / 64 + 7, close_it); /* within the socket's room */
    run(w, 10000);
    close(fd);
    assert_true(w->done);
}

static void fresh(struct world *w)
{
    http_free(w->http);
    loop_free(w->loop);
    w->loop = loop_new(NULL);
    w->http = http_new(w->loop, NULL, &w->server, 1);
}

static void plain_answers(void **state)
{
    struct world *w = *state;

    exchange(w, "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false);
    assert_int_equal(w->request.status, 200);
    assert_string_equal(buf_text(&w->request.answer), "hello");
    fresh(w);
    exchange(
        w, "GET",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        false);
    assert_string_equal(buf_text(&w->request.answer), "abcde");
    fresh(w);
    exchange(w, "GET", "HTTP/1.0 200 OK\r\n\r\nuntil the end", true);
    assert_int_equal(w->request.status, 200);
    assert_string_equal(buf_text(&w->request.answer), "until the end");
    fresh(w);
    exchange(w, "GET", "HTTP/1.1 204 No Content\r\n\r\n", false);
    assert_int_equal(w->request.status, 204);
}

static void continue_is_not_the_answer(void **state)
{
    struct world *w = *state;

    exchange(w, "PUT",
             "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
             false);
    assert_int_equal(w->request.status, 201);
}

static void head_has_no_body(void **state)
{
    struct world *w = *state;

    exchange(w, "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nUpload-Offset: 42\r\n\r\n",
             false);
    assert_int_equal(w->request.status, 200);
    assert_int_equal(w->request.offset, 42);
}

static void headers_are_read(void **state)
{
    struct world *w = *state;

    exchange(w, "GET",
             "HTTP/1.1 206 Partial\r\ncontent-range: bytes 1000-1999/5000\r\nRETRY-AFTER: 7\r\n"
             "Location: https://elsewhere/x\r\nContent-Length: 0\r\n\r\n",
             false);
    assert_int_equal(w->request.offset, 1000);
    assert_int_equal(w->request.retry_ms, 7000);
    assert_string_equal(w->request.location, "https://elsewhere/x");
    fresh(w);
    exchange(w, "GET",
             "HTTP/1.1 503 No\r\nRetry-After: 99999999999\r\nUpload-Offset: -5\r\n"
             "Content-Length: 0\r\n\r\n",
             false);
    assert_int_equal(w->request.retry_ms, 3600000); /* a day's wait is not for a server to ask */
    assert_int_equal(w->request.offset, -1);
}

static void long_headers_are_cut_not_believed(void **state)
{
    struct world *w = *state;
    own_buf struct buf answer = BUF_INIT(0);

    buf_puts(&answer, "HTTP/1.1 302 Found\r\nLocation: ");
    for (int i = 0; i < 5000; i++)
        buf_putc(&answer, 'a');
    buf_puts(&answer, "\r\n");
    for (int i = 0; i < 300; i++)
        buf_putc(&answer, 'B');
    buf_puts(&answer, ": x\r\nContent-Length: 0\r\n\r\n");
    exchange(w, "GET", answer.data, false);
    assert_int_equal(w->request.status, 302);
    assert_true(strlen(w->request.location) < sizeof w->request.location);
}

static void what_is_no_answer_is_a_fault(void **state)
{
    static const char *const bad[] = {
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        "HTTP/1.1 200 OK\r\n",
    };
    struct world *w = *state;

    for (size_t i = 0; i < array_len(bad); i++) {
        exchange(w, "GET", bad[i], true);
        if (w->request.status != 0 || !w->request.err.text[0])
            fail_msg("taken: %s", bad[i]);
        fresh(w);
    }
}

static void a_large_answer_is_refused(void **state)
{
    struct world *w = *state;
    int fd;

    ask(w, "GET");
    w->request.answer.cap = w->request.answer_most = 4;
    fd = serve(w, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 100, false);
    run(w, 10000);
    close(fd);
    assert_int_equal(w->request.status, 0);
    assert_non_null(strstr(w->request.err.text, "larger than 4"));
}

static void a_body_may_be_taken_in_pieces(void **state)
{
    struct world *w = *state;
    int fd;

    ask(w, "GET");
    w->request.piece = on_piece;
    fd = serve(w, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", 5, false);
    run(w, 10000);
    close(fd);
    assert_int_equal(w->request.status, 200);
    assert_string_equal(buf_text(&w->pieces), "0123456789");
    fresh(w);
    buf_clear(&w->pieces);
    w->refuse_after = 5;
    ask(w, "GET");
    w->request.piece = on_piece;
    fd = serve(w, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", 5, false);
    run(w, 10000);
    close(fd);
    assert_int_equal(w->request.status, 0);
    assert_string_equal(w->request.err.text, "no room");
    fresh(w);
    buf_clear(&w->pieces);
    ask(w, "GET"); /* an error's body is no piece of what was asked for */
    w->request.piece = on_piece;
    fd = serve(w, "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nnone", 5, false);
    run(w, 10000);
    close(fd);
    assert_int_equal(w->request.status, 404);
    assert_int_equal(w->pieces.length, 0);
    assert_string_equal(buf_text(&w->request.answer), "none");
}

static void silence_has_an_end(void **state)
{
    struct world *w = *state;
    int fd;

    w->idle_ms = 50;
    ask(w, "GET");
    fd = serve(w, "", 1, false);
    run(w, 10000);
    close(fd);
    assert_true(w->done);
    assert_int_equal(w->request.err.fault, FAULT_TIMEOUT);
}

static void nobody_listens(void **state)
{
    struct world *w = *state;

    unlink(w->path);
    ask(w, "GET");
    run(w, 10000);
    assert_true(w->done);
    assert_int_equal(w->request.status, 0);
    assert_non_null(strstr(w->request.err.text, w->path));
}

static void a_cancelled_one_is_not_done(void **state)
{
    struct world *w = *state;
    int fd;

    ask(w, "GET");
    fd = serve(w, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 100, false);
    http_cancel(&w->request);
    http_cancel(&w->request);
    run(w, 50);
    close(fd);
    assert_false(w->done);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_answers),
        TEST(continue_is_not_the_answer),
        TEST(head_has_no_body),
        TEST(headers_are_read),
        TEST(long_headers_are_cut_not_believed),
        TEST(what_is_no_answer_is_a_fault),
        TEST(a_large_answer_is_refused),
        TEST(a_body_may_be_taken_in_pieces),
        TEST(silence_has_an_end),
        TEST(nobody_listens),
        TEST(a_cancelled_one_is_not_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
