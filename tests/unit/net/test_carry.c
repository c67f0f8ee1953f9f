/* SPDX-License-Identifier: Apache-2.0 */
/* test_carry.c - broker/net/carry.c between two ends of a server on a loopback port: what it is given
 * by the path of a GET, what it was sent in a PUT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "loopback.h"
#include "net/carry.h"

#define BODY_BYTES ((size_t)3 << 20)

static char body[BODY_BYTES];
static char sum[SHA256_HEX];
/* Of the last PUT. */
static atomic_llong put_bytes;
static atomic_bool put_ended, put_whole;

/* ---- the server ------------------------------------------------------------------------------ */

static void send_body(int fd, const char *head, size_t length)
{
    (void)!io_write_all(fd, head, strlen(head));
    (void)!io_write_all(fd, body, length);
}

static bool serve_get(int fd, const char *path)
{
    own_str char *known =
        xasprintf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", (size_t)BODY_BYTES);

    if (strncmp(path, "/good ", 6) == 0)
        return send_body(fd, known, BODY_BYTES), true;
    if (strncmp(path, "/moved ", 7) == 0)
        return loopback_answer(fd, "302 Found\r\nLocation: /good", "not this"), true;
    if (strncmp(path, "/unknown ", 9) == 0)
        return send_body(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", BODY_BYTES), false;
    if (strncmp(path, "/cut ", 5) == 0)
        return send_body(fd, known, BODY_BYTES / 2), false;
    if (strncmp(path, "/stall ", 7) == 0)
        return send_body(fd, known, BODY_BYTES / 2), true;
    return loopback_answer(fd, "404 Not Found", "no such file"), true;
}

/* Reads on to the body's end; `request` has the head and its first part. */
static bool serve_put(int fd, const char *request)
{
    const char *length = strstr(request, "Content-Length: "), *rest = strstr(request, "\r\n\r\n");
    long long wanted = length ? strtoll(length + 16, NULL, 10) : -1;
    own_buf struct buf all = BUF_INIT(0);
    char piece[65536];
    ssize_t got = 0;
    bool whole = false;

    buf_puts(&all, rest + 4); /* what follows in this test's bodies holds no NUL */
    for (;;) {
        whole = wanted >= 0
                    ? (long long)all.length >= wanted
                    : all.length >= 5 && memcmp(all.data + all.length - 5, "0\r\n\r\n", 5) == 0;
        if (whole || (got = read(fd, piece, sizeof piece)) <= 0)
            break;
        buf_put(&all, piece, (size_t)got);
    }
    atomic_store(&put_bytes, (long long)all.length);
    atomic_store(&put_whole, whole);
    atomic_store(&put_ended, true);
    if (whole)
        loopback_answer(fd, "204 No Content", "");
    return false;
}

static bool serve(struct loopback *server, int fd, const char *request)
{
    (void)server;
    if (strncmp(request, "PUT /full ", 10) == 0)
        return loopback_answer(fd, "413 Too Large", "over the quota"), false;
    return strncmp(request, "PUT ", 4) == 0 ? serve_put(fd, request) : serve_get(fd, request + 4);
}

/* Once: the thread of a connection may outlive its test. */
static int fill(void **state)
{
    (void)state;
    for (size_t i = 0; i < BODY_BYTES; i++)
        body[i] = (char)('a' + i * 7 % 23);
    sha256_hex_of(body, BODY_BYTES, sum);
    return 0;
}

static int set_up(void **state)
{
    atomic_store(&put_ended, false);
    atomic_store(&put_whole, false);
    *state = loopback_start(serve);
    return 0;
}

static int tear_down(void **state)
{
    loopback_stop(*state);
    return 0;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static bool yes(void *arg, int64_t done, int64_t size)
{
    (void)arg;
    assert_true(size < 0 || done <= size);
    return true;
}

static bool no(void *arg, int64_t done, int64_t size)
{
    (void)arg;
    (void)size;
    return done < 1000;
}

static const struct http_options trust = { .insecure = false };

/* `from`: a path at the server, or of a file. */
static int carry_to(const struct loopback *server, const char *from, const char *to,
                    const char *wanted, struct carry *out, struct err *err)
{
    own_str char *source = from[0] == '/' && from[1] != 't'
                               ? xasprintf("http://127.0.0.1:%d%s", server->port, from)
                               : xstrdup(from);
    own_str char *target = xasprintf("http://127.0.0.1:%d%s", server->port, to);
    int rc;

    if (!out->go_on)
        out->go_on = yes;
    out->from = source;
    out->url = target;
    out->sha256 = wanted;
    out->most = out->most ? out->most : (int64_t)BODY_BYTES;
    out->stall_ms = out->stall_ms ? out->stall_ms : 20000;
    out->answer_ms = 20000;
    out->options = &trust;
    rc = carry_run(out, clock_mono_ms() + 60000, err);
    out->from = out->url = NULL;
    return rc;
}

static void whole(struct loopback *server, const char *from)
{
    own(carry_fini) struct carry out = { .most = 0 };
    struct err err = ERR_INIT;

    if (carry_to(server, from, "/in", sum, &out, &err) < 0)
        fail_msg("%s: %s", from, err.text);
    assert_int_equal(out.answer.status, 204);
    assert_int_equal(out.bytes, BODY_BYTES);
    assert_string_equal(out.is_sha256, sum);
    assert_true(atomic_load(&put_whole));
}

static void a_url_is_carried_whole(void **state)
{
    whole(*state, "/good");
    assert_int_equal(atomic_load(&put_bytes), BODY_BYTES);
    whole(*state, "/moved");
    assert_int_equal(atomic_load(&put_bytes), BODY_BYTES);
    /* Of no known length: in chunks. */
    whole(*state, "/unknown");
    assert_true(atomic_load(&put_bytes) > (long long)BODY_BYTES);
}

static void a_file_is_carried_whole(void **state)
{
    char path[] = "/tmp/test-carry.XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(io_write_all(fd, body, BODY_BYTES), 0);
    close(fd);
    whole(*state, path);
    assert_int_equal(atomic_load(&put_bytes), BODY_BYTES);
    unlink(path);
}

static void refused(struct loopback *server, const char *from, const char *wanted,
                    struct carry *with, enum fault fault, const char *words)
{
    struct err err = ERR_INIT;

    assert_int_equal(carry_to(server, from, "/in", wanted, with, &err), -1);
    if (err.fault != fault || !strstr(err.text, words))
        fail_msg("%s: fault %d: %s", from, (int)err.fault, err.text);
    carry_fini(with);
}

static void wait_put_ended(void)
{
    int64_t end = clock_mono_ms() + 20000;

    while (!atomic_load(&put_ended) && clock_mono_ms() < end)
        clock_sleep_ms(5);
    assert_true(atomic_load(&put_ended));
}

static void what_is_not_as_it_must_be_never_becomes_whole(void **state)
{
    static const char *const sources[] = { "/good", "/unknown", "/cut" };
    char other[SHA256_HEX];

    sha256_hex_of("x", 1, other);
    for (size_t i = 0; i < array_len(sources); i++) {
        bool cut = strcmp(sources[i], "/cut") == 0;

        atomic_store(&put_ended, false);
        refused(*state, sources[i], other, &(struct carry){ .most = 0 },
                cut ? FAULT_UNAVAILABLE : FAULT_INVALID, cut ? "/cut: " : other);
        wait_put_ended();
        assert_false(atomic_load(&put_whole));
    }
}

static void faults_say_which_end(void **state)
{
    struct loopback *server = *state;
    own(carry_fini) struct carry full = { .most = 0 };
    struct err err = ERR_INIT;

    refused(server, "/none", sum, &(struct carry){ .most = 0 }, FAULT_UNAVAILABLE, "404");
    refused(server, "/good", sum, &(struct carry){ .most = 1000 }, FAULT_INVALID,
            "more than 1000 bytes");
    refused(server, "/stall", sum, &(struct carry){ .stall_ms = 300 }, FAULT_TIMEOUT,
            "next to nothing came");
    refused(server, "/good", sum, &(struct carry){ .go_on = no }, FAULT_CONFLICT, "given up");
    refused(server, "/tmp/there is no such file", sum, &(struct carry){ .most = 0 }, FAULT_INVALID,
            "No such file");
    refused(server, "/tmp", sum, &(struct carry){ .most = 0 }, FAULT_INVALID, "is no file");
    /* A refusal is an answer. */
    assert_int_equal(carry_to(server, "/good", "/full", sum, &full, &err), 0);
    assert_int_equal(full.answer.status, 413);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_url_is_carried_whole),
        TEST(a_file_is_carried_whole),
        TEST(what_is_not_as_it_must_be_never_becomes_whole),
        TEST(faults_say_which_end),
    };

    return cmocka_run_group_tests(tests, fill, NULL);
}
