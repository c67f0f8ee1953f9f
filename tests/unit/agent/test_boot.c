/* SPDX-License-Identifier: Apache-2.0 */
/* test_boot.c - worker-agent/boot.c and url.c: what an agent is told, checked; what it keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../../worker-agent/boot.h"
#include "base/io.h"

#define PIN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int parse(const char *members, struct boot *boot, struct err *err)
{
    own_str char *text = xasprintf("{%s}", members);

    return boot_parse(text, strlen(text), boot, err);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *members, *word;
    } bad[] = {
        { "", "token" },
        { "\"token\":\"t\"", "url" },
        { "\"token\":\"t\",\"url\":\"unix:///s\"", "worker" },
        { "\"token\":\"t\",\"url\":\"unix:///s\",\"worker\":\"w\"", "dir" },
        { "\"token\":\"t\",\"url\":\"unix:///s\",\"worker\":\"w\",\"dir\":\"rel\"", "dir" },
        { "\"token\":\"t\",\"url\":\"unix:///s\",\"worker\":\"../w\",\"dir\":\"/d\"", "worker" },
        { "\"token\":\"t\",\"url\":\"unix:///s\",\"worker\":\"a/b\",\"dir\":\"/d\"", "worker" },
        { "\"token\":7,\"url\":\"unix:///s\",\"worker\":\"w\",\"dir\":\"/d\"", "token" },
        { "\"token\":\"a\\nb\",\"url\":\"unix:///s\",\"worker\":\"w\",\"dir\":\"/d\"", "token" },
        { "\"token\":\"t\",\"url\":\"ftp://h/\",\"worker\":\"w\",\"dir\":\"/d\"", "url" },
        { "\"token\":\"t\",\"url\":\"http://h/\",\"worker\":\"w\",\"dir\":\"/d\"", "https" },
        { "\"token\":\"t\",\"url\":\"https://h\",\"worker\":\"w\",\"dir\":\"/d\",\"pin\":\"12\"",
          "pin" },
        { "\"token\":\"t\",\"url\":\"https://h\",\"worker\":\"w\",\"dir\":\"/d\",\"orphan_ms\":-1",
          "orphan_ms" },
        { "\"token\":\"t\",\"url\":\"https://h\",\"worker\":\"w\",\"dir\":\"/d\",\"cpus\":\"2\"",
          "cpus" },
        { "\"token\":\"t\",\"url\":\"https://h\",\"worker\":\"w\",\"dir\":\"/d\",\"poweroff\":1",
          "poweroff" },
        { "\"token\":\"t\",\"url\":\"https://h\",\"worker\":\"w\",\"dir\":\"/d\",\"notice\":\"x\"",
          "notice" },
    };

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        own_boot struct boot boot = BOOT_INIT;
        struct err err = ERR_INIT;

        if (parse(bad[i].members, &boot, &err) == 0 || !strstr(err.text, bad[i].word))
            fail_msg("%s: %s", bad[i].members, err.text);
    }
}

static void a_good_one_is_taken_whole(void **state)
{
    own_boot struct boot boot = BOOT_INIT;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(parse("\"token\":\"t\",\"url\":\"https://"
                           "[::1]:7455\",\"worker\":\"w-1\",\"dir\":\"/d\",\"pin\":\"" PIN
                           "\",\"orphan_ms\":5,\"poweroff\":true,\"cpus\":3,\"memory_bytes\":9,"
                           "\"notice\":{\"file\":\"/n\"},\"unknown\":[]",
                           &boot, &err),
                     0);
    assert_string_equal(boot.server.url.host, "::1");
    assert_int_equal(boot.server.url.port, 7455);
    assert_int_equal(boot.server.trust, TLS_PINNED);
    assert_int_equal(boot.orphan_ms, 5);
    assert_true(boot.poweroff);
    assert_int_equal(boot.cpus, 3);
    assert_int_equal(boot.memory, 9);
    assert_string_equal(boot.notice_file, "/n");
    assert_int_equal(strlen(boot.nonce), NONCE_HEX - 1);
}

static void what_is_saved_is_resumed(void **state)
{
    char dir[] = "/tmp/spillway-boot-XXXXXX";
    own_boot struct boot boot = BOOT_INIT, again = BOOT_INIT;
    own_str char *members = NULL, *path = NULL;
    struct err err = ERR_INIT;
    struct stat status;

    (void)state;
    assert_non_null(mkdtemp(dir));
    members = xasprintf(
        "\"token\":\"t\",\"url\":\"unix:///s\",\"worker\":\"w\",\"dir\":\"%s\",\"grace_ms\":7",
        dir);
    assert_int_equal(parse(members, &boot, &err), 0);
    boot.session = xstrdup("the-session");
    free(take_ptr(boot.token));
    assert_int_equal(boot_save(&boot, &err), 0);
    path = xasprintf("%s/agent.json", dir);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(boot_resume(dir, &again, &err), 0);
    assert_string_equal(again.session, "the-session");
    assert_null(again.token);
    assert_string_equal(again.nonce, boot.nonce);
    assert_int_equal(again.grace_ms, 7);
    assert_int_equal(io_remove_tree(dir, &err), 0);
}

static void a_payload_file_is_removed(void **state)
{
    char path[] = "/tmp/spillway-boot-XXXXXX";
    static const char text[] =
        "{\"token\":\"t\",\"url\":\"unix:///s\",\"worker\":\"w\",\"dir\":\"/d\"}";
    own_boot struct boot boot = BOOT_INIT;
    struct err err = ERR_INIT;
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(io_write_all(fd, text, strlen(text)), 0);
    close(fd);
    assert_int_equal(boot_read(path, &boot, &err), 0);
    assert_int_equal(access(path, F_OK), -1);
}

static void urls(void **state)
{
    static const char *const bad[] = {
        "",
        "host",
        "unix://relative",
        "https://",
        "https://:1",
        "https://h:0",
        "https://h:65536",
        "https://h:",
        "https://user@h/",
        "https://h/a b",
        "https://[::1",
        "https://[::1]x",
        "https://h/\n",
        "https://h/#f",
    };
    own_url struct url url = URL_INIT;
    own_buf struct buf path = BUF_INIT(0);
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++)
        if (url_parse(bad[i], &url, &err) == 0)
            fail_msg("taken: %s", bad[i]);
    assert_int_equal(url_parse("HTTPS://Example.org/a/b?c=d", &url, &err), 0);
    assert_int_equal(url.port, 443);
    assert_string_equal(url.host, "Example.org");
    assert_string_equal(url.target, "/a/b?c=d");
    url_free(&url);
    assert_int_equal(url_parse("http://h?q", &url, &err), 0);
    assert_string_equal(url.target, "/?q");
    url_put_path(&path, "a/b c?d%e\xc3\xa9");
    assert_string_equal(path.data, "a/b%20c%3Fd%25e%C3%A9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_good_one_is_taken_whole),
        cmocka_unit_test(what_is_saved_is_resumed),
        cmocka_unit_test(a_payload_file_is_removed),
        cmocka_unit_test(urls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
