/* SPDX-License-Identifier: Apache-2.0 */
/* hash.c - OpenSSL's digests behind our names. */
#include "net/hash.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/own.h"

struct sha256 {
    EVP_MD_CTX *context;
};

struct sha256 *sha256_new(void)
{
    struct sha256 *hash = xcalloc(1, sizeof *hash);

    hash->context = EVP_MD_CTX_new();
    if (!hash->context || EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1)
        abort(); /* no memory, or an OpenSSL without SHA-256 */
    return hash;
}

void sha256_add(struct sha256 *hash, const void *data, size_t length)
{
    EVP_DigestUpdate(hash->context, data, length);
}

void sha256_free(struct sha256 *hash)
{
    if (!hash)
        return;
    EVP_MD_CTX_free(hash->context);
    free(hash);
}

void sha256_end(struct sha256 *hash, unsigned char out[SHA256_BYTES])
{
    EVP_DigestFinal_ex(hash->context, out, NULL);
    sha256_free(hash);
}

static void to_hex(const unsigned char *bytes, size_t count, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * count] = '\0';
}

void sha256_end_hex(struct sha256 *hash, char out[SHA256_HEX])
{
    unsigned char bytes[SHA256_BYTES];

    sha256_end(hash, bytes);
    to_hex(bytes, sizeof bytes, out);
}

void sha256_of(const void *data, size_t length, unsigned char out[SHA256_BYTES])
{
    EVP_Digest(data, length, out, NULL, EVP_sha256(), NULL);
}

void sha256_hex_of(const void *data, size_t length, char out[SHA256_HEX])
{
    unsigned char bytes[SHA256_BYTES];

    sha256_of(data, length, bytes);
    to_hex(bytes, sizeof bytes, out);
}

int sha256_file(const char *path, char out[SHA256_HEX], int64_t *size, struct err *err)
{
    own_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    own_mem char *piece = xmalloc(65536);
    struct sha256 *hash;
    int64_t total = 0;
    ssize_t got;

    if (fd < 0)
        return err_sys(err, "open %s", path);
    hash = sha256_new();
    while ((got = read(fd, piece, 65536)) > 0) {
        sha256_add(hash, piece, (size_t)got);
        total += got;
    }
    if (got < 0) {
        sha256_free(hash);
        return err_sys(err, "read %s", path);
    }
    sha256_end_hex(hash, out);
    *size = total;
    return 0;
}

bool sha256_is_hex(const char *text)
{
    return strlen(text) == SHA256_HEX - 1 && strspn(text, "0123456789abcdef") == SHA256_HEX - 1;
}

struct digest {
    EVP_MD_CTX *context;
};

struct digest *digest_new(const char *name)
{
    const EVP_MD *kind = EVP_get_digestbyname(name);
    struct digest *digest;

    if (!kind || EVP_MD_size(kind) <= 0 || EVP_MD_size(kind) > (DIGEST_HEX - 1) / 2)
        return NULL;
    digest = xcalloc(1, sizeof *digest);
    digest->context = EVP_MD_CTX_new();
    if (digest->context && EVP_DigestInit_ex(digest->context, kind, NULL) == 1)
        return digest;
    digest_free(digest);
    return NULL;
}

void digest_add(struct digest *digest, const void *data, size_t length)
{
    EVP_DigestUpdate(digest->context, data, length);
}

void digest_free(struct digest *digest)
{
    if (!digest)
        return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

void digest_end_hex(struct digest *digest, char out[DIGEST_HEX])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    EVP_DigestFinal_ex(digest->context, bytes, &size);
    digest_free(digest);
    to_hex(bytes, size, out);
}

void hmac_sha256_hex(const void *key, size_t key_length, const void *data, size_t length,
                     char out[SHA256_HEX])
{
    unsigned char bytes[SHA256_BYTES];
    unsigned size = sizeof bytes;

    HMAC(EVP_sha256(), key, (int)key_length, data, length, bytes, &size);
    to_hex(bytes, sizeof bytes, out);
}

bool bytes_equal_secret(const void *a, const void *b, size_t length)
{
    return CRYPTO_memcmp(a, b, length) == 0;
}
