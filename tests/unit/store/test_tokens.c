/* SPDX-License-Identifier: Apache-2.0 */
/* test_tokens.c - tokens, the operator's switches, and what was learnt. */
#include "fixture.h"

#include "base/clock.h"

static int64_t add_token(struct fixture *f, const char *secret, int64_t expires_ms)
{
    struct token_row row = { .name = "laptop",
                             .user = "ada",
                             .projects = "genomics",
                             .role = ROLE_OPERATOR,
                             .expires_ms = expires_ms };
    unsigned char hash[SHA256_BYTES];
    int64_t id;

    sha256_of(secret, strlen(secret), hash);
    assert_ok(f, store_token_add(f->store, &row, hash, &id, &f->err));
    return id;
}

static int find(struct fixture *f, const char *secret, struct token_row *out, struct buf *strings)
{
    unsigned char hash[SHA256_BYTES];

    sha256_of(secret, strlen(secret), hash);
    return store_token_find(f->store, hash, out, strings, &f->err);
}

static bool last_token(void *arg, const struct token_row *row)
{
    struct token_row *out = arg;

    *out = *row;
    out->name = out->user = out->projects = NULL;
    return true;
}

static void a_token_is_found_by_its_hash(void **state)
{
    struct fixture *f = *state;
    own_buf struct buf strings = BUF_INIT(0);
    struct token_row row;
    int64_t id = add_token(f, "s3cret", 0);

    assert_ok(f, find(f, "s3cret", &row, &strings));
    assert_int_equal(row.id, id);
    assert_string_equal(row.user, "ada");
    assert_string_equal(row.projects, "genomics");
    assert_int_equal(row.role, ROLE_OPERATOR);
    fixture_again(f); /* the note of its use was on its way */
    assert_ok(f, store_tokens(f->store, last_token, &row, &f->err));
    assert_true(row.used_ms > 0);
}

static void assert_refused(struct fixture *f, const char *secret)
{
    own_buf struct buf strings = BUF_INIT(0);
    struct token_row row;

    assert_fault(f, FAULT_AUTH, find(f, secret, &row, &strings));
}

static void the_words_say_why_not(void **state)
{
    struct fixture *f = *state;
    int64_t id = add_token(f, "a", 0);

    add_token(f, "b", clock_wall_ms() - 1);
    assert_refused(f, "c");
    assert_non_null(strstr(f->err.text, "unknown"));
    assert_refused(f, "b");
    assert_non_null(strstr(f->err.text, "expired"));
    assert_ok(f, store_token_revoke(f->store, id, &f->err));
    assert_refused(f, "a");
    assert_non_null(strstr(f->err.text, "revoked"));
    assert_fault(f, FAULT_NOT_FOUND, store_token_revoke(f->store, 99, &f->err));
}

static bool add_pair(void *arg, const char *key, const char *value)
{
    return buf_printf(arg, "%s=%s ", key, value) == 0;
}

static void switches_and_figures_stay(void **state)
{
    struct fixture *f = *state;
    own_buf struct buf modes = BUF_INIT(0), learned = BUF_INIT(0);

    assert_ok(f, store_site_set(f->store, "otc", "disabled", &f->err));
    assert_ok(f, store_site_set(f->store, "otc", "draining", &f->err));
    assert_ok(f, store_learned_put(f->store, "boot/otc", "1", &f->err));
    assert_ok(f, store_learned_put(f->store, "boot/scigne", "2", &f->err));
    assert_ok(f, store_learned_put(f->store, "boots", "3", &f->err));
    assert_ok(f, store_learned_put(f->store, "boot/otc", "4", &f->err));
    fixture_again(f);
    assert_ok(f, store_site_modes(f->store, add_pair, &modes, &f->err));
    assert_string_equal(buf_text(&modes), "otc=draining ");
    assert_ok(f, store_learned(f->store, "boot/", add_pair, &learned, &f->err));
    assert_string_equal(buf_text(&learned), "boot/otc=4 boot/scigne=2 ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_up, fixture_down)
    const struct CMUnitTest tests[] = {
        TEST(a_token_is_found_by_its_hash),
        TEST(the_words_say_why_not),
        TEST(switches_and_figures_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
