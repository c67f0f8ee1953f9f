/* SPDX-License-Identifier: Apache-2.0 */
/* tls.h - TLS 1.2 over a connected, non-blocking socket, by mbedTLS.
 *
 * The peer is who we think it is when its certificate's SHA-256 is the pin; without a pin, when the
 * image's own authorities vouch for its name. */
#ifndef AGENT_TLS_H
#define AGENT_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define IO_AGAIN (-2) /* try again when the descriptor is ready */

enum tls_trust {
    TLS_PINNED,    /* by `pin` */
    TLS_BY_SYSTEM, /* by the certificate authorities of this system */
    TLS_BY_CONTENT /* not at all: what is fetched is checked by its own hash */
};

struct tls;

struct tls *tls_new(int fd, const char *host, enum tls_trust trust, const char *pin,
                    struct err *err);
void tls_free(struct tls *tls);
/* 0: done. */
int tls_handshake(struct tls *tls, struct err *err);
/* Bytes; 0: the end (read); IO_AGAIN; -1. */
ssize_t tls_read(struct tls *tls, void *data, size_t size, struct err *err);
ssize_t tls_write(struct tls *tls, const void *data, size_t length, struct err *err);
/* After IO_AGAIN: whether it waits to write, not to read. */
bool tls_wants_write(const struct tls *tls);
/* Whether this system has a bundle of certificate authorities. */
bool tls_has_authorities(void);

#endif
