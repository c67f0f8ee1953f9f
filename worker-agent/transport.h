/* SPDX-License-Identifier: Apache-2.0 */
/* transport.h - a byte stream to a server: Unix socket, TCP, or TLS over TCP.  Never blocks. */
#ifndef AGENT_TRANSPORT_H
#define AGENT_TRANSPORT_H

#include "loop.h"
#include "resolve.h"
#include "tls.h"
#include "url.h"

struct transport;

/* How to reach one server. */
struct server {
    struct url url;
    enum tls_trust trust;
    char *pin; /* with TLS_PINNED */
};

/* `event` is called when it is worth to try again what answered IO_AGAIN, and after a fault. */
struct transport *transport_open(struct loop *loop, struct resolver *resolver,
                                 const struct server *server, void (*event)(void *arg), void *arg);
void transport_close(struct transport *transport);
/* 0: connected (and, with TLS, sure of the peer). */
int transport_connected(struct transport *transport, struct err *err);
ssize_t transport_read(struct transport *transport, void *data, size_t size, struct err *err);
ssize_t transport_write(struct transport *transport, const void *data, size_t length,
                        struct err *err);

#endif
