/* SPDX-License-Identifier: Apache-2.0 */
/* io.c - files and paths. */
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/utf8.h"

int io_mkdirs(const char *path, mode_t mode, struct err *err)
{
    own_str char *copy = xstrdup(path);

    for (char *s = copy + 1; *s; s++) {
        if (*s != '/')
            continue;
        *s = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return err_sys(err, "mkdir %s", copy);
        *s = '/';
    }
    if (mkdir(copy, mode) < 0 && errno != EEXIST)
        return err_sys(err, "mkdir %s", copy);
    return 0;
}

int io_write_all(int fd, const void *data, size_t length)
{
    const char *at = data;

    while (length) {
        ssize_t put = write(fd, at, length);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        at += put;
        length -= (size_t)put;
    }
    return 0;
}

int io_fsync_dir(const char *path, struct err *err)
{
    own_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return err_sys(err, "fsync %s", path);
    return 0;
}

static int write_new(const char *path, mode_t mode, const void *data, size_t length,
                     struct err *err)
{
    own_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

    if (fd < 0)
        return err_sys(err, "create %s", path);
    if (io_write_all(fd, data, length) < 0 || fsync(fd) < 0)
        return err_sys(err, "write %s", path);
    return 0;
}

int io_replace_file(const char *path, mode_t mode, const void *data, size_t length, struct err *err)
{
    own_str char *beside = xasprintf("%s.new", path);
    own_str char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');

    if (write_new(beside, mode, data, length, err) < 0) {
        unlink(beside);
        return -1;
    }
    if (rename(beside, path) < 0)
        return err_sys(err, "rename %s to %s", beside, path);
    if (!slash)
        return io_fsync_dir(".", err);
    slash[slash == folder] = '\0';
    return io_fsync_dir(folder, err);
}

/* Takes `fd`, a directory. */
static int remove_below(int fd, struct err *err)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    int rc = 0;

    if (!dir) {
        close(fd);
        return err_sys(err, "opendir");
    }
    while (rc == 0 && (entry = readdir(dir))) {
        int below;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
            continue;
        below = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below < 0 && errno == EACCES && fchmodat(fd, entry->d_name, 0700, 0) == 0)
            below = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below < 0) {
            rc = err_sys(err, "remove %s", entry->d_name);
            break;
        }
        fchmod(below, 0700); /* a job may leave read-only directories */
        rc = remove_below(below, err);
        if (rc == 0 && unlinkat(fd, entry->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
            rc = err_sys(err, "rmdir %s", entry->d_name);
    }
    closedir(dir);
    return rc;
}

int io_remove_tree(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return unlink(path) < 0 && errno != ENOENT ? err_sys(err, "unlink %s", path) : 0;
    if (fd < 0)
        return err_sys(err, "open %s", path);
    if (remove_below(fd, err) < 0)
        return err_wrap(err, "%s", path);
    return rmdir(path) < 0 && errno != ENOENT ? err_sys(err, "rmdir %s", path) : 0;
}

bool io_path_is_below(const char *path)
{
    size_t length = strlen(path);

    if (length == 0 || length > 1024 || !text_is_plain(path, length))
        return false;
    for (const char *part = path;;) {
        size_t n = strcspn(part, "/");

        if (n == 0 || n > 255 || (n == 1 && part[0] == '.') ||
            (n == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        if (!part[n])
            return true;
        part += n + 1;
    }
}

void io_random(void *out, size_t count)
{
    char *at = out;

    while (count) {
        ssize_t got = getrandom(at, count, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            abort(); /* a token that can be guessed is worse than no broker */
        at += got;
        count -= (size_t)got;
    }
}

void io_random_hex(char *out, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char byte;

    for (size_t i = 0; i < count; i++) {
        io_random(&byte, 1);
        out[2 * i] = digits[byte >> 4];
        out[2 * i + 1] = digits[byte & 15];
    }
    out[2 * count] = '\0';
}
