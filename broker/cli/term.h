/* SPDX-License-Identifier: Apache-2.0 */
/* term.h - the terminal: colour, progress, times for people, and text that cannot act on it. */
#ifndef SPILLWAY_CLI_TERM_H
#define SPILLWAY_CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_BAD, STYLE_BUSY, STYLE_WAIT };

struct term {
    bool out_is_tty, err_is_tty, colour;
    bool progress_shown;
};

/* Looks at the descriptors, NO_COLOR and TERM. */
void term_init(struct term *term, bool no_colour);
/* The escape that begins a style; "" without colour or for STYLE_PLAIN.  style_end() ends it. */
const char *style_begin(const struct term *term, enum style style);
const char *style_end(const struct term *term, enum style style);
/* Of a task's, site's or worker's state. */
enum style style_of_state(const char *state);

/* One line on standard error that the next replaces; nothing when that is no terminal. */
void progress(struct term *term, const char *format, ...) __attribute__((format(printf, 2, 3)));
void progress_end(struct term *term);
/* Columns of the terminal; 0: not one, or unknown.  Rows likewise. */
int term_columns(void);
int term_rows(void);

/* `text` with what a terminal would act on made visible, owned by the caller. */
char *safe_text(const char *text);
/* Columns that UTF-8 `text` takes. */
size_t text_width(const char *text);

/* A job's output on its way to a terminal: text, tabs, line ends and colours pass, all else that a
 * terminal would act on is dropped or shown as '?'.  Keeps what a piece leaves unfinished. */
struct log_filter {
    unsigned char state;
    unsigned char pending; /* continuation bytes of a UTF-8 character still to come */
    unsigned char params;
    char held[32];
};
#define LOG_FILTER_INIT                                   \
    {                                                     \
        .state = 0, .pending = 0, .params = 0, .held = "" \
    }
void log_filter_put(struct log_filter *filter, const char *data, size_t length, struct buf *out);

/* "05:45:12" today, "Nov 24 05:45" this year, "2025-11-24" else; local time; "-" for 0. */
const char *short_time(int64_t ms, int64_t now_ms, char *out, size_t size);
/* "12s", "4:05", "1:02:03", "3d 04:05". */
const char *short_span(int64_t ms, char *out, size_t size);
/* "512 B", "1.4 GiB". */
const char *short_bytes(int64_t bytes, char *out, size_t size);
#define SHORT_BYTES 32 /* room enough */

#endif
