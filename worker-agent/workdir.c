/* SPDX-License-Identifier: Apache-2.0 */
/* workdir.c - a job that runs in a directory of its user's.
 *
 * What it prints goes straight into files there, as with a batch system: the file grows while the
 * job runs, and whoever shares the directory can watch it. */
#include "workdir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Opened without waiting: a named pipe that nobody reads would hold up all jobs of this worker. */
static int open_file(const struct attempt *a, int dir, const char *path, int *out, struct err *err)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_APPEND;
    int fd = openat(dir, path, flags | (a->append ? 0 : O_TRUNC), 0666);

    if (fd < 0)
        return err_set(err, FAULT_INVALID, "its output cannot be written to %s: %s", path,
                       strerror(errno));
    fcntl(fd, F_SETFL, O_APPEND);
    *out = fd;
    return 0;
}

static int open_all(const struct attempt *a, struct workdir *dir, struct err *err)
{
    dir->fd = open(a->workdir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd < 0)
        return err_set(err, FAULT_NOT_FOUND, "its directory %s cannot be entered here: %s",
                       a->workdir, strerror(errno));
    if (a->out_file && open_file(a, dir->fd, a->out_file, &dir->out_fd, err) < 0)
        return -1;
    if (a->err_file && a->out_file && strcmp(a->err_file, a->out_file) == 0)
        dir->err_fd = fcntl(dir->out_fd, F_DUPFD_CLOEXEC, 3);
    else if (a->err_file && open_file(a, dir->fd, a->err_file, &dir->err_fd, err) < 0)
        return -1;
    return 0;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void workdir_close(struct workdir *workdir)
{
    close_one(&workdir->fd);
    close_one(&workdir->out_fd);
    close_one(&workdir->err_fd);
}

int workdir_open(const struct attempt *a, struct workdir *out, struct err *err)
{
    *out = (struct workdir)WORKDIR_INIT;
    if (open_all(a, out, err) == 0)
        return 0;
    workdir_close(out);
    return -1;
}
