/* SPDX-License-Identifier: Apache-2.0 */
/* ssh_config.h - OpenSSH's client configuration, as far as reaching a host needs it
 * (ssh_config(5)).
 *
 * Read as ssh reads it: the first value of a key holds, IdentityFile and UserKnownHostsFile may
 * have several, Host blocks by pattern and negation, Include by glob.  Of Match, `all`, `host`,
 * `originalhost`, `user` and `localuser` are understood; a block with another criterion does not
 * apply.  What else stands in the file is left to ssh.  Files come through a callback, so that this
 * is pure. */
#ifndef SPILLWAY_SSH_CONFIG_H
#define SPILLWAY_SSH_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define SSH_FILES_MOST 16

struct ssh_config {
    char *host;                       /* as asked for */
    char *host_name, *user;           /* NULL: not said */
    int port;                         /* 0: not said */
    char *identities[SSH_FILES_MOST]; /* paths, not yet expanded */
    size_t identity_count;
    char *known_files[SSH_FILES_MOST]; /* none: the usual ones */
    size_t known_file_count;
    char *global_files[SSH_FILES_MOST];
    size_t global_file_count;
    char *host_key_alias, *identity_agent, *proxy_jump, *proxy_command;
    int identities_only; /* -1: not said */
    int depth;           /* of Include */
};

/* Gives each file that `pattern` names, in order, to `take`. */
typedef int ssh_config_files(void *arg, const char *pattern,
                             int (*take)(void *to, const char *path, const char *text,
                                         struct err *err),
                             void *to, struct err *err);

void ssh_config_init(struct ssh_config *config, const char *host);
void ssh_config_fini(struct ssh_config *config);
/* Add what `text`, of the file `path`, says of config->host.  `local_user` is ours.  Values that
 * were set before stay. */
int ssh_config_add(struct ssh_config *config, const char *local_user, const char *path,
                   const char *text, ssh_config_files *files, void *arg, struct err *err);
/* Replaces %h, %n, %p, %r, %u, %d, %% and a leading "~/". */
void ssh_config_expand(const struct ssh_config *config, const char *home, const char *local_user,
                       const char *value, struct buf *out);

#endif
