/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.h - names to addresses, by c-ares.
 *
 * Not by getaddrinfo: in a static program it loads the image's NSS modules, and fails, or crashes,
 * where they belong to another libc. */
#ifndef AGENT_RESOLVE_H
#define AGENT_RESOLVE_H

#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"
#include "loop.h"

#define ADDRESSES_MOST 8

struct address {
    struct sockaddr_storage sockaddr;
    socklen_t length;
};

struct resolver;
struct lookup;
/* `count` is 0 when `err` says why. */
typedef void resolve_done(void *arg, const struct address *list, size_t count,
                          const struct err *err);

struct resolver *resolver_new(struct loop *loop);
/* `done` comes later, never from within; NULL when it already failed. */
struct lookup *resolve_start(struct resolver *resolver, const char *host, int port,
                             resolve_done *done, void *arg, struct err *err);
/* `done` will not be called. */
void resolve_cancel(struct lookup *lookup);
/* Whether `host` is an address as it stands; then *out is it. */
bool resolve_numeric(const char *host, int port, struct address *out);

#endif
