/* SPDX-License-Identifier: Apache-2.0 */
/* below.c - files below a directory, whatever their names. */
#include "cli/below.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/own.h"

static int open_folder(int above, const char *name)
{
    int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 || errno != ENOENT)
        return fd;
    if (mkdirat(above, name, 0777) < 0 && errno != EEXIST)
        return -1;
    return openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int below_folder(int root, const char *path, const char **name, struct err *err)
{
    own_fd int folder = fcntl(root, F_DUPFD_CLOEXEC, 0);

    if (!io_path_is_below(path))
        return err_set(err, FAULT_INVALID, "'%.200s' is not a path below a directory; refused",
                       path);
    if (folder < 0)
        return err_sys(err, "fcntl");
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(path, '/')) {
        own_str char *part = xstrndup(path, (size_t)(slash - path));
        int next = open_folder(folder, part);

        if (next < 0 && (errno == ELOOP || errno == ENOTDIR))
            return err_set(
                err, FAULT_INVALID,
                "'%.200s' is a link or a file where a directory should be; remove it, or "
                "choose another directory with -o",
                part);
        if (next < 0)
            return err_sys(err, "%s", part);
        close(folder);
        folder = next;
        path = slash + 1;
    }
    *name = path;
    return take_fd(&folder);
}

int below_read(int folder, const char *name)
{
    return openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}
