/* SPDX-License-Identifier: Apache-2.0 */
/* parse.h - numbers, sizes, spans and times as people write them, and back.
 *
 * All parsers take the whole string or fail with FAULT_INVALID and a sentence that says what would
 * be right.  None depends on the locale. */
#ifndef SPILLWAY_PARSE_H
#define SPILLWAY_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

int parse_i64(const char *text, int64_t least, int64_t most, int64_t *out, struct err *err);
int parse_double(const char *text, double least, double most, double *out, struct err *err);
/* "512MiB", "8 GiB", "20GB", "1.5TiB", "100B" (binary and decimal units told apart); bytes. */
int parse_bytes(const char *text, int64_t *out, struct err *err);
/* "90s", "10m", "2h", "1d", "1w", "1h30m", "250ms", and Slurm's "HH:MM:SS", "D-HH:MM:SS"; ms. */
int parse_span(const char *text, int64_t *out_ms, struct err *err);
/* RFC 3339: "2026-12-01T08:00:00+01:00", "…Z", fraction allowed; ms since 1970 UTC. */
int parse_time(const char *text, int64_t *out_ms, struct err *err);

/* Shortest exact form: "8GiB", "1536MiB", "100B". */
const char *format_bytes(int64_t bytes, char *out, size_t size);
/* "2h", "1h30m", "45s", "250ms". */
const char *format_span(int64_t ms, char *out, size_t size);
/* RFC 3339 in UTC with milliseconds: "2026-12-01T07:00:00.000Z". */
const char *format_time(int64_t ms, char *out, size_t size);
#define FORMAT_BYTES 32 /* room enough for each of these */

/* The entry of `names` (NULL-terminated) closest to `word` by edit distance, or NULL when none is
 * near. */
const char *nearest_word(const char *word, const char *const *names);

#endif
