/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - posix_spawn, two pipes, a deadline. */
#include "net/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/own.h"

#define PIECE   65536
#define LAST_MS 20 /* between looks at a program that closed its pipes and does not end */

static char **joined(const char *const env[])
{
    size_t count = 0, at = 0;
    char **list;

    for (char **one = environ; one && *one; one++)
        count++;
    for (const char *const *one = env; one && *one; one++)
        count++;
    list = xcalloc(count + 1, sizeof *list);
    /* getenv() takes the first of two. */
    for (const char *const *one = env; one && *one; one++)
        list[at++] = (char *)(uintptr_t)*one;
    for (char **one = environ; one && *one; one++)
        list[at++] = *one;
    return list;
}

static int spawn(const char *const argv[], const char *const env[], int out, int errors, pid_t *pid,
                 struct err *err)
{
    own_mem char **environment = joined(env);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;

    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, errors, 2);
    errno = posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *)(uintptr_t)argv,
                         environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return errno ? err_sys(err, "start %s", argv[0]) : 0;
}

/* False: it has ended, or says more than it may. */
static bool take_some(struct pollfd *from, struct buf *into)
{
    char piece[PIECE];
    ssize_t got;

    if (from->fd < 0 || !from->revents)
        return true;
    got = read(from->fd, piece, sizeof piece);
    if (got > 0)
        return buf_put(into, piece, (size_t)got) == 0;
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    from->fd = -1;
    return true;
}

static int listen_to(const char *name, int out_fd, int errors_fd, int64_t deadline_mono_ms,
                     struct buf *out, struct buf *errors, struct err *err)
{
    struct pollfd fds[2] = { { .fd = out_fd, .events = POLLIN },
                             { .fd = errors_fd, .events = POLLIN } };

    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        int64_t left = deadline_mono_ms - clock_mono_ms();

        if (left <= 0)
            return err_set(err, FAULT_TIMEOUT, "%s did not end in time", name);
        if (poll(fds, 2, left > 1000 ? 1000 : (int)left) < 0 && errno != EINTR)
            return err_sys(err, "poll");
        if (!take_some(&fds[0], out))
            return err_set(err, FAULT_INVALID, "%s prints more than %zu bytes", name, out->cap);
        /* Of its complaints, the first are enough. */
        take_some(&fds[1], errors);
    }
    return 0;
}

static int wait_for(const char *name, pid_t pid, int64_t deadline_mono_ms, int *status,
                    struct err *err)
{
    pid_t got;

    while ((got = waitpid(pid, status, WNOHANG)) == 0 && clock_mono_ms() < deadline_mono_ms)
        clock_sleep_ms(LAST_MS);
    return got == pid ? 0 : err_set(err, FAULT_TIMEOUT, "%s did not end in time", name);
}

static int last_words(const char *name, int status, const struct buf *errors, struct err *err)
{
    const char *said = buf_text(errors);
    size_t length = strlen(said);

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    while (length && strchr(" \t\r\n", said[length - 1]))
        length--;
    if (length > 400) {
        said += length - 400;
        length = 400;
    }
    return err_set(err, FAULT_UNAVAILABLE, "%s ended with status %d%s%.*s", name,
                   WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                   length ? ": " : "", (int)length, said);
}

int command_run(const char *const argv[], const char *const env[], int64_t deadline_mono_ms,
                struct buf *out, struct buf *errors, struct err *err)
{
    int out_ends[2] = { -1, -1 }, error_ends[2] = { -1, -1 }, status = 0, rc;
    pid_t pid = 0;

    if (pipe2(out_ends, O_CLOEXEC) < 0)
        return err_sys(err, "pipe");
    if (pipe2(error_ends, O_CLOEXEC) < 0) {
        close(out_ends[0]);
        close(out_ends[1]);
        return err_sys(err, "pipe");
    }
    rc = spawn(argv, env, out_ends[1], error_ends[1], &pid, err);
    close(out_ends[1]);
    close(error_ends[1]);
    if (rc == 0 && ((rc = listen_to(argv[0], out_ends[0], error_ends[0], deadline_mono_ms, out,
                                    errors, err)) < 0 ||
                    (rc = wait_for(argv[0], pid, deadline_mono_ms, &status, err)) < 0)) {
        kill(-pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    close(out_ends[0]);
    close(error_ends[0]);
    return rc < 0 ? -1 : last_words(argv[0], status, errors, err);
}
