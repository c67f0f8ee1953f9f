/* SPDX-License-Identifier: Apache-2.0 */
/* banned.h - calls that this code base does without; the Makefile includes it before every file.
 *
 * Each has a form that knows its bounds or reports its faults: snprintf, parse_i64, strtok_r,
 * gmtime_r, io_random.  The headers that declare them come first: a poisoned word may not be
 * declared again. */
#ifndef SPILLWAY_BANNED_H
#define SPILLWAY_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* glibc makes macros of some of them under _FORTIFY_SOURCE with clang. */
#undef sprintf
#undef vsprintf
#undef strcpy
#undef strncpy
#pragma GCC poison strcpy strncpy sprintf vsprintf gets atoi atol atoll atof strtok gmtime localtime
#pragma GCC poison ctime asctime srand mktemp tmpnam tempnam system

#endif
