/* SPDX-License-Identifier: Apache-2.0 */
/* joblog.c - a pipe, a head in memory, a tail on disk. */
#include "joblog.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "base/io.h"
#include "spillway/wire.h"
#include "tls.h"

#define PIECE      65536
#define DRAIN_MOST 32

/* The head goes first into the file, so that the file holds all of the log. */
static int spill(struct joblog *log)
{
    log->file_fd = open(log->file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log->file_fd < 0)
        return -1;
    digest_init(&log->digest);
    digest_add(&log->digest, log->head.data, log->head.length);
    return io_write_all(log->file_fd, log->head.data, log->head.length);
}

static void keep(struct joblog *log, const char *data, size_t length)
{
    if (log->file_fd < 0 && log->head.length + length <= WIRE_LOG_INLINE) {
        buf_put(&log->head, data, length);
        log->size += (int64_t)length;
        return;
    }
    if (log->cut || (log->file_fd < 0 && spill(log) < 0) ||
        pwrite(log->file_fd, data, length, log->size) != (ssize_t)length) {
        log->cut += (int64_t)length; /* the disk is full: the job is not to blame, and goes on */
        return;
    }
    digest_add(&log->digest, data, length);
    log->size += (int64_t)length;
}

/* 1: there may be more; 0: the end; IO_AGAIN: not now. */
static int take_in(struct joblog *log)
{
    static char data[PIECE]; /* one thread */
    ssize_t got = read(log->watch.fd, data, sizeof data);
    size_t room;

    if (got < 0)
        return errno == EINTR ? 1 : errno == EAGAIN ? IO_AGAIN : 0;
    if (got == 0)
        return 0;
    room = (size_t)got;
    if (log->most && log->size + got > log->most)
        room = log->size < log->most ? (size_t)(log->most - log->size) : 0;
    if (room)
        keep(log, data, room);
    log->cut += got - (ssize_t)room;
    return 1;
}

static void readable(struct watch *watch, uint32_t events)
{
    struct joblog *log = list_item(watch, struct joblog, watch);

    (void)events;
    if (take_in(log) == 0)
        watch_set(log->loop, watch, 0); /* the end: all writers are gone */
}

int joblog_open(struct joblog *log, struct loop *loop, int64_t most, struct err *err)
{
    int fds[2];

    *log = (struct joblog){ .loop = loop, .most = most, .file_fd = -1, .write_fd = -1 };
    log->watch = (struct watch){ .fd = -1, .ready = readable };
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_sys(err, "pipe");
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    log->watch.fd = fds[0];
    log->write_fd = fds[1];
    return 0;
}

void joblog_name(struct joblog *log, char *file)
{
    log->file = file;
}

void joblog_started(struct joblog *log)
{
    close(take_fd(&log->write_fd));
}

void joblog_listen(struct joblog *log)
{
    watch_set(log->loop, &log->watch, EPOLLIN);
}

void joblog_end(struct joblog *log)
{
    if (log->watch.fd < 0)
        return;
    /* A process that escaped us may still write: no more than a pipe can hold. */
    for (int i = 0; i < DRAIN_MOST && take_in(log) == 1; i++)
        ;
    watch_set(log->loop, &log->watch, 0);
    close(take_fd(&log->watch.fd));
}

void joblog_free(struct joblog *log)
{
    if (log->loop && log->watch.fd >= 0) {
        watch_set(log->loop, &log->watch, 0);
        close(take_fd(&log->watch.fd));
    }
    if (log->loop && log->write_fd >= 0)
        close(take_fd(&log->write_fd));
    if (log->loop && log->file_fd >= 0)
        close(take_fd(&log->file_fd));
    free(take_ptr(log->file));
    buf_free(&log->head);
}
