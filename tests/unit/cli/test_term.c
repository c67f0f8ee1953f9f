/* SPDX-License-Identifier: Apache-2.0 */
/* test_term.c - broker/cli/term.c: what may reach a terminal, and figures for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "base/utf8.h"
#include "cli/term.h"

/* Through the filter, in pieces of `piece` bytes. */
static void shows(const char *data, size_t length, const char *wanted)
{
    for (size_t piece = 1; piece <= length; piece++) {
        struct log_filter filter = LOG_FILTER_INIT;
        own_buf struct buf out = BUF_INIT(0);

        for (size_t at = 0; at < length; at += piece)
            log_filter_put(&filter, data + at, length - at < piece ? length - at : piece, &out);
        if (strcmp(buf_text(&out), wanted) != 0)
            fail_msg("pieces of %zu: got '%s', wanted '%s'", piece, buf_text(&out), wanted);
    }
}
#define SHOWS(text, wanted) shows(text, sizeof(text) - 1, wanted)

static void text_and_colours_pass(void **state)
{
    (void)state;
    SHOWS("plain\ttext\r\n", "plain\ttext\r\n");
    SHOWS("\033[1;31mred\033[0m", "\033[1;31mred\033[0m");
    SHOWS("\033[38:5:9mx\033[m", "\033[38:5:9mx\033[m");
    SHOWS("caf\303\251 \342\202\254 \360\237\220\264", "caf\303\251 \342\202\254 \360\237\220\264");
    SHOWS("\302\240no-break", "\302\240no-break");
}

static void what_acts_on_a_terminal_does_not(void **state)
{
    (void)state;
    SHOWS("a\033[2Jb", "ab");                    /* clears the screen */
    SHOWS("a\033[10;10Hb", "ab");                /* moves */
    SHOWS("a\033[?1049hb", "ab");                /* another screen */
    SHOWS("a\033]0;title\007b", "a?]0;title?b"); /* sets the title */
    SHOWS("a\033P1$r\033\\b", "a?P1$r?\\b");     /* device control */
    SHOWS("a\033cb", "a?cb");                    /* resets */
    SHOWS("a\033\033[31mb", "a?\033[31mb");
    SHOWS("a\000\001\010\177b", "a????b");
    SHOWS("a\302\2332Jb", "a?2Jb"); /* CSI as one character */
    SHOWS("a\2332Jb", "a?2Jb");     /* and as one byte */
    SHOWS("\302x", "?x");
    SHOWS("\302\033[31m", "?\033[31m");
    SHOWS("\033[1;2;3;4;5;6;7;8;9;1;2;3;4;5;6;7;8;9mx", "x"); /* longer than any colour */
    SHOWS("\033[31\nx", "\nx");
}

/* Whatever comes in: no ESC but in front of a colour, no other control. */
static void no_bytes_get_around_it(void **state)
{
    static const char letters[] = "\033[]m;1?\302\233\200\303\251\340\237\n\007xP\\H";
    unsigned long seed = 20261124;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct log_filter filter = LOG_FILTER_INIT;
        own_buf struct buf out = BUF_INIT(0);
        char data[24];
        const char *text;

        for (size_t i = 0; i < sizeof data; i++) {
            seed = seed * 6364136223846793005UL + 1442695040888963407UL;
            data[i] = letters[(seed >> 33) % (sizeof letters - 1)];
        }
        log_filter_put(&filter, data, sizeof data, &out);
        text = buf_text(&out);
        for (size_t i = 0; i < out.length; i++) {
            if (text[i] == '\033') {
                size_t end = i + 2 + strspn(text + i + 2, "0123456789;:");

                assert_int_equal(text[i + 1], '[');
                assert_int_equal(text[end], 'm');
            } else {
                assert_true(text[i] == '\n' || (unsigned char)text[i] >= 0x20);
                assert_false(text[i] == '\302' && (unsigned char)text[i + 1] < 0xA0);
            }
        }
    }
}

static void names_cannot_act(void **state)
{
    own_str char *safe = safe_text("job\033[2J\nname\302\205");

    (void)state;
    assert_string_equal(safe, "job\\x1b[2J\\x0aname\\xc2\\x85");
}

static void widths(void **state)
{
    (void)state;
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        skip();
    assert_int_equal(text_width("abc"), 3);
    assert_int_equal(text_width("caf\303\251"), 4);
    assert_int_equal(text_width("e\314\201"), 1);    /* a combining accent */
    assert_int_equal(text_width("\346\227\245"), 2); /* a wide character */
    assert_int_equal(text_width(""), 0);
}

static void figures(void **state)
{
    char text[SHORT_BYTES];

    (void)state;
    assert_string_equal(short_span(0, text, sizeof text), "0s");
    assert_string_equal(short_span(59999, text, sizeof text), "59s");
    assert_string_equal(short_span(245000, text, sizeof text), "4:05");
    assert_string_equal(short_span(3723000, text, sizeof text), "1:02:03");
    assert_string_equal(short_span(INT64_C(273900000), text, sizeof text), "3d 04:05");
    assert_string_equal(short_bytes(512, text, sizeof text), "512 B");
    assert_string_equal(short_bytes(1536, text, sizeof text), "1.5 KiB");
    assert_string_equal(short_bytes(1048575, text, sizeof text), "1.0 MiB");
    assert_string_equal(short_bytes(INT64_MAX, text, sizeof text), "8.0 EiB");
}

static void times(void **state)
{
    char text[SHORT_BYTES];
    int64_t now = INT64_C(1795499112000); /* 2026-11-24T05:45:12Z */

    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    assert_string_equal(short_time(now, now, text, sizeof text), "05:45:12");
    assert_string_equal(short_time(now - 86400000, now, text, sizeof text), "Nov 23 05:45");
    assert_string_equal(short_time(now - INT64_C(365) * 86400000, now, text, sizeof text),
                        "2025-11-24");
    assert_string_equal(short_time(0, now, text, sizeof text), "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_colours_pass),
        cmocka_unit_test(what_acts_on_a_terminal_does_not),
        cmocka_unit_test(no_bytes_get_around_it),
        cmocka_unit_test(names_cannot_act),
        cmocka_unit_test(widths),
        cmocka_unit_test(figures),
        cmocka_unit_test(times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
