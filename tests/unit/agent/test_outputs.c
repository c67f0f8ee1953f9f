/* SPDX-License-Identifier: Apache-2.0 */
/* test_outputs.c - worker-agent/outputs.c: what patterns mean, and that nothing outside is ever
 * taken. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "../../../worker-agent/outputs.h"
#include "base/buf.h"
#include "base/io.h"
#include "spillway/wire.h"

struct world {
    char dir[64]; /* holds "job", the working directory, and what is outside of it */
    int fd;
};

static void put(struct world *w, const char *path)
{
    own_str char *full = xasprintf("%s/%s", w->dir, path);
    own_str char *folder = xstrdup(full);
    int fd;

    *strrchr(folder, '/') = '\0';
    assert_int_equal(io_mkdirs(folder, 0755, NULL), 0);
    fd = open(full, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(io_write_all(fd, "12345", 5), 0);
    close(fd);
}

static void put_link(struct world *w, const char *to, const char *path)
{
    own_str char *full = xasprintf("%s/%s", w->dir, path);

    assert_int_equal(symlink(to, full), 0);
}

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof *w);
    own_str char *job = NULL;

    snprintf(w->dir, sizeof w->dir, "/tmp/spillway-outputs-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    job = xasprintf("%s/job", w->dir);
    assert_int_equal(mkdir(job, 0755), 0);
    w->fd = open(job, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = w;
    return w->fd < 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    close(w->fd);
    io_remove_tree(w->dir, NULL);
    free(w);
    return 0;
}

/* `patterns` parted by blanks; what was found, parted by blanks. */
static char *found(struct world *w, const char *patterns, int64_t most, const char **unmatched)
{
    own_str char *copy = xstrdup(patterns);
    const char *list[16];
    own_outputs struct outputs outputs = { .list = NULL };
    own_buf struct buf text = BUF_INIT(0);
    struct err err = ERR_INIT;
    size_t count = 0;
    char *rest = NULL;

    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        list[count++] = word;
    if (outputs_find(w->fd, list, count, most, &outputs, &err) < 0)
        return xasprintf("fault: %s", err.text);
    for (size_t i = 0; i < outputs.count; i++)
        buf_printf(&text, "%s%s", i ? " " : "", outputs.list[i].path);
    if (unmatched)
        *unmatched = outputs.unmatched ? strstr(patterns, outputs.unmatched) : NULL;
    return buf_take(&text);
}

static void assert_found(struct world *w, const char *patterns, const char *wanted)
{
    own_str char *got = found(w, patterns, 0, NULL);

    assert_string_equal(got, wanted);
}

static void patterns_select(void **state)
{
    struct world *w = *state;

    put(w, "job/a.txt");
    put(w, "job/b.csv");
    put(w, "job/r/c.csv");
    put(w, "job/r/s/d.csv");
    assert_found(w, "*.txt", "a.txt");
    assert_found(w, "*.csv", "b.csv");
    assert_found(w, "**/*.csv", "b.csv r/c.csv r/s/d.csv");
    assert_found(w, "r/*", "r/c.csv r/s/d.csv");
    assert_found(w, "r", "r/c.csv r/s/d.csv");
    assert_found(w, "./r/", "r/c.csv r/s/d.csv");
    assert_found(w, "r/*.csv", "r/c.csv");
    assert_found(w, "a.txt *.txt a.*", "a.txt");
    assert_found(w, "r/s/d.csv a.txt", "a.txt r/s/d.csv");
}

static void the_first_that_matches_nothing_is_named(void **state)
{
    struct world *w = *state;
    const char *unmatched = NULL;
    own_str char *got = NULL;

    put(w, "job/a.txt");
    got = found(w, "*.txt *.none *.never", 0, &unmatched);
    assert_string_equal(got, "a.txt");
    assert_true(unmatched && strncmp(unmatched, "*.none", 6) == 0);
}

static void links_lead_nowhere(void **state)
{
    struct world *w = *state;

    put(w, "secret");
    put(w, "outside/f");
    put(w, "job/real");
    put_link(w, "../secret", "job/up");
    put_link(w, "/etc/passwd", "job/absolute");
    put_link(w, "../outside", "job/folder");
    put_link(w, "loop", "job/loop");
    put_link(w, ".", "job/self");
    put_link(w, "/proc/self/environ", "job/proc");
    put_link(w, "real", "job/inside");
    assert_found(w, "**", "inside real");
    assert_found(w, "folder/f", "");
    assert_found(w, "folder", "");
    assert_found(w, "up absolute proc loop", "");
    assert_int_equal(outputs_open(w->fd, "up"), -1);
    assert_int_equal(outputs_open(w->fd, "folder/f"), -1);
    assert_int_equal(outputs_open(w->fd, "../secret"), -1);
    assert_int_equal(outputs_open(w->fd, "/etc/passwd"), -1);
}

static void what_is_no_file_is_no_output(void **state)
{
    struct world *w = *state;
    own_str char *fifo = xasprintf("%s/job/fifo", w->dir);

    assert_int_equal(mkfifo(fifo, 0644), 0);
    assert_found(w, "*", "");
    assert_int_equal(outputs_open(w->fd, "fifo"), -1);
}

static void patterns_cannot_climb(void **state)
{
    static const char *const bad[] = { "../x", "/etc/passwd", "a/../../x", "..", "a//b", "." };
    struct world *w = *state;

    put(w, "x");
    for (size_t i = 0; i < array_len(bad); i++) {
        own_str char *got = found(w, bad[i], 0, NULL);

        if (strncmp(got, "fault: ", 7) != 0 || !strstr(got, bad[i]))
            fail_msg("%s: %s", bad[i], got);
    }
}

static void limits_are_kept_and_said(void **state)
{
    struct world *w = *state;
    own_str char *got = NULL, *enough = NULL;

    put(w, "job/a");
    put(w, "job/b");
    got = found(w, "*", 9, NULL);
    assert_non_null(strstr(got, "larger than 9 bytes"));
    enough = found(w, "*", 10, NULL);
    assert_string_equal(enough, "a b");
}

static void names_that_cannot_be_said_are_a_fault(void **state)
{
    struct world *w = *state;
    own_str char *got = NULL;

    put(w, "job/a\nb");
    got = found(w, "*", 0, NULL);
    assert_non_null(strstr(got, "not plain text"));
}

static void too_many_are_a_fault(void **state)
{
    struct world *w = *state;
    own_str char *got = NULL;

    for (int i = 0; i <= WIRE_OUTPUTS_MOST; i++) {
        char name[32];
        int fd;

        snprintf(name, sizeof name, "%d", i);
        fd = openat(w->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        close(fd);
    }
    got = found(w, "*", 0, NULL);
    assert_non_null(strstr(got, "archive"));
}

static void a_deep_tree_ends(void **state)
{
    struct world *w = *state;
    own_str char *got = NULL;
    int fd = dup(w->fd);

    for (int i = 0; i < 700; i++) {
        int next;

        assert_int_equal(mkdirat(fd, "dd", 0755), 0);
        next = openat(fd, "dd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = next;
    }
    close(fd);
    got = found(w, "**", 0, NULL);
    assert_non_null(strstr(got, "longer than"));
}

static void folders_worth_entering(void **state)
{
    (void)state;
    assert_true(outputs_may_hold("a/b/*.c", "a"));
    assert_true(outputs_may_hold("a/b/*.c", "a/b"));
    assert_false(outputs_may_hold("a/b/*.c", "a/b/c"));
    assert_false(outputs_may_hold("a/b/*.c", "x"));
    assert_false(outputs_may_hold("*.c", "x"));
    assert_true(outputs_may_hold("**/x", "a/b/c"));
    assert_true(outputs_may_hold("a/**", "a/b/c"));
    assert_false(outputs_may_hold("a/**", "b"));
    assert_true(outputs_may_hold("[ab]/?", "b"));
}

/* As a kernel before 5.6, or an old container engine, answers. */
static void forbid_openat2(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof code / sizeof *code, .filter = code };

    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* The last test, for openat2 does not come back. */
static void links_without_openat2(void **state)
{
    struct world *w = *state;

    forbid_openat2();
    assert_int_equal(syscall(SYS_openat2, w->fd, ".", NULL, 0), -1);
    assert_int_equal(errno, ENOSYS);
    links_lead_nowhere(state);
    put(w, "job/sub/deep/file");
    put_link(w, "deep/file", "job/sub/latest");
    put_link(w, "sub/latest", "job/first");
    put_link(w, "sub/../real", "job/climbs");
    put_link(w, "sub//..", "job/climbs2");
    put_link(w, "..hidden", "job/dots");
    put(w, "job/..hidden");
    assert_found(w, "first climbs climbs2 dots", "dots first");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(patterns_select),
        TEST(the_first_that_matches_nothing_is_named),
        TEST(links_lead_nowhere),
        TEST(what_is_no_file_is_no_output),
        TEST(patterns_cannot_climb),
        TEST(limits_are_kept_and_said),
        TEST(names_that_cannot_be_said_are_a_fault),
        TEST(too_many_are_a_fault),
        TEST(a_deep_tree_ends),
        cmocka_unit_test(folders_worth_entering),
        TEST(links_without_openat2),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
