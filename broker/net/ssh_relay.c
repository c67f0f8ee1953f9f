/* SPDX-License-Identifier: Apache-2.0 */
/* ssh_relay.c - streams between sockets of ours and channels of a session.
 *
 * A relay is one such pair.  The session's own thread, the pump, moves what either side has for the
 * other; what one side does not take at once waits in a small buffer, and its source is not read
 * meanwhile. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "net/ssh_internal.h"

#define PIECE   32768
#define TICK_MS 100 /* what another thread's read has left for us is seen by then */
#define IDLE_MS 1000

struct relay {
    struct list link;
    LIBSSH2_CHANNEL *channel;
    int fd;
    char out[PIECE], in[PIECE]; /* to the socket; to the channel */
    size_t out_at, out_end, in_at, in_end;
    bool fd_ended, channel_ended, eof_sent, dead;
};

static void relay_free(struct ssh *ssh, struct relay *relay)
{
    list_del(&relay->link);
    ssh->relay_count--;
    close(relay->fd);
    free(relay);
}

void ssh_relays_drop(struct ssh *ssh)
{
    list_each_safe(at, &ssh->relays) relay_free(ssh, list_item(at, struct relay, link));
}

static void relay_add(struct ssh *ssh, LIBSSH2_CHANNEL *channel, int fd)
{
    struct relay *relay = xcalloc(1, sizeof *relay);

    relay->channel = channel;
    relay->fd = fd;
    list_add_tail(&ssh->relays, &relay->link);
    ssh->relay_count++;
}

static bool dead_session(ssize_t rc)
{
    return rc == LIBSSH2_ERROR_SOCKET_SEND || rc == LIBSSH2_ERROR_SOCKET_RECV ||
           rc == LIBSSH2_ERROR_SOCKET_DISCONNECT || rc == LIBSSH2_ERROR_BAD_USE ||
           rc == LIBSSH2_ERROR_DECRYPT || rc == LIBSSH2_ERROR_PROTO;
}

/* A packet that is on its way in part must be finished before anything else is sent. */
static bool must_finish(struct ssh *ssh, ssize_t rc)
{
    struct pollfd fd = { .fd = ssh->socket, .events = POLLOUT };

    if (rc != LIBSSH2_ERROR_EAGAIN ||
        !(libssh2_session_block_directions(ssh->session) & LIBSSH2_SESSION_BLOCK_OUTBOUND))
        return false;
    poll(&fd, 1, TICK_MS);
    return !ssh->stop;
}

static bool from_channel(struct ssh *ssh, struct relay *relay)
{
    ssize_t got;

    if (relay->out_end > 0 || relay->channel_ended)
        return false;
    do
        got = libssh2_channel_read(relay->channel, relay->out, PIECE);
    while (must_finish(ssh, got));
    if (got > 0) {
        relay->out_at = 0;
        relay->out_end = (size_t)got;
        return true;
    }
    ssh->broken |= dead_session(got);
    if (got < 0 && got != LIBSSH2_ERROR_EAGAIN)
        relay->dead = true;
    else if (libssh2_channel_eof(relay->channel))
        relay->channel_ended = true;
    return false;
}

static bool to_socket(struct relay *relay)
{
    ssize_t sent;

    if (relay->out_end == 0) {
        if (relay->channel_ended)
            shutdown(relay->fd, SHUT_WR);
        return false;
    }
    sent = send(relay->fd, relay->out + relay->out_at, relay->out_end - relay->out_at,
                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
        relay->dead |= errno != EAGAIN && errno != EINTR && errno != ENOTCONN;
        return false;
    }
    relay->out_at += (size_t)sent;
    if (relay->out_at == relay->out_end)
        relay->out_at = relay->out_end = 0;
    return true;
}

static bool from_socket(struct relay *relay)
{
    ssize_t got;

    if (relay->in_end > 0 || relay->fd_ended)
        return false;
    got = recv(relay->fd, relay->in, PIECE, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN))
        return false;
    if (got <= 0) {
        relay->fd_ended = true;
        return true;
    }
    relay->in_end = (size_t)got;
    return true;
}

static bool to_channel(struct ssh *ssh, struct relay *relay)
{
    ssize_t sent;

    if (relay->in_end == 0) {
        if (!relay->fd_ended || relay->eof_sent)
            return false;
        do
            sent = libssh2_channel_send_eof(relay->channel);
        while (must_finish(ssh, sent));
        relay->eof_sent = true;
        return true;
    }
    do
        sent = libssh2_channel_write(relay->channel, relay->in + relay->in_at,
                                     relay->in_end - relay->in_at);
    while (must_finish(ssh, sent));
    ssh->broken |= dead_session(sent);
    if (sent < 0 && sent != LIBSSH2_ERROR_EAGAIN)
        relay->dead = true;
    if (sent <= 0)
        return false;
    relay->in_at += (size_t)sent;
    if (relay->in_at == relay->in_end)
        relay->in_at = relay->in_end = 0;
    return true;
}

/* True: something moved. */
static bool relay_turn(struct ssh *ssh, struct relay *relay)
{
    bool moved = false;
    int rc;

    if (!relay->dead) {
        moved |= from_channel(ssh, relay);
        moved |= to_socket(relay);
        moved |= from_socket(relay);
        moved |= to_channel(ssh, relay);
        relay->dead |= relay->channel_ended && relay->out_end == 0 && relay->eof_sent;
    }
    if (!relay->dead || ssh->broken)
        return moved;
    do
        rc = libssh2_channel_free(relay->channel);
    while (must_finish(ssh, rc));
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return moved;
    relay_free(ssh, relay);
    return true;
}

/* ---- the door ---------------------------------------------------------------------------------
 */

static void refuse(struct ssh *ssh, LIBSSH2_CHANNEL *channel)
{
    int rc;

    do
        rc = libssh2_channel_free(channel);
    while (must_finish(ssh, rc));
}

static bool accept_one(struct ssh *ssh)
{
    LIBSSH2_CHANNEL *channel = NULL;
    int fd;

    if (!ssh->listener)
        return false;
    do
        channel = libssh2_channel_forward_accept(ssh->listener);
    while (!channel && must_finish(ssh, libssh2_session_last_errno(ssh->session)));
    if (!channel) {
        ssh->broken |= dead_session(libssh2_session_last_errno(ssh->session));
        return false;
    }
    fd = socket(ssh->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || ssh->relay_count >= SSH_RELAYS_MOST ||
        (connect(fd, (struct sockaddr *)&ssh->to, ssh->to_length) < 0 && errno != EINPROGRESS)) {
        if (fd >= 0)
            close(fd);
        refuse(ssh, channel);
        return true;
    }
    relay_add(ssh, channel, fd);
    return true;
}

static size_t watch_list(struct ssh *ssh, struct pollfd *fds, size_t most)
{
    size_t count = 0;

    fds[count++] = (struct pollfd){ .fd = ssh->wake, .events = POLLIN };
    if (ssh->session && !ssh->broken)
        fds[count++] = (struct pollfd){ .fd = ssh->socket, .events = POLLIN };
    list_each(at, &ssh->relays)
    {
        const struct relay *relay = list_item(at, struct relay, link);
        short events = (short)((relay->in_end == 0 && !relay->fd_ended ? POLLIN : 0) |
                               (relay->out_end > 0 ? POLLOUT : 0));

        if (events && count < most)
            fds[count++] = (struct pollfd){ .fd = relay->fd, .events = events };
    }
    return count;
}

static void turn(struct ssh *ssh)
{
    bool was_broken = ssh->broken, moved = true;
    uint64_t one = 1;

    for (int i = 0; i < 64 && moved && ssh->session && !ssh->broken; i++) {
        moved = accept_one(ssh);
        list_each_safe(at, &ssh->relays) moved |=
            relay_turn(ssh, list_item(at, struct relay, link));
    }
    if (!ssh->broken || was_broken)
        return;
    ssh_relays_drop(ssh);
    (void)!write(ssh->watch, &one, sizeof one);
}

static void *pump(void *arg)
{
    struct ssh *ssh = arg;
    struct pollfd fds[SSH_RELAYS_MOST + 2];
    uint64_t count;

    pthread_mutex_lock(&ssh->lock);
    while (!ssh->stop) {
        size_t most;
        int wait;

        turn(ssh);
        most = watch_list(ssh, fds, array_len(fds));
        wait = ssh->relay_count ? TICK_MS : IDLE_MS;
        pthread_mutex_unlock(&ssh->lock);
        poll(fds, most, wait);
        (void)!read(ssh->wake, &count, sizeof count);
        pthread_mutex_lock(&ssh->lock);
    }
    pthread_mutex_unlock(&ssh->lock);
    return NULL;
}

static int pump_start(struct ssh *ssh, struct err *err)
{
    uint64_t one = 1;

    if (!ssh->pumping && (errno = pthread_create(&ssh->pump, NULL, pump, ssh)) != 0)
        return err_sys(err, "start a tunnel's thread");
    ssh->pumping = true;
    (void)!write(ssh->wake, &one, sizeof one);
    return 0;
}

void ssh_pump_stop(struct ssh *ssh)
{
    uint64_t one = 1;

    if (!ssh->pumping)
        return;
    pthread_mutex_lock(&ssh->lock);
    ssh->stop = true;
    pthread_mutex_unlock(&ssh->lock);
    (void)!write(ssh->wake, &one, sizeof one);
    pthread_join(ssh->pump, NULL);
    ssh->pumping = false;
}

static int resolve_to(struct ssh *ssh, const char *host, int port, struct err *err)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *list = NULL;
    char service[8];
    int rc;

    snprintf(service, sizeof service, "%d", port);
    if ((rc = getaddrinfo(host, service, &hints, &list)) != 0)
        return err_set(err, FAULT_INVALID, "tunnel to %s: %s", host, gai_strerror(rc));
    memcpy(&ssh->to, list->ai_addr, list->ai_addrlen);
    ssh->to_length = list->ai_addrlen;
    freeaddrinfo(list);
    return 0;
}

static int listen_there(struct ssh *ssh, const char *bind, int *port, int64_t deadline_mono_ms,
                        struct err *err)
{
    int got = *port;

    while (
        !(ssh->listener = libssh2_channel_forward_listen_ex(ssh->session, bind, *port, &got, 16))) {
        if (libssh2_session_last_errno(ssh->session) != LIBSSH2_ERROR_EAGAIN) {
            ssh_fault(ssh, err, "listen on the other side");
            return err_wrap(err, "port %d", *port);
        }
        if (ssh_wait(ssh, deadline_mono_ms, err) < 0)
            return -1;
    }
    /* A port that was asked for by number is not told again. */
    if (*port == 0)
        *port = got;
    ssh->listen_port = *port;
    return 0;
}

int ssh_forward(struct ssh *ssh, const char *bind, int *port, const char *to_host, int to_port,
                int64_t deadline_mono_ms, struct err *err)
{
    int rc;

    pthread_mutex_lock(&ssh->lock);
    rc = ssh_connected(ssh, deadline_mono_ms, err);
    if (rc == 0 && ssh->listener) {
        *port = ssh->listen_port;
    } else if (rc == 0) {
        rc = resolve_to(ssh, to_host, to_port, err);
        if (rc == 0)
            rc = listen_there(ssh, bind, port, deadline_mono_ms, err);
        if (rc == 0)
            rc = pump_start(ssh, err);
    }
    pthread_mutex_unlock(&ssh->lock);
    return rc;
}

int ssh_dial(struct ssh *via, const char *host, int port, int64_t deadline_mono_ms, int *out,
             struct err *err)
{
    LIBSSH2_CHANNEL *channel = NULL;
    int pair[2], rc;

    pthread_mutex_lock(&via->lock);
    rc = ssh_connected(via, deadline_mono_ms, err);
    while (rc == 0 && !(channel = libssh2_channel_direct_tcpip(via->session, host, port))) {
        if (libssh2_session_last_errno(via->session) != LIBSSH2_ERROR_EAGAIN) {
            ssh_fault(via, err, "open a way through");
            rc = err_wrap(err, "to %s port %d", host, port);
        } else {
            rc = ssh_wait(via, deadline_mono_ms, err);
        }
    }
    if (rc == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        rc = err_sys(err, "socketpair");
    if (rc == 0) {
        relay_add(via, channel, pair[0]);
        *out = pair[1];
        rc = pump_start(via, err);
    }
    pthread_mutex_unlock(&via->lock);
    return rc;
}
