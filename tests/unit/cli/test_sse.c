/* SPDX-License-Identifier: Apache-2.0 */
/* test_sse.c - broker/cli/sse.c: framing of Server-Sent Events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/sse.h"

/* The events of `text`, fed in pieces of every size, as "id|kind|data;". */
static void reads(const char *text, const char *wanted)
{
    size_t length = strlen(text);

    for (size_t piece = 1; piece <= length; piece++) {
        own_buf struct buf stream = BUF_INIT(0), seen = BUF_INIT(0);
        own_sse_event struct sse_event event = SSE_EVENT_INIT;

        for (size_t at = 0; at < length; at += piece) {
            buf_put(&stream, text + at, length - at < piece ? length - at : piece);
            while (sse_next(&stream, &event))
                buf_printf(&seen, "%s|%s|%s;", buf_text(&event.id), buf_text(&event.kind),
                           buf_text(&event.data));
        }
        assert_string_equal(buf_text(&seen), wanted);
    }
}

static void whole_events(void **state)
{
    (void)state;
    reads("id: 5\nevent: task.ended\ndata: {\"a\":1}\n\n", "5|task.ended|{\"a\":1};");
    reads("data:no blank\n\ndata:  two\n\n", "||no blank;|| two;");
    reads("data: a\ndata: b\n\n", "||a\nb;");
    reads("id: 1\r\ndata: x\r\n\r\nid: 2\r\ndata: y\r\n\r\n", "1||x;2||y;");
}

static void an_id_stays_until_another_comes(void **state)
{
    (void)state;
    reads("id: 7\ndata: a\n\ndata: b\n\nid: 8\n\ndata: c\n\n", "7||a;7||b;8||c;");
}

static void what_is_no_event_is_passed_over(void **state)
{
    (void)state;
    reads(": beat\n\n: beat\n\ndata: x\n\n", "||x;");
    reads("retry: 100\nunknown: y\ndata: x\n\n", "||x;");
    reads("\n\n\ndata: x\n\n", "||x;");
    reads("event: lonely\n\n", "");
}

static void a_place_to_go_on_from_is_no_event(void **state)
{
    own_buf struct buf stream = BUF_INIT(0);
    own_sse_event struct sse_event event = SSE_EVENT_INIT;

    (void)state;
    buf_puts(&stream, "id: 41\nretry: 2000\n\n");
    assert_false(sse_next(&stream, &event));
    assert_string_equal(buf_text(&event.id), "41");
}

static void half_an_event_waits(void **state)
{
    own_buf struct buf stream = BUF_INIT(0);
    own_sse_event struct sse_event event = SSE_EVENT_INIT;

    (void)state;
    buf_puts(&stream, "data: x\n");
    assert_false(sse_next(&stream, &event));
    assert_int_equal(stream.length, 8);
    buf_puts(&stream, "\n");
    assert_true(sse_next(&stream, &event));
    assert_int_equal(stream.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_events),
        cmocka_unit_test(an_id_stays_until_another_comes),
        cmocka_unit_test(what_is_no_event_is_passed_over),
        cmocka_unit_test(a_place_to_go_on_from_is_no_event),
        cmocka_unit_test(half_an_event_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
