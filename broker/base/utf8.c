/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.c - checks on text from strangers. */
#include "base/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the well-formed character at `s`, 0 when there is none. */
static size_t sequence(const unsigned char *s, size_t left, uint32_t *point)
{
    unsigned low = 0x80, high = 0xBF;
    size_t count;

    if (s[0] < 0x80) {
        *point = s[0];
        return 1;
    }
    if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        count = 2;
        *point = s[0] & 0x1F;
    } else if ((s[0] & 0xF0) == 0xE0) {
        count = 3;
        *point = s[0] & 0x0F;
        low = s[0] == 0xE0 ? 0xA0 : 0x80;
        high = s[0] == 0xED ? 0x9F : 0xBF;
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        count = 4;
        *point = s[0] & 0x07;
        low = s[0] == 0xF0 ? 0x90 : 0x80;
        high = s[0] == 0xF4 ? 0x8F : 0xBF;
    } else {
        return 0;
    }
    if (left < count || s[1] < low || s[1] > high)
        return 0;
    *point = *point << 6 | (s[1] & 0x3F);
    for (size_t i = 2; i < count; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        *point = *point << 6 | (s[i] & 0x3F);
    }
    return count;
}

bool utf8_valid(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    uint32_t point;

    for (size_t i = 0, n; i < length; i += n)
        if ((n = sequence(s + i, length - i, &point)) == 0)
            return false;
    return true;
}

void utf8_trim_end(char *text)
{
    size_t length = strlen(text), start = length;
    uint32_t point;

    while (start > 0 && length - start < 4 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start > 0 && (unsigned char)text[start - 1] >= 0xC0)
        start--;
    if (start < length && sequence((unsigned char *)text + start, length - start, &point) == 0)
        text[start] = '\0';
}

static bool is_control(uint32_t point)
{
    /* U+202A..E and U+2066..9 reorder what a terminal shows: a name must not read as another. */
    return point < 0x20 || (point >= 0x7F && point < 0xA0) ||
           (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
}

bool text_is_plain(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    uint32_t point;

    for (size_t i = 0, n; i < length; i += n)
        if ((n = sequence(s + i, length - i, &point)) == 0 || is_control(point))
            return false;
    return true;
}

const char *text_for_terminal(const char *text, char *out, size_t size)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t length = strlen(text), at = 0;
    uint32_t point;

    for (size_t i = 0; i < length;) {
        size_t n = sequence(s + i, length - i, &point);

        if (at + 5 > size)
            break;
        if (n == 0 || is_control(point)) {
            at += (size_t)snprintf(out + at, size - at, "\\x%02x", s[i]);
            i++;
            continue;
        }
        memcpy(out + at, s + i, n);
        at += n;
        i += n;
    }
    out[at] = '\0';
    return out;
}
