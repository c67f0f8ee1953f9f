/* SPDX-License-Identifier: Apache-2.0 */
/* ssh_key.h - Ed25519 keys of our own making, as SSH writes them.
 *
 * A key is its seed, and a seed can be had again from a secret and a word: what leads to the same key
 * each time needs no place to be kept in.  Pure. */
#ifndef SPILLWAY_SSH_KEY_H
#define SPILLWAY_SSH_KEY_H

#include <stddef.h>

#include "base/buf.h"

#define SSH_KEY_BYTES       32
#define SSH_SIGNATURE_BYTES 64

struct ssh_key {
    unsigned char seed[SSH_KEY_BYTES], open[SSH_KEY_BYTES]; /* private; public */
};

/* The key of `word` under that secret. */
void ssh_key_derive(struct ssh_key *key, const void *secret, size_t length, const char *word);
void ssh_key_wipe(struct ssh_key *key);
/* "ssh-ed25519 BASE64", as it stands in known_hosts and authorized_keys. */
void ssh_key_put_line(const struct ssh_key *key, struct buf *out);
/* The same key in the protocol's own form. */
void ssh_key_put_blob(const struct ssh_key *key, struct buf *out);
/* The private half as a file of OpenSSH's, without a passphrase.  The caller wipes it. */
void ssh_key_put_file(const struct ssh_key *key, struct buf *out);
/* -1: OpenSSL would not. */
int ssh_key_sign(const struct ssh_key *key, const void *data, size_t length,
                 unsigned char out[SSH_SIGNATURE_BYTES]);

#endif
