/* SPDX-License-Identifier: Apache-2.0 */
/* digest.h - SHA-256 by mbedTLS, as the agent links no OpenSSL. */
#ifndef AGENT_DIGEST_H
#define AGENT_DIGEST_H

#include <mbedtls/sha256.h>
#include <stdbool.h>
#include <stddef.h>

#define DIGEST_HEX 65 /* with its NUL */

struct digest {
    mbedtls_sha256_context context;
};

void digest_init(struct digest *digest);
void digest_add(struct digest *digest, const void *data, size_t length);
/* May be called again after more was added. */
void digest_hex(const struct digest *digest, char out[DIGEST_HEX]);
void digest_hex_of(const void *data, size_t length, char out[DIGEST_HEX]);
/* 64 lower-case hex digits. */
bool digest_is_hex(const char *text);

#endif
