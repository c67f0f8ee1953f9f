/* SPDX-License-Identifier: Apache-2.0 */
/* ssh_rsa_key.c - an RSA key out of its file (OpenSSH's PROTOCOL.key, or PEM), and its public half. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdint.h>
#include <string.h>

#include "base/own.h"
#include "net/ssh_rsa.h"

#define BEGIN     "-----BEGIN OPENSSH PRIVATE KEY-----"
#define END       "-----END OPENSSH PRIVATE KEY-----"
#define MAGIC     "openssh-key-v1" /* with its NUL */
#define BITS_MOST 16384

/* What is left to read; `data` NULL after something did not fit. */
struct span {
    const unsigned char *data;
    size_t length;
};

static uint32_t take_u32(struct span *from)
{
    uint32_t value;

    if (!from->data || from->length < 4) {
        from->data = NULL;
        return 0;
    }
    value = (uint32_t)from->data[0] << 24 | (uint32_t)from->data[1] << 16 |
            (uint32_t)from->data[2] << 8 | from->data[3];
    from->data += 4;
    from->length -= 4;
    return value;
}

static struct span take_string(struct span *from)
{
    uint32_t length = take_u32(from);
    struct span out = { from->data, length };

    if (!from->data || length > from->length) {
        from->data = NULL;
        return *from;
    }
    from->data += length;
    from->length -= length;
    return out;
}

static bool span_is(struct span span, const char *text)
{
    return span.data && span.length == strlen(text) && memcmp(span.data, text, span.length) == 0;
}

/* ---- OpenSSH's own form ----------------------------------------------------------------------- */

static void numbers_free(BIGNUM **numbers)
{
    for (size_t i = 0; i < 3; i++)
        BN_clear_free(numbers[i]);
}

static EVP_PKEY *key_of(const BIGNUM *n, const BIGNUM *e, const BIGNUM *d)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (build && context && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_D, d) &&
        (params = OSSL_PARAM_BLD_to_param(build)) && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(context);
    return key;
}

/* n, e, d and what makes reckoning quicker, which we do without. */
static EVP_PKEY *private_part(struct span part)
{
    uint32_t check = take_u32(&part), again = take_u32(&part);
    struct span type = take_string(&part);
    BIGNUM *numbers[3] = { NULL };
    EVP_PKEY *key = NULL;
    size_t i = 0;

    if (check != again || !span_is(type, "ssh-rsa"))
        return NULL;
    for (; i < array_len(numbers); i++) {
        struct span number = take_string(&part);

        if (!number.data || !number.length || number.length > BITS_MOST / 8 + 1)
            break;
        numbers[i] = BN_bin2bn(number.data, (int)number.length, NULL);
    }
    if (i == array_len(numbers) && !BN_is_zero(numbers[0]))
        key = key_of(numbers[0], numbers[1], numbers[2]);
    numbers_free(numbers);
    return key;
}

static EVP_PKEY *read_plain(const unsigned char *data, size_t length)
{
    struct span from = { data + sizeof MAGIC, length - sizeof MAGIC }, cipher;

    if (length < sizeof MAGIC || memcmp(data, MAGIC, sizeof MAGIC) != 0)
        return NULL;
    cipher = take_string(&from);
    take_string(&from); /* how a passphrase becomes a key, and with what */
    take_string(&from);
    if (!span_is(cipher, "none") || take_u32(&from) != 1)
        return NULL;
    take_string(&from); /* the public half */
    return private_part(take_string(&from));
}

static EVP_PKEY *read_openssh(const char *begin, const char *end)
{
    own_buf struct buf base64 = BUF_INIT(SSH_RSA_FILE_MOST), plain = BUF_INIT(SSH_RSA_FILE_MOST);
    EVP_PKEY *key = NULL;

    buf_reserve(&base64, SSH_RSA_FILE_MOST - 1); /* they do not move, and can be wiped */
    buf_reserve(&plain, SSH_RSA_FILE_MOST - 1);
    for (const char *at = begin; at < end; at++)
        if (!strchr("\r\n\t ", *at))
            buf_putc(&base64, *at);
    if (buf_put_unbase64(&plain, buf_text(&base64), base64.length) == 0 && plain.length)
        key = read_plain((const unsigned char *)plain.data, plain.length);
    explicit_bzero(base64.data, base64.room);
    explicit_bzero(plain.data, plain.room);
    return key;
}

/* ---- any form --------------------------------------------------------------------------------- */

/* Nobody is there to type one. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static EVP_PKEY *read_pem(const char *text, size_t length)
{
    BIO *bio = BIO_new_mem_buf(text, (int)length);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

    BIO_free(bio);
    return key;
}

EVP_PKEY *ssh_rsa_read(const char *text, size_t length)
{
    const char *begin = memmem(text, length, BEGIN, strlen(BEGIN));
    const char *end =
        begin ? memmem(begin, length - (size_t)(begin - text), END, strlen(END)) : NULL;
    EVP_PKEY *key;

    if (length > SSH_RSA_FILE_MOST)
        return NULL;
    key = end ? read_openssh(begin + strlen(BEGIN), end) : !begin ? read_pem(text, length) : NULL;
    if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) <= BITS_MOST)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static void put_u32(struct buf *out, size_t value)
{
    unsigned char bytes[] = { (unsigned char)(value >> 24), (unsigned char)(value >> 16),
                              (unsigned char)(value >> 8), (unsigned char)value };

    buf_put(out, bytes, sizeof bytes);
}

/* Positive, so that a first bit that is set has a zero before it. */
static void put_number(struct buf *out, const BIGNUM *number)
{
    size_t length = (size_t)BN_num_bytes(number);
    bool high = length && BN_is_bit_set(number, (int)length * 8 - 1);
    own_mem unsigned char *bytes = xmalloc(length + 1);

    BN_bn2bin(number, bytes);
    put_u32(out, length + high);
    if (high)
        buf_putc(out, '\0');
    buf_put(out, bytes, length);
}

int ssh_rsa_put_blob(const EVP_PKEY *key, const char *type, struct buf *out)
{
    BIGNUM *n = NULL, *e = NULL;
    int rc = -1;

    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1) {
        put_u32(out, strlen(type));
        buf_puts(out, type);
        put_number(out, e);
        put_number(out, n);
        rc = 0;
    }
    BN_free(n);
    BN_free(e);
    return rc;
}
