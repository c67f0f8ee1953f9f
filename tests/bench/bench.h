/* SPDX-License-Identifier: Apache-2.0 */
/* bench.h - what the load generators share: a clock, and one blocking connection. */
#ifndef SPILLWAY_TESTS_BENCH_H
#define SPILLWAY_TESTS_BENCH_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BENCH_READ_BYTES 65536

static inline double clock_at(clockid_t clock)
{
    struct timespec at;

    clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static inline _Noreturn void give_up(const char *what)
{
    perror(what);
    exit(1);
}

/* "/path/of.sock", or a port of this machine. */
static inline int dial(const char *where)
{
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    struct sockaddr_in remote = { .sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    bool is_path = where[0] == '/';
    int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    if (is_path)
        snprintf(local.sun_path, sizeof local.sun_path, "%s", where);
    else
        remote.sin_port = htons((unsigned short)strtol(where, NULL, 10));
    if (fd < 0 || connect(fd, is_path ? (void *)&local : (void *)&remote,
                          is_path ? sizeof local : sizeof remote) < 0)
        give_up(where);
    if (!is_path)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static inline void send_all(int fd, const char *data, size_t length)
{
    while (length) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);

        if (sent < 0)
            give_up("send");
        data += sent;
        length -= (size_t)sent;
    }
}

/* Bytes read and not used yet. */
struct reading {
    int fd;
    size_t have;
    char data[BENCH_READ_BYTES + 1];
};

static inline void read_more(struct reading *in)
{
    ssize_t got;

    if (in->have == BENCH_READ_BYTES) {
        fprintf(stderr, "an answer is too large\n");
        exit(1);
    }
    got = read(in->fd, in->data + in->have, BENCH_READ_BYTES - in->have);
    if (got <= 0)
        give_up("read");
    in->have += (size_t)got;
    in->data[in->have] = '\0';
}

static inline void used(struct reading *in, size_t count)
{
    memmove(in->data, in->data + count, in->have - count);
    in->have -= count;
    in->data[in->have] = '\0';
}

#endif
