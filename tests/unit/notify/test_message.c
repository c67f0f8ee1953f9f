/* SPDX-License-Identifier: Apache-2.0 */
/* test_message.c - broker/notify/message.c and the back-off: words, and what may not be in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/own.h"
#include "notify/message.h"
#include "notify/notify.h"

static json_t *events(const char *text)
{
    struct err err = ERR_INIT;
    json_t *list = json_parse(text, strlen(text), &err);

    if (!list)
        fail_msg("%s", err.text);
    return list;
}

static void mail(const char *text, struct buf *out)
{
    own_json json_t *list = events(text);
    struct mail_envelope envelope = { .from = "spillway@lab.example",
                                      .to = "ada@lab.example",
                                      .uuid = "u-1",
                                      .id = 17,
                                      .now_ms = 1795478400000 };

    message_mail(&envelope, list, out);
}

static void assert_has(const struct buf *buf, const char *words)
{
    if (!strstr(buf_text(buf), words))
        fail_msg("'%s' lacks '%s'", buf_text(buf), words);
}

static void a_mail_says_what_happened(void **state)
{
    own_buf struct buf out = BUF_INIT(0);

    (void)state;
    mail(
        "[{\"event\":\"failed\",\"job\":12,\"name\":\"nightly\",\"user\":\"ada\",\"project\":\"g\","
        "\"schedule\":\"nightly\",\"scheduled_time\":\"2026-11-24T03:00:00.000Z\",\"tasks\":3,"
        "\"succeeded\":1,\"failed\":2,\"cancelled\":0,\"failures_in_a_row\":3,"
        "\"schedule_paused\":true}]",
        &out);
    assert_has(&out, "From: spillway@lab.example\r\nTo: ada@lab.example\r\n");
    assert_has(&out, "\r\nSubject: [spillway] nightly failed (job 12)\r\n");
    assert_has(&out, "\r\nDate: Tue, 24 Nov 2026 00:00:00 +0000\r\n");
    assert_has(&out, "\r\nMessage-ID: <notice.17.u-1@spillway>\r\n");
    assert_has(&out, "3 tasks: 1 succeeded, 2 failed");
    assert_has(&out, "3 failures in a row\r\n");
    assert_has(&out, "the schedule is paused");
    assert_has(&out, "spillway show 12\r\n");
}

static void several_are_one_mail(void **state)
{
    own_buf struct buf out = BUF_INIT(0);

    (void)state;
    mail("[{\"event\":\"failed\",\"job\":1,\"name\":\"a\"},{\"event\":\"failed\",\"job\":2,"
         "\"name\":\"b\"},{\"event\":\"recovered\",\"job\":3,\"name\":\"c\"}]",
         &out);
    assert_has(&out, "Subject: [spillway] 3 notices: 2 failed, 1 recovered\r\n");
    assert_has(&out, "b failed (job 2)\r\n");
}

/* A name with a line end in it must not become a header. */
static void names_stay_in_their_place(void **state)
{
    own_buf struct buf out = BUF_INIT(0), other = BUF_INIT(0);
    const char *end;

    (void)state;
    mail("[{\"event\":\"failed\",\"job\":1,\"name\":\"x\\r\\nBcc: eve@evil.example\\u001b[31m\"}]",
         &out);
    assert_null(strstr(buf_text(&out), "\nBcc:"));
    assert_null(strchr(buf_text(&out), '\033'));
    mail("[{\"event\":\"failed\",\"job\":1,\"name\":\"g\\u00e9nome \\u65e5\\u672c\\u8a9e "
         "\\u65e5\\u672c\\u8a9e \\u65e5\\u672c\\u8a9e\"}]",
         &other);
    assert_has(&other, "Subject: =?UTF-8?B?");
    assert_has(&other, "Content-Transfer-Encoding: base64\r\n");
    end = strstr(buf_text(&other), "\r\n\r\n");
    for (const char *s = buf_text(&other); s < end; s++)
        assert_true((unsigned char)*s < 0x80);
    for (const char *line = buf_text(&other), *next; (next = strstr(line, "\r\n")); line = next + 2)
        assert_true(next - line <= 78);
}

static void a_webhook_carries_the_events(void **state)
{
    own_json json_t *list = events("[{\"event\":\"failed\",\"job\":1}]");
    own_buf struct buf out = BUF_INIT(0);

    (void)state;
    message_webhook(5, list, &out);
    assert_string_equal(buf_text(&out), "{\"id\":5,\"events\":[{\"event\":\"failed\",\"job\":1}]}");
}

static void tries_come_further_apart(void **state)
{
    int64_t before = 0;

    (void)state;
    for (int tries = 1; tries <= 16; tries++) {
        int64_t least = notify_backoff_ms(tries, 0), most = notify_backoff_ms(tries, UINT64_MAX);

        assert_true(least >= before && least > 0);
        assert_true(most >= least && most <= 3600000 + 3600000 / 10);
        before = least;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mail_says_what_happened), cmocka_unit_test(several_are_one_mail),
        cmocka_unit_test(names_stay_in_their_place), cmocka_unit_test(a_webhook_carries_the_events),
        cmocka_unit_test(tries_come_further_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
