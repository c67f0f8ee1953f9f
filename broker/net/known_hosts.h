/* SPDX-License-Identifier: Apache-2.0 */
/* known_hosts.h - what a file of known hosts says of one host's key (sshd(8), "SSH_KNOWN_HOSTS FILE
 * FORMAT").
 *
 * Pure: text in, a verdict out.  Hashed names, patterns, negation and ports are understood.  A line
 * that cannot be read says nothing; a revoked key is refused whatever other lines say. */
#ifndef SPILLWAY_KNOWN_HOSTS_H
#define SPILLWAY_KNOWN_HOSTS_H

#include <stddef.h>

#include "base/buf.h"

/* In the order in which one outweighs another: the worst of several files holds. */
enum known {
    KNOWN_UNKNOWN,   /* no line names the host */
    KNOWN_AUTHORITY, /* only a @cert-authority vouches for the host, and it showed a plain key */
    KNOWN_CHANGED,   /* it has another key of this type, or keys of other types alone */
    KNOWN_OK,
    KNOWN_REVOKED
};

/* The name under which a host stands in the file: "host", or "[host]:port" when it is not 22. */
void known_hosts_name(const char *host, int port, struct buf *out);
/* `type` as in "ssh-ed25519"; `key`: the host's key as it came over the wire. */
enum known known_hosts_check(const char *text, const char *name, const char *type, const void *key,
                             size_t length);
/* The types of the keys that the host is known by, each once, separated by commas. */
void known_hosts_types(const char *text, const char *name, struct buf *out);

#endif
