/* SPDX-License-Identifier: Apache-2.0 */
/* line.h - between line.c, which reads cron lines, and expr.c, which says when they fire. */
#ifndef SPILLWAY_CRON_LINE_H
#define SPILLWAY_CRON_LINE_H

#include <stdint.h>

#include "cron/expr.h"

/* The days that fit in a month of `length` days whose first is `first_weekday`: bits 1 to 31. */
uint32_t cron_month_days(const struct cron *cron, int length, int first_weekday);

#endif
