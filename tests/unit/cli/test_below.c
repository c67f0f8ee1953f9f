/* SPDX-License-Identifier: Apache-2.0 */
/* test_below.c - broker/cli/below.c: no name of a result leads out of its directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/own.h"
#include "cli/below.h"

static char top[] = "/tmp/spillway-below-XXXXXX";
static int root = -1;

static int set_up(void **state)
{
    own_str char *inside = NULL;

    (void)state;
    if (!mkdtemp(top))
        return -1;
    inside = xasprintf("%s/inside", top);
    if (mkdir(inside, 0700) < 0)
        return -1;
    root = open(inside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(root);
    return io_remove_tree(top, NULL);
}

static void write_at(const char *path)
{
    struct err err = ERR_INIT;
    const char *name = NULL;
    own_fd int folder = below_folder(root, path, &name, &err);
    own_fd int fd = -1;

    if (folder < 0)
        fail_msg("%s: %s", path, err.text);
    fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
}

static void refused(const char *path)
{
    struct err err = ERR_INIT;
    const char *name = NULL;
    int folder = below_folder(root, path, &name, &err);

    if (folder >= 0)
        fail_msg("%s was taken", path);
    assert_int_equal(err.fault, FAULT_INVALID);
}

static bool is_there(const char *path)
{
    own_str char *full = xasprintf("%s/%s", top, path);

    return access(full, F_OK) == 0;
}

static void folders_are_made(void **state)
{
    (void)state;
    write_at("plain");
    write_at("a/b/c.txt");
    write_at("a/b/d.txt");
    assert_true(is_there("inside/plain") && is_there("inside/a/b/c.txt"));
}

static void names_do_not_climb(void **state)
{
    static const char *const paths[] = { "../x",  "a/../../x", "/etc/x", "",   ".",
                                         "a/./x", "a//x",      "x/",     "..", "a/..",
                                         "x\ny",  "x\033[2J",  "\377" };

    (void)state;
    for (size_t i = 0; i < array_len(paths); i++)
        refused(paths[i]);
    assert_false(is_there("x"));
}

static void links_do_not_lead_out(void **state)
{
    int fd;

    (void)state;
    assert_int_equal(symlinkat("..", root, "up"), 0);
    assert_int_equal(symlinkat("/tmp", root, "abs"), 0);
    assert_int_equal(symlinkat("a", root, "within"), 0);
    refused("up/x");
    refused("abs/x/y");
    refused("within/x"); /* no link at all: it may be another one by the time we write */
    refused("plain/x");  /* a file is no folder */
    assert_false(is_there("x"));
    assert_int_equal(symlinkat("../secret", root, "link"), 0);
    fd = below_read(root, "link");
    assert_true(fd < 0 && errno == ELOOP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_made),
        cmocka_unit_test(names_do_not_climb),
        cmocka_unit_test(links_do_not_lead_out),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
