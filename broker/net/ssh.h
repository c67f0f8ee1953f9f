/* SPDX-License-Identifier: Apache-2.0 */
/* ssh.h - commands, files and tunnels on another host, over one SSH session (libssh2).
 *
 * The session is opened when it is first needed and opened anew when it has died; each call has a
 * channel of its own in it.  Who the host is, which keys open it and over which hosts it is reached
 * follows OpenSSH's configuration (net/ssh_config.h); the host's key must be in known_hosts, and
 * one that has changed or is revoked is refused.
 *
 * One thread at a time may call; a thread of the session's own carries what goes through tunnels.
 */
#ifndef SPILLWAY_SSH_H
#define SPILLWAY_SSH_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/ssh_key.h"

struct ssh_target {
    const char *host;     /* a name, or an alias of the configuration */
    const char *user;     /* NULL: as the configuration says */
    int port;             /* 0: likewise */
    const char *identity; /* a key file, tried first; NULL: none */
    const char *config;   /* NULL: ~/.ssh/config and /etc/ssh/ssh_config */
    const char *jump;     /* in place of ProxyJump; NULL: as the configuration says */
    /* Of a host that is ours: "ssh-ed25519 BASE64", the one key that it may show, in place of what
     * known_hosts says; and the one key that we show.  NULL: as users have them. */
    const char *host_key;
    const struct ssh_key *key;
};

struct ssh;
/* Copies the target; no network. */
struct ssh *ssh_new(const struct ssh_target *target);
void ssh_free(struct ssh *ssh);
/* A call that is about to connect gives up; any thread, until ssh_free(). */
void ssh_give_up(struct ssh *ssh);
/* "user@host:port" once that is known, else the host. */
const char *ssh_name(const struct ssh *ssh);

/* Run `script` in the user's account by sh(1), which reads it as its input.  What a login shell
 * prints before it starts is left out of `out`.  Output beyond a buffer's cap is FAULT_INVALID.
 * *status: 0 to 255; killed by a signal: 128.  A deadline that passes closes the session: nobody
 * knows what it is doing. */
int ssh_run(struct ssh *ssh, const char *script, struct buf *out, struct buf *errors,
            int64_t deadline_mono_ms, int *status, struct err *err);
/* Write a local file to `remote`, which is relative to the home directory or absolute; replaces.
 * Folders that lack on the way to it are made. */
int ssh_put(struct ssh *ssh, const char *local, const char *remote, int mode,
            int64_t deadline_mono_ms, struct err *err);

/* The other way, into `to`, an open file; FAULT_INVALID past `most` bytes. */
int ssh_get(struct ssh *ssh, const char *remote, int to, int64_t most, int64_t deadline_mono_ms,
            struct err *err);

/* Have the host listen at `bind`:*port (0: any, which *port then says) and carry what connects
 * there to `to_host`:`to_port` on our side.  One such door for a session; one that is open already
 * is success. A session that was opened anew has none: ask again. */
int ssh_forward(struct ssh *ssh, const char *bind, int *port, const char *to_host, int to_port,
                int64_t deadline_mono_ms, struct err *err);
/* Becomes readable when a session with a door died. */
int ssh_watch_fd(struct ssh *ssh);
/* Nobody need be woken for what is known. */
void ssh_watch_clear(struct ssh *ssh);

#endif
