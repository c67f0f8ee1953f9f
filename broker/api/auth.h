/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - who is calling.
 *
 * On the Unix socket the kernel says so; a bearer token, where one is given, comes first.  What was
 * found is kept for seconds, so that a busy client or agent costs no query a request; a revoked
 * token is dropped at once.  Failures are logged, and an address that fails too often is put off.
 */
#ifndef SPILLWAY_API_AUTH_H
#define SPILLWAY_API_AUTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "store/store.h"

/* Immutable but for its count; shared by requests and caches. */
struct caller {
    atomic_int refs;
    enum role role;        /* NONE: an agent, or nobody */
    int64_t token;         /* id of the token; 0: none was used */
    int64_t worker;        /* whose session it is; 0: not an agent */
    const char **projects; /* of the token; NULL-terminated */
    char *projects_text;
    char user[];
};
struct caller *caller_new(enum role role, const char *user, const char *projects);
struct caller *caller_ref(struct caller *caller);
void caller_unref(struct caller *caller); /* NULL allowed */
const char *role_name(enum role role);
/* ROLE_NONE when `name` is none. */
enum role role_find(const char *name);

struct auth;
struct policy;
/* `requests_rate`: requests a second of one user; 0: any. */
struct auth *auth_new(struct store *store, double requests_rate);
void auth_free(struct auth *auth);
void auth_set_rate(struct auth *auth, double requests_rate);

/* Of a Unix socket's peer: its login name, "uid:N" when it has none. */
struct caller *auth_peer(struct auth *auth, const struct policy *policy, uid_t uid);
/* The role of a login name on the socket, for what was left to be done in her name. */
enum role auth_login_role(const struct policy *policy, const char *name);
/* By a user's token.  FAULT_AUTH, or FAULT_THROTTLED when `address` failed too often. */
struct caller *auth_token(struct auth *auth, const char *token, const char *address,
                          struct err *err);
/* By a worker's session. */
struct caller *auth_session(struct auth *auth, const char *token, const char *address,
                            struct err *err);
/* By a worker's session, or by a join token that was not used yet, and is not by this.  Reads the
 * database. */
int auth_booting(struct auth *auth, const char *token, const char *address, struct err *err);
/* Someone at `address` was refused for not being who they should be. */
void auth_failed(struct auth *auth, const char *address);
/* FAULT_THROTTLED when `address` failed too often of late. */
int auth_may_try(struct auth *auth, const char *address, struct err *err);
/* Forget what is cached: a token was revoked. */
void auth_forget(struct auth *auth);
/* Requests of one user, or one address: FAULT_THROTTLED past the rate. */
int auth_rate(struct auth *auth, const char *who, struct err *err);
int64_t auth_failures(struct auth *auth);

#endif
