/* SPDX-License-Identifier: Apache-2.0 */
/* roster.c - the mapped file. */
#include "roster.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/own.h"

#define MAGIC 0x3172657473727773ULL /* "swrster1" */

struct image {
    uint64_t magic;
    int64_t beat_mono_ms;
    char boot_id[40]; /* pids and monotonic times mean nothing after a reboot */
    char cgroups[1024];
    struct roster_row rows[ROSTER_ROWS];
};

struct roster {
    struct image *image;
    int fd;     /* holds the lock that says the agent lives */
    size_t top; /* rows from here on were never used */
    size_t *free_rows;
    size_t free_count;
};

static void read_boot_id(char *out, size_t size)
{
    own_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, out, size - 1);

    out[got < 0 ? 0 : got] = '\0';
}

struct roster *roster_open(const char *dir, struct err *err)
{
    own_str char *path = xasprintf("%s/roster", dir);
    own_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    struct roster *roster;
    struct image *image;

    if (fd >= 0 && fcntl(fd, F_SETLK, &lock) < 0) {
        err_set(err, FAULT_CONFLICT, "%s is in use by another agent", dir);
        return NULL;
    }
    if (fd < 0 || ftruncate(fd, 0) < 0 || ftruncate(fd, sizeof *image) < 0) {
        err_sys(err, "create %s", path);
        return NULL;
    }
    image = mmap(NULL, sizeof *image, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (image == MAP_FAILED) {
        err_sys(err, "map %s", path);
        return NULL;
    }
    roster = xcalloc(1, sizeof *roster);
    roster->image = image;
    roster->fd = take_fd(&fd);
    roster->free_rows = xcalloc(ROSTER_ROWS, sizeof *roster->free_rows);
    read_boot_id(image->boot_id, sizeof image->boot_id);
    image->magic = MAGIC;
    roster_beat(roster);
    return roster;
}

size_t roster_add(struct roster *roster, int64_t attempt)
{
    size_t row = ROSTER_ROWS;

    if (roster->free_count)
        row = roster->free_rows[--roster->free_count];
    else if (roster->top < ROSTER_ROWS)
        row = roster->top++;
    if (row < ROSTER_ROWS)
        roster->image->rows[row] = (struct roster_row){ .attempt = attempt };
    return row;
}

void roster_set_pid(struct roster *roster, size_t row, pid_t pid)
{
    if (row >= ROSTER_ROWS)
        return;
    roster->image->rows[row].pid = pid;
    if (pid)
        roster->image->rows[row].started = 1;
}

void roster_drop(struct roster *roster, size_t row)
{
    if (row >= ROSTER_ROWS)
        return;
    roster->image->rows[row] = (struct roster_row){ .attempt = 0 };
    roster->free_rows[roster->free_count++] = row;
}

void roster_beat(struct roster *roster)
{
    roster->image->beat_mono_ms = clock_mono_ms();
}

void roster_set_cgroups(struct roster *roster, const char *path)
{
    snprintf(roster->image->cgroups, sizeof roster->image->cgroups, "%s", path ? path : "");
}

size_t roster_read(const char *dir, struct roster_row *rows, size_t most, int64_t *beat_mono_ms,
                   char *cgroups, size_t cgroups_size)
{
    own_str char *path = xasprintf("%s/roster", dir);
    own_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    const struct image *image;
    char boot_id[sizeof image->boot_id];
    size_t count = 0;

    *beat_mono_ms = 0;
    cgroups[0] = '\0';
    if (fd < 0 || fstat(fd, &status) < 0 || status.st_size != (off_t)sizeof *image)
        return 0;
    image = mmap(NULL, sizeof *image, PROT_READ, MAP_SHARED, fd, 0);
    if (image == MAP_FAILED)
        return 0;
    read_boot_id(boot_id, sizeof boot_id);
    for (size_t i = 0; image->magic == MAGIC && i < ROSTER_ROWS && count < most; i++) {
        if (!image->rows[i].attempt)
            continue;
        rows[count] = image->rows[i];
        if (strncmp(boot_id, image->boot_id, sizeof boot_id) != 0)
            rows[count].pid = 0;
        count++;
    }
    *beat_mono_ms = image->beat_mono_ms;
    snprintf(cgroups, cgroups_size, "%.*s", (int)sizeof image->cgroups - 1, image->cgroups);
    munmap((void *)image, sizeof *image);
    return count;
}
