/* SPDX-License-Identifier: Apache-2.0 */
/* test_inbox.c - worker-agent/inbox.c and answer.c: what of the broker's answers is new. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../worker-agent/answer.h"
#include "../../../worker-agent/inbox.h"

static void each_number_is_taken_once(void **state)
{
    struct inbox inbox;

    (void)state;
    inbox_init(&inbox);
    assert_true(inbox_epoch(&inbox, "a"));
    assert_false(inbox_epoch(&inbox, "a"));
    assert_false(inbox_take(&inbox, 0)); /* an answer that brings nothing */
    assert_true(inbox_take(&inbox, 3));
    assert_false(inbox_take(&inbox, 3));
    assert_false(inbox_take(&inbox, 2)); /* overtaken on its way */
    assert_true(inbox_take(&inbox, 4));
    assert_int_equal(inbox.ack, 4);
    inbox_fini(&inbox);
}

static void a_new_life_counts_anew_and_must_be_told(void **state)
{
    struct inbox inbox;

    (void)state;
    inbox_init(&inbox);
    inbox_epoch(&inbox, "a");
    inbox_take(&inbox, 100);
    inbox.held_told = true;
    assert_true(inbox_epoch(&inbox, "b"));
    assert_false(inbox.held_told);
    assert_int_equal(inbox.ack, 0);
    assert_true(inbox_take(&inbox, 1));
    inbox_fini(&inbox);
}

static void settled_ids_are_known_across_lives(void **state)
{
    struct inbox inbox;

    (void)state;
    inbox_init(&inbox);
    inbox_epoch(&inbox, "a");
    inbox_settle(&inbox, 7);
    inbox_epoch(&inbox, "b");
    assert_true(inbox_was_settled(&inbox, 7));
    assert_false(inbox_was_settled(&inbox, 8));
    inbox_fini(&inbox);
}

static void the_latest_are_remembered_and_no_more(void **state)
{
    struct inbox inbox;

    (void)state;
    inbox_init(&inbox);
    for (int64_t id = 1; id <= 3 * INBOX_SETTLED; id++) {
        inbox_settle(&inbox, id);
        inbox_settle(&inbox, id);
    }
    assert_int_equal(inbox.settled.count, INBOX_SETTLED);
    for (int64_t id = 1; id <= 3 * INBOX_SETTLED; id++)
        assert_int_equal(inbox_was_settled(&inbox, id), id > 2 * INBOX_SETTLED);
    inbox_fini(&inbox);
}

static int parses(const char *text)
{
    own_answer struct answer answer = { .root = NULL };
    struct err err = ERR_INIT;
    int rc = answer_parse(text, strlen(text), &answer, &err);

    if (rc < 0)
        assert_true(strlen(err.text) > strlen("answer to a sync: "));
    return rc;
}

static void answers_are_checked(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "null",
        "{\"epoch\":\"e\",\"seq\":1",
        "{}",
        "{\"epoch\":1}",
        "{\"epoch\":\"e\",\"seq\":-1}",
        "{\"epoch\":\"e\",\"seq\":1.5}",
        "{\"epoch\":\"e\",\"leases\":{}}",
        "{\"epoch\":\"e\",\"cancel\":\"all\"}",
        "{\"epoch\":\"e\",\"settled\":7}",
        "{\"epoch\":\"e\",\"drain\":1}",
        "{\"epoch\":\"e\",\"epoch\":\"f\"}",
        "{\"epoch\":\"e\"} {}",
    };

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++)
        if (parses(bad[i]) == 0)
            fail_msg("taken: %s", bad[i]);
    assert_int_equal(parses("{\"epoch\":\"e\"}"), 0);
    assert_int_equal(parses("{\"epoch\":\"e\",\"seq\":9,\"leases\":[1,{}],\"cancel\":[null],"
                            "\"settled\":[\"x\",1],\"drain\":true,\"exit\":false,\"new\":{}}"),
                     0);
}

static void an_epoch_has_a_bound(void **state)
{
    char text[512];

    (void)state;
    snprintf(text, sizeof text, "{\"epoch\":\"%0300d\"}", 1);
    assert_int_equal(parses(text), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_is_taken_once),
        cmocka_unit_test(a_new_life_counts_anew_and_must_be_told),
        cmocka_unit_test(settled_ids_are_known_across_lives),
        cmocka_unit_test(the_latest_are_remembered_and_no_more),
        cmocka_unit_test(answers_are_checked),
        cmocka_unit_test(an_epoch_has_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
