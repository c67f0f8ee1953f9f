/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_ssh.c - libFuzzer: ssh_config, known_hosts and private keys, and the rules that no text may
 * bend. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "net/known_hosts.h"
#include "net/ssh_config.h"
#include "net/ssh_rsa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *whole;

/* Every Include finds the text itself. */
static int files(void *arg, const char *pattern,
                 int (*take)(void *to, const char *path, const char *text, struct err *err),
                 void *to, struct err *err)
{
    int *left = arg;

    return --*left > 0 ? take(to, pattern, whole, err) : 0;
}

static void read_config(const char *text)
{
    own_buf struct buf out = BUF_INIT(0);
    struct ssh_config config;
    struct err err = ERR_INIT;
    int left = 20;

    whole = text;
    ssh_config_init(&config, "login.example");
    if (ssh_config_add(&config, "me", "config", text, files, &left, &err) < 0 && !err.text[0])
        abort();
    if (config.port < 0 || config.port > 65535 || config.identity_count > SSH_FILES_MOST)
        abort();
    if (config.host_name)
        ssh_config_expand(&config, "/home/me", "me", config.host_name, &out);
    ssh_config_fini(&config);
}

static void read_known(const char *text)
{
    own_buf struct buf types = BUF_INIT(0);
    own_str char *revoked =
        xasprintf("%s\n@revoked login.example ssh-ed25519 dGhlIGtleQ==\n", text);

    known_hosts_check(text, "login.example", "ssh-ed25519", "the key", 7);
    known_hosts_types(text, "login.example", &types);
    /* whatever else is said, a revoked key stays revoked */
    if (known_hosts_check(revoked, "login.example", "ssh-ed25519", "the key", 7) != KNOWN_REVOKED)
        abort();
}

/* As a file itself, and as what base64 hides in one. */
static void read_key(const uint8_t *data, size_t size)
{
    own_buf struct buf plain = BUF_INIT(0), text = BUF_INIT(0);

    EVP_PKEY_free(ssh_rsa_read((const char *)data, size));
    buf_put(&plain, "openssh-key-v1", sizeof "openssh-key-v1");
    buf_put(&plain, data, size);
    buf_puts(&text, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    buf_put_base64(&text, plain.data, plain.length);
    buf_puts(&text, "\n-----END OPENSSH PRIVATE KEY-----\n");
    EVP_PKEY_free(ssh_rsa_read(buf_text(&text), text.length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    own_str char *text = xstrndup((const char *)data, size);

    read_config(text);
    read_known(text);
    read_key(data, size);
    return 0;
}
