/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.h - start one process, as cheaply as posix_spawn and with what that cannot do: it dies with
 * us, and it is in its cgroup before it runs its first instruction. */
#ifndef AGENT_SPAWN_H
#define AGENT_SPAWN_H

#include <stdint.h>
#include <sys/types.h>

struct spawn {
    char *const *argv, *const *envp;
    const char *path; /* where a name without '/' is looked for, as PATH */
    int cwd_fd;
    int in_fd, out_fd, err_fd;
    int procs_fd;        /* cgroup.procs to join; -1: none */
    int64_t data_most;   /* RLIMIT_DATA; 0: left alone */
    uint64_t files_most; /* RLIMIT_NOFILE, soft; what we were started with */
};

/* The leader of a new process group; -1 when there is none, with why in *error. */
pid_t spawn_start(const struct spawn *spawn, int *error);

#endif
