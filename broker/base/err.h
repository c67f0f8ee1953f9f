/* SPDX-License-Identifier: Apache-2.0 */
/* err.h - a fault and the words for it, on the caller's stack.
 *
 * Functions return 0 for success, a positive value for an answer the caller expected, -1 for a
 * fault described in `err`.  The layer that fails says what, each layer above says where
 * (err_wrap).  All err_* return -1, so that `return err_set(...)` reads as it acts.  `err` may be
 * NULL: nobody asks. */
#ifndef SPILLWAY_ERR_H
#define SPILLWAY_ERR_H

#include "spillway/fault.h"

#define ERR_TEXT_BYTES 1024

struct err {
    enum fault fault;
    char text[ERR_TEXT_BYTES]; /* NUL-terminated; cut at a character, marked by "..." when too long
                                */
};

#define ERR_INIT                        \
    {                                   \
        .fault = FAULT_NONE, .text = "" \
    }

int err_set(struct err *err, enum fault fault, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
/* The words of errno after ours; the fault follows from errno (ENOENT: not_found, ENOSPC:
 * unavailable ...). */
int err_sys(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3), cold));
/* "WHERE: what was there before"; the fault stays. */
int err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

#endif
