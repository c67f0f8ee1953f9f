/* SPDX-License-Identifier: Apache-2.0 */
/* loopback.h - a server of HTTP on a loopback port, for tests of what calls one.
 *
 * Every connection has a thread; what is answered is the test's.  Stands in for faults that a real
 * service cannot be made to show. */
#ifndef TEST_LOOPBACK_H
#define TEST_LOOPBACK_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/own.h"

struct loopback {
    int listener, port;
    pthread_t thread;
    atomic_int connections, requests;
    /* `request` is the head, and the body as far as it came with it.  False: the connection ends. */
    bool (*serve)(struct loopback *server, int fd, const char *request);
};

static inline void loopback_answer(int fd, const char *head, const char *body)
{
    own_str char *text = xasprintf("HTTP/1.1 %s\r\nContent-Length: %zu\r\nX-Token: t-1\r\n\r\n%s",
                                   head, strlen(body), body);

    (void)!io_write_all(fd, text, strlen(text));
}

static inline void *loopback_connection(void *arg)
{
    struct loopback *server = ((void **)arg)[0];
    int fd = (int)(intptr_t)((void **)arg)[1];
    char data[8192];
    size_t length = 0;
    ssize_t got;

    free(arg);
    while (length < sizeof data - 1 &&
           (got = read(fd, data + length, sizeof data - 1 - length)) > 0) {
        length += (size_t)got;
        data[length] = '\0';
        if (!strstr(data, "\r\n\r\n"))
            continue;
        atomic_fetch_add(&server->requests, 1);
        if (!server->serve(server, fd, data))
            break;
        length = 0;
    }
    close(fd);
    return NULL;
}

static inline void *loopback_accept(void *arg)
{
    struct loopback *server = arg;
    int fd;

    while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
        void **pair = xcalloc(2, sizeof *pair);
        pthread_t thread;

        atomic_fetch_add(&server->connections, 1);
        pair[0] = server;
        pair[1] = (void *)(intptr_t)fd;
        assert_int_equal(pthread_create(&thread, NULL, loopback_connection, pair), 0);
        pthread_detach(thread);
    }
    return NULL;
}

/* Never freed: the thread of a connection may outlive its test. */
static inline struct loopback *loopback_start(bool (*serve)(struct loopback *, int, const char *))
{
    static struct loopback servers[32];
    static size_t used;
    struct loopback *server = &servers[used++];
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;

    assert_true(used <= array_len(servers));
    server->serve = serve;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 32), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, loopback_accept, server), 0);
    return server;
}

static inline void loopback_stop(struct loopback *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
}

#endif
