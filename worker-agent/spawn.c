/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.c - clone() with the parent's memory, as posix_spawn does it.
 *
 * The child borrows our memory until it has called execve, and we stand still until then.  It may
 * therefore call only what changes nothing of ours that matters: system calls, in the main. Signals
 * need no blocking meanwhile: the agent has no handlers that could run in the child. */
#include "spawn.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"

#define STACK_BYTES 65536
#define PATH_BYTES  4096

/* The child's stack is not ours, which the sanitizers cannot know. */
#define CHILD_CODE __attribute__((no_sanitize("address", "undefined", "thread"), noinline))

struct child {
    const struct spawn *spawn;
    pid_t parent;
    int error;
    char **shell; /* argv with room for "/bin/sh" in front */
};

/* A script without "#!": as shells do. */
CHILD_CODE static void exec_one(struct child *child, const char *file)
{
    const struct spawn *spawn = child->spawn;

    execve(file, spawn->argv, spawn->envp);
    if (errno != ENOEXEC)
        return;
    child->shell[0] = "/bin/sh";
    child->shell[1] = (char *)file;
    execve(child->shell[0], child->shell, spawn->envp);
}

/* As execvp does: EACCES in one place does not end the search, but is the answer when nothing is
 * found. */
CHILD_CODE static void exec_by_path(struct child *child)
{
    const char *file = child->spawn->argv[0], *at = child->spawn->path;
    size_t length = strlen(file);
    bool denied = false;
    char full[PATH_BYTES];

    for (;;) {
        size_t part = strcspn(at, ":");

        if (part && part + length + 2 <= sizeof full) {
            memcpy(full, at, part);
            full[part] = '/';
            memcpy(full + part + 1, file, length + 1);
            exec_one(child, full);
            if (errno == EACCES)
                denied = true;
            else if (errno != ENOENT && errno != ENOTDIR)
                return;
        }
        if (!at[part])
            break;
        at += part + 1;
    }
    errno = denied ? EACCES : ENOENT;
}

/* A process group, but no session: a new session gets a scheduling group of its own on many kernels
 * (sched_autogroup), and to make one for each short job halved the rate on a busy machine. */
CHILD_CODE static int set_up(const struct child *child)
{
    const struct spawn *spawn = child->spawn;
    struct rlimit limit;
    sigset_t none;

    if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -1;
    if (getppid() != child->parent) /* it died before the line above */
        _exit(127);
    if (spawn->procs_fd >= 0 && write(spawn->procs_fd, "0", 1) < 0)
        return -1;
    if (fchdir(spawn->cwd_fd) < 0 || dup2(spawn->in_fd, 0) < 0 || dup2(spawn->out_fd, 1) < 0 ||
        dup2(spawn->err_fd, 2) < 0)
        return -1;
    if (spawn->data_most) {
        limit.rlim_cur = limit.rlim_max = (rlim_t)spawn->data_most;
        setrlimit(RLIMIT_DATA, &limit);
    }
    if (spawn->files_most && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = spawn->files_most;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL);
}

CHILD_CODE static int child_main(void *arg)
{
    struct child *child = arg;

    if (set_up(child) == 0) {
        if (strchr(child->spawn->argv[0], '/'))
            exec_one(child, child->spawn->argv[0]);
        else
            exec_by_path(child);
    }
    child->error = errno ? errno : EIO;
    _exit(127);
}

pid_t spawn_start(const struct spawn *spawn, int *error)
{
    static char stack[STACK_BYTES] __attribute__((aligned(64)));
    static pid_t self; /* does not change: the keeper starts nothing */
    struct child child = { .spawn = spawn };
    size_t count = 0;
    pid_t pid;

    while (spawn->argv[count])
        count++;
    child.shell = xmalloc((count + 2) * sizeof *child.shell);
    memcpy(child.shell + 1, spawn->argv, (count + 1) * sizeof *child.shell);
    if (!self)
        self = getpid();
    child.parent = self;
    pid = clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &child);
    if (pid < 0)
        child.error = errno;
    free(child.shell);
    if (pid > 0 && child.error)
        waitpid(pid, NULL, 0);
    *error = child.error;
    return child.error ? -1 : pid;
}
