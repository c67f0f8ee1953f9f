/* SPDX-License-Identifier: Apache-2.0 */
/* place.c - a pool of working directories, and the removal of what jobs left. */
#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/io.h"
#include "base/log.h"
#include "base/own.h"

#define IDLE_MOST  64  /* places kept for reuse */
#define SLICE      256 /* entries removed in one turn */
#define DEPTH_MOST 64  /* directories deeper than this are moved up before they are removed */

struct places {
    struct loop *loop;
    char *work, *trash;
    struct list idle;
    size_t idle_count;
    unsigned long next, next_trash;
    struct later sweep;
    bool warned;
};

/* ---- trash ----------------------------------------------------------------------------------- */

struct slice {
    struct places *places;
    int left;
    bool moved_up; /* there is more than this walk saw */
};

static void remove_some(struct slice *slice, int fd, int depth);

static void remove_folder(struct slice *slice, int fd, const char *name, int depth)
{
    int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (below < 0 && errno == EACCES && fchmodat(fd, name, 0700, 0) == 0)
        below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0)
        return;
    fchmod(below, 0700);
    if (depth < DEPTH_MOST) {
        remove_some(slice, below, depth + 1); /* closes it */
    } else {
        own_str char *up = xasprintf("%s/%lu", slice->places->trash, slice->places->next_trash++);

        close(below);
        slice->moved_up |= renameat(fd, name, AT_FDCWD, up) == 0;
    }
    if (slice->left > 0)
        unlinkat(fd, name, AT_REMOVEDIR);
}

/* Takes `fd`. */
static void remove_some(struct slice *slice, int fd, int depth)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;

    if (!dir) {
        close(fd);
        return;
    }
    while (slice->left > 0 && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        slice->left--;
        if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno == EACCES || errno == EPERM)
            fchmod(fd, 0700);
        if (unlinkat(fd, entry->d_name, 0) < 0)
            remove_folder(slice, fd, entry->d_name, depth);
    }
    closedir(dir);
}

static bool trash_is_empty(const struct places *places)
{
    return rmdir(places->trash) == 0 && mkdir(places->trash, 0700) == 0;
}

static void sweep(struct later *later)
{
    struct places *places = list_item(later, struct places, sweep);
    struct slice slice = { .places = places, .left = SLICE };
    int fd = open(places->trash, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    remove_some(&slice, fd, 0);
    if (slice.left <= 0 || slice.moved_up) {
        later_ask(places->loop, &places->sweep);
    } else if (!trash_is_empty(places) && !places->warned) {
        places->warned = true; /* a file made immutable, a mount: it goes with the worker */
        log_warn("cannot remove all that jobs left in %s", places->trash);
    }
}

static void discard(struct places *places, const char *path)
{
    own_str char *to = xasprintf("%s/%lu", places->trash, places->next_trash++);

    if (rename(path, to) == 0)
        later_ask(places->loop, &places->sweep);
}

/* ---- the pool -------------------------------------------------------------------------------- */

static void folder_fini(struct place_folder *folder)
{
    if (folder->fd >= 0)
        close(folder->fd);
    free(folder->path);
}

static void place_free(struct place *place)
{
    folder_fini(&place->job);
    folder_fini(&place->tmp);
    free(place->path);
    free(place);
}

static void remember(struct place_folder *folder, const struct stat *status)
{
    folder->device = status->st_dev;
    folder->inode = status->st_ino;
    folder->changed = status->st_ctim;
    clock_gettime(CLOCK_REALTIME_COARSE, &folder->seen);
}

static int folder_make(struct place_folder *folder, struct err *err)
{
    struct stat status;

    if (mkdir(folder->path, 0700) < 0)
        return err_sys(err, "mkdir %s", folder->path);
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0 || fstat(folder->fd, &status) < 0)
        return err_sys(err, "open %s", folder->path);
    remember(folder, &status);
    return 0;
}

static int place_new(struct places *places, struct place **out, struct err *err)
{
    struct place *place = xcalloc(1, sizeof *place);
    int rc;

    place->job.fd = place->tmp.fd = -1;
    place->path = xasprintf("%s/%lu", places->work, places->next++);
    place->job.path = xasprintf("%s/job", place->path);
    place->tmp.path = xasprintf("%s/tmp", place->path);
    list_init(&place->node);
    rc = mkdir(place->path, 0700) < 0 ? err_sys(err, "mkdir %s", place->path) : 0;
    if (rc < 0 || folder_make(&place->job, err) < 0 || folder_make(&place->tmp, err) < 0) {
        rmdir(place->job.path);
        rmdir(place->path);
        place_free(place);
        return -1;
    }
    *out = place;
    return 0;
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* Nothing in it, and still where and as we made it: a job may have moved its own directory away.
 * Any change shows in ctime, unless it came in the same tick of the clock in which we looked last.
 */
static bool is_untouched(struct place_folder *folder)
{
    struct stat status;
    char entries[1024];

    if (lstat(folder->path, &status) < 0 || status.st_ino != folder->inode ||
        status.st_dev != folder->device || (status.st_mode & 07777) != 0700)
        return false;
    if (status.st_ctim.tv_sec == folder->changed.tv_sec &&
        status.st_ctim.tv_nsec == folder->changed.tv_nsec &&
        is_later(&folder->seen, &folder->changed))
        return true;
    /* "." and ".." take 24 bytes each */
    if (lseek(folder->fd, 0, SEEK_SET) < 0 ||
        syscall(SYS_getdents64, folder->fd, entries, sizeof entries) != 48)
        return false;
    remember(folder, &status);
    return true;
}

int place_take(struct places *places, struct place **out, struct err *err)
{
    struct place *place;

    if (list_empty(&places->idle))
        return place_new(places, out, err);
    place = list_item(places->idle.next, struct place, node);
    list_del(&place->node);
    places->idle_count--;
    *out = place;
    return 0;
}

void place_give(struct places *places, struct place *place, bool clean)
{
    if (clean && places->idle_count < IDLE_MOST && is_untouched(&place->job) &&
        is_untouched(&place->tmp)) {
        list_add_front(&places->idle, &place->node);
        places->idle_count++;
        return;
    }
    discard(places, place->path);
    place_free(place);
}

struct places *places_open(struct loop *loop, const char *dir, struct err *err)
{
    struct places *places = xcalloc(1, sizeof *places);

    places->loop = loop;
    places->sweep.run = sweep;
    list_init(&places->idle);
    places->work = xasprintf("%s/work", dir);
    places->trash = xasprintf("%s/trash", dir);
    if (io_remove_tree(places->work, err) < 0 || io_remove_tree(places->trash, err) < 0 ||
        io_mkdirs(places->work, 0700, err) < 0 || io_mkdirs(places->trash, 0700, err) < 0) {
        places_close(places);
        return NULL;
    }
    return places;
}

void places_close(struct places *places)
{
    if (!places)
        return;
    later_drop(&places->sweep);
    while (!list_empty(&places->idle)) {
        struct place *place = list_item(places->idle.next, struct place, node);

        list_del(&place->node);
        place_free(place);
    }
    free(places->work);
    free(places->trash);
    free(places);
}
