/* SPDX-License-Identifier: Apache-2.0 */
/* coming.h - the coming times of a schedule as JSON, the same from command line and API.  Pure. */
#ifndef SPILLWAY_CRON_COMING_H
#define SPILLWAY_CRON_COMING_H

#include <jansson.h>
#include <stdint.h>

#include "cron/plan.h"

/* {"time", "local", "timezone", "abbreviation", "start", "note", "name"} for up to `count` times
 * behind the mark, appended to `list`.  `name` may be NULL. */
void coming_list(const struct plan *plan, const struct zone *zone, const char *name,
                 struct cron_mark mark, int64_t count, json_t *list);
/* A time with its offset, or as the schedule's own clock shows it; in seconds. */
int coming_from(const char *text, const struct zone *zone, int64_t *out, struct err *err);

#endif
