/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.c - c-ares in our loop.
 *
 * The channel is opened at the first name and again after a fault: a worker's resolv.conf may be
 * written after the agent started. */
#include "resolve.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/own.h"

#define TRY_MS 3000
#define TRIES  3

struct socket_watch {
    struct watch watch;
    struct resolver *resolver;
    struct list node;
};

struct resolver {
    struct loop *loop;
    ares_channel channel;
    bool is_open, reopen;
    struct list sockets;
    struct timer timer;
    struct later start; /* names are looked up from here, so that no answer comes from within */
    struct list waiting;
    size_t active;
};

struct lookup {
    struct list node; /* in `waiting` */
    struct resolver *resolver;
    resolve_done *done; /* NULL: cancelled */
    void *arg;
    int port;
    char *host;
};

/* c-ares gives up by its own clock; it must be looked in on. */
static void set_timer(struct resolver *resolver)
{
    if (resolver->active)
        timer_set(resolver->loop, &resolver->timer, clock_mono_ms() + 250);
    else
        timer_clear(resolver->loop, &resolver->timer);
}

static void tick(struct timer *timer)
{
    struct resolver *resolver = list_item(timer, struct resolver, timer);

    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(resolver);
}

static void socket_ready(struct watch *watch, uint32_t events)
{
    struct socket_watch *socket = list_item(watch, struct socket_watch, watch);
    struct resolver *resolver = socket->resolver;
    int fd = watch->fd;

    ares_process_fd(resolver->channel,
                    events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? fd : ARES_SOCKET_BAD,
                    events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
    set_timer(resolver);
}

static void socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = arg;
    struct socket_watch *found = NULL;
    uint32_t events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);

    list_each(at, &resolver->sockets) if (list_item(at, struct socket_watch, node)->watch.fd == fd)
        found = list_item(at, struct socket_watch, node);
    if (!found) {
        if (!events)
            return;
        found = xcalloc(1, sizeof *found);
        found->watch.fd = fd;
        found->watch.ready = socket_ready;
        found->resolver = resolver;
        list_add_tail(&resolver->sockets, &found->node);
    }
    watch_set(resolver->loop, &found->watch, events);
    if (!events) {
        list_del(&found->node);
        free(found);
    }
}

static int channel_open(struct resolver *resolver, struct err *err)
{
    struct ares_options options = { .timeout = TRY_MS,
                                    .tries = TRIES,
                                    .sock_state_cb = socket_state,
                                    .sock_state_cb_data = resolver };
    int rc;

    if (resolver->is_open && resolver->reopen && !resolver->active) {
        ares_destroy(resolver->channel);
        resolver->is_open = false;
    }
    if (resolver->is_open)
        return 0;
    rc = ares_init_options(&resolver->channel, &options,
                           ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (rc != ARES_SUCCESS)
        return err_set(err, FAULT_UNAVAILABLE, "name resolution: %s", ares_strerror(rc));
    resolver->is_open = true;
    resolver->reopen = false;
    return 0;
}

static size_t copy_addresses(const struct lookup *lookup, const struct ares_addrinfo *info,
                             struct address *out)
{
    size_t count = 0;

    for (struct ares_addrinfo_node *node = info->nodes; node && count < ADDRESSES_MOST;
         node = node->ai_next) {
        struct address *address = &out[count];

        if (node->ai_addrlen > sizeof address->sockaddr)
            continue;
        *address = (struct address){ .length = node->ai_addrlen };
        memcpy(&address->sockaddr, node->ai_addr, node->ai_addrlen);
        if (node->ai_family == AF_INET)
            ((struct sockaddr_in *)&address->sockaddr)->sin_port = htons((uint16_t)lookup->port);
        else if (node->ai_family == AF_INET6)
            ((struct sockaddr_in6 *)&address->sockaddr)->sin6_port = htons((uint16_t)lookup->port);
        else
            continue;
        count++;
    }
    return count;
}

static void answered(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct lookup *lookup = arg;
    struct address list[ADDRESSES_MOST];
    struct err err = ERR_INIT;
    size_t count = 0;

    (void)timeouts;
    lookup->resolver->active--;
    if (status != ARES_SUCCESS)
        lookup->resolver->reopen = true;
    else
        count = copy_addresses(lookup, info, list);
    if (!count)
        err_set(&err, FAULT_UNAVAILABLE, "look up %s: %s", lookup->host,
                status == ARES_SUCCESS ? "no address" : ares_strerror(status));
    if (info)
        ares_freeaddrinfo(info);
    if (lookup->done)
        lookup->done(lookup->arg, list, count, &err);
    free(lookup->host);
    free(lookup);
}

static void fail(struct lookup *lookup, const struct err *err)
{
    if (lookup->done)
        lookup->done(lookup->arg, NULL, 0, err);
    free(lookup->host);
    free(lookup);
}

/* RFC 6761, 6.3: localhost and all below it are this machine, whatever name servers say, and also in an
 * image that has no /etc/hosts. */
static bool is_localhost(const char *host)
{
    static const char name[] = "localhost", below[] = ".localhost";
    size_t length = strlen(host);

    return strcasecmp(host, name) == 0 ||
           (length > sizeof below - 1 &&
            strcasecmp(host + length - (sizeof below - 1), below) == 0);
}

static void answer_local(struct lookup *lookup)
{
    struct address list[2];
    struct err err = ERR_INIT;

    resolve_numeric("127.0.0.1", lookup->port, &list[0]);
    resolve_numeric("::1", lookup->port, &list[1]);
    if (lookup->done)
        lookup->done(lookup->arg, list, 2, &err);
    free(lookup->host);
    free(lookup);
}

static void start_waiting(struct later *later)
{
    struct resolver *resolver = list_item(later, struct resolver, start);
    struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

    while (!list_empty(&resolver->waiting)) {
        struct lookup *lookup = list_item(resolver->waiting.next, struct lookup, node);
        struct err err = ERR_INIT;

        list_del(&lookup->node);
        if (is_localhost(lookup->host)) {
            answer_local(lookup);
            continue;
        }
        if (channel_open(resolver, &err) < 0) {
            fail(lookup, &err);
            continue;
        }
        resolver->active++;
        ares_getaddrinfo(resolver->channel, lookup->host, NULL, &hints, answered, lookup);
    }
    set_timer(resolver);
}

struct lookup *resolve_start(struct resolver *resolver, const char *host, int port,
                             resolve_done *done, void *arg, struct err *err)
{
    struct lookup *lookup;

    if (!*host || strlen(host) > 253) {
        err_set(err, FAULT_INVALID, "host name too long");
        return NULL;
    }
    lookup = xcalloc(1, sizeof *lookup);
    lookup->resolver = resolver;
    lookup->done = done;
    lookup->arg = arg;
    lookup->port = port;
    lookup->host = xstrdup(host);
    list_add_tail(&resolver->waiting, &lookup->node);
    later_ask(resolver->loop, &resolver->start);
    return lookup;
}

void resolve_cancel(struct lookup *lookup)
{
    lookup->done = NULL; /* freed when c-ares lets go of it */
}

bool resolve_numeric(const char *host, int port, struct address *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->sockaddr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->sockaddr;

    *out = (struct address){ .length = 0 };
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        out->length = sizeof *v4;
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        out->length = sizeof *v6;
    }
    return out->length != 0;
}

struct resolver *resolver_new(struct loop *loop)
{
    struct resolver *resolver = xcalloc(1, sizeof *resolver);

    resolver->loop = loop;
    resolver->timer.fire = tick;
    resolver->start.run = start_waiting;
    list_init(&resolver->sockets);
    list_init(&resolver->waiting);
    return resolver;
}
