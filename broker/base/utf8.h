/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - text from strangers: is it UTF-8, and is it fit for a terminal? */
#ifndef SPILLWAY_UTF8_H
#define SPILLWAY_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Well-formed UTF-8 as in Unicode's table 3-7: no overlong forms, no surrogates. */
bool utf8_valid(const char *text, size_t length);
/* Drop an incomplete character at the end of `text` (left by a cut). */
void utf8_trim_end(char *text);
/* No control characters (C0, DEL, C1) and valid: may be shown, logged, put in a header. */
bool text_is_plain(const char *text, size_t length);
/* Copy `text` into `out` with everything that a terminal would act on shown as \xNN; cut to fit. */
const char *text_for_terminal(const char *text, char *out, size_t size);

#endif
