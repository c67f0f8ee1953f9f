/* SPDX-License-Identifier: Apache-2.0 */
/* login.h - the credential of one kubeconfig, as it is now.
 *
 * Files are read anew once a minute and after a refusal, a program is run again when what it printed
 * nears its end or was refused.  Any thread. */
#ifndef SPILLWAY_KUBERNETES_LOGIN_H
#define SPILLWAY_KUBERNETES_LOGIN_H

#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "sites/kubernetes/kubeconfig.h"

struct login;

/* What is shown to the server; all may be NULL. */
struct identity {
    char *header;          /* "Authorization: ..." */
    char *ca, *cert, *key; /* PEM */
    uint64_t generation;   /* the same number: the same content */
};
void identity_fini(struct identity *identity);

/* `conf` must outlive it. */
struct login *login_new(const struct kube_conf *conf);
void login_free(struct login *login);
/* Fill *out anew when it is not of the present generation. */
int login_get(struct login *login, int64_t deadline_mono_ms, struct identity *out, struct err *err);
/* The server refused what is of that generation: true, there may be another now. */
bool login_refused(struct login *login, uint64_t generation);
/* When it ends for good, wall time: a client certificate or a token that nobody renews; 0: it does
 * not, or it does not say. */
int64_t login_end(struct login *login);

/* ---- the pure parts ---- */

/* What a program printed: *token, *cert, *key are owned by the caller, *end_ms is wall time or 0. */
int exec_credential_read(const char *text, size_t length, const char *version, char **token,
                         char **cert, char **key, int64_t *end_ms, struct err *err);
/* `exp` of a JSON Web Token, wall ms; 0: it is none, or does not say. */
int64_t jwt_end(const char *token);
/* notAfter of the first certificate, wall ms; 0: it is none. */
int64_t pem_end(const char *pem);

#endif
