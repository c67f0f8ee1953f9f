/* SPDX-License-Identifier: Apache-2.0 */
/* test_ssh_rsa.c - RSA keys as ssh-keygen writes them, and what is not one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/own.h"
#include "net/ssh_rsa.h"

static char dir[64];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/ssh_rsa.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return io_remove_tree(dir, NULL);
}

/* DIR/key and DIR/key.pub, made anew; false: there is no ssh-keygen here. */
static bool keygen(const char *options)
{
    own_str char *command = xasprintf("cd %s && rm -f key key.pub && command -v ssh-keygen "
                                      ">/dev/null && ssh-keygen -q -f key %s",
                                      dir, options);

    FILE *pipe = popen(command, "r"); /* NOLINT(cert-env33-c): a fixed command */

    return pipe && pclose(pipe) == 0;
}

static void read_file(const char *name, struct buf *out)
{
    own_str char *path = xasprintf("%s/%s", dir, name);

    assert_int_equal(buf_read_file(out, path, NULL), 0);
}

static void each_form_of_ssh_keygen_is_read(void **state)
{
    static const char *const forms[] = { "-t rsa -b 2048 -N ''", "-t rsa -b 1024 -N ''",
                                         "-t rsa -b 2048 -N '' -m PEM",
                                         "-t rsa -b 2048 -N '' -m PKCS8" };

    (void)state;
    for (size_t i = 0; i < array_len(forms); i++) {
        own_buf struct buf text = BUF_INIT(0), line = BUF_INIT(0), blob = BUF_INIT(0),
                           wanted = BUF_INIT(0);
        EVP_PKEY *key;

        if (!keygen(forms[i]))
            skip();
        read_file("key", &text);
        read_file("key.pub", &line);
        key = ssh_rsa_read(buf_text(&text), text.length);
        assert_non_null(key);
        assert_int_equal(ssh_rsa_put_blob(key, "ssh-rsa", &blob), 0);
        EVP_PKEY_free(key);
        buf_put_base64(&wanted, blob.data, blob.length);
        assert_memory_equal(line.data, "ssh-rsa ", 8);
        assert_memory_equal(line.data + 8, wanted.data, wanted.length);
        assert_true(ssh_rsa_is(blob.data, blob.length));
    }
}

static void other_keys_and_passphrases_are_not(void **state)
{
    static const char *const forms[] = { "-t ed25519 -N ''", "-t ecdsa -N ''",
                                         "-t rsa -b 1024 -N secret",
                                         "-t rsa -b 1024 -N secret -m PEM" };

    (void)state;
    for (size_t i = 0; i < array_len(forms); i++) {
        own_buf struct buf text = BUF_INIT(0);

        if (!keygen(forms[i]))
            skip();
        read_file("key", &text);
        assert_null(ssh_rsa_read(buf_text(&text), text.length));
    }
}

/* Cut at any place, or with any byte changed, it is a key or none, never a read past its end. */
static void what_is_broken_is_refused(void **state)
{
    own_buf struct buf text = BUF_INIT(0);

    (void)state;
    if (!keygen("-t rsa -b 1024 -N ''"))
        skip();
    read_file("key", &text);
    for (size_t length = 0; length < text.length; length += 7) {
        own_str char *cut = xstrndup(buf_text(&text), length);
        own_str char *ended = xasprintf("%s\n-----END OPENSSH PRIVATE KEY-----\n", cut);

        EVP_PKEY_free(ssh_rsa_read(cut, length));
        EVP_PKEY_free(ssh_rsa_read(ended, strlen(ended)));
    }
    for (size_t at = 36; at < text.length; at += 5) {
        own_str char *changed = xstrndup(buf_text(&text), text.length);

        changed[at] = 'A';
        EVP_PKEY_free(ssh_rsa_read(changed, text.length));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_form_of_ssh_keygen_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(other_keys_and_passphrases_are_not, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_broken_is_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
