/* SPDX-License-Identifier: Apache-2.0 */
/* test_endpoint.c - broker/cli/endpoint.c: where the broker is, pins, encoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/endpoint.h"

static void parses(const char *url, const char *socket, const char *base, bool tls)
{
    own_endpoint struct endpoint endpoint = { .socket = NULL };
    struct err err = ERR_INIT;

    if (endpoint_parse(url, &endpoint, &err) < 0)
        fail_msg("%s: %s", url, err.text);
    if (socket)
        assert_string_equal(endpoint.socket, socket);
    else
        assert_null(endpoint.socket);
    assert_string_equal(endpoint.base, base);
    assert_int_equal(endpoint.tls, tls);
}

static void refused(const char *url)
{
    own_endpoint struct endpoint endpoint = { .socket = NULL };
    struct err err = ERR_INIT;

    if (endpoint_parse(url, &endpoint, &err) == 0)
        fail_msg("%s was taken", url);
    assert_int_equal(err.fault, FAULT_INVALID);
    assert_null(endpoint.base);
}

static void good_addresses(void **state)
{
    (void)state;
    parses("unix:///run/spillway.sock", "/run/spillway.sock", "http://localhost", false);
    parses("unix:///a b/s", "/a b/s", "http://localhost", false);
    parses("https://broker.lab.example:7455", NULL, "https://broker.lab.example:7455", true);
    parses("https://broker.lab.example", NULL, "https://broker.lab.example:7455", true);
    parses("https://broker.lab.example:443/", NULL, "https://broker.lab.example:443", true);
    parses("https://[2001:db8::1]:80", NULL, "https://[2001:db8::1]:80", true);
    parses("http://127.0.0.1:8000", NULL, "http://127.0.0.1:8000", false);
    parses("http://localhost:1", NULL, "http://localhost:1", false);
    parses("http://[::1]:8000", NULL, "http://[::1]:8000", false);
}

static void bad_addresses(void **state)
{
    static const char *const urls[] = {
        "",
        "broker:80",
        "ftp://a",
        "unix://relative/path",
        "unix://",
        "https://",
        "https://user:pass@host",
        "https://host/path",
        "https://host?x",
        "https://host:",
        "https://host:0",
        "https://host:65536",
        "https://host:80x",
        "https://ho st",
        "https://[::1",
        "https://host\n",
        "http://broker.lab.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://10.0.0.1:80",
    };
    char longest[400] = "unix:///";

    (void)state;
    for (size_t i = 0; i < array_len(urls); i++)
        refused(urls[i]);
    memset(longest + 8, 'x', 200);
    refused(longest);
}

static void the_default_follows_the_environment(void **state)
{
    own_endpoint struct endpoint endpoint = { .socket = NULL };
    struct err err = ERR_INIT;

    (void)state;
    setenv("XDG_STATE_HOME", "/nowhere/state", 1);
    assert_int_equal(endpoint_default(&endpoint, &err), 0);
    assert_true(endpoint.guessed);
    /* The system's one is taken only where it is there and the user's is not. */
    if (access("/run/spillway/spillway.sock", F_OK) != 0)
        assert_string_equal(endpoint.socket, "/nowhere/state/spillway/spillway.sock");
    endpoint_free(&endpoint);
    unsetenv("XDG_STATE_HOME");
    setenv("HOME", "/nowhere/home", 1);
    assert_int_equal(endpoint_default(&endpoint, &err), 0);
    if (access("/run/spillway/spillway.sock", F_OK) != 0)
        assert_string_equal(endpoint.socket, "/nowhere/home/.local/state/spillway/spillway.sock");
}

static void pins(void **state)
{
    static const char hex[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    static const char colons[] = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
                                 "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";
    char out[65], prefixed[80];
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(pin_parse(hex, out, &err), 0);
    assert_string_equal(out, hex);
    assert_int_equal(pin_parse(colons, out, &err), 0);
    assert_string_equal(out, hex);
    snprintf(prefixed, sizeof prefixed, "sha256:%s", hex);
    assert_int_equal(pin_parse(prefixed, out, &err), 0);
    assert_int_equal(pin_parse(hex + 1, out, &err), -1);
    assert_int_equal(pin_parse(prefixed + 6, out, &err), 0); /* ":0011…": a colon is no digit */
    assert_int_equal(pin_parse("sha256:xyz", out, &err), -1);
    assert_int_equal(pin_parse("", out, &err), -1);
}

static void encoding(void **state)
{
    own_buf struct buf out = BUF_INIT(0);

    (void)state;
    path_escape(&out, "a b/c%d?e#f/\303\251");
    assert_string_equal(buf_text(&out), "a%20b/c%25d%3Fe%23f/%C3%A9");
    buf_clear(&out);
    buf_puts(&out, "/v1/jobs");
    query_add(&out, "name", NULL);
    query_add(&out, "name", "x&all=1/..");
    query_add(&out, "user", "\xff\n");
    assert_string_equal(buf_text(&out), "/v1/jobs?name=x%26all%3D1%2F..&user=%FF%0A");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(the_default_follows_the_environment),
        cmocka_unit_test(pins),
        cmocka_unit_test(encoding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
