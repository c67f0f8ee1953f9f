/* SPDX-License-Identifier: Apache-2.0 */
/* hash.h - SHA-256 and HMAC by OpenSSL. */
#ifndef SPILLWAY_HASH_H
#define SPILLWAY_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SHA256_BYTES 32
#define SHA256_HEX   65 /* with its NUL */

struct sha256; /* a running hash */
struct sha256 *sha256_new(void);
void sha256_add(struct sha256 *hash, const void *data, size_t length);
/* Ends and frees. */
void sha256_end(struct sha256 *hash, unsigned char out[SHA256_BYTES]);
void sha256_end_hex(struct sha256 *hash, char out[SHA256_HEX]);
void sha256_free(struct sha256 *hash); /* NULL allowed */

void sha256_of(const void *data, size_t length, unsigned char out[SHA256_BYTES]);
void sha256_hex_of(const void *data, size_t length, char out[SHA256_HEX]);
int sha256_file(const char *path, char out[SHA256_HEX], int64_t *size, struct err *err);
/* 64 lower-case hex digits. */
bool sha256_is_hex(const char *text);

/* Any other that OpenSSL knows by name, "sha512"; NULL: it does not. */
struct digest;
#define DIGEST_HEX 129 /* the longest, with its NUL */
struct digest *digest_new(const char *name);
void digest_add(struct digest *digest, const void *data, size_t length);
void digest_end_hex(struct digest *digest, char out[DIGEST_HEX]); /* ends and frees */
void digest_free(struct digest *digest);                          /* NULL allowed */

void hmac_sha256_hex(const void *key, size_t key_length, const void *data, size_t length,
                     char out[SHA256_HEX]);
/* Takes as long for equal as for unequal bytes. */
bool bytes_equal_secret(const void *a, const void *b, size_t length);

#endif
