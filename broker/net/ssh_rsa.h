/* SPDX-License-Identifier: Apache-2.0 */
/* ssh_rsa.h - RSA keys of users, signed with SHA-512.
 *
 * libssh2 before 1.11 signs with SHA-1 (`ssh-rsa`), which OpenSSH since 8.8 refuses.  Its door for
 * signatures of the caller's own takes the name of the algorithm from the public key that it is
 * given; so it is given one whose type is `rsa-sha2-512` (RFC 8332 wants `ssh-rsa` there, and sshd
 * takes either). */
#ifndef SPILLWAY_SSH_RSA_H
#define SPILLWAY_SSH_RSA_H

#include <libssh2.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define SSH_RSA_FILE_MOST ((size_t)64 << 10)

/* Whether this libssh2 has to be helped. */
bool ssh_rsa_needed(void);
bool ssh_rsa_is(const void *blob, size_t length);
/* True: in. */
bool ssh_rsa_by_file(LIBSSH2_SESSION *session, const char *user, const char *path);
/* By the key of that blob in the agent behind `socket`. */
bool ssh_rsa_by_agent(LIBSSH2_SESSION *session, const char *user, const char *socket,
                      const void *blob, size_t length);

/* The RSA key in a private key file, OpenSSH's own form or PEM; NULL: another type, a passphrase, or
 * nothing that can be read.  Pure. */
EVP_PKEY *ssh_rsa_read(const char *text, size_t length);
/* Its public half, as it stands in authorized_keys. */
int ssh_rsa_put_blob(const EVP_PKEY *key, const char *type, struct buf *out);

#endif
