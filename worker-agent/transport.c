/* SPDX-License-Identifier: Apache-2.0 */
/* transport.c - connecting, and reading and writing without waiting.
 *
 * A server's addresses are tried in turn, each for a few seconds while others remain. */
#include "transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"

#define ADDRESS_MS 5000

enum phase { RESOLVING, CONNECTING, HANDSHAKE, OPEN, FAILED };

struct transport {
    struct loop *loop;
    struct resolver *resolver;
    const struct server *server;
    void (*event)(void *arg);
    void *arg;
    enum phase phase;
    struct lookup *lookup;
    struct address addresses[ADDRESSES_MOST];
    size_t count, at;
    struct watch watch;
    struct timer timer; /* for one address */
    struct later later; /* tells of what failed or connected at once */
    struct tls *tls;
    struct err err; /* of FAILED */
};

static void tell(struct later *later)
{
    struct transport *t = list_item(later, struct transport, later);

    t->event(t->arg);
}

static void drop_socket(struct transport *t)
{
    tls_free(take_ptr(t->tls));
    if (t->watch.fd < 0)
        return;
    watch_set(t->loop, &t->watch, 0);
    close(take_fd(&t->watch.fd));
}

static void failed(struct transport *t)
{
    drop_socket(t);
    timer_clear(t->loop, &t->timer);
    t->phase = FAILED;
    later_ask(t->loop, &t->later);
}

static int open_socket(struct transport *t, const struct sockaddr *address, socklen_t length)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

    if (fd < 0)
        return err_sys(&t->err, "socket");
    if (address->sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, address, length) < 0 && errno != EINPROGRESS) {
        err_sys(&t->err, "connect to %s", t->server->url.host);
        close(fd);
        return -1;
    }
    t->watch.fd = fd;
    t->phase = CONNECTING;
    watch_set(t->loop, &t->watch, EPOLLOUT);
    return 0;
}

static void try_next_address(struct transport *t)
{
    drop_socket(t);
    for (; t->at < t->count; t->at++) {
        const struct address *address = &t->addresses[t->at];

        if (open_socket(t, (const struct sockaddr *)&address->sockaddr, address->length) < 0)
            continue;
        if (++t->at < t->count)
            timer_set(t->loop, &t->timer, clock_mono_ms() + ADDRESS_MS);
        return;
    }
    failed(t);
}

static void address_is_slow(struct timer *timer)
{
    try_next_address(list_item(timer, struct transport, timer));
}

static void resolved(void *arg, const struct address *list, size_t count, const struct err *err)
{
    struct transport *t = arg;

    t->lookup = NULL;
    if (count)
        memcpy(t->addresses, list, count * sizeof *list);
    else
        t->err = *err;
    t->count = count;
    try_next_address(t);
}

static void connect_unix(struct transport *t)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(t->server->url.host);

    if (length >= sizeof address.sun_path) {
        err_set(&t->err, FAULT_INVALID, "%s: too long for a Unix socket's path",
                t->server->url.host);
        failed(t);
        return;
    }
    memcpy(address.sun_path, t->server->url.host, length + 1);
    if (open_socket(t, (const struct sockaddr *)&address, sizeof address) < 0)
        failed(t);
}

static void connect_tcp(struct transport *t)
{
    const struct url *url = &t->server->url;

    if (resolve_numeric(url->host, url->port, &t->addresses[0])) {
        t->count = 1;
        try_next_address(t);
        return;
    }
    t->lookup = resolve_start(t->resolver, url->host, url->port, resolved, t, &t->err);
    if (!t->lookup)
        failed(t);
}

static void socket_ready(struct watch *watch, uint32_t events)
{
    struct transport *t = list_item(watch, struct transport, watch);

    (void)events;
    t->event(t->arg);
}

struct transport *transport_open(struct loop *loop, struct resolver *resolver,
                                 const struct server *server, void (*event)(void *arg), void *arg)
{
    struct transport *t = xcalloc(1, sizeof *t);

    t->loop = loop;
    t->resolver = resolver;
    t->server = server;
    t->event = event;
    t->arg = arg;
    t->watch = (struct watch){ .fd = -1, .ready = socket_ready };
    t->timer.fire = address_is_slow;
    t->later.run = tell;
    if (server->url.scheme == URL_UNIX)
        connect_unix(t);
    else
        connect_tcp(t);
    return t;
}

void transport_close(struct transport *t)
{
    if (!t)
        return;
    if (t->lookup)
        resolve_cancel(t->lookup);
    drop_socket(t);
    timer_clear(t->loop, &t->timer);
    later_drop(&t->later);
    free(t);
}

/* The socket became writable: connected, or refused. */
static int finish_connect(struct transport *t)
{
    int error = 0;
    socklen_t length = sizeof error;
    struct sockaddr_storage peer;
    socklen_t peer_length = sizeof peer;

    if (getsockopt(t->watch.fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        error = errno;
    if (!error && getpeername(t->watch.fd, (struct sockaddr *)&peer, &peer_length) < 0)
        return IO_AGAIN;
    if (error) {
        errno = error;
        err_sys(&t->err, "connect to %s", t->server->url.host);
        try_next_address(t);
        return t->phase == FAILED ? -1 : IO_AGAIN;
    }
    timer_clear(t->loop, &t->timer);
    t->phase = t->server->url.scheme == URL_HTTPS ? HANDSHAKE : OPEN;
    watch_set(t->loop, &t->watch, EPOLLIN);
    return 0;
}

static int handshake(struct transport *t)
{
    int rc;

    if (!t->tls)
        t->tls =
            tls_new(t->watch.fd, t->server->url.host, t->server->trust, t->server->pin, &t->err);
    rc = t->tls ? tls_handshake(t->tls, &t->err) : -1;
    if (rc == IO_AGAIN)
        watch_set(t->loop, &t->watch, tls_wants_write(t->tls) ? EPOLLOUT : EPOLLIN);
    else if (rc < 0)
        failed(t);
    else
        t->phase = OPEN;
    return rc;
}

int transport_connected(struct transport *t, struct err *err)
{
    int rc = t->phase == FAILED ? -1 : t->phase == RESOLVING ? IO_AGAIN : 0;

    if (t->phase == CONNECTING)
        rc = finish_connect(t);
    if (rc == 0 && t->phase == HANDSHAKE)
        rc = handshake(t);
    if (rc == -1 && err)
        *err = t->err;
    return rc;
}

ssize_t transport_read(struct transport *t, void *data, size_t size, struct err *err)
{
    ssize_t got = t->tls ? tls_read(t->tls, data, size, err) : read(t->watch.fd, data, size);

    if (!t->tls && got < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return err_sys(err, "read from %s", t->server->url.host);
        got = IO_AGAIN;
    }
    if (got == IO_AGAIN && t->tls && tls_wants_write(t->tls))
        watch_set(t->loop, &t->watch, EPOLLIN | EPOLLOUT);
    return got;
}

ssize_t transport_write(struct transport *t, const void *data, size_t length, struct err *err)
{
    ssize_t put = t->tls ? tls_write(t->tls, data, length, err)
                         : send(t->watch.fd, data, length, MSG_NOSIGNAL);

    if (!t->tls && put < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return err_sys(err, "write to %s", t->server->url.host);
        put = IO_AGAIN;
    }
    watch_set(t->loop, &t->watch, put == IO_AGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
    return put;
}
