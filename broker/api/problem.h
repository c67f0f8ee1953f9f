/* SPDX-License-Identifier: Apache-2.0 */
/* problem.h - a fault as an RFC 9457 problem document. */
#ifndef SPILLWAY_API_PROBLEM_H
#define SPILLWAY_API_PROBLEM_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/job.h"

/* The status of a fault; `known`: we know who is calling (401 or 403). */
unsigned problem_status(enum fault fault, bool known);
/* `extra`: further members (field, errors, sites), or NULL. */
void problem_write(struct buf *out, const struct err *err, unsigned status, const json_t *extra);
/* The list for "errors"; every pointer is put behind `prefix`. */
void problem_errors(json_t *list, const struct problems *problems, const char *prefix);

#endif
