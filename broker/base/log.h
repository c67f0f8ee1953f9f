/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - one line an event to standard error, in key=value form (logfmt).
 *
 * Under systemd (JOURNAL_STREAM) the time is left out and the level given as "<N>".  Control
 * characters in values are shown as \xNN, so that a job's name cannot forge a line.  Never log a
 * secret.  Any thread. */
#ifndef SPILLWAY_LOG_H
#define SPILLWAY_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_open(const char *program, enum log_level most);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
