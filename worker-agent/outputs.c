/* SPDX-License-Identifier: Apache-2.0 */
/* outputs.c - a walk over the working directory that never leaves it.
 *
 * Folders are opened one from another with O_NOFOLLOW.  A link to a file is followed by
 * openat2(RESOLVE_BENEATH); where the kernel has none (before 5.6), only one that does not climb. */
#include "outputs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/glob.h"
#include "base/io.h"
#include "spillway/wire.h"

#define VISITS_MOST     2000000
#define PATH_MOST       1024
#define LINKS_MOST      8
#define NAME_BYTES_MOST (4 * 1024 * 1024) /* the list must fit into a report */

struct walk {
    char **patterns;
    bool *matched;
    size_t pattern_count;
    int root_fd;
    struct outputs *out;
    int64_t bytes_most, visits;
    struct buf path; /* of the folder or file at hand */
    struct err *err;
};

void outputs_free(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++)
        free(outputs->list[i].path);
    free(outputs->list);
    *outputs = (struct outputs){ .list = NULL };
}

static int open_beneath(int folder_fd, const char *path)
{
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };

    return (int)syscall(SYS_openat2, folder_fd, path, &how, sizeof how);
}

/* Does a path stay below the folder that it starts from, as it is written? */
static bool only_descends(const char *path)
{
    if (*path == '/')
        return false;
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || !part[2]))
            return false;
    }
    return true;
}

/* Without openat2: part by part, following no folder. */
static int open_by_parts(int folder_fd, const char *path, int links_most)
{
    own_str char *copy = xstrdup(path);
    own_fd int at = -1;
    char *part = copy, *slash, target[PATH_MOST];
    int fd;
    ssize_t got;

    if (!only_descends(path)) {
        errno = EXDEV;
        return -1;
    }
    while ((slash = strchr(part, '/'))) {
        int next;

        *slash = '\0';
        next =
            openat(at < 0 ? folder_fd : at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (at >= 0)
            close(at);
        at = next;
        if (at < 0)
            return -1;
        part = slash + 1;
    }
    fd = openat(at < 0 ? folder_fd : at, part,
                O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 || errno != ELOOP || links_most == 0)
        return fd;
    got = readlinkat(at < 0 ? folder_fd : at, part, target, sizeof target - 1);
    if (got < 0)
        return -1;
    target[got] = '\0';
    return open_by_parts(at < 0 ? folder_fd : at, target, links_most - 1);
}

int outputs_open(int folder_fd, const char *path)
{
    struct stat status;
    int fd = open_beneath(folder_fd, path);

    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = open_by_parts(folder_fd, path, LINKS_MOST);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

/* ---- patterns -------------------------------------------------------------------------------- */

bool outputs_may_hold(const char *pattern, const char *folder)
{
    char want[256], have[256];

    while (*folder) {
        size_t p = strcspn(pattern, "/"), f = strcspn(folder, "/");

        if (!*pattern || p >= sizeof want || f >= sizeof have)
            return false;
        snprintf(want, sizeof want, "%.*s", (int)p, pattern);
        snprintf(have, sizeof have, "%.*s", (int)f, folder);
        if (strcmp(want, "**") == 0)
            return true;
        if (!glob_match(want, have))
            return false;
        pattern += p + (pattern[p] == '/');
        folder += f + (folder[f] == '/');
    }
    return *pattern != '\0';
}

/* "./a/" is "a"; what climbs out is refused. */
static char *clean_pattern(const char *pattern, struct err *err)
{
    own_str char *copy = NULL;
    size_t length;

    while (strncmp(pattern, "./", 2) == 0)
        pattern += 2;
    copy = xstrdup(pattern);
    length = strlen(copy);
    while (length > 1 && copy[length - 1] == '/')
        copy[--length] = '\0';
    if (!io_path_is_below(copy)) {
        err_set(err, FAULT_INVALID,
                "output pattern '%.200s': must be a path below the working directory", pattern);
        return NULL;
    }
    return take_ptr(copy);
}

/* Which patterns match `path`, noted; whether any does. */
static bool match(struct walk *walk, const char *path)
{
    bool any = false;

    for (size_t i = 0; i < walk->pattern_count; i++) {
        if (!glob_match(walk->patterns[i], path))
            continue;
        walk->matched[i] = any = true;
    }
    return any;
}

static bool worth_entering(const struct walk *walk, const char *folder)
{
    for (size_t i = 0; i < walk->pattern_count; i++)
        if (outputs_may_hold(walk->patterns[i], folder))
            return true;
    return false;
}

/* ---- the walk -------------------------------------------------------------------------------- */

static int add(struct walk *walk, const struct stat *status)
{
    struct outputs *out = walk->out;
    const char *path = buf_text(&walk->path);

    if (!io_path_is_below(path))
        return err_set(walk->err, FAULT_INVALID,
                       "an output's name is too long or not plain text: %.200s", path);
    if (out->count >= WIRE_OUTPUTS_MOST || out->name_bytes > NAME_BYTES_MOST)
        return err_set(walk->err, FAULT_INVALID,
                       "more than %d output files, or too long names: pack them into an archive",
                       WIRE_OUTPUTS_MOST);
    out->bytes += status->st_size;
    out->name_bytes += (int64_t)strlen(path) + 128;
    if (walk->bytes_most && out->bytes > walk->bytes_most)
        return err_set(walk->err, FAULT_INVALID, "the outputs are larger than %lld bytes",
                       (long long)walk->bytes_most);
    if (out->count == out->room) {
        out->room = out->room ? out->room * 2 : 16;
        out->list = xrealloc(out->list, out->room * sizeof *out->list);
    }
    out->list[out->count++] = (struct output){ .path = xstrdup(path),
                                               .size = status->st_size,
                                               .mode = (int)(status->st_mode & 0777) };
    return 0;
}

static int walk_folder(struct walk *walk, int fd, bool inside);

static int visit_link(struct walk *walk, bool inside)
{
    struct stat status;
    own_fd int fd = outputs_open(walk->root_fd, buf_text(&walk->path));

    if (fd < 0 || fstat(fd, &status) < 0)
        return 0; /* out of the directory, dangling, or to a folder that is walked by itself */
    if (!match(walk, buf_text(&walk->path)) && !inside)
        return 0;
    return add(walk, &status);
}

static int visit(struct walk *walk, int folder_fd, const char *name, bool inside)
{
    const char *path = buf_text(&walk->path);
    struct stat status;
    bool all;
    int fd;

    if (++walk->visits > VISITS_MOST)
        return err_set(walk->err, FAULT_INVALID,
                       "more than %d files in the working directory: name outputs more closely",
                       VISITS_MOST);
    if (fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (S_ISLNK(status.st_mode))
        return visit_link(walk, inside);
    if (S_ISREG(status.st_mode))
        return match(walk, path) || inside ? add(walk, &status) : 0;
    if (!S_ISDIR(status.st_mode))
        return 0;
    all = match(walk, path) || inside;
    if (!all && !worth_entering(walk, path))
        return 0;
    fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_sys(walk->err, "open output folder %.200s", path)
                  : walk_folder(walk, fd, all);
}

/* Takes `fd`.  `inside`: below a folder that matched. */
static int walk_folder(struct walk *walk, int fd, bool inside)
{
    size_t length = walk->path.length;
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    int rc = 0;

    if (!dir) {
        close(fd);
        return err_sys(walk->err, "read output folder");
    }
    while (rc == 0 && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (length + strlen(entry->d_name) + 1 > PATH_MOST) {
            rc = err_set(walk->err, FAULT_INVALID, "an output's path is longer than %d bytes",
                         PATH_MOST);
            break;
        }
        buf_printf(&walk->path, "%s%s", length ? "/" : "", entry->d_name);
        rc = visit(walk, fd, entry->d_name, inside);
        walk->path.length = length;
        walk->path.data[length] = '\0';
    }
    closedir(dir);
    return rc;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct output *)a)->path, ((const struct output *)b)->path);
}

static int walk_all(struct walk *walk, const char *const *patterns)
{
    int fd;

    for (size_t i = 0; i < walk->pattern_count; i++)
        if (!(walk->patterns[i] = clean_pattern(patterns[i], walk->err)))
            return -1;
    fd = openat(walk->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(walk->err, "open the working directory");
    buf_reserve(&walk->path, 1);
    if (walk_folder(walk, fd, false) < 0)
        return -1;
    for (size_t i = 0; i < walk->pattern_count && !walk->out->unmatched; i++)
        if (!walk->matched[i])
            walk->out->unmatched = patterns[i];
    if (walk->out->count)
        qsort(walk->out->list, walk->out->count, sizeof *walk->out->list, by_path);
    return 0;
}

int outputs_find(int folder_fd, const char *const *patterns, size_t pattern_count,
                 int64_t bytes_most, struct outputs *out, struct err *err)
{
    struct walk walk = { .pattern_count = pattern_count,
                         .root_fd = folder_fd,
                         .out = out,
                         .bytes_most = bytes_most,
                         .path = BUF_INIT(2 * PATH_MOST),
                         .err = err };
    int rc;

    *out = (struct outputs){ .list = NULL };
    walk.patterns = xcalloc(pattern_count + 1, sizeof *walk.patterns);
    walk.matched = xcalloc(pattern_count + 1, sizeof *walk.matched);
    rc = walk_all(&walk, patterns);
    for (size_t i = 0; i < pattern_count; i++)
        free(walk.patterns[i]);
    free(walk.patterns);
    free(walk.matched);
    buf_free(&walk.path);
    if (rc < 0)
        outputs_free(out);
    return rc;
}
