/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c - SHA-256. */
#include "digest.h"

void digest_init(struct digest *digest)
{
    mbedtls_sha256_init(&digest->context);
    mbedtls_sha256_starts_ret(&digest->context, 0);
}

void digest_add(struct digest *digest, const void *data, size_t length)
{
    mbedtls_sha256_update_ret(&digest->context, data, length);
}

void digest_hex(const struct digest *digest, char out[DIGEST_HEX])
{
    static const char digits[] = "0123456789abcdef";
    mbedtls_sha256_context copy;
    unsigned char sum[32];

    mbedtls_sha256_init(&copy);
    mbedtls_sha256_clone(&copy, &digest->context);
    mbedtls_sha256_finish_ret(&copy, sum);
    mbedtls_sha256_free(&copy);
    for (size_t i = 0; i < sizeof sum; i++) {
        out[2 * i] = digits[sum[i] >> 4];
        out[2 * i + 1] = digits[sum[i] & 15];
    }
    out[2 * sizeof sum] = '\0';
}

void digest_hex_of(const void *data, size_t length, char out[DIGEST_HEX])
{
    struct digest digest;

    digest_init(&digest);
    digest_add(&digest, data, length);
    digest_hex(&digest, out);
}

bool digest_is_hex(const char *text)
{
    return strspn(text, "0123456789abcdef") == 64 && text[64] == '\0';
}
