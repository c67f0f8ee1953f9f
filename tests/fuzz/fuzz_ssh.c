/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_ssh.c - libFuzzer: ssh_config and known_hosts, and the rules that no text may bend. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "net/known_hosts.h"
#include "net/ssh_config.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    own_str char *text = xstrndup((const char *)data, size);

    read_config(text);
    read_known(text);
    return 0;
}
