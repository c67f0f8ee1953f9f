/* SPDX-License-Identifier: Apache-2.0 */
/* ssh_key.c - OpenSSL's Ed25519 in SSH's clothes (RFC 8709, and OpenSSH's PROTOCOL.key). */
#include "net/ssh_key.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <string.h>

#define TYPE       "ssh-ed25519"
#define LINE_WIDTH 70
#define BLOCK      8 /* a private part is filled up to a multiple of it */

#define own_pkey own(pkey_free)

static void pkey_free(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static EVP_PKEY *pkey_of(const struct ssh_key *key)
{
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->seed, SSH_KEY_BYTES);
}

void ssh_key_derive(struct ssh_key *key, const void *secret, size_t length, const char *word)
{
    unsigned size = SSH_KEY_BYTES;
    size_t open_length = SSH_KEY_BYTES;
    own_pkey EVP_PKEY *pkey = NULL;

    HMAC(EVP_sha256(), secret, (int)length, (const unsigned char *)word, strlen(word), key->seed,
         &size);
    pkey = pkey_of(key);
    if (!pkey || EVP_PKEY_get_raw_public_key(pkey, key->open, &open_length) != 1)
        abort(); /* no memory, or an OpenSSL without Ed25519 */
}

void ssh_key_wipe(struct ssh_key *key)
{
    explicit_bzero(key, sizeof *key);
}

static void put_u32(struct buf *out, uint32_t value)
{
    unsigned char bytes[] = { (unsigned char)(value >> 24), (unsigned char)(value >> 16),
                              (unsigned char)(value >> 8), (unsigned char)value };

    buf_put(out, bytes, sizeof bytes);
}

static void put_string(struct buf *out, const void *data, size_t length)
{
    put_u32(out, (uint32_t)length);
    buf_put(out, data, length);
}

void ssh_key_put_blob(const struct ssh_key *key, struct buf *out)
{
    put_string(out, TYPE, strlen(TYPE));
    put_string(out, key->open, SSH_KEY_BYTES);
}

void ssh_key_put_line(const struct ssh_key *key, struct buf *out)
{
    own_buf struct buf blob = BUF_INIT(256);

    ssh_key_put_blob(key, &blob);
    buf_puts(out, TYPE " ");
    buf_put_base64(out, blob.data, blob.length);
}

/* Two equal words tell a reader that it decrypted well; nothing is encrypted here. */
static void put_private(const struct ssh_key *key, struct buf *out)
{
    put_u32(out, 0);
    put_u32(out, 0);
    ssh_key_put_blob(key, out);
    put_u32(out, 2 * SSH_KEY_BYTES);
    buf_put(out, key->seed, SSH_KEY_BYTES);
    buf_put(out, key->open, SSH_KEY_BYTES);
    put_string(out, "", 0); /* the comment */
    for (char fill = 1; out->length % BLOCK; fill++)
        buf_putc(out, fill);
}

static void wipe(struct buf *buf)
{
    if (buf->data)
        explicit_bzero(buf->data, buf->room);
}

void ssh_key_put_file(const struct ssh_key *key, struct buf *out)
{
    own_buf struct buf blob = BUF_INIT(256), part = BUF_INIT(512), whole = BUF_INIT(1024),
                       text = BUF_INIT(2048);

    buf_reserve(&part, 512);
    buf_reserve(&whole, 1024);
    buf_reserve(&text, 2048);
    ssh_key_put_blob(key, &blob);
    put_private(key, &part);
    buf_put(&whole, "openssh-key-v1", sizeof "openssh-key-v1"); /* with its NUL */
    put_string(&whole, "none", 4);                              /* cipher */
    put_string(&whole, "none", 4);                              /* key derivation, its options */
    put_string(&whole, "", 0);
    put_u32(&whole, 1);
    put_string(&whole, blob.data, blob.length);
    put_string(&whole, part.data, part.length);
    buf_put_base64(&text, whole.data, whole.length);
    buf_puts(out, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    for (size_t at = 0; at < text.length; at += LINE_WIDTH) {
        size_t left = text.length - at;

        buf_put(out, text.data + at, left < LINE_WIDTH ? left : LINE_WIDTH);
        buf_putc(out, '\n');
    }
    buf_puts(out, "-----END OPENSSH PRIVATE KEY-----\n");
    wipe(&part);
    wipe(&whole);
    wipe(&text);
}

int ssh_key_sign(const struct ssh_key *key, const void *data, size_t length,
                 unsigned char out[SSH_SIGNATURE_BYTES])
{
    own_pkey EVP_PKEY *pkey = pkey_of(key);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t size = SSH_SIGNATURE_BYTES;
    int rc = pkey && context && EVP_DigestSignInit(context, NULL, NULL, NULL, pkey) == 1 &&
                     EVP_DigestSign(context, out, &size, data, length) == 1
                 ? 0
                 : -1;

    EVP_MD_CTX_free(context);
    return rc;
}
