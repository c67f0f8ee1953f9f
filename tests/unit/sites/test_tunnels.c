/* SPDX-License-Identifier: Apache-2.0 */
/* test_tunnels.c - the keys of workers that are reached by SSH, and what is said of one that cannot
 * be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/own.h"
#include "sites/tunnel_end.h"
#include "sites/tunnels.h"

struct world {
    char dir[64];
    struct site_conf conf;
    struct tunnels *tunnels;
};

static int setup(void **state)
{
    struct world *world = xcalloc(1, sizeof *world);

    snprintf(world->dir, sizeof world->dir, "/tmp/tunnels.XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    site_conf_init(&world->conf, "cloud", "openstack");
    assert_int_equal(tunnels_open(&world->conf, world->dir, &world->tunnels, NULL), 0);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    tunnels_close(world->tunnels);
    site_conf_fini(&world->conf);
    io_remove_tree(world->dir, NULL);
    free(world);
    return 0;
}

static void reopen(struct world *world)
{
    tunnels_close(world->tunnels);
    assert_int_equal(tunnels_open(&world->conf, world->dir, &world->tunnels, NULL), 0);
}

static void keys_are_the_same_after_a_restart_and_another_s_are_not(void **state)
{
    struct world *world = *state;
    struct ssh_key host, login, host2, login2;
    own_str char *path = xasprintf("%s/ssh.secret", world->dir);
    struct stat about;

    assert_int_equal(tunnels_keys(world->tunnels, "w-1", &host, &login, NULL), 0);
    assert_memory_not_equal(host.open, login.open, SSH_KEY_BYTES);
    reopen(world);
    assert_int_equal(tunnels_keys(world->tunnels, "w-1", &host2, &login2, NULL), 0);
    assert_memory_equal(&host, &host2, sizeof host);
    assert_memory_equal(&login, &login2, sizeof login);
    assert_int_equal(tunnels_keys(world->tunnels, "w-2", &host2, &login2, NULL), 0);
    assert_memory_not_equal(host.open, host2.open, SSH_KEY_BYTES);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void a_secret_that_was_cut_is_not_replaced(void **state)
{
    struct world *world = *state;
    own_str char *path = xasprintf("%s/ssh.secret", world->dir);
    struct ssh_key host, login;
    struct err err = ERR_INIT;

    assert_int_equal(io_replace_file(path, 0600, "short", 5, NULL), 0);
    assert_int_equal(tunnels_keys(world->tunnels, "w-1", &host, &login, &err), -1);
    assert_non_null(strstr(err.text, "ssh.secret is not what was written there"));
}

static void the_payload_leads_to_the_tunnel(void **state)
{
    struct world *world = *state;
    own_str char *text = NULL;
    own_json json_t *boot = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(
        tunnels_boot(world->tunnels, "{\"url\":\"https://b:7455\",\"token\":\"t\"}", &text, &err),
        0);
    boot = json_parse(text, strlen(text), &err);
    assert_string_equal(json_string_value(json_object_get(boot, "url")), "https://127.0.0.1:7455");
    assert_string_equal(json_string_value(json_object_get(boot, "token")), "t");
    free(take_ptr(text));
    assert_int_equal(
        tunnels_boot(world->tunnels, "{\"url\":\"unix:///run/spillway.sock\"}", &text, &err), -1);
    assert_non_null(strstr(err.text, "set broker.listen"));
}

static void our_end_is_where_the_url_says(void **state)
{
    static const struct {
        const char *url, *host;
        int port;
    } good[] = { { "https://b.example:7455", "b.example", 7455 },
                 { "https://b.example/", "b.example", 443 },
                 { "https://[::1]:7455/x", "::1", 7455 },
                 { "https://[fd00::1]", "fd00::1", 443 } };
    static const char *const bad[] = { "",           "http://b:1",     "https://",
                                       "https:///x", "https://b:port", "https://b:70000" };
    struct tunnel_end end = { .host = NULL };
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < array_len(good); i++) {
        assert_int_equal(tunnel_end_read(&end, good[i].url, &err), 0);
        assert_string_equal(end.host, good[i].host);
        assert_int_equal(end.port, good[i].port);
    }
    for (size_t i = 0; i < array_len(bad); i++)
        assert_int_equal(tunnel_end_read(&end, bad[i], &err), -1);
    assert_string_equal(end.host, "fd00::1");
    tunnel_end_fini(&end);
}

/* Nobody listens there: it is said, it is no refusal, and the end comes soon. */
static void a_machine_that_does_not_answer_is_told_of(void **state)
{
    struct world *world = *state;
    own_buf struct buf words = BUF_INIT(0);
    own_str char *boot = NULL;
    bool refused = true;
    int64_t until = clock_mono_ms() + 20000;

    assert_int_equal(tunnels_boot(world->tunnels, "{\"url\":\"https://127.0.0.1:9\"}", &boot, NULL),
                     0);
    assert_false(tunnels_fault(world->tunnels, "w-1", &refused, &words));
    tunnels_want(world->tunnels, "w-1", "127.255.255.254");
    do {
        buf_clear(&words);
        assert_true(tunnels_fault(world->tunnels, "w-1", &refused, &words));
        clock_sleep_ms(20);
    } while (strstr(buf_text(&words), "not tried yet") && clock_mono_ms() < until);
    assert_non_null(strstr(buf_text(&words), "no tunnel to 127.255.255.254: "));
    assert_false(refused);
    tunnels_want(world->tunnels, "w-1", "127.255.255.254"); /* the one there is */
    tunnels_drop(world->tunnels, NULL);
    assert_true(tunnels_fault(world->tunnels, "w-1", &refused, &words));
    tunnels_drop(world->tunnels, NULL); /* nobody wanted it since */
    assert_false(tunnels_fault(world->tunnels, "w-1", &refused, &words));
}

static void a_broker_that_starts_again_needs_no_cloud_to_come_back(void **state)
{
    struct world *world = *state;
    own_buf struct buf words = BUF_INIT(0);
    own_str char *boot = NULL, *path = xasprintf("%s/tunnels", world->dir);
    bool refused;

    assert_int_equal(tunnels_boot(world->tunnels, "{\"url\":\"https://127.0.0.1:9\"}", &boot, NULL),
                     0);
    tunnels_want(world->tunnels, "w-1", "127.255.255.253");
    tunnels_want(world->tunnels, "w-2", "127.255.255.254");
    tunnels_drop(world->tunnels, "w-2");
    reopen(world);
    assert_false(tunnels_fault(world->tunnels, "w-1", &refused, &words));
    tunnels_recall(world->tunnels);
    assert_true(tunnels_fault(world->tunnels, "w-1", &refused, &words));
    assert_non_null(strstr(buf_text(&words), "127.255.255.253"));
    assert_false(tunnels_fault(world->tunnels, "w-2", &refused, &words));

    tunnels_close(take_ptr(world->tunnels));
    assert_int_equal(io_replace_file(path, 0600, "\n \nx\n y\nz \n\n", 11, NULL), 0);
    assert_int_equal(tunnels_open(&world->conf, world->dir, &world->tunnels, NULL), 0);
    tunnels_recall(world->tunnels);
    assert_false(tunnels_fault(world->tunnels, "x", &refused, &words));
    assert_false(tunnels_fault(world->tunnels, "z", &refused, &words));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_are_the_same_after_a_restart_and_another_s_are_not),
        TEST(a_secret_that_was_cut_is_not_replaced),
        TEST(the_payload_leads_to_the_tunnel),
        TEST(our_end_is_where_the_url_says),
        TEST(a_machine_that_does_not_answer_is_told_of),
        TEST(a_broker_that_starts_again_needs_no_cloud_to_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
