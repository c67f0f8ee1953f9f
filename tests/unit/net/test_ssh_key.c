/* SPDX-License-Identifier: Apache-2.0 */
/* test_ssh_key.c - keys of our own making are those that OpenSSH would make of the same seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/own.h"
#include "net/ssh_key.h"

static void the_same_words_lead_to_the_same_key(void **state)
{
    struct ssh_key a, b, other, elsewhere;

    (void)state;
    ssh_key_derive(&a, "secret", 6, "host one");
    ssh_key_derive(&b, "secret", 6, "host one");
    ssh_key_derive(&other, "secret", 6, "login one");
    ssh_key_derive(&elsewhere, "Secret", 6, "host one");
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_not_equal(a.open, other.open, SSH_KEY_BYTES);
    assert_memory_not_equal(a.open, elsewhere.open, SSH_KEY_BYTES);
}

static void the_line_is_type_and_key(void **state)
{
    own_buf struct buf line = BUF_INIT(0), blob = BUF_INIT(0), plain = BUF_INIT(0);
    struct ssh_key key;

    (void)state;
    ssh_key_derive(&key, "secret", 6, "host one");
    ssh_key_put_line(&key, &line);
    ssh_key_put_blob(&key, &blob);
    assert_memory_equal(line.data, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", 37);
    assert_int_equal(buf_put_unbase64(&plain, line.data + 12, line.length - 12), 0);
    assert_int_equal(plain.length, 4 + 11 + 4 + SSH_KEY_BYTES);
    assert_memory_equal(plain.data, blob.data, blob.length);
    assert_memory_equal(plain.data + 19, key.open, SSH_KEY_BYTES);
}

static void what_it_signs_its_public_half_verifies(void **state)
{
    unsigned char signature[SSH_SIGNATURE_BYTES];
    struct ssh_key key;
    EVP_PKEY *open;
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    (void)state;
    ssh_key_derive(&key, "secret", 6, "login one");
    assert_int_equal(ssh_key_sign(&key, "some words", 10, signature), 0);
    open = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key.open, SSH_KEY_BYTES);
    assert_int_equal(EVP_DigestVerifyInit(context, NULL, NULL, NULL, open), 1);
    assert_int_equal(EVP_DigestVerify(context, signature, sizeof signature,
                                      (const unsigned char *)"some words", 10),
                     1);
    assert_int_not_equal(EVP_DigestVerify(context, signature, sizeof signature,
                                          (const unsigned char *)"some word.", 10),
                         1);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(open);
}

/* OpenSSH's own program reads the file, and finds the same public half in it. */
static void openssh_reads_the_file(void **state)
{
    char path[] = "/tmp/ssh_key.XXXXXX", found[256] = "";
    own_buf struct buf text = BUF_INIT(0), line = BUF_INIT(0);
    own_str char *command = NULL;
    struct ssh_key key;
    int fd = mkstemp(path);
    FILE *pipe;

    (void)state;
    assert_true(fd >= 0);
    ssh_key_derive(&key, "secret", 6, "host two");
    ssh_key_put_file(&key, &text);
    ssh_key_put_line(&key, &line);
    assert_int_equal(write(fd, text.data, text.length), (ssize_t)text.length);
    close(fd);
    command = xasprintf("command -v ssh-keygen >/dev/null || exit 77; ssh-keygen -y -f %s", path);
    pipe = popen(command, "r"); /* NOLINT(cert-env33-c): a fixed command */
    assert_non_null(pipe);
    (void)!fgets(found, sizeof found, pipe);
    if (WEXITSTATUS(pclose(pipe)) == 77) {
        unlink(path);
        skip();
    }
    unlink(path);
    found[strcspn(found, "\n")] = '\0';
    assert_string_equal(found, buf_text(&line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_words_lead_to_the_same_key),
        cmocka_unit_test(the_line_is_type_and_key),
        cmocka_unit_test(what_it_signs_its_public_half_verifies),
        cmocka_unit_test(openssh_reads_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
