/* SPDX-License-Identifier: Apache-2.0 */
/* test_known_hosts.c - broker/net/known_hosts.c: whose key it is, line by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "net/known_hosts.h"

#define ED "ssh-ed25519"
/* "the key" and "another" in base64; what a key is made of does not matter here. */
#define KEY   "dGhlIGtleQ=="
#define OTHER "YW5vdGhlcg=="
/* HMAC-SHA1 of "hashed.example" under the salt 00 01 .. 13, as ssh-keygen -H does it */
#define HASHED "fdLE3hXPaTAOXV+bPV77OkdsKnU="

static enum known check(const char *text, const char *name)
{
    return known_hosts_check(text, name, ED, "the key", 7);
}

static void a_key_is_known_by_its_line(void **state)
{
    (void)state;
    assert_int_equal(check("a.example " ED " " KEY "\n", "a.example"), KNOWN_OK);
    assert_int_equal(check("b,a.example,c " ED " " KEY " comment here", "a.example"), KNOWN_OK);
    assert_int_equal(check("A.EXAMPLE " ED " " KEY "\r\n", "a.example"), KNOWN_OK);
    assert_int_equal(check("a.example " ED " " KEY "\n", "b.example"), KNOWN_UNKNOWN);
    assert_int_equal(check("# a.example " ED " " KEY "\n", "a.example"), KNOWN_UNKNOWN);
    assert_int_equal(check("", "a.example"), KNOWN_UNKNOWN);
    assert_int_equal(check("* \r " KEY "\n", "a.example"), KNOWN_UNKNOWN); /* no type */
}

static void another_key_has_changed(void **state)
{
    (void)state;
    assert_int_equal(check("a " ED " " OTHER "\n", "a"), KNOWN_CHANGED);
    assert_int_equal(check("a ssh-rsa " KEY "\n", "a"), KNOWN_CHANGED);
    assert_int_equal(check("a " ED " " OTHER "\na " ED " " KEY "\n", "a"), KNOWN_OK);
    /* not base64, or cut short: it is not this key */
    assert_int_equal(check("a " ED " dGhlIGtleQ\n", "a"), KNOWN_CHANGED);
    assert_int_equal(check("a " ED "\n", "a"), KNOWN_UNKNOWN);
}

static void patterns_and_ports(void **state)
{
    own_buf struct buf name = BUF_INIT(256);

    (void)state;
    assert_int_equal(check("*.example " ED " " KEY "\n", "a.example"), KNOWN_OK);
    assert_int_equal(check("?.example " ED " " KEY "\n", "aa.example"), KNOWN_UNKNOWN);
    assert_int_equal(check("*.example,!a.example " ED " " KEY "\n", "a.example"), KNOWN_UNKNOWN);
    assert_int_equal(check("!a.example,*.example " ED " " KEY "\n", "b.example"), KNOWN_OK);
    known_hosts_name("A.example", 22, &name);
    assert_string_equal(buf_text(&name), "a.example");
    buf_clear(&name);
    known_hosts_name("a.example", 2222, &name);
    assert_string_equal(buf_text(&name), "[a.example]:2222");
    assert_int_equal(check("[a.example]:2222 " ED " " KEY "\n", buf_text(&name)), KNOWN_OK);
    assert_int_equal(check("a.example " ED " " KEY "\n", buf_text(&name)), KNOWN_UNKNOWN);
}

static void hashed_names_are_found(void **state)
{
    static const char line[] = "|1|AAECAwQFBgcICQoLDA0ODxAREhM=|HASH " ED " " KEY "\n";
    own_str char *text = NULL;

    (void)state;
    text = xstrdup(line);
    assert_int_equal(check(text, "hashed.example"), KNOWN_UNKNOWN); /* HASH is none */
    free(text);
    text = xstrdup("|1|AAECAwQFBgcICQoLDA0ODxAREhM=|" HASHED " " ED " " KEY "\n");
    assert_int_equal(check(text, "hashed.example"), KNOWN_OK);
    assert_int_equal(check(text, "other.example"), KNOWN_UNKNOWN);
    assert_int_equal(check("|1| " ED " " KEY "\n", "a"), KNOWN_UNKNOWN);
    assert_int_equal(check("|1|| " ED " " KEY "\n", "a"), KNOWN_UNKNOWN);
}

static void authorities_and_revoked_keys_are_not_ignored(void **state)
{
    (void)state;
    assert_int_equal(check("@cert-authority a " ED " " OTHER "\n", "a"), KNOWN_AUTHORITY);
    assert_int_equal(check("@cert-authority a " ED " " KEY "\n", "a"), KNOWN_AUTHORITY);
    assert_int_equal(check("@cert-authority a " ED " " OTHER "\na " ED " " KEY "\n", "a"),
                     KNOWN_OK);
    assert_int_equal(check("a " ED " " KEY "\n@revoked * " ED " " KEY "\n", "a"), KNOWN_REVOKED);
    assert_int_equal(check("@revoked * " ED " " KEY "\na " ED " " KEY "\n", "a"), KNOWN_REVOKED);
    assert_int_equal(check("@revoked a " ED " " OTHER "\na " ED " " KEY "\n", "a"), KNOWN_OK);
    assert_int_equal(check("@whatever a " ED " " KEY "\n", "a"), KNOWN_UNKNOWN);
}

static void types_are_told_once(void **state)
{
    own_buf struct buf types = BUF_INIT(256);

    (void)state;
    known_hosts_types("a ssh-rsa " KEY "\na " ED " " KEY "\na ssh-rsa " OTHER
                      "\nb ecdsa-sha2-nistp256 " KEY "\n@revoked a ssh-dss " KEY "\n",
                      "a", &types);
    assert_string_equal(buf_text(&types), "ssh-rsa," ED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_known_by_its_line),
        cmocka_unit_test(another_key_has_changed),
        cmocka_unit_test(patterns_and_ports),
        cmocka_unit_test(hashed_names_are_found),
        cmocka_unit_test(authorities_and_revoked_keys_are_not_ignored),
        cmocka_unit_test(types_are_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
