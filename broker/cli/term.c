/* SPDX-License-Identifier: Apache-2.0 */
/* term.c - what is shown to people. */
#include "cli/term.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "base/own.h"
#include "base/utf8.h"

void term_init(struct term *term, bool no_colour)
{
    const char *kind = getenv("TERM"), *set = getenv("NO_COLOR");

    *term =
        (struct term){ .out_is_tty = isatty(STDOUT_FILENO), .err_is_tty = isatty(STDERR_FILENO) };
    term->colour =
        term->out_is_tty && !no_colour && !(set && *set) && kind && strcmp(kind, "dumb") != 0;
}

const char *style_begin(const struct term *term, enum style style)
{
    static const char *const codes[] = {
        [STYLE_PLAIN] = "",        [STYLE_BOLD] = "\033[1m", [STYLE_DIM] = "\033[2m",
        [STYLE_GOOD] = "\033[32m", [STYLE_BAD] = "\033[31m", [STYLE_BUSY] = "\033[36m",
        [STYLE_WAIT] = "\033[33m",
    };

    return term->colour ? codes[style] : "";
}

const char *style_end(const struct term *term, enum style style)
{
    return term->colour && style != STYLE_PLAIN ? "\033[0m" : "";
}

enum style style_of_state(const char *state)
{
    static const struct {
        const char *state;
        enum style style;
    } styles[] = {
        { "succeeded", STYLE_GOOD }, { "ready", STYLE_GOOD },      { "enabled", STYLE_GOOD },
        { "running", STYLE_BUSY },   { "leased", STYLE_BUSY },     { "completing", STYLE_BUSY },
        { "booting", STYLE_WAIT },   { "pending", STYLE_WAIT },    { "busy", STYLE_WAIT },
        { "full", STYLE_WAIT },      { "draining", STYLE_WAIT },   { "held", STYLE_DIM },
        { "gone", STYLE_DIM },       { "disabled", STYLE_DIM },    { "failed", STYLE_BAD },
        { "cancelled", STYLE_BAD },  { "unreachable", STYLE_BAD }, { "down", STYLE_BAD },
        { "never", STYLE_BAD },      { "silent", STYLE_BAD },
    };

    for (size_t i = 0; i < array_len(styles); i++)
        if (strcmp(styles[i].state, state) == 0)
            return styles[i].style;
    return STYLE_PLAIN;
}

static int term_size(bool columns)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0)
        return 0;
    return columns ? size.ws_col : size.ws_row;
}

int term_columns(void)
{
    return term_size(true);
}

int term_rows(void)
{
    return term_size(false);
}

void progress(struct term *term, const char *format, ...)
{
    char line[256];
    own_str char *safe = NULL;
    int columns = term_columns();
    va_list args;

    if (!term->err_is_tty)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    utf8_trim_end(line);
    safe = safe_text(line);
    if (columns > 1 && text_width(safe) >= (size_t)columns && strlen(safe) >= (size_t)columns) {
        safe[columns - 1] = '\0'; /* a line that wraps could not be replaced */
        utf8_trim_end(safe);
    }
    fprintf(stderr, "\r\033[K%s", safe);
    fflush(stderr);
    term->progress_shown = true;
}

void progress_end(struct term *term)
{
    if (term->progress_shown)
        fputs("\r\033[K", stderr);
    term->progress_shown = false;
}

char *safe_text(const char *text)
{
    size_t room = 4 * strlen(text) + 8;
    char *out = xmalloc(room);

    text_for_terminal(text, out, room);
    return out;
}

/* The code point at *s, which moves on; the text is well-formed. */
static wchar_t next_point(const unsigned char **s)
{
    unsigned point = *(*s)++;
    int more = point >= 0xF0 ? 3 : point >= 0xE0 ? 2 : point >= 0xC0 ? 1 : 0;

    if (more)
        point &= 0x3FU >> more;
    while (more-- && (**s & 0xC0) == 0x80)
        point = point << 6 | (*(*s)++ & 0x3F);
    return (wchar_t)point;
}

size_t text_width(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t width = 0;

    while (*s) {
        int columns = wcwidth(next_point(&s));

        width += columns > 0 ? (size_t)columns : 0;
    }
    return width;
}

/* ---- a job's output ----------------------------------------------------------------------------
 */

enum filter_state { FILTER_TEXT, FILTER_ESCAPE, FILTER_CSI };

static bool text_byte(unsigned char c)
{
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c < 0x7F);
}

/* Bytes 80 to 9F act as controls on some terminals unless they continue a character; C2 in front of
 * them makes the same controls in UTF-8. */
static void put_high(struct log_filter *filter, unsigned char c, struct buf *out)
{
    if (filter->pending && c < 0xC0) {
        filter->pending--;
        buf_putc(out, (char)c);
        return;
    }
    filter->pending = 0;
    if (c == 0xC2) {
        filter->held[0] = (char)c; /* until the next byte shows what it is */
        filter->pending = 255;
        return;
    }
    if (c >= 0xC3 && c <= 0xF4) {
        filter->pending = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
        buf_putc(out, (char)c);
        return;
    }
    buf_putc(out, '?');
}

static void put_text(struct log_filter *filter, unsigned char c, struct buf *out)
{
    if (filter->pending == 255) {
        filter->pending = 0;
        if (c >= 0xA0 && c < 0xC0) {
            buf_putc(out, filter->held[0]);
            buf_putc(out, (char)c);
            return;
        }
        buf_putc(out, '?');
        if (c >= 0x80 && c < 0xA0)
            return;
    }
    if (c >= 0x80) {
        put_high(filter, c, out);
        return;
    }
    filter->pending = 0;
    if (c == 0x1B)
        filter->state = FILTER_ESCAPE;
    else
        buf_putc(out, text_byte(c) ? (char)c : '?');
}

/* "ESC [ 1;31 m" is the one sequence let through. */
static void put_csi(struct log_filter *filter, unsigned char c, struct buf *out)
{
    if ((c >= '0' && c <= '9') || c == ';' || c == ':') {
        if (filter->params < sizeof filter->held)
            filter->held[filter->params++] = (char)c;
        return;
    }
    if (c >= 0x20 && c < 0x40) { /* other parameters: not a colour */
        filter->params = sizeof filter->held;
        return;
    }
    filter->state = FILTER_TEXT;
    if (c == 'm' && filter->params < sizeof filter->held)
        buf_printf(out, "\033[%.*sm", filter->params, filter->held);
    else if (c < 0x20 || c >= 0x7F)
        put_text(filter, c, out);
}

void log_filter_put(struct log_filter *filter, const char *data, size_t length, struct buf *out)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)data[i];

        switch (filter->state) {
        case FILTER_ESCAPE:
            filter->state = FILTER_TEXT;
            if (c == '[') {
                filter->state = FILTER_CSI;
                filter->params = 0;
            } else {
                buf_putc(out, '?');
                put_text(filter, c, out);
            }
            break;
        case FILTER_CSI:
            put_csi(filter, c, out);
            break;
        default:
            put_text(filter, c, out);
        }
    }
}

/* ---- figures -----------------------------------------------------------------------------------
 */

const char *short_time(int64_t ms, int64_t now_ms, char *out, size_t size)
{
    time_t at = (time_t)(ms / 1000), now = (time_t)(now_ms / 1000);
    struct tm then, today;

    if (ms == 0) {
        snprintf(out, size, "-");
        return out;
    }
    localtime_r(&at, &then);
    localtime_r(&now, &today);
    if (then.tm_year == today.tm_year && then.tm_yday == today.tm_yday)
        strftime(out, size, "%H:%M:%S", &then);
    else if (then.tm_year == today.tm_year)
        strftime(out, size, "%b %e %H:%M", &then);
    else
        strftime(out, size, "%Y-%m-%d", &then);
    return out;
}

const char *short_span(int64_t ms, char *out, size_t size)
{
    long long s = ms < 0 ? 0 : ms / 1000;

    if (s < 60)
        snprintf(out, size, "%llds", s);
    else if (s < 3600)
        snprintf(out, size, "%lld:%02lld", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, size, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, size, "%lldd %02lld:%02lld", s / 86400, s / 3600 % 24, s / 60 % 60);
    return out;
}

const char *short_bytes(int64_t bytes, char *out, size_t size)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1023.95 && unit + 1 < array_len(units)) {
        value /= 1024;
        unit++;
    }
    snprintf(out, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return out;
}
