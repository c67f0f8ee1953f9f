/* SPDX-License-Identifier: Apache-2.0 */
/* ssh_internal.h - what the parts of ssh.h share.
 *
 * libssh2 lets one thread at a time into a session, and a packet that was sent in part must be
 * finished by the very call that began it.  So every call is made with the lock held; a call that
 * waits to send keeps it, and one that waits to receive gives it away (ssh_wait). */
#ifndef SPILLWAY_SSH_INTERNAL_H
#define SPILLWAY_SSH_INTERNAL_H

#include <libssh2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/list.h"
#include "net/ssh.h"
#include "net/ssh_config.h"

#define SSH_RELAYS_MOST 512

struct ssh {
    char *host, *wanted_user, *identity, *config_path, *wanted_jump;
    int wanted_port, depth; /* of jumps */
    char *host_key;
    struct ssh_key *key;
    char *name;
    atomic_bool given_up;

    pthread_mutex_t lock; /* all below */
    LIBSSH2_SESSION *session;
    int socket;
    bool broken;      /* the session is of no use any more */
    struct ssh *jump; /* NULL: reached directly */

    /* what goes through tunnels */
    pthread_t pump;
    bool pumping, stop;
    int wake, watch;
    LIBSSH2_LISTENER *listener;
    int listen_port;
    struct sockaddr_storage to;
    socklen_t to_length;
    struct list relays;
    size_t relay_count;
};

/* After LIBSSH2_ERROR_EAGAIN, with the lock held. */
int ssh_wait(struct ssh *ssh, int64_t deadline_mono_ms, struct err *err);
/* libssh2's words for its last fault, typed; a dead session is marked. */
int ssh_fault(struct ssh *ssh, struct err *err, const char *what);
/* The session, opened when there is none.  With the lock held. */
int ssh_connected(struct ssh *ssh, int64_t deadline_mono_ms, struct err *err);
void ssh_disconnect(struct ssh *ssh);

/* ssh_auth.c */
struct ssh_config *ssh_resolve(const struct ssh *ssh, struct err *err);
void ssh_resolve_free(struct ssh_config *config);
const char *ssh_local_user(void);
int ssh_known_text(const struct ssh_config *config, struct buf *out, struct err *err);
/* Before the handshake: ask for a key of a type that is known. */
void ssh_prefer_known(LIBSSH2_SESSION *session, const char *known, const char *name);
/* -1, with words, when the handshake failed for want of a key that both sides can use. */
int ssh_handshake_fault(LIBSSH2_SESSION *session, const char *known, const char *name,
                        struct err *err);
/* `given`: `known` is one line of our own. */
int ssh_verify_host(LIBSSH2_SESSION *session, const char *known, const char *name, bool given,
                    struct err *err);
/* By that key alone. */
int ssh_authenticate_by(LIBSSH2_SESSION *session, const char *user, const struct ssh_key *key,
                        struct err *err);
int ssh_authenticate(LIBSSH2_SESSION *session, const struct ssh_config *config, const char *user,
                     const char *identity, struct err *err);

/* ssh_relay.c */
/* A stream to host:port as `via` reaches it; a socket of ours. */
int ssh_dial(struct ssh *via, const char *host, int port, int64_t deadline_mono_ms, int *out,
             struct err *err);
void ssh_relays_drop(struct ssh *ssh);
void ssh_pump_stop(struct ssh *ssh);

#endif
