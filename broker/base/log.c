/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - lines to standard error. */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

#define LINE_BYTES 4096 /* writes of up to PIPE_BUF bytes are not torn apart */

static const char *program_name = "spillway";
static enum log_level most_level = LOG_LEVEL_INFO;
static bool to_journal;

void log_open(const char *program, enum log_level most)
{
    program_name = program;
    most_level = most;
    to_journal = getenv("JOURNAL_STREAM") != NULL;
}

static int prefix(char *out, size_t size, enum log_level level)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    static const int syslog_numbers[] = { 3, 4, 6, 7 };
    int64_t now = clock_wall_ms();
    time_t seconds = now / 1000;
    struct tm utc;

    if (to_journal)
        return snprintf(out, size, "<%d>", syslog_numbers[level]);
    gmtime_r(&seconds, &utc);
    return snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s %s: ", utc.tm_year + 1900,
                    utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                    (int)(now % 1000), program_name, names[level]);
}

void log_write(enum log_level level, const char *format, ...)
{
    char text[LINE_BYTES / 2], clean[LINE_BYTES - 128], line[LINE_BYTES];
    va_list args;
    int length;

    if (level > most_level)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    length = prefix(line, sizeof line, level);
    length += snprintf(line + length, sizeof line - (size_t)length, "%s\n",
                       text_for_terminal(text, clean, sizeof clean));
    (void)!write(2, line, (size_t)length);
}
