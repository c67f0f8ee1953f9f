/* SPDX-License-Identifier: Apache-2.0 */
/* test_ssh_config.c - broker/net/ssh_config.c: what holds for a host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "net/ssh_config.h"

/* Files by name: pairs, ended by NULL. */
static int files(void *arg, const char *pattern,
                 int (*take)(void *to, const char *path, const char *text, struct err *err),
                 void *to, struct err *err)
{
    for (const char *const *at = arg; at && *at; at += 2)
        if (strcmp(*at, pattern) == 0 && take(to, at[0], at[1], err) < 0)
            return -1;
    return 0;
}

static int read_as(struct ssh_config *config, const char *host, const char *text,
                   const char *const *others, struct err *err)
{
    ssh_config_init(config, host);
    return ssh_config_add(config, "me", "config", text, files, (void *)(uintptr_t)others, err);
}

static void the_first_value_holds(void **state)
{
    struct ssh_config config;

    (void)state;
    assert_int_equal(read_as(&config, "login",
                             "Host login\n  HostName login.lab.example\n\tPort=2222\n"
                             "  User = \"ada\"\nHost *\n  User ben\n  Port 22\n"
                             "  IdentityAgent none\n",
                             NULL, NULL),
                     0);
    assert_string_equal(config.host_name, "login.lab.example");
    assert_string_equal(config.user, "ada");
    assert_int_equal(config.port, 2222);
    assert_string_equal(config.identity_agent, "none");
    ssh_config_fini(&config);
}

static void patterns_choose_blocks(void **state)
{
    static const char text[] = "User early\n"
                               "Host *.lab !old.lab\n  Port 10\n"
                               "Host node?\n  Port 20\n"
                               "host OTHER\n  Port 30\n";
    static const struct {
        const char *host;
        int port;
    } cases[] = {
        { "new.lab", 10 }, { "old.lab", 0 }, { "node1", 20 }, { "node12", 0 }, { "other", 30 }
    };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        struct ssh_config config;

        assert_int_equal(read_as(&config, cases[i].host, text, NULL, NULL), 0);
        assert_int_equal(config.port, cases[i].port);
        assert_string_equal(config.user, "early");
        ssh_config_fini(&config);
    }
}

static void files_add_up_or_not(void **state)
{
    struct ssh_config config;

    (void)state;
    assert_int_equal(read_as(&config, "h",
                             "IdentityFile ~/.ssh/a\nIdentityFile \"/keys/b c\"\n"
                             "UserKnownHostsFile /k1 /k2\nUserKnownHostsFile /k3\n"
                             "IdentitiesOnly yes\nIdentitiesOnly no\n",
                             NULL, NULL),
                     0);
    assert_int_equal(config.identity_count, 2);
    assert_string_equal(config.identities[1], "/keys/b c");
    assert_int_equal(config.known_file_count, 2);
    assert_string_equal(config.known_files[1], "/k2");
    assert_int_equal(config.identities_only, 1);
    ssh_config_fini(&config);
}

static void match_is_understood_in_part(void **state)
{
    struct ssh_config config;

    (void)state;
    assert_int_equal(read_as(&config, "h",
                             "Match exec \"true\"\n  Port 1\n"
                             "Match host other\n  Port 2\n"
                             "Match !host h user me\n  Port 3\n"
                             "Match originalhost h,x user me\n  Port 4\n"
                             "Match all\n  User all\n",
                             NULL, NULL),
                     0);
    assert_int_equal(config.port, 4);
    assert_string_equal(config.user, "all");
    ssh_config_fini(&config);
}

static void included_files_count_where_they_stand(void **state)
{
    static const char *const others[] = { "conf.d/*", "Host h\n  Port 7\nHost x\n  User x\n",
                                          NULL };
    static const char *const loop[] = { "me", "Include me\n", NULL };
    struct ssh_config config;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(
        read_as(&config, "h", "Include conf.d/*\nHost h\n Port 8\n User u\n", others, NULL), 0);
    assert_int_equal(config.port, 7);
    assert_string_equal(config.user, "u");
    ssh_config_fini(&config);
    assert_int_equal(read_as(&config, "h", "Host x\n Include conf.d/*\n", others, NULL), 0);
    assert_int_equal(config.port, 0);
    ssh_config_fini(&config);
    assert_int_equal(read_as(&config, "h", "Include me\n", loop, &err), -1);
    assert_non_null(strstr(err.text, "too deep"));
    ssh_config_fini(&config);
}

static void faults_name_the_line(void **state)
{
    struct ssh_config config;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(read_as(&config, "h", "User a\nPort many\n", NULL, &err), -1);
    assert_non_null(strstr(err.text, "config:2: Port"));
    ssh_config_fini(&config);
    assert_int_equal(read_as(&config, "h", "Host \"h\n", NULL, &err), -1);
    ssh_config_fini(&config);
}

static void tokens_are_replaced(void **state)
{
    own_buf struct buf out = BUF_INIT(256);
    struct ssh_config config;

    (void)state;
    assert_int_equal(read_as(&config, "h", "HostName real\nUser r\nPort 5\n", NULL, NULL), 0);
    ssh_config_expand(&config, "/home/me", "me", "~/%h-%n-%p-%r-%u-%%-%d-%x", &out);
    assert_string_equal(buf_text(&out), "/home/me/real-h-5-r-me-%-/home/me-%x");
    ssh_config_fini(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_value_holds),
        cmocka_unit_test(patterns_choose_blocks),
        cmocka_unit_test(files_add_up_or_not),
        cmocka_unit_test(match_is_understood_in_part),
        cmocka_unit_test(included_files_count_where_they_stand),
        cmocka_unit_test(faults_name_the_line),
        cmocka_unit_test(tokens_are_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
